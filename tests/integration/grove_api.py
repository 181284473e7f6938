"""The public API for tests: stubs, shorthands, and what a refusal carries."""

import json

import grpc
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2, status_pb2

from grove.v1 import backdoor_service_pb2, backdoor_service_pb2_grpc
from grove.v1 import fairness_service_pb2, fairness_service_pb2_grpc
from grove.v1 import inspect_service_pb2, inspect_service_pb2_grpc
from grove.v1 import payload_service_pb2 as payloads
from grove.v1 import payload_service_pb2_grpc
from grove.v1 import pool_service_pb2, pool_service_pb2_grpc
from grove.v1 import queue_service_pb2, queue_service_pb2_grpc
from grove.v1 import schedule_service_pb2 as schedules
from grove.v1 import schedule_service_pb2_grpc
from grove.v1 import task_service_pb2 as tasks
from grove.v1 import task_service_pb2_grpc
from grove.v1 import tenant_service_pb2 as tenants
from grove.v1 import tenant_service_pb2_grpc
from grove.v1 import worker_service_pb2, worker_service_pb2_grpc

CALL_TIMEOUT_S = 60

SERVICES = (backdoor_service_pb2, fairness_service_pb2, inspect_service_pb2, payloads,
            pool_service_pb2, queue_service_pb2, schedules, tasks, tenants, worker_service_pb2)

SCHEDULED = tasks.TASK_STATE_SCHEDULED
QUEUED = tasks.TASK_STATE_QUEUED
RUNNING = tasks.TASK_STATE_RUNNING
SUCCEEDED = tasks.TASK_STATE_SUCCEEDED
FAILED = tasks.TASK_STATE_FAILED
CANCELLED = tasks.TASK_STATE_CANCELLED
TIMED_OUT = tasks.TASK_STATE_TIMED_OUT

POOL = 'tenants/default/pools/default'
QUEUE = 'tenants/default/queues/default'

__all__ = [
    'CANCELLED', 'FAILED', 'POOL', 'QUEUE', 'QUEUED', 'RUNNING', 'SCHEDULED', 'SERVICES',
    'SUCCEEDED', 'TIMED_OUT', 'Api', 'backdoor_service_pb2', 'duration', 'error_details',
    'fairness_service_pb2', 'inspect_service_pb2', 'payloads', 'pool_service_pb2',
    'queue_service_pb2', 'schedules', 'spec', 'state_name', 'tasks', 'tenants',
    'worker_service_pb2']


def duration(seconds):
    whole = int(seconds)
    return duration_pb2.Duration(seconds=whole, nanos=round((seconds - whole) * 1e9))


def state_name(state):
    return tasks.TaskState.Name(state).removeprefix('TASK_STATE_')


def spec(function, value=None, **fields):
    """A TaskSpec; `value` becomes its JSON input, `delay` and the time-outs are seconds."""
    for name in ('delay', 'timeout', 'schedule_to_start_timeout', 'heartbeat_timeout'):
        if name in fields:
            fields[name] = duration(fields[name])
    if value is not None:
        fields['input'] = json.dumps(value).encode()
    return tasks.TaskSpec(function=function, **fields)


def error_details(error):
    """{'ErrorInfo': message, …} of a failed call."""
    return status_details(dict(error.trailing_metadata()).get('grpc-status-details-bin', b''))


def status_details(status):
    if isinstance(status, bytes):
        status = status_pb2.Status.FromString(status)
    found = {}
    for packed in status.details:
        name = packed.TypeName().rsplit('.', 1)[1]
        message = getattr(error_details_pb2, name)()
        packed.Unpack(message)
        found[name] = message
    return found


class _Token(grpc.AuthMetadataPlugin):
    """Adds the token to calls over TLS."""

    def __init__(self, token):
        self._token = token

    def __call__(self, context, callback):
        callback((('authorization', f'Bearer {self._token}'),), None)


def _content(path):
    if path is None:
        return None
    with open(path, 'rb') as file:
        return file.read()


class Api:
    """All services over one connection."""

    def __init__(self, address, token=None, ca_cert=None, client_pair=None):
        # Without a proxy, whatever the environment says; on a connection of its own.
        options = [('grpc.enable_http_proxy', 0), ('grpc.use_local_subchannel_pool', 1)]
        if ca_cert:
            key, certificate = (_content(path) for path in client_pair or (None, None))
            credentials = grpc.ssl_channel_credentials(_content(ca_cert), key, certificate)
            if token:
                credentials = grpc.composite_channel_credentials(
                    credentials, grpc.metadata_call_credentials(_Token(token)))
            self.channel = grpc.secure_channel(address, credentials, options)
        else:
            self.channel = grpc.insecure_channel(address, options)
        self.metadata = [('authorization', f'Bearer {token}')] if token and not ca_cert else []
        self.tasks = task_service_pb2_grpc.TaskServiceStub(self.channel)
        self.queues = queue_service_pb2_grpc.QueueServiceStub(self.channel)
        self.pools = pool_service_pb2_grpc.PoolServiceStub(self.channel)
        self.fairness = fairness_service_pb2_grpc.FairnessServiceStub(self.channel)
        self.workers = worker_service_pb2_grpc.WorkerServiceStub(self.channel)
        self.inspect = inspect_service_pb2_grpc.InspectServiceStub(self.channel)
        self.tenants = tenant_service_pb2_grpc.TenantServiceStub(self.channel)
        self.schedules = schedule_service_pb2_grpc.ScheduleServiceStub(self.channel)
        self.payloads = payload_service_pb2_grpc.PayloadServiceStub(self.channel)
        self.backdoor = backdoor_service_pb2_grpc.BackdoorServiceStub(self.channel)

    def close(self):
        self.channel.close()

    def call(self, method, request):
        return method(request, timeout=CALL_TIMEOUT_S, metadata=self.metadata)

    # Tasks

    def spawn(self, function, value=None, **fields):
        return self.spawn_spec(spec(function, value, **fields))

    def spawn_spec(self, task_spec):
        request = tasks.SpawnTaskRequest(spec=task_spec)
        return self.call(self.tasks.SpawnTask, request).task

    def spawn_batch(self, specs):
        request = tasks.BatchSpawnTasksRequest(specs=specs)
        return self.call(self.tasks.BatchSpawnTasks, request).results

    def get(self, name, view=tasks.TASK_VIEW_FULL):
        return self.call(self.tasks.GetTask, tasks.GetTaskRequest(name=name, view=view)).task

    def wait(self, name, seconds=30, view=tasks.TASK_VIEW_OUTPUT):
        request = tasks.WaitTaskRequest(name=name, timeout=duration(seconds), view=view)
        return self.call(self.tasks.WaitTask, request).task

    def wait_pages(self, names, seconds=30, view=tasks.TASK_VIEW_OUTPUT):
        """The pages of BatchWaitTasks."""
        request = tasks.BatchWaitTasksRequest(names=names, timeout=duration(seconds), view=view)
        while True:
            page = self.call(self.tasks.BatchWaitTasks, request)
            yield page
            request.page_token = page.next_page_token
            if not request.page_token:
                return

    def wait_batch(self, names, seconds=30, view=tasks.TASK_VIEW_OUTPUT):
        pages = self.wait_pages(names, seconds, view)
        return [result for page in pages for result in page.results]

    def run(self, function, value=None, **fields):
        """Spawns, and returns the ended task."""
        return self.wait(self.spawn(function, value, **fields).name)

    def cancel(self, name, reason=''):
        request = tasks.CancelTaskRequest(name=name, reason=reason)
        return self.call(self.tasks.CancelTask, request).task

    def list(self, **fields):
        return self.call(self.tasks.ListTasks, tasks.ListTasksRequest(**fields))

    # Payloads

    def write_payload(self, pieces, parent='', **wanted):
        """Sends the record first, then each piece."""
        def messages():
            yield payloads.WritePayloadRequest(parent=parent, payload=payloads.Payload(**wanted))
            for piece in pieces:
                yield payloads.WritePayloadRequest(data=piece)
        return self.call(self.payloads.WritePayload, messages()).payload

    def read_payload(self, name, offset=0, limit=0):
        """The pieces."""
        request = payloads.ReadPayloadRequest(name=name, offset=offset, limit=limit)
        for message in self.call(self.payloads.ReadPayload, request):
            yield message.data

    def get_payload(self, name):
        return self.call(self.payloads.GetPayload, payloads.GetPayloadRequest(name=name)).payload

    def list_payloads(self, parent=''):
        request = payloads.ListPayloadsRequest(parent=parent)
        return self.call(self.payloads.ListPayloads, request).payloads

    def delete_payload(self, name):
        self.call(self.payloads.DeletePayload, payloads.DeletePayloadRequest(name=name))

    # The rest

    def pool(self, name=POOL):
        return self.call(self.pools.GetPool, pool_service_pb2.GetPoolRequest(name=name)).pool

    def resize(self, size, name=POOL):
        request = pool_service_pb2.ResizePoolRequest(name=name, size=size)
        return self.call(self.pools.ResizePool, request).pool

    def queue(self, name=QUEUE):
        return self.call(self.queues.GetQueue, queue_service_pb2.GetQueueRequest(name=name)).queue

    def list_workers(self):
        request = worker_service_pb2.ListWorkersRequest()
        return self.call(self.workers.ListWorkers, request).workers

    def list_fibers(self, **fields):
        request = inspect_service_pb2.ListFibersRequest(**fields)
        return self.call(self.inspect.ListFibers, request)

    def get_fiber(self, name):
        return self.call(self.inspect.GetFiber, inspect_service_pb2.GetFiberRequest(name=name))

    def health(self, service=''):
        """The status that grpc.health.v1 answers: 1 is SERVING."""
        # Two messages of one field each: HealthCheckRequest.service, HealthCheckResponse.status.
        name = service.encode()
        method = self.channel.unary_unary('/grpc.health.v1.Health/Check')
        reply = method(b'\x0a' + bytes([len(name)]) + name if name else b'',
                       timeout=CALL_TIMEOUT_S, metadata=self.metadata)
        return reply[1] if reply else 0

    def reflected_services(self, version='v1'):
        """The raw ListServiceResponse of server reflection."""
        method = self.channel.stream_stream(
            f'/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo')
        # ServerReflectionRequest.list_services = "".
        return next(iter(method(iter([b'\x3a\x00']), timeout=CALL_TIMEOUT_S,
                                metadata=self.metadata)))

    def channelz_servers(self):
        """The raw GetServersResponse of channelz."""
        method = self.channel.unary_unary('/grpc.channelz.v1.Channelz/GetServers')
        return method(b'', timeout=CALL_TIMEOUT_S, metadata=self.metadata)
