"""What a client does, without I/O: each verb is a generator of steps, which a shell takes.

Retries, long polls, pages and the rules of repeating stand here alone. A shell answers a step with
what came of it, or throws the GroveError into the generator.
"""

from __future__ import annotations

import random
import time
import uuid
from typing import Any, Callable, Generator, Iterable, NamedTuple, Optional, Union

from grove import _errors, _values

WAIT_SLICE_S = 60.0
OUTAGE_MAX_S = 300.0
BATCH_MAX = 10_000
ENDED = ('SUCCEEDED', 'FAILED', 'CANCELLED', 'TIMED_OUT')
# With these a restart begins, or a control says that it has just begun.
_OF_RESTARTS = ('DRAINING', 'CONTROL_ENDS', 'SUPERVISOR_SILENT')


class Call(NamedTuple):
    """One request, one answer."""

    method: str
    request: Any
    timeout: float


class Pause(NamedTuple):
    """So many seconds."""

    seconds: float


Step = Union[Call, Pause]
Steps = Generator[Step, Any, Any]


class Spawned(NamedTuple):
    """What became of one spec of many: a task's name, or why not."""

    name: str
    error: Optional[_errors.GroveError]
    attached: bool


class Batch(list[Spawned]):
    """Of spawn_many: a Spawned for each spec, and that of the completion."""

    completion: Optional[Spawned] = None


def state_of(task: Any) -> str:
    """The end of the state's name."""
    enum = task.DESCRIPTOR.fields_by_name['state'].enum_type
    return str(enum.values_by_number[task.state].name).removeprefix('TASK_STATE_')


def spawned_of(result: Any) -> Spawned:
    """Of a BatchSpawnTasksResponse.Result."""
    error = _errors.of_status(result.error) if result.HasField('error') else None
    return Spawned(result.name, error, result.attached)


class Patience:
    """How long failures are borne: told the time, and drawing its own pauses."""

    def __init__(self, core: Core, end: float, outage_max: float) -> None:
        self.core, self.end, self.outage_max = core, end, outage_max
        self._outage: Optional[float] = None
        self._pause = 0.1

    def answered(self) -> None:
        """The next outage is another."""
        self.core.heard = True
        self._outage = None
        self._pause = 0.1

    def pause(self, error: _errors.GroveError) -> Pause:
        """Before the next try; raises what is no outage, or too long a one."""
        name = error.code.name
        if error.reason:
            self.core.heard = True
        lost = name in ('UNAVAILABLE', 'CANCELLED', 'DEADLINE_EXCEEDED') and not error.reason
        if error.retry_delay is None and error.reason not in _OF_RESTARTS and not lost:
            raise error
        if lost and not self.core.heard:
            raise error
        now = self.core.clock()
        self._outage = now if self._outage is None else self._outage
        asked = (error.retry_delay or 0.0) * (1 + 0.1 * self.core.random())
        pause = max(self._pause * (0.5 + 0.5 * self.core.random()), asked)
        self._pause = min(2 * self._pause, 2.0)
        if now + pause >= min(self.end, self._outage + self.outage_max):
            raise error
        return Pause(pause)


class Core:
    """The verbs. Tasks are messages here; names are whole."""

    def __init__(self, tenant: str = 'default', call_timeout: float = 60.0,
                 retry_for: float = 10.0, clock: Callable[[], float] = time.monotonic,
                 draw: Callable[[], float] = random.random) -> None:
        self.parent = f'tenants/{tenant}'
        self.call_timeout, self.retry_for = call_timeout, retry_for
        self.clock, self.random = clock, draw
        # Whether the server ever answered: one that was never there is not waited for.
        self.heard = False

    def call(self, method: str, repeat: bool = True, **fields: Any) -> Steps:
        """One call, made again where it may be: without `repeat` only where nothing was done."""
        request = _values.request(method, **fields)
        patience = Patience(self, self.clock() + self.retry_for, self.retry_for)
        while True:
            try:
                answer = yield Call(method, request, self.call_timeout)
            except _errors.GroveError as error:
                refused = error.code.name == 'RESOURCE_EXHAUSTED'
                if not (repeat or refused) or error.code.name == 'DEADLINE_EXCEEDED':
                    raise
                yield patience.pause(error)
                continue
            self.heard = True
            return answer

    def spawn(self, spec: dict[str, Any]) -> Steps:
        """The accepted task."""
        spec = {'request_id': str(uuid.uuid4()), **spec}
        answer = yield from self.call('SpawnTask', bool(spec['request_id']), parent=self.parent,
                                      spec=spec)
        return answer.task

    def spawn_many(self, specs: Iterable[Any], request_id: Optional[str],
                   completion: Optional[Any]) -> Steps:
        """A Batch, in calls of up to 10,000."""
        request_id = request_id or str(uuid.uuid4())
        left, batch = list(specs), Batch()
        if completion is not None and len(left) > BATCH_MAX:
            raise ValueError(f'a batch with a completion has at most {BATCH_MAX} specs')
        for start in range(0, max(len(left), 1), BATCH_MAX):
            own = request_id if len(left) <= BATCH_MAX else f'{request_id}-{start}'
            answer = yield from self.call(
                'BatchSpawnTasks', parent=self.parent, specs=left[start:start + BATCH_MAX],
                request_id=own, completion=completion)
            batch += map(spawned_of, answer.results)
            if answer.HasField('completion'):
                batch.completion = spawned_of(answer.completion)
        return batch

    def wait(self, name: str, timeout: Optional[float], view: str) -> Steps:
        """The task once it has ended, or as it is when the time is over."""
        end = self.clock() + timeout if timeout is not None else float('inf')
        patience = Patience(self, end, OUTAGE_MAX_S)
        while True:
            part = min(max(end - self.clock(), 0.001), WAIT_SLICE_S)
            request = _values.request('WaitTask', name=name, timeout=part, view=view)
            try:
                answer = yield Call('WaitTask', request, part + self.call_timeout)
            except _errors.GroveError as error:
                yield patience.pause(error)
                continue
            patience.answered()
            if state_of(answer.task) in ENDED or self.clock() >= end:
                return answer.task
