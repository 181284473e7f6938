"""Client of a Grove daemon: Client blocks, grove.aio.Client is asyncio's."""

import pkgutil

# Stubs of the API that somebody has generated as grove.v1 may stand elsewhere on the path.
__path__ = pkgutil.extend_path(__path__, __name__)

from grove._client import Client, Task  # noqa: E402
from grove._core import Batch, Spawned  # noqa: E402
from grove._errors import (  # noqa: E402
    Aborted, AlreadyExists, Cancelled, DeadlineExceeded, FailedPrecondition, GroveError,
    InvalidArgument, NotFound, PermissionDenied, ResourceExhausted, TaskFailed, Unauthenticated,
    Unavailable, Violation, WaitTimeout)

__all__ = [
    'Aborted', 'AlreadyExists', 'Batch', 'Cancelled', 'Client', 'DeadlineExceeded',
    'FailedPrecondition', 'GroveError', 'InvalidArgument', 'NotFound', 'PermissionDenied',
    'ResourceExhausted', 'Spawned', 'Task', 'TaskFailed', 'Unauthenticated', 'Unavailable',
    'Violation', 'WaitTimeout']
