"""What verbs return: tasks as the server told them, and what became of spawns."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional, Union

from grove import _errors, _values


class Task:
    """A task; `message` has all that the server told."""

    def __init__(self, message: Any, attached: bool = False,
                 missing: Optional[_errors.GroveError] = None) -> None:
        self.message, self.name, self.attached = message, str(message.name), attached
        enum = message.DESCRIPTOR.fields_by_name['state'].enum_type
        self.state = 'NOT_FOUND' if missing else _values.short(enum, message.state)
        self.ended = self.state not in ('SCHEDULED', 'QUEUED', 'RUNNING')
        self.error = missing or (_errors.TaskFailed(self) if message.HasField('error') else None)

    @property
    def output(self) -> Any:
        """JSON as Python's objects, else bytes."""
        return _values.decoded(self.message.output, self.message.output_content_type)

    def result(self) -> Any:
        """The output of one that has succeeded. TaskFailed, NotFound, WaitTimeout: it is none."""
        if not self.ended:
            raise _errors.WaitTimeout(self)
        if self.state != 'SUCCEEDED':
            raise self.error or _errors.TaskFailed(self)
        return self.output


Named = Union[str, Task]


class Spawned(NamedTuple):
    """What became of one spec of many: a task's name, or why there is none."""

    name: str
    error: Optional[_errors.GroveError]
    attached: bool


class Event(NamedTuple):
    """Of a watch. `kind`: existing, changed (with a task), forgotten (a name), gap, synced, token.

    "token" has nothing but that; the first one says that the watch has begun.
    """

    kind: str
    name: str
    task: Optional[Task]
    # To go on behind it; what came in one message with it may be told again.
    resume_token: str


def spawned(result: Any) -> Spawned:
    """Of a BatchSpawnTasksResponse.Result."""
    error = _errors.of_status(result.error) if result.HasField('error') else None
    return Spawned(result.name, error, result.attached)


def event(told: Any, token: str) -> Event:
    """Of a WatchTasksResponse.Event."""
    kind = told.WhichOneof('event')
    task = Task(getattr(told, kind)) if kind in ('existing', 'changed') else None
    return Event(kind, task.name if task else told.forgotten, task, token)


def name(task: Named) -> str:
    """Of a task or of what may be its name."""
    return task if isinstance(task, str) else task.name
