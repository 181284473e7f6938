"""What went wrong, as exceptions: one class per code, with the reason and what to do about it."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

import grpc

from grove._stubs import error_details_pb2 as details
from grove._stubs import status_pb2

_CODES = {code.value[0]: code for code in grpc.StatusCode}


class Violation(NamedTuple):
    """A field that is wrong, or what a quota is of."""

    subject: str
    description: str


class GroveError(Exception):
    """A call, a spawn or a task that failed. `reason` is empty where the server said nothing."""

    def __init__(self, code: grpc.StatusCode, message: str, status: Any = None) -> None:
        super().__init__(f'{code.name}: {message}')
        self.code = code
        self.message = message
        self.reason = ''
        self.metadata: dict[str, str] = {}
        self.retry_delay: Optional[float] = None
        self.violations: list[Violation] = []
        for packed in status.details if status is not None else ():
            self._take(packed.type_url.rsplit('.', 1)[-1], packed.value)

    def _take(self, kind: str, data: bytes) -> None:
        if kind == 'ErrorInfo':
            info = details.ErrorInfo.FromString(data)
            self.reason, self.metadata = info.reason, dict(info.metadata)
        elif kind == 'RetryInfo':
            delay = details.RetryInfo.FromString(data).retry_delay
            self.retry_delay = delay.seconds + delay.nanos / 1e9
        elif kind == 'BadRequest':
            self.violations += [Violation(each.field, each.description) for each in
                                details.BadRequest.FromString(data).field_violations]
        elif kind == 'QuotaFailure':
            self.violations += [Violation(each.subject, each.description) for each in
                                details.QuotaFailure.FromString(data).violations]


class Cancelled(GroveError):
    """CANCELLED."""


class InvalidArgument(GroveError):
    """It can never work; `violations` name the fields."""


class DeadlineExceeded(GroveError):
    """The call's time was over: what it asked for may have been done."""


class NotFound(GroveError):
    """It never was, is forgotten, or is not yours."""


class AlreadyExists(GroveError):
    """The name, the request_id or the unique_key is taken."""


class PermissionDenied(GroveError):
    """The token's roles do not cover it."""


class Unauthenticated(GroveError):
    """No token, or none that holds."""


class ResourceExhausted(GroveError):
    """Full: `violations` say what, `retry_delay` when to come again."""


class FailedPrecondition(GroveError):
    """Not in this state."""


class Aborted(GroveError):
    """Somebody changed it meanwhile."""


class Unavailable(GroveError):
    """The daemon starts, stops, or is not there."""


_CLASSES = {grpc.StatusCode[''.join('_' + c if c.isupper() else c for c in kind.__name__)
                            .lstrip('_').upper()]: kind
            for kind in (Cancelled, InvalidArgument, DeadlineExceeded, NotFound, AlreadyExists,
                         PermissionDenied, Unauthenticated, ResourceExhausted, FailedPrecondition,
                         Aborted, Unavailable)}


def of_status(status: Any) -> GroveError:
    """Of a google.rpc.Status, as results and tasks have it."""
    code = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
    return _CLASSES.get(code, GroveError)(code, status.message, status)


def of_rpc(error: Any) -> GroveError:
    """Of a call."""
    for key, value in error.trailing_metadata() or ():
        if key == 'grpc-status-details-bin':
            return of_status(status_pb2.Status.FromString(value))
    code = error.code()
    return _CLASSES.get(code, GroveError)(code, error.details() or '')


class TaskFailed(GroveError):
    """A task that was waited for has FAILED, was CANCELLED or TIMED_OUT: `task` says it all."""

    def __init__(self, task: Any) -> None:
        error = task.message.error
        super().__init__(_CODES.get(error.code, grpc.StatusCode.UNKNOWN),
                         f'{task.name} is {task.state}: {error.message}', error)
        self.task = task


class WaitTimeout(TimeoutError):
    """The wait is over and the task, `task`, is not."""

    def __init__(self, task: Any) -> None:
        super().__init__(f'{task.name} is {task.state}')
        self.task = task
