"""The blocking client."""

from __future__ import annotations

import time
from typing import Any, Iterable, Optional

import grpc

from grove import _core, _errors, _target, _values


class Task:
    """A task as the server told it: `message` has all."""

    def __init__(self, message: Any) -> None:
        self.message = message
        self.name: str = message.name
        self.state: str = _core.state_of(message)

    @property
    def output(self) -> Any:
        """JSON as Python's objects, else bytes."""
        return _values.decoded(self.message.output, self.message.output_content_type)


def ended(message: Any) -> Task:
    """Of a wait: what has not succeeded is raised."""
    task = Task(message)
    if task.state not in _core.ENDED:
        raise _errors.WaitTimeout(task)
    if task.state != 'SUCCEEDED':
        raise _errors.TaskFailed(task)
    return task


class Client:
    """One connection to a daemon; threads may share it."""

    def __init__(self, address: Optional[str] = None, *, context: Optional[str] = None,
                 token: Optional[str] = None, ca_cert: Optional[str] = None,
                 client_cert: Optional[str] = None, client_key: Optional[str] = None,
                 tenant: str = 'default', call_timeout: float = 60.0,
                 retry_for: float = 10.0) -> None:
        self._core = _core.Core(tenant, call_timeout, retry_for)
        target = _target.find(address, context, token, ca_cert, client_cert, client_key)
        self._metadata = [('authorization', f'Bearer {target.token}')] if target.token else None
        self._channel = (
            grpc.secure_channel(target.address, target.credentials, _target.OPTIONS)
            if target.credentials else grpc.insecure_channel(target.address, _target.OPTIONS))

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Calls under way end."""
        self._channel.close()

    def _run(self, steps: _core.Steps) -> Any:
        try:
            step = next(steps)
            while True:
                try:
                    answer = self._do(step)
                except grpc.RpcError as error:
                    step = steps.throw(_errors.of_rpc(error))
                else:
                    step = steps.send(answer)
        except StopIteration as end:
            return end.value

    def _do(self, step: _core.Step) -> Any:
        if isinstance(step, _core.Pause):
            return time.sleep(step.seconds)
        method = _values.METHODS[step.method]
        call = self._channel.unary_unary(
            method.path, method.request.SerializeToString, method.response.FromString)
        return call(step.request, timeout=step.timeout, metadata=self._metadata)

    def spawn(self, function: str, input: Any = None, **fields: Any) -> Task:
        """`fields`: those of a TaskSpec; a request_id is made, so that it is there once."""
        return Task(self._run(self._core.spawn({'function': function, 'input': input, **fields})))

    def spawn_many(self, specs: Iterable[dict[str, Any]], request_id: Optional[str] = None,
                   completion: Optional[dict[str, Any]] = None) -> _core.Batch:
        """Each spec is accepted or refused on its own."""
        batch: _core.Batch = self._run(self._core.spawn_many(specs, request_id, completion))
        return batch

    def wait(self, name: str, timeout: Optional[float] = None) -> Task:
        """The succeeded task; outlasts restarts. TaskFailed, WaitTimeout: it is none."""
        return ended(self._run(self._core.wait(name, timeout, 'OUTPUT')))

    def get(self, name: str) -> Task:
        """With its input and output."""
        return Task(self._run(self._core.call('GetTask', name=name)).task)

    def cancel(self, name: str, reason: str = '') -> Task:
        """Ends it, if it has not ended."""
        return Task(self._run(self._core.call('CancelTask', name=name, reason=reason)).task)
