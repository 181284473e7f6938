"""The blocking client: the verbs over a shell that never suspends."""

from __future__ import annotations

import functools
import queue
import time
from typing import (Any, AsyncGenerator, Callable, Concatenate, Coroutine, Iterator, ParamSpec,
                    TypeVar, Unpack)

import grpc

from grove import _shell, _values
from grove._verbs import Verbs

P, R = ParamSpec('P'), TypeVar('R')


class Stream:
    """A stream of either direction; gRPC takes its messages on a thread of its own."""

    def __init__(self, begin: Callable[[Any], Any]) -> None:
        unsent: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.write, self._answers = unsent.put, begin(iter(unsent.get, None))

    async def read(self) -> Any:
        return next(self._answers, None)

    def end(self) -> None:
        self._answers.cancel()
        self.write(None)


class Shell(_shell.Shell):
    """Threads may share it."""

    grpc, stream = grpc, Stream

    async def unary(self, method: str, request: Any, timeout: float) -> Any:
        return self.call('unary_unary', method, request, timeout)

    async def pause(self, seconds: float) -> None:
        time.sleep(seconds)


def _driven(steps: Coroutine[Any, Any, R]) -> R:
    try:
        steps.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError('a verb has suspended')


def _verb(verb: Callable[Concatenate[Verbs, P], Coroutine[Any, Any, R]]
          ) -> Callable[Concatenate[Client, P], R]:
    @functools.wraps(verb)
    def blocking(self: Client, *args: P.args, **named: P.kwargs) -> R:
        return _driven(verb(self._verbs, *args, **named))
    return blocking


def _series(verb: Callable[Concatenate[Verbs, P], AsyncGenerator[R, None]]
            ) -> Callable[Concatenate[Client, P], Iterator[R]]:
    @functools.wraps(verb)
    def blocking(self: Client, *args: P.args, **named: P.kwargs) -> Iterator[R]:
        each = verb(self._verbs, *args, **named)
        try:
            while True:
                yield _driven(each.__anext__())
        except StopAsyncIteration:
            return
        finally:
            _driven(each.aclose())
    return blocking


class Client:
    """One connection to a daemon; threads may share it."""

    def __init__(self, address: str = '', **options: Unpack[_values.Connection]) -> None:
        self._verbs = Verbs(Shell, address, **options)

    call, spawn, spawn_many = _verb(Verbs.call), _verb(Verbs.spawn), _verb(Verbs.spawn_many)
    wait, wait_many, get = _verb(Verbs.wait), _verb(Verbs.wait_many), _verb(Verbs.get)
    cancel, retry, delete = _verb(Verbs.cancel), _verb(Verbs.retry), _verb(Verbs.delete)
    spawn_stream = _series(Verbs.spawn_stream)
    watch, list = _series(Verbs.watch), _series(Verbs.list)

    def close(self) -> None:
        """Calls under way end."""
        self._verbs.shell.channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
