"""No request is lost while workers are replaced under load.

Clients of every kind that a proxy or a browser is count each request they send and each answer they
get. GROVE_RELOADS sets how many rolling restarts they see.
"""

import collections
import functools
import itertools
import os
import random
import signal
import socket
import time
import unittest

from grove_harness import Background, OwnDaemonTest, eventually

CONFIG = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                       '../../deploy/examples/fixture.yaml'))
RELOADS = int(os.environ.get('GROVE_RELOADS', '20'))
SERVING, DRAINING = 2, 3
# A worker that is being replaced waits half a second for a request on its way. What a client sends
# on an open connection later than this after the last may cross the worker's close.
PROMPT_S = 0.4
BATCH = 5

HELLO = b'GET /hello HTTP/1.1\r\nHost: a\r\n\r\n'


class Lost(Exception):
    """A request without its answer."""


class Connection:
    """One client connection that knows when it last sent something."""

    def __init__(self, daemon):
        self.sent_at = time.monotonic()
        self.socket = daemon.connect()
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b''
        self.prompt = True
        self.ends = False

    def close(self):
        self.socket.close()

    def send(self, stream):
        before = self.sent_at
        try:
            self.socket.sendall(stream)
        except OSError as error:
            self.sent_at = time.monotonic()
            self.prompt = self.sent_at - before < PROMPT_S
            raise Lost(f'while it was sent: {error}') from None
        self.sent_at = time.monotonic()
        self.prompt = self.sent_at - before < PROMPT_S

    def more(self):
        try:
            chunk = self.socket.recv(65536)
        except OSError as error:
            raise Lost(f'with {len(self.buffer)} bytes of an answer: {error}') from None
        if not chunk:
            raise Lost(f'with {len(self.buffer)} bytes of an answer: the connection ended')
        self.buffer += chunk

    def answer(self):
        """The body of the next response."""
        while b'\r\n\r\n' not in self.buffer:
            self.more()
        head, _, self.buffer = self.buffer.partition(b'\r\n\r\n')
        if not head.startswith(b'HTTP/1.1 200 '):
            raise Lost(f'answered with {head[:200]}')
        self.ends = b'Connection: close' in head
        length = int(head.partition(b'Content-Length: ')[2].partition(b'\r\n')[0])
        while len(self.buffer) < length:
            self.more()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return body


class Load(Background):
    """Clients on threads, and what became of their requests."""

    def __init__(self, daemon):
        super().__init__(*[functools.partial(self.keep_doing, kind, doing)
                           for kind, doing in (('fresh', self.fresh), ('fresh', self.fresh),
                                               ('kept', self.kept), ('kept', self.kept),
                                               ('paused', self.paused), ('batch', self.batch),
                                               ('upload', self.upload), ('slow', self.slow))])
        self.daemon = daemon
        self.answered = collections.Counter()
        self.late = collections.Counter()
        self.lost = []

    def keep_doing(self, kind, doing):
        while not self.stop.is_set():
            try:
                connection = Connection(self.daemon)
            except OSError as error:
                self.lost.append(f'{kind}: not connected: {error}')
                continue
            served = 0
            try:
                for count in doing(connection):
                    served += count
                    self.answered[kind] += count
                    if connection.ends or self.stop.is_set():
                        break
            except Lost as error:
                if connection.prompt:
                    self.lost.append(f'{kind}: request {served + 1} of its connection: {error}')
                else:
                    self.late[kind] += 1
            finally:
                connection.close()

    # Each yields how many requests were answered.

    def fresh(self, connection):
        connection.send(HELLO.replace(b'\r\n\r\n', b'\r\nConnection: close\r\n\r\n'))
        connection.answer()
        yield 1

    def kept(self, connection):
        while True:
            connection.send(HELLO)
            connection.answer()
            yield 1

    def paused(self, connection):
        """A person, or a proxy with little to do."""
        while True:
            connection.send(HELLO)
            connection.answer()
            yield 1
            time.sleep(random.uniform(0, 0.1))

    def batch(self, connection):
        while True:
            connection.send(HELLO * BATCH)
            for _ in range(BATCH):
                connection.answer()
            yield BATCH

    def upload(self, connection):
        """A body that comes while its worker is told to end."""
        for size in itertools.cycle((1, 1000, 100_000)):
            body = os.urandom(size)
            head = b'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n' % size
            connection.send(head + body[:size // 2])
            connection.send(body[size // 2:])
            if connection.answer() != body:
                raise Lost('another body came back')
            yield 1

    def slow(self, connection):
        while True:
            connection.send(b'GET /sleep?seconds=0.05 HTTP/1.1\r\nHost: a\r\n\r\n')
            connection.answer()
            yield 1


class ReloadTest(OwnDaemonTest):

    def reload(self, api, generation):
        self.daemon.process.send_signal(signal.SIGHUP)
        eventually(f'all workers are of generation {generation}', lambda: all(
            (worker.generation, worker.state) == (generation, SERVING)
            for worker in api.list_workers()))

    def roll_under_load(self, workers):
        daemon = self.start(flags=[f'--config={CONFIG}'], workers=workers)
        api = daemon.api()
        began = time.monotonic()
        with Load(daemon) as load:
            for generation in range(2, RELOADS + 2):
                self.reload(api, generation)
            seen = sum(load.answered.values())
            eventually('it is served on', lambda: sum(load.answered.values()) > seen)
        print(f'\n{RELOADS} reloads of {workers} workers in {time.monotonic() - began:.1f} s: '
              f'{sum(load.answered.values())} requests answered {dict(load.answered)}, '
              f'{len(load.lost)} lost, {sum(load.late.values())} sent too late to count')
        self.assertEqual(load.lost, [])
        for kind in ('fresh', 'kept', 'paused', 'batch', 'upload', 'slow'):
            self.assertGreater(load.answered[kind], 0, kind)
        self.assertNotIn('killed', daemon.log())
        daemon.stop()

    def test_two_workers(self):
        self.roll_under_load(2)

    def test_one_worker(self):
        """A stand-in accepts while it is replaced."""
        self.roll_under_load(1)

    def answered(self, daemon):
        return daemon.metrics().get('grove_http_requests_total{code="200"}', 0)

    def test_the_only_worker_may_drain_for_long(self):
        daemon = self.start(flags=[f'--config={CONFIG}'], workers=1)
        api = daemon.api()
        with daemon.connect() as slow:
            slow.sendall(HELLO.replace(b'/hello', b'/sleep?seconds=3600&cancel_on_disconnect=1'))
            eventually('it is being served',
                       lambda: daemon.metrics_sum('grove_http_requests_running') == 1)
            daemon.process.send_signal(signal.SIGHUP)
            eventually('it drains', lambda: api.list_workers()[0].state == DRAINING)
            self.assertEqual(sorted(daemon.processes().values()),
                             ['grove-control', 'grove-stand-in', 'grove-w0', 'groved'])
            for _ in range(10):
                self.assertEqual(daemon.get('/hello')[0], 200)
            self.assertEqual(daemon.admin('/readyz'), (200, 'ok\n'))
            # An answer is counted once the hub has sent it, which its client may see before.
            eventually('all are counted', lambda: self.answered(daemon) >= 10)
            counted = self.answered(daemon)
        eventually('it is replaced', lambda: [
            (each.generation, each.state) for each in api.list_workers()] == [(2, SERVING)])
        eventually('nobody stands in', lambda: sorted(daemon.processes().values()) == [
            'grove-control', 'grove-w0', 'groved'])
        self.assertGreaterEqual(self.answered(daemon), counted)
        self.assertEqual(daemon.get('/hello')[0], 200)
        daemon.stop()


if __name__ == '__main__':
    unittest.main()
