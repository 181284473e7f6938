"""The same client for asyncio."""

from __future__ import annotations

import asyncio
from typing import Any, Callable, Unpack

import grpc.aio

from grove import _shell, _values
from grove._verbs import Verbs

__all__ = ['Client']


class Stream:
    """A stream of either direction; gRPC takes its messages in a task of its own."""

    def __init__(self, begin: Callable[[Any], Any]) -> None:
        self._unsent: asyncio.Queue[Any] = asyncio.Queue()
        self.write, self._call = self._unsent.put_nowait, begin(self._messages())
        self._answers = self._call.__aiter__()

    async def _messages(self) -> Any:
        while (message := await self._unsent.get()) is not None:
            yield message

    async def read(self) -> Any:
        return await anext(self._answers, None)

    def end(self) -> None:
        self._call.cancel()
        self.write(None)


class Shell(_shell.Shell):
    """Of the event loop that its first call is made in."""

    grpc, stream = grpc.aio, Stream

    async def unary(self, method: str, request: Any, timeout: float) -> Any:
        return await self.call('unary_unary', method, request, timeout)

    pause = staticmethod(asyncio.sleep)


class Client(Verbs):
    """One connection to a daemon, of one event loop; made anywhere."""

    def __init__(self, address: str = '', **options: Unpack[_values.Connection]) -> None:
        super().__init__(Shell, address, **options)

    async def close(self) -> None:
        """Calls under way end."""
        await self.shell.channel.close()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
