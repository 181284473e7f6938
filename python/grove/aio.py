"""The same client for asyncio."""

from __future__ import annotations

import asyncio
from typing import Any, Iterable, Optional

import grpc
import grpc.aio

from grove import _core, _errors, _target, _values
from grove._client import Task, ended

__all__ = ['Client', 'Task']


class Client:
    """One connection to a daemon, of one event loop."""

    def __init__(self, address: Optional[str] = None, *, context: Optional[str] = None,
                 token: Optional[str] = None, ca_cert: Optional[str] = None,
                 client_cert: Optional[str] = None, client_key: Optional[str] = None,
                 tenant: str = 'default', call_timeout: float = 60.0,
                 retry_for: float = 10.0) -> None:
        self._core = _core.Core(tenant, call_timeout, retry_for)
        target = _target.find(address, context, token, ca_cert, client_cert, client_key)
        self._metadata = [('authorization', f'Bearer {target.token}')] if target.token else None
        self._channel = (
            grpc.aio.secure_channel(target.address, target.credentials, _target.OPTIONS)
            if target.credentials else grpc.aio.insecure_channel(target.address, _target.OPTIONS))

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()

    async def _run(self, steps: _core.Steps) -> Any:
        try:
            step = next(steps)
            while True:
                try:
                    answer = await self._do(step)
                except grpc.RpcError as error:
                    step = steps.throw(_errors.of_rpc(error))
                else:
                    step = steps.send(answer)
        except StopIteration as end:
            return end.value

    async def _do(self, step: _core.Step) -> Any:
        if isinstance(step, _core.Pause):
            return await asyncio.sleep(step.seconds)
        method = _values.METHODS[step.method]
        call = self._channel.unary_unary(
            method.path, method.request.SerializeToString, method.response.FromString)
        return await call(step.request, timeout=step.timeout, metadata=self._metadata)

    async def spawn(self, function: str, input: Any = None, **fields: Any) -> Task:
        """As the blocking client's."""
        spec = {'function': function, 'input': input, **fields}
        return Task(await self._run(self._core.spawn(spec)))

    async def spawn_many(self, specs: Iterable[dict[str, Any]], request_id: Optional[str] = None,
                         completion: Optional[dict[str, Any]] = None) -> _core.Batch:
        """As the blocking client's."""
        steps = self._core.spawn_many(specs, request_id, completion)
        batch: _core.Batch = await self._run(steps)
        return batch

    async def wait(self, name: str, timeout: Optional[float] = None) -> Task:
        """As the blocking client's."""
        return ended(await self._run(self._core.wait(name, timeout, 'OUTPUT')))

    async def get(self, name: str) -> Task:
        """With its input and output."""
        return Task((await self._run(self._core.call('GetTask', name=name))).task)

    async def cancel(self, name: str, reason: str = '') -> Task:
        """Ends it, if it has not ended."""
        call = self._core.call('CancelTask', name=name, reason=reason)
        return Task((await self._run(call)).task)
