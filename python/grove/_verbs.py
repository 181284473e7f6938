"""What a client does, once for both kinds of it: each verb is a coroutine over a shell.

The blocking shell never suspends, so that one step drives such a coroutine to its end; asyncio's
does. Retries, long polls, pages and the rules of repeating stand here alone.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import os
import pathlib
import random
import time
import uuid
from typing import (Any, AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator, List,
                    Optional, Union, Unpack)

import grpc

from grove import _errors, _tasks, _values
from grove._errors import GroveError
from grove._tasks import Event, Named, Spawned, Task
from grove._values import Filter, Options, Spec

# A wait asks anew this often, so that a connection that died without a sound is noticed.
WAIT_SLICE_S = 60.0
# A server that answered before and falls silent is asked again for so long.
OUTAGE_MAX_S = 300.0
BATCH_MAX, MESSAGE_BYTES_MAX = 10_000, 1 << 20
LOST = ('UNAVAILABLE', 'CANCELLED', 'DEADLINE_EXCEEDED')
# With these a restart begins, or a control says that it has just begun.
RESTARTS = ('DRAINING', 'CONTROL_ENDS', 'SUPERVISOR_SILENT')


class Patience:
    """How long failures are borne: told the time, and drawing its own pauses."""

    def __init__(self, verbs: Verbs, timeout: Optional[float], outage_max: float) -> None:
        self.verbs, self.outage_max, self.was_out = verbs, outage_max, False
        self.end = float('inf') if timeout is None else verbs.clock() + timeout
        self.answered()

    def left(self) -> float:
        """0 if its time is over."""
        return max(self.end - self.verbs.clock(), 0.0)

    def answered(self) -> None:
        """The next outage is another."""
        self.outage, self.step = float('inf'), 0.1

    def pause(self, error: GroveError) -> float:
        """How long before the next try; raises what is no outage, or too long a one."""
        lost = error.code.name in LOST and not error.reason
        if (not self.verbs.heard if lost else
                error.retry_delay is None and error.reason not in RESTARTS):
            if self.was_out and isinstance(error, _errors.NotFound):
                error.add_note('The server was restarted: volatile tasks do not outlast that.')
            raise error
        now, self.was_out = self.verbs.clock(), True
        self.outage = min(self.outage, now)
        pause = max(self.step * (0.5 + 0.5 * self.verbs.draw()),
                    (error.retry_delay or 0.0) * (1 + 0.1 * self.verbs.draw()))
        self.step = min(2 * self.step, 2.0)
        if now + pause >= min(self.end, self.outage + self.outage_max):
            raise error
        return pause


class Lasting:
    """A stream that is opened anew after an outage, with what `unanswered` has then."""

    def __init__(self, verbs: Verbs, method: str, timeout: Optional[float],
                 unanswered: Any) -> None:
        self.verbs, self.method, self.unanswered = verbs, method, unanswered
        self.patience = Patience(verbs, timeout, OUTAGE_MAX_S)
        self.stream: Any = None

    def write(self, message: Any) -> None:
        """To one that is open: `unanswered` has it for the others."""
        if self.stream:
            self.stream.write(message)

    def end(self) -> None:
        """Whatever is under way."""
        self.stream = self.stream and self.stream.end()

    async def read(self, check: Callable[[Any], None]) -> Any:
        """The next answer; where `check` raises what may pass, all is sent again."""
        while True:
            try:
                with self.verbs.hearing():
                    if self.stream is None:
                        left = self.patience.left()
                        self.stream = self.verbs.shell.open(
                            self.method, left if left < float('inf') else None)
                        for message in self.unanswered:
                            self.stream.write(message)
                    answer = await self.stream.read()
                if answer is None:
                    raise _errors.Unavailable(grpc.StatusCode.UNAVAILABLE, 'the server ended it')
                check(answer)
            except GroveError as error:
                self.end()
                await self.verbs.shell.pause(self.patience.pause(error))
            else:
                self.patience.answered()
                return answer


def _check(answer: Any, waits_for_room: bool) -> None:
    """Of a stream of spawns: raises what is no result yet, since it says when to come again."""
    kinds = (_errors.Unavailable, *[_errors.ResourceExhausted] * waits_for_room)
    for refused in [answer, *answer.results]:
        error = _errors.of_status(refused.error) if refused.HasField('error') else None
        if isinstance(error, kinds) and error.retry_delay is not None:
            raise error


class _Each:
    """What can be iterated, for asynchronous iteration."""

    def __init__(self, specs: Iterable[Any]) -> None:
        self._specs = iter(specs)

    def __aiter__(self) -> _Each:
        return self

    async def __anext__(self) -> Any:
        for spec in self._specs:
            return spec
        raise StopAsyncIteration


class Verbs:
    """A connection to a daemon, and what is done by it."""

    clock: Callable[[], float] = staticmethod(time.monotonic)
    draw: Callable[[], float] = staticmethod(random.random)

    def __init__(self, shell: Callable[[str, Any, Any], Any], address: str = '', *,
                 token: Optional[str] = None, ca_cert: str = '', client_cert: str = '',
                 client_key: str = '', tenant: str = 'default', call_timeout: float = 60.0,
                 retry_for: float = 10.0) -> None:
        if bool(client_cert) != bool(client_key) or client_cert and not ca_cert:
            raise ValueError('client_cert: want client_key and ca_cert with it')
        files = [pathlib.Path(path).read_bytes() if path else None
                 for path in (ca_cert, client_key, client_cert)]
        token = os.environ.get('GROVE_TOKEN', '') if token is None else token
        self.shell = shell(address or os.environ.get('GROVE_ADDRESS', '127.0.0.1:8091'),
                           grpc.ssl_channel_credentials(*files) if ca_cert else None,
                           [('authorization', f'Bearer {token}')] if token else None)
        self.tenant, self.call_timeout, self.retry_for = tenant, call_timeout, retry_for
        # Whether the server ever answered: one that was never there is not waited for.
        self.heard = False

    @contextlib.contextmanager
    def hearing(self) -> Iterator[None]:
        """Of a call within: its errors become GroveErrors."""
        try:
            yield
        except grpc.RpcError as broken:
            error = _errors.of_rpc(broken)
            self.heard = self.heard or bool(error.reason)
            raise error from None
        self.heard = True

    def _parent(self, queue: str = '') -> str:
        return f'tenants/{self.tenant}' + (f'/queues/{queue}' if queue else '')

    async def _once(self, method: str, timeout: float, fields: Any) -> Any:
        with self.hearing():
            return await self.shell.unary(method, _values.request(method, **fields), timeout)

    async def _call(self, method: str, repeatable: bool, **fields: Any) -> Any:
        """Made again where it may be: what is not repeatable, only where nothing was done."""
        patience = Patience(self, self.retry_for, self.retry_for)
        while True:
            try:
                return await self._once(method, self.call_timeout, fields)
            except GroveError as error:
                if isinstance(error, _errors.DeadlineExceeded) or not (
                        repeatable or isinstance(error, _errors.ResourceExhausted)):
                    raise
                await self.shell.pause(patience.pause(error))

    async def call(self, method: str, **fields: Any) -> Any:
        """Any method of the API that has one answer ("PauseQueue"), by its fields."""
        return await self._call(method, method.startswith(('Get', 'List', 'Count', 'Explain')),
                                **fields)

    async def spawn(self, function: str, input: Any = None, **options: Unpack[Options]) -> Task:
        """A request_id is made, so that the task is there once; '' for none."""
        spec = {'request_id': str(uuid.uuid4()), **options, 'function': function, 'input': input}
        answer = await self._call('SpawnTask', bool(spec['request_id']), parent=self._parent(),
                                  spec=spec)
        return Task(answer.task, answer.attached)

    async def spawn_many(self, specs: Iterable[Spec], *, request_id: str = '',
                         completion: Optional[Spec] = None) -> List[Spawned]:
        """Up to 10,000, each accepted or refused; last the completion, which follows."""
        answer = await self._call(
            'BatchSpawnTasks', True, parent=self._parent(), specs=list(specs),
            request_id=request_id or str(uuid.uuid4()), completion=completion)
        last = [answer.completion] if answer.HasField('completion') else []
        return [_tasks.spawned(each) for each in [*answer.results, *last]]

    async def _messages(self, specs: Any, specs_max: int) -> AsyncGenerator[Any, None]:
        """Of a stream of spawns: each spec with a request_id."""
        prefix, numbers = uuid.uuid4(), itertools.count()
        message = _values.request('SpawnTasks', parent=self._parent())
        async for spec in specs if hasattr(specs, '__aiter__') else _Each(specs):
            one = _values.fill(message.specs.add(), spec)
            one.request_id = one.request_id or f'{prefix}-{next(numbers)}'
            if len(message.specs) >= specs_max or message.ByteSize() >= MESSAGE_BYTES_MAX:
                yield message
                message = _values.request('SpawnTasks', parent=self._parent())
        if message.specs:
            yield message

    async def spawn_stream(self, specs: Union[Iterable[Spec], AsyncIterable[Spec]], *,
                           unanswered: int = 1000) -> AsyncGenerator[Spawned, None]:
        """As many as there are, in their order; takes no more while so many have no answer."""
        waiting: collections.deque[Any] = collections.deque()
        messages = self._messages(specs, max(1, unanswered // 10))
        stream = Lasting(self, 'SpawnTasks', None, waiting)
        more = True
        try:
            while more or waiting:
                while more and sum(len(message.specs) for message in waiting) < unanswered:
                    message = await anext(messages, None)
                    more = message is not None
                    if more:
                        waiting.append(message)
                        stream.write(message)
                if waiting:
                    end = self.clock() + self.retry_for
                    answer = await stream.read(lambda answer: _check(answer, self.clock() < end))
                    sent = waiting.popleft()
                    refused = _errors.of_status(answer.error) if answer.HasField('error') else None
                    for result in sent.specs if refused else answer.results:
                        yield Spawned('', refused, False) if refused else _tasks.spawned(result)
        finally:
            stream.end()
            await messages.aclose()

    async def _waited(self, method: str, patience: Patience, **fields: Any) -> Any:
        while True:
            part = min(max(patience.left(), 0.001), WAIT_SLICE_S)
            try:
                answer = await self._once(method, part + self.call_timeout,
                                          {'timeout': part, 'view': 'OUTPUT', **fields})
            except GroveError as error:
                await self.shell.pause(patience.pause(error))
            else:
                patience.answered()
                return answer

    async def _greet(self, name: str) -> None:
        """Before a wait, whose answer may be long in coming: is there a server at all?"""
        try:
            if not self.heard:
                await self._call('GetTask', True, name=name, view='BASIC')
        except GroveError as error:
            if not error.reason:
                raise

    async def wait(self, task: Named, timeout: Optional[float] = None) -> Task:
        """The succeeded task; outlasts restarts. TaskFailed, WaitTimeout: it is none."""
        patience, name = Patience(self, timeout, OUTAGE_MAX_S), _tasks.name(task)
        await self._greet(name)
        while True:
            found = Task((await self._waited('WaitTask', patience, name=name)).task)
            if found.ended or not patience.left():
                found.result()
                return found

    async def wait_many(self, tasks: Iterable[Named],
                        timeout: Optional[float] = None) -> List[Task]:
        """As they ended, or are once the time is over; in their order. Some may be NOT_FOUND."""
        patience, names = Patience(self, timeout, OUTAGE_MAX_S), [*map(_tasks.name, tasks)]
        found: dict[str, Task] = {}
        await self._greet(names[0] if names else '')
        while True:
            late = not patience.left()
            left = [name for name in dict.fromkeys(names)
                    if name not in found or not (late or found[name].ended)][:BATCH_MAX]
            if not left:
                return [found[name] for name in names]
            answer = await self._waited('BatchWaitTasks', patience, names=left)
            for name, result in zip(left, answer.results):
                missing = _errors.of_status(result.error) if result.HasField('error') else None
                result.task.name = name
                found[name] = Task(result.task, missing=missing)

    async def watch(self, *, queue: str = '', with_existing: bool = False, view: str = 'BASIC',
                    resume_token: str = '', timeout: Optional[float] = None,
                    **filter: Unpack[Filter]) -> AsyncGenerator[Event, None]:
        """Tasks as they come and change, until the time is over; outlasts restarts."""
        request = _values.request(
            'WatchTasks', parent=self._parent(queue), with_existing=with_existing, view=view,
            resume_token=resume_token, filter=filter)
        stream = Lasting(self, 'WatchTasks', timeout, [request])
        try:
            while True:
                answer = await stream.read(lambda answer: None)
                for told in answer.events:
                    yield _tasks.event(told, request.resume_token)
                request.resume_token = answer.resume_token or request.resume_token
                if not answer.events:
                    yield Event('token', '', None, request.resume_token)
        except _errors.DeadlineExceeded:
            if stream.patience.left():
                raise
        finally:
            stream.end()

    async def list(self, *, queue: str = '', order_by: str = '', view: str = 'BASIC',
                   page_size: int = 0, **filter: Unpack[Filter]) -> AsyncGenerator[Task, None]:
        """All that match, page by page; order_by: "create_time desc", "end_time" and so on."""
        token = None
        while token != '':
            page = await self._call(
                'ListTasks', True, parent=self._parent(queue), order_by=order_by, view=view,
                page_size=page_size, page_token=token, filter=filter)
            for each in page.tasks:
                yield Task(each)
            token = page.next_page_token

    async def get(self, task: Named) -> Task:
        """With its input and output."""
        return Task((await self._call('GetTask', True, name=_tasks.name(task))).task)

    async def cancel(self, task: Named, reason: str = '', *, descendants: bool = False) -> Task:
        """Ends it, if it has not ended, and what it spawned."""
        return Task((await self._call('CancelTask', True, name=_tasks.name(task), reason=reason,
                                      descendants=descendants)).task)

    async def retry(self, task: Named, *, as_new: bool = False) -> Task:
        """Puts an ended one back into its queue, or spawns another of its spec."""
        return Task((await self._call('RetryTask', False, name=_tasks.name(task),
                                      as_new=as_new)).task)

    async def delete(self, task: Named) -> None:
        """Forgets an ended one."""
        await self._call('DeleteTask', False, name=_tasks.name(task))
