"""What went wrong, as exceptions: a class for each code, with the reason and its details."""

from __future__ import annotations

from typing import Any, Optional

import grpc

from grove._stubs import error_details_pb2 as details
from grove._stubs import status_pb2


class GroveError(Exception):
    """A call, a spawn or a task that failed. `reason` is empty where the server said nothing."""

    def __init__(self, code: grpc.StatusCode, message: str, packed: Any = ()) -> None:
        super().__init__(f'{code.name}: {message}')
        self.code, self.message, self.reason = code, message, ''
        self.metadata: dict[str, str] = {}
        self.retry_delay: Optional[float] = None
        # (field or subject, what is wrong or full)
        self.violations: list[tuple[str, str]] = []
        for each in packed:
            kind = each.type_url.rpartition('.')[2]
            detail = getattr(details, kind).FromString(each.value) if hasattr(details, kind) else ''
            if kind == 'ErrorInfo':
                self.reason, self.metadata = detail.reason, dict(detail.metadata)
            elif kind == 'RetryInfo':
                self.retry_delay = detail.retry_delay.ToTimedelta().total_seconds()
            elif kind == 'BadRequest':
                self.violations += [(one.field, one.description) for one in detail.field_violations]
            elif kind == 'QuotaFailure':
                self.violations += [(one.subject, one.description) for one in detail.violations]


class InvalidArgument(GroveError):
    """It can never work; `violations` name the fields."""


class NotFound(GroveError):
    """It never was, is forgotten, or is not yours."""


class AlreadyExists(GroveError):
    """The name, the request_id or the unique_key is taken."""


class PermissionDenied(GroveError):
    """The token's roles do not cover it."""


class Unauthenticated(GroveError):
    """No token, or none that holds."""


class FailedPrecondition(GroveError):
    """Not in this state."""


class ResourceExhausted(GroveError):
    """Full: `violations` say what, `retry_delay` when to come again."""


class Unavailable(GroveError):
    """The daemon starts, stops, or is not there."""


class DeadlineExceeded(GroveError):
    """The call's time was over: what it asked for may have been done."""


_CLASSES = {kind.__name__.lower(): kind for kind in GroveError.__subclasses__()}
_CODES = {code.value[0]: code for code in grpc.StatusCode}


def of_code(code: grpc.StatusCode, message: str, packed: Any = ()) -> GroveError:
    """Of the class of its code."""
    return _CLASSES.get(code.name.lower().replace('_', ''), GroveError)(code, message, packed)


def of_status(status: Any) -> GroveError:
    """Of a google.rpc.Status, as results and tasks have it."""
    return of_code(_CODES.get(status.code, grpc.StatusCode.UNKNOWN), status.message, status.details)


def of_rpc(error: Any) -> GroveError:
    """Of a call."""
    for key, value in error.trailing_metadata() or ():
        if key == 'grpc-status-details-bin':
            return of_status(status_pb2.Status.FromString(value))
    return of_code(error.code(), error.details() or '')


class TaskFailed(GroveError):
    """A task that was waited for has FAILED, was CANCELLED or TIMED_OUT; `task` has all."""

    def __init__(self, task: Any) -> None:
        error = task.message.error
        super().__init__(_CODES.get(error.code, grpc.StatusCode.UNKNOWN),
                         f'{task.name} is {task.state}: {error.message}', error.details)
        self.task = task


class WaitTimeout(TimeoutError):
    """The wait is over, and the task, `task`, is not."""

    def __init__(self, task: Any) -> None:
        super().__init__(f'{task.name} is {task.state}')
        self.task = task
