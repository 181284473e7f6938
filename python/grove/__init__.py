"""Client of a Grove daemon: Client blocks, grove.aio.Client is asyncio's."""

import pkgutil

# Stubs of the API that somebody has generated as grove.v1 may stand elsewhere on the path.
__path__ = pkgutil.extend_path(__path__, __name__)

from grove._client import Client  # noqa: E402
from grove._errors import (  # noqa: E402
    AlreadyExists, DeadlineExceeded, FailedPrecondition, GroveError, InvalidArgument, NotFound,
    PermissionDenied, ResourceExhausted, TaskFailed, Unauthenticated, Unavailable, WaitTimeout)
from grove._tasks import Event, Spawned, Task  # noqa: E402
from grove._values import Filter, Options, Spec  # noqa: E402

__all__ = [
    'AlreadyExists', 'Client', 'DeadlineExceeded', 'Event', 'FailedPrecondition', 'Filter',
    'GroveError', 'InvalidArgument', 'NotFound', 'Options', 'PermissionDenied',
    'ResourceExhausted', 'Spawned', 'Spec', 'Task', 'TaskFailed', 'Unauthenticated',
    'Unavailable', 'WaitTimeout']
