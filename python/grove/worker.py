"""A worker: functions of yours, whose tasks the daemon gives this process to run.

    app = grove.worker.App('127.0.0.1:8091')

    @app.function(timeout=60)
    def resize(image, width=100): ...

    app.run()

A task's JSON input is the function's arguments: of an object the named ones, of a list those in
order, else the only one. What it returns is the task's output; an exception is the attempt's
failure, which is tried again as the function's retry_policy says. Functions run on threads, those
that are `async def` on one loop. docs/clients.md tells the rest.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import json
import logging
import os
import platform
import queue
import signal
import socket
import threading
import time
import uuid
from typing import Any, Callable, Iterator, Optional, TypeVar, Unpack

import grpc

from grove import _client, _errors, _values
from grove._stubs import inspect_service_pb2, status_pb2
from grove._stubs import worker_gateway_service_pb2 as gateway
from grove._verbs import Verbs

F = TypeVar('F', bound=Callable[..., Any])
# A daemon that was restarted waits 10 s for what its workers still run.
PAUSE_MIN_S, PAUSE_MAX_S = 0.1, 1.0
# A third of what the daemon bears.
SILENCE_S = 10.0
# Of those that the registration is wrong for, no later try is better.
FINAL = ('REGISTRATION_INVALID', 'REGISTRATION_REQUIRED', 'TOO_MANY_FUNCTIONS', 'TENANT_NOT_FOUND')
log = logging.getLogger('grove.worker')
_current: contextvars.ContextVar[Attempt] = contextvars.ContextVar('attempt')


class RetryAfter(Exception):
    """The attempt has failed: the next one starts `delay` seconds later, not after the back-off."""

    def __init__(self, delay: float, why: str = '') -> None:
        super().__init__(why or f'again in {delay:g} s')
        self.delay = delay


class NeverAgain(Exception):
    """The task has failed: no attempt that is left would do better."""


class Cancelled(Exception):
    """The attempt stops because it was cancelled: what check_cancelled() raises."""


class Attempt:
    """What runs, of itself; see current()."""

    def __init__(self, app: App, start: Any) -> None:
        self._app, self._start = app, start
        self._steps: Any = None  # of an `async def`
        self.cancelled = threading.Event()
        self.began = time.time()
        self.task, self.function, self.number = start.task, start.function, start.number
        self.labels, self.checkpoint = dict(start.labels), start.checkpoint
        self.traceparent = start.traceparent
        self.deadline = self.began + start.timeout.ToTimedelta().total_seconds()

    def progress(self, fraction: float, message: str = '') -> None:
        """Shown by `grovectl tasks`, from 0 to 1; a sign of life, too."""
        self._report(progress=fraction, message=message)

    def save(self, checkpoint: bytes) -> None:
        """For the next attempt, if this one does not succeed: its `checkpoint`; at most 64 KiB."""
        self._report(checkpoint=checkpoint)

    def heartbeat(self) -> None:
        """A sign of life, for a function with a heartbeat_timeout."""
        self._report()

    def check_cancelled(self) -> None:
        """Raises Cancelled once the attempt is to stop."""
        if self.cancelled.is_set():
            raise Cancelled()

    def _report(self, **fields: Any) -> None:
        self._app._link.send(reports=[gateway.AttemptReport(attempt=self._start.attempt, **fields)])


def current() -> Attempt:
    """The attempt that the calling function runs for. LookupError: it runs for none."""
    return _current.get()


class _Link:
    """What is to be sent over the stream that is open, in as few messages as may be."""

    def __init__(self) -> None:
        self._lock = threading.Condition()
        self._next = gateway.ConnectWorkerRequest()
        # Of the stream that is open; none is where it is even.
        self._stream = 0

    def begin(self, first: Any) -> Iterator[Any]:
        """The messages of a new stream."""
        with self._lock:
            self._next, self._stream = first, (self._stream | 1) + 2 * (self._stream & 1)
            self._lock.notify_all()
            return self._messages(self._stream)

    def end(self) -> None:
        with self._lock:
            self._stream += self._stream & 1
            self._lock.notify_all()

    def send(self, **fields: Any) -> None:
        """Nothing where no stream is open: a result is told again by the next one."""
        with self._lock:
            if self._stream & 1:
                self._next.MergeFrom(gateway.ConnectWorkerRequest(**fields))
                self._lock.notify_all()

    def _messages(self, stream: int) -> Iterator[Any]:
        """Until its end; an empty one now and then says that the process lives."""
        while True:
            with self._lock:
                if self._stream == stream and self._next.ByteSize() == 0:
                    self._lock.wait(SILENCE_S)
                if self._stream != stream:
                    return
                message, self._next = self._next, gateway.ConnectWorkerRequest()
            yield message


class App:
    """The functions of a process. Connection as of grove.Client; `tenant`: whose tasks it runs."""

    def __init__(self, address: str = '', *, concurrency: int = os.cpu_count() or 1,
                 drain_timeout: float = 30.0, **options: Unpack[_values.Connection]) -> None:
        self._concurrency, self._drain_timeout = concurrency, drain_timeout
        self._tenant = options.get('tenant', '')
        self._verbs = Verbs(_client.Shell, address, **options)
        self._functions: dict[str, tuple[Callable[..., Any], Any]] = {}
        self._link, self._lock = _Link(), threading.Lock()
        self._session, self._worker = uuid.uuid4().hex, ''
        self._running: dict[str, Attempt] = {}
        # Until the daemon has them.
        self._results: dict[str, Any] = {}
        self._changed = threading.Condition(self._lock)
        self._stopping = threading.Event()
        self._starts: queue.SimpleQueue[Attempt] = queue.SimpleQueue()

    def function(self, name: str = '', **options: Any) -> Callable[[F], F]:
        """Registers what it decorates: `default_timeout` or `timeout`, `retry_policy`, `queue`,
        `concurrency_max`, `heartbeat_timeout`, `slot_cost` and more as of grove.v1.Function."""
        def register(function: F) -> F:
            known = name or function.__name__
            if known in self._functions:
                raise ValueError(f'there are two functions {known!r}')
            if 'timeout' in options:
                options['default_timeout'] = options.pop('timeout')
            options.setdefault('description', (inspect.getdoc(function) or '').split('\n')[0])
            self._functions[known] = function, _values.fill(
                inspect_service_pb2.Function(name=known), options)
            return function
        return register

    def run(self) -> None:
        """Runs tasks until SIGTERM, SIGINT or stop(): what runs then is finished first, for
        drain_timeout seconds at most. GroveError: the daemon wants no such worker."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: self.stop())
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        plain = any(not inspect.iscoroutinefunction(each) for each, _ in self._functions.values())
        for _ in range(self._concurrency if plain else 0):
            threading.Thread(target=self._work, name='grove-task', daemon=True).start()
        threading.Thread(target=self._drain, daemon=True).start()
        try:
            self._serve()
        finally:
            self._stopping.set()
            self._loop.call_soon_threadsafe(self._loop.stop)

    def stop(self) -> None:
        """From any thread, and from a handler of a signal."""
        self._stopping.set()

    # --- The stream

    def _serve(self) -> None:
        pause = PAUSE_MIN_S
        while not (self._stopping.is_set() and self._is_idle()):
            try:
                welcomed = self._serve_stream()
                error: Optional[_errors.GroveError] = None
            except grpc.RpcError as caught:
                welcomed, error = bool(self._worker), _errors.of_rpc(caught)
            if error is not None and (
                    error.reason in FINAL or error.code.name in ('UNAUTHENTICATED',
                                                                 'PERMISSION_DENIED')):
                raise error
            if self._stopping.is_set() and self._is_idle():
                return
            log.warning('the daemon is away: %s', error or 'the stream ended')
            pause = PAUSE_MIN_S if welcomed and error is None else min(2 * pause, PAUSE_MAX_S)
            time.sleep(max(pause, error.retry_delay or 0.0 if error else 0.0))

    def _serve_stream(self) -> bool:
        stream = self._verbs.shell.call(
            'stream_stream', 'ConnectWorker', self._link.begin(self._first()), None)
        try:
            for message in stream:
                if message.HasField('welcome'):
                    self._worker = message.welcome.worker
                    log.info('joined as %s', self._worker)
                self._take(message)
        finally:
            self._link.end()
        return True

    def _first(self) -> Any:
        with self._lock:
            running = [gateway.RunningAttempt(attempt=name, task=each.task, number=each.number)
                       for name, each in self._running.items() if name not in self._results]
            results = list(self._results.values())
        return gateway.ConnectWorkerRequest(
            registration=gateway.WorkerRegistration(
                parent=f'tenants/{self._tenant}' if self._tenant else '', session=self._session,
                capacity=self._concurrency, worker=self._worker, running=running,
                functions=[described for _, described in self._functions.values()],
                host=socket.gethostname()[:255], pid=os.getpid(),
                runtime=f'python {platform.python_version()}'),
            results=results, draining=self._stopping.is_set())

    def _take(self, message: Any) -> None:
        with self._lock:
            for name in message.acknowledged:
                self._results.pop(name, None)
                self._running.pop(name, None)
            self._changed.notify_all()
        for start in message.starts:
            attempt = Attempt(self, start)
            with self._lock:
                self._running[start.attempt] = attempt
            if inspect.iscoroutinefunction(self._functions[start.function][0]):
                self._loop.call_soon_threadsafe(self._begin, attempt)
            else:
                self._starts.put(attempt)
        for cancel in message.cancels:
            with self._lock:
                known = self._running.get(cancel.attempt)
            if known is not None:
                known.cancelled.set()
                self._loop.call_soon_threadsafe(
                    lambda known=known: known._steps is not None and known._steps.cancel())
            else:
                self._end(cancel.attempt, cancelled=gateway.AttemptCancelled())

    # --- Attempts

    def _work(self) -> None:
        while True:
            attempt = self._starts.get()
            _current.set(attempt)
            try:
                args, named = _arguments(attempt._start)
                value = self._functions[attempt.function][0](*args, **named)
                self._end(attempt._start.attempt, output=_output(value))
            except BaseException as error:  # whatever a function raises is its attempt's failure
                self._fail(attempt, error)

    def _begin(self, attempt: Attempt) -> None:
        attempt._steps = self._loop.create_task(self._run_steps(attempt))
        attempt._steps.add_done_callback(lambda _: self._has_ended(attempt))

    def _has_ended(self, attempt: Attempt) -> None:
        """One that was cancelled before its first step has said nothing."""
        name = attempt._start.attempt
        with self._lock:
            is_silent = name in self._running and name not in self._results
        if is_silent:
            self._end(name, cancelled=gateway.AttemptCancelled())

    async def _run_steps(self, attempt: Attempt) -> None:
        _current.set(attempt)
        try:
            args, named = _arguments(attempt._start)
            value = await self._functions[attempt.function][0](*args, **named)
            self._end(attempt._start.attempt, output=_output(value))
        except BaseException as error:
            self._fail(attempt, error)

    def _fail(self, attempt: Attempt, error: BaseException) -> None:
        if attempt.cancelled.is_set() or isinstance(error, Cancelled):
            return self._end(attempt._start.attempt, cancelled=gateway.AttemptCancelled())
        log.warning('%s has failed in attempt %d', attempt.task, attempt.number, exc_info=error)
        self._end(attempt._start.attempt, failure=_failure(error))

    def _end(self, name: str, **outcome: Any) -> None:
        result = gateway.AttemptResult(attempt=name, **outcome)
        with self._lock:
            self._results[name] = result
        self._link.send(results=[result])

    # --- The end

    def _is_idle(self) -> bool:
        with self._lock:
            return not self._running and not self._results

    def _drain(self) -> None:
        self._stopping.wait()
        self._link.send(draining=True)
        with self._changed:
            done = self._changed.wait_for(
                lambda: not self._running and not self._results, self._drain_timeout)
            left = [name for name in self._running if name not in self._results]
        for name in left:
            self._end(name, returned=gateway.AttemptReturned())
        if not done:
            with self._changed:
                self._changed.wait_for(lambda: not self._results, 5.0)
                self._running.clear()
                self._results.clear()
        self._link.end()


def _arguments(start: Any) -> tuple[list[Any], dict[str, Any]]:
    if start.input_payload:
        return [start.input_payload], {}
    if start.content_type != 'application/json':
        return [start.input], {}
    value = json.loads(start.input) if start.input else None
    if isinstance(value, dict):
        return [], value
    return value if isinstance(value, list) else [] if value is None else [value], {}


def _output(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray)):
        return gateway.AttemptOutput(data=bytes(value), content_type='application/octet-stream')
    return gateway.AttemptOutput(data=json.dumps(value).encode())


def _failure(error: BaseException) -> Any:
    code = grpc.StatusCode.UNKNOWN
    if isinstance(error, _errors.GroveError):
        code = error.code
    elif isinstance(error, TimeoutError):
        code = grpc.StatusCode.DEADLINE_EXCEEDED
    kind = type(error).__name__
    text = str(error) if isinstance(error, (RetryAfter, NeverAgain)) else f'{kind}: {error}'
    failure = gateway.AttemptFailure(
        error=status_pb2.Status(code=code.value[0], message=text[:4096]),
        never_again=isinstance(error, NeverAgain))
    if isinstance(error, RetryAfter):
        failure.retry_after.FromNanoseconds(int(max(error.delay, 0.0) * 1e9))
    return failure
