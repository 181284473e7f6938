"""Clients that spawn tasks all the time, from whatever control there is, and write down what they
are told (delivery_oracle.py)."""

import random
import threading
import traceback

import grpc

from delivery_oracle import BATCH_MAX
from grove_api import Api, error_details, status_details, tasks
from grove_harness import DEADLINE_S, eventually

PAUSE_MAX_S = 0.03
HEAR_S = 2
LISTEN_S = 0.2
CALL_S = 90
# Says that nobody knows.
NOT_REFUSED = 'STORE_SLOW'


class Client:
    """One connection, and one call after the other."""

    def __init__(self, daemon, book, chance):
        self.daemon, self.book, self.chance = daemon, book, chance
        self.api = None
        # With a request_id: to be sent again until there is an answer.
        self.to_repeat = []

    def connected(self):
        if self.api is None:
            self.api = eventually('control takes a client', self._connect, 2 * DEADLINE_S)
        return self.api

    def _connect(self):
        try:
            api = Api(self.daemon.address('grpc'))
        except (OSError, KeyError):
            return None  # it has not written yet where it listens
        try:
            grpc.channel_ready_future(api.channel).result(timeout=1)
            return api
        except grpc.FutureTimeoutError:
            api.close()
            return None

    def close(self):
        if self.api is not None:
            self.api.close()
        self.api = None

    # Spawning

    def asks(self, count):
        return [self.book.ask(self.chance) for _ in range(count)]

    def start(self, asks):
        """A call for all of them, which goes on by itself."""
        stub = self.connected().tasks
        self.book.sent(asks)
        if len(asks) == 1:
            request = tasks.SpawnTaskRequest(spec=asks[0].spec)
            return stub.SpawnTask.future(request, timeout=CALL_S)
        request = tasks.BatchSpawnTasksRequest(specs=[ask.spec for ask in asks])
        return stub.BatchSpawnTasks.future(request, timeout=CALL_S)

    def finish(self, asks, call):
        """Writes down what came of it."""
        try:
            answer = call.result()
        except grpc.RpcError as error:
            return self._failed(asks, error)
        if len(asks) == 1:
            return self.book.accepted(asks[0], answer.task.name)
        for ask, result in zip(asks, answer.results, strict=True):
            if result.HasField('name'):
                self.book.accepted(ask, result.name)
            else:
                self._refused(ask, status_details(result.error))
        return None

    def _failed(self, asks, error):
        details = error_details(error) if error.trailing_metadata() else {}
        refused = 'ErrorInfo' in details and details['ErrorInfo'].reason != NOT_REFUSED
        for ask in asks:
            if refused:
                self._refused(ask, details)
                continue
            self.book.unanswered(ask)
            if ask.repeatable():
                self.to_repeat.append(ask)
        if 'ErrorInfo' not in details:
            self.close()

    def _refused(self, ask, details):
        self.book.refused(ask, details['ErrorInfo'].reason, 'RetryInfo' in details)
        # An earlier sending may have been taken.
        if ask.unanswered and ask.repeatable() and not ask.names:
            self.to_repeat.append(ask)

    def spawn(self, asks):
        self.finish(asks, self.start(asks))

    def repeat(self):
        """Sends again what was not answered."""
        again, self.to_repeat = self.to_repeat, []
        for first in range(0, len(again), BATCH_MAX):
            self.spawn(again[first:first + BATCH_MAX])

    def finish_repeating(self):
        eventually('everything is answered', lambda: self.repeat() or not self.to_repeat,
                   4 * DEADLINE_S)
        self.close()

    def hear(self, ask):
        """Of its end, the moment that it is told."""
        name = ask.names[-1]
        try:
            self.book.told(ask, name, self.connected().wait(name, HEAR_S))
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.NOT_FOUND:
                self.book.not_found(ask, name)
            else:
                self.close()

    def turn(self):
        self.repeat()
        asks = self.asks(self.chance.choice((1, 1, 1, 2, 10, 30)))
        self.spawn(asks)
        ask = self.chance.choice(asks)
        if ask.names and ask.repeatable() and self.chance.random() < 0.2:
            self.spawn([ask])
        if ask.names and self.chance.random() < 0.5:
            self.hear(ask)


class Listener(Client):
    """Hears of all ends, a little later."""

    def turn(self):
        try:
            self.book.follow(self.connected(), LISTEN_S)
        except grpc.RpcError:
            self.close()


class Clients:
    """A context: one that listens and four that spawn, each on a thread, until its end."""

    def __init__(self, daemon, book, seed):
        self._stop = threading.Event()
        self._clients = [kind(daemon, book, random.Random(f'{seed}/{number}'))
                         for number, kind in enumerate([Listener] + 4 * [Client])]
        self._threads = [threading.Thread(target=self._run, args=[each]) for each in self._clients]
        self.failures = []

    def _run(self, client):
        try:
            while not self._stop.wait(client.chance.uniform(0, PAUSE_MAX_S)):
                client.turn()
            client.finish_repeating()
        except Exception:  # the test's to tell
            self.failures.append(traceback.format_exc())

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(6 * DEADLINE_S)
            if thread.is_alive():
                self.failures.append('a client does not come to its end')
