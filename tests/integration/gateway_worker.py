"""A worker at the gateway, as tests drive one: it does what it is told, and keeps what it heard."""

import queue
import threading

import grpc

from grove.v1 import inspect_service_pb2
from grove.v1 import worker_gateway_service_pb2 as gateway
from grove.v1 import worker_gateway_service_pb2_grpc

DEADLINE_S = 30


class Worker:
    """One stream. Its messages are read by a thread; `starts` has the attempts it was given."""

    def __init__(self, api, functions=('job',), session='s' * 16, capacity=4, results=(),
                 **registration):
        self.session = session
        self._out = queue.SimpleQueue()
        self.starts = queue.SimpleQueue()
        self.cancels = queue.SimpleQueue()
        self.acknowledged = queue.SimpleQueue()
        self.draining = threading.Event()
        self.welcome = None
        self.error = None
        self._ready = threading.Event()
        self.ended = threading.Event()
        functions = [function(each) if isinstance(each, str) else each for each in functions]
        self.send(registration=gateway.WorkerRegistration(
            session=session, capacity=capacity, functions=functions, **registration),
            results=results)
        stub = worker_gateway_service_pb2_grpc.WorkerGatewayServiceStub(api.channel)
        self.call = stub.ConnectWorker(iter(self._out.get, None), metadata=api.metadata)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        assert self._ready.wait(DEADLINE_S), 'no answer'
        if self.welcome is None:
            assert self.ended.wait(DEADLINE_S)
            raise self.error

    def _read(self):
        try:
            for message in self.call:
                if message.HasField('welcome'):
                    self.welcome = message.welcome
                    self._ready.set()
                for start in message.starts:
                    self.starts.put(start)
                for cancel in message.cancels:
                    self.cancels.put(cancel)
                for attempt in message.acknowledged:
                    self.acknowledged.put(attempt)
                if message.draining:
                    self.draining.set()
        except grpc.RpcError as error:
            self.error = error
        self.ended.set()
        self._ready.set()

    def send(self, **fields):
        self._out.put(gateway.ConnectWorkerRequest(**fields))

    def next(self):
        return self.starts.get(timeout=DEADLINE_S)

    def report(self, attempt, **fields):
        self.send(reports=[gateway.AttemptReport(attempt=attempt, **fields)])

    def tell(self, attempt, **fields):
        self.send(results=[result(attempt, **fields)])

    def done(self, start, data=b'"done"'):
        """Tells that it has succeeded, and waits until the daemon has it."""
        self.tell(start.attempt, output=gateway.AttemptOutput(data=data))
        while self.acknowledged.get(timeout=DEADLINE_S) != start.attempt:
            pass

    def leave(self):
        """Says that no more will come, and waits for the end."""
        self._out.put(None)
        assert self.ended.wait(DEADLINE_S)

    def drop(self):
        """As a process that dies: the connection ends, whatever is under way."""
        self.call.cancel()
        assert self.ended.wait(DEADLINE_S)


def function(name, **fields):
    return inspect_service_pb2.Function(name=name, **fields)


def result(attempt, **fields):
    return gateway.AttemptResult(attempt=attempt, **fields)
