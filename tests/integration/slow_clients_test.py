"""Clients that are slow, deaf or too many hold nobody else up, and not for ever."""

import os
import re
import resource
import select
import shutil
import socket
import ssl
import struct
import tempfile
import time
import unittest

from grove_harness import DEADLINE_S, Daemon, OwnDaemonTest, eventually, write_certificate

EXAMPLES = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                         '../../deploy/examples'))
GET = b'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
HELLO = b'GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
# Time-outs that a test can await, but no loaded machine takes for a healthy request's time.
LIMITS = '''http:
  idle_timeout_ms: 60000
  header_timeout_ms: 3000
  io_timeout_ms: 3000
  body_rate_min_bytes_per_s: 1000
  connections_max: 8
'''


def fixture(limits):
    """The fixture's config with these limits."""
    with open(os.path.join(EXAMPLES, 'fixture.yaml'), encoding='utf-8') as file:
        routes = file.read()
    routes = re.sub(r'\n    - path: /files.*?folder: files', '', routes, flags=re.S)
    return routes.replace('http:\n', limits, 1)


def drip(connection, stream, pause_s):
    """Sends a byte at a time until the server answers, and gives its whole answer."""
    connection.settimeout(pause_s)
    for index in range(len(stream)):
        try:
            connection.sendall(stream[index:index + 1])
            answer = connection.recv(65536)
        except TimeoutError:
            continue
        except OSError:
            return b'reset'
        connection.settimeout(30)
        while chunk := connection.recv(65536):
            answer += chunk
        return answer
    return b''


class FewFilesDaemon(Daemon):
    """A daemon whose processes may have few descriptors."""

    files = 64

    def command(self):
        return ['/usr/bin/prlimit', f'--nofile={self.files}:{self.files}', *super().command()]


class SlowClientsTest(OwnDaemonTest):

    def setUp(self):
        self.start(config=fixture(LIMITS), workers=1)

    def tearDown(self):
        self.daemon.stop()

    def connect(self):
        connection = self.daemon.connect()
        self.addCleanup(connection.close)
        return connection

    def metric(self, family):
        return self.daemon.metrics_sum(family)

    def test_a_head_that_drips_is_answered_with_408(self):
        answer = drip(self.connect(), b'GET /' + b'x' * 4000, 0.02)
        self.assertRegex(answer, rb'^HTTP/1\.1 408 ')
        self.assertIn(b'Connection: close\r\n', answer)

    def test_a_body_that_drips_is_answered_with_408(self):
        for framing, start in ((b'Content-Length: 100000', b''),
                               (b'Transfer-Encoding: chunked', b'10000\r\n')):
            with self.subTest(framing), self.connect() as connection:
                connection.sendall(b'POST /reflect HTTP/1.1\r\nHost: a\r\n' + framing +
                                   b'\r\n\r\n' + start)
                self.assertRegex(drip(connection, b'x' * 4000, 0.02), rb'^HTTP/1\.1 408 ')

    def test_a_client_that_does_not_read_is_cut_off(self):
        cut = 'grove_http_timeouts_total{phase="response"}'
        before = self.daemon.metrics().get(cut, 0)
        connection = self.connect()
        connection.sendall(b'GET /stream?chunks=10000&bytes=65536 HTTP/1.1\r\nHost: a\r\n\r\n')
        connection.recv(1, socket.MSG_PEEK)
        # Not by the number of connections alone: that may be read before it tells of this one.
        eventually('it was cut off', lambda: self.daemon.metrics().get(cut, 0) > before)
        eventually('it is gone', lambda: self.metric('grove_http_connections') == 0)
        received = b''
        try:
            while chunk := connection.recv(1 << 20):
                received += chunk
        except ConnectionResetError:
            pass
        self.assertLess(len(received), 10000 * 65536)
        self.assertFalse(received.endswith(b'0\r\n\r\n'), 'it looks whole')

    def test_clients_over_the_limit_wait_while_all_others_are_at_work(self):
        holders = [self.connect() for _ in range(8)]
        for holder in holders:
            holder.sendall(b'GET /stream?chunks=10000&bytes=1&delay_ms=50 HTTP/1.1\r\n'
                           b'Host: a\r\n\r\n')
            self.assertTrue(holder.recv(1000).startswith(b'HTTP/1.1 200'))
        waiting = self.connect()
        waiting.sendall(HELLO)
        waiting.settimeout(0.2)
        with self.assertRaises(TimeoutError):
            waiting.recv(1000)
        holders[3].close()
        waiting.settimeout(30)
        self.assertTrue(waiting.recv(1000).startswith(b'HTTP/1.1 200'))
        for holder in holders:
            holder.close()

    def test_the_client_that_waits_longest_makes_room(self):
        idle = self.connect()
        idle.sendall(GET.replace(b'/ ', b'/hello '))
        self.assertTrue(idle.recv(1000).startswith(b'HTTP/1.1 200'))
        half = self.connect()
        half.sendall(GET[:10])
        eventually('it waits for the rest', lambda: self.metric(
            'grove_http_received_bytes_total') == len(GET) + len('hello') + 10)
        others = [self.connect() for _ in range(6)]
        eventually('the worker is full', lambda: self.metric('grove_http_connections') == 8)
        began = time.monotonic()
        for oldest in (idle, half):
            late = self.connect()
            late.sendall(GET.replace(b'/ ', b'/hello '))
            self.assertTrue(late.recv(1000).startswith(b'HTTP/1.1 200'))
            self.assertEqual(oldest.recv(1000), b'')
        self.assertLess(time.monotonic() - began, 60, 'the idle time-out')
        self.assertEqual(self.metric('grove_http_connections_evicted_total'), 2)
        self.assertGreaterEqual(self.metric('grove_http_connections_full_total'), 2)
        self.assertEqual(self.daemon.log().count('the server is full'), 1)
        for other in others:
            other.sendall(HELLO)
            self.assertTrue(other.recv(1000).startswith(b'HTTP/1.1 200'))

    def test_probes_are_answered_whoever_dawdles_on_the_admin_port(self):
        host, _, port = self.daemon.address('admin').rpartition(':')
        # Amid a head, and answered amid a body.
        answered = b'POST /readyz HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nab'
        for sent in (b'GET /re', answered):
            for _ in range(300):
                dawdler = socket.create_connection((host, int(port)), timeout=DEADLINE_S)
                self.addCleanup(dawdler.close)
                dawdler.sendall(sent)
            began = time.monotonic()
            self.assertEqual(self.daemon.admin('/readyz')[0], 200)
            self.assertLess(time.monotonic() - began, 8, 'their own time-out')

    def test_what_clients_do_writes_no_error(self):
        gone = 'grove_http_clients_gone_total'
        before = self.metric(gone)
        for _ in range(5):
            leaves = self.connect()
            leaves.sendall(b'GET /stream?chunks=10000&bytes=65536 HTTP/1.1\r\nHost: a\r\n\r\n')
            leaves.recv(1000)
            leaves.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            leaves.close()
        dawdles = self.connect()
        dawdles.sendall(b'POST /reflect HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n')
        self.assertIn(b' 408 ', dawdles.recv(1000))
        eventually('all are counted', lambda: self.metric(gone) == before + 5)
        self.assertNotIn(' error ', self.daemon.log())

    def test_a_flood_is_served_in_turn(self):
        flood = [self.connect() for _ in range(100)]
        for connection in flood:
            connection.sendall(HELLO)
        for connection in flood:
            self.assertTrue(connection.recv(1000).startswith(b'HTTP/1.1 200'))


class SteadyClientsTest(OwnDaemonTest):
    """Slower than the kernel wakes a writer for, but faster than is asked for."""

    IO_TIMEOUT_S = 2
    BYTES_PER_S = 128 << 10
    CONFIG = """
http:
  io_timeout_ms: 2000
  listeners:
  - address: "127.0.0.1:0"
    tls: {{certificates: [{{certificate_file: {cert}, key_file: {key}}}]}}
  - {{address: "unix:{folder}/http.sock"}}
  routes:
  - {{path: /stream, function: stream}}
  - {{path: "/files/{{path...}}", function: file, folder: {folder}}}
"""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='grove-steady-', dir='/tmp')
        self.addCleanup(shutil.rmtree, self.folder)
        with open(f'{self.folder}/large', 'wb') as file:
            file.truncate(200 << 20)
        key, cert = write_certificate(self.folder)
        self.start(config=self.CONFIG.format(folder=self.folder, key=key, cert=cert), workers=1)
        self.plain, self.tls = self.daemon.http_address.split(',')[:2]

    def open(self, kind):
        """A connection with little room of its own, so that what it takes is seen soon."""
        family = socket.AF_UNIX if kind == 'unix' else socket.AF_INET
        stream = socket.socket(family)
        self.addCleanup(stream.close)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        stream.settimeout(DEADLINE_S)
        if kind == 'unix':
            stream.connect(f'{self.folder}/http.sock')
            return stream
        host, _, port = (self.tls if kind == 'tls' else self.plain).rpartition(':')
        stream.connect((host, int(port)))
        if kind == 'tls':
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            stream = context.wrap_socket(stream)
            self.addCleanup(stream.close)
        return stream

    def cut(self):
        return self.daemon.metrics().get('grove_http_timeouts_total{phase="response"}', 0)

    def test_they_are_waited_for_until_they_stop(self):
        # One that takes nothing at all has no time to lose.
        self.open('plain').sendall(b'GET /files/large HTTP/1.1\r\nHost: a\r\n\r\n')
        eventually('it is cut off', lambda: self.cut() == 1)
        clients = [self.open(kind) for kind in ('plain', 'tls', 'unix') for _ in range(2)]
        for client, path in zip(clients, 3 * ('/files/large', '/stream?chunks=200&bytes=1000000')):
            client.sendall(f'GET {path} HTTP/1.1\r\nHost: a\r\n\r\n'.encode())
        end = time.monotonic() + 5 * self.IO_TIMEOUT_S
        while time.monotonic() < end:
            for client in clients:
                left = self.BYTES_PER_S // 4
                while left > 0:
                    piece = client.recv(left)
                    self.assertTrue(piece, 'it was cut off')
                    left -= len(piece)
            time.sleep(0.25)
        self.assertEqual(self.cut(), 1)
        # What they took beyond the least pays for a pause.
        eventually('they are cut off once they stop', lambda: self.cut() == 1 + len(clients),
                   10 * self.IO_TIMEOUT_S + DEADLINE_S)
        self.daemon.stop()


class BurstTest(OwnDaemonTest):
    """Many that connect at once."""

    def test_they_spread_over_the_workers(self):
        daemon = self.start(workers=2)
        host, _, port = daemon.http_address.rpartition(':')

        def spread():
            metrics = daemon.metrics()
            return [metrics[f'grove_http_connections{{worker="{worker}"}}'] for worker in (0, 1)]

        differences = []
        for _ in range(8):
            crowd = [socket.socket() for _ in range(40)]
            for stream in crowd:
                stream.setblocking(False)
                stream.connect_ex((host, int(port)))
            eventually('all are accepted', lambda: sum(spread()) == 40)
            differences.append(abs(spread()[0] - spread()[1]))
            for stream in crowd:
                stream.close()
            eventually('all are gone', lambda: sum(spread()) == 0)
        # By chance it were 15 to 20; a worker that gets no CPU for a while may miss a burst.
        self.assertLess(sum(differences) / len(differences), 10, differences)
        daemon.stop()


class FewFilesTest(OwnDaemonTest):

    def test_a_worker_without_descriptors_waits_and_lives(self):
        self.daemon = FewFilesDaemon(config=fixture('http:\n'), workers=1)
        self.addCleanup(self.daemon.kill)
        self.daemon.start()
        worker = self.daemon.pid_of('grove-w0')
        flood = [self.daemon.connect() for _ in range(2 * FewFilesDaemon.files)]
        eventually('no descriptor is left', lambda: len(
            os.listdir(f'/proc/{worker}/fd')) == FewFilesDaemon.files)
        for connection in flood[FewFilesDaemon.files:]:
            connection.sendall(HELLO)
        for connection in flood[:FewFilesDaemon.files]:
            connection.close()
        for connection in flood[FewFilesDaemon.files:]:
            self.assertTrue(connection.recv(1000).startswith(b'HTTP/1.1 200'))
            connection.close()
        self.assertEqual(self.daemon.pid_of('grove-w0'), worker)
        self.daemon.stop()


class OutOfDescriptorsTest(OwnDaemonTest):
    """A worker that may open no more descriptors."""

    def test_it_serves_what_it_has_and_accepts_again_when_it_can(self):
        daemon = self.start(workers=1)
        pid = daemon.pid_of('grove-w0')
        served = daemon.connect()
        self.addCleanup(served.close)
        self.assertIn(b'Hello', self.ask(served))
        used = {int(fd) for fd in os.listdir(f'/proc/{pid}/fd')}
        free = [fd for fd in range(len(used) + 2) if fd not in used]
        hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (free[1] + 1, hard))  # room for two

        def failures():
            return daemon.metrics()['grove_http_accept_failures_total{worker="0"}']
        began = time.monotonic()
        crowd = [daemon.connect() for _ in range(8)]
        for stream in crowd:
            self.addCleanup(stream.close)
            stream.sendall(GET)
        eventually('it cannot accept', lambda: failures() >= 5)
        # Between the first five lie pauses of 10, 20, 40 and 80 ms: it does not spin.
        self.assertGreaterEqual(time.monotonic() - began, 0.15)
        self.assertIn(b'Hello', self.ask(served), 'connections that it has are served')
        self.assertEqual(daemon.pid_of('grove-w0'), pid)
        self.assertEqual(daemon.log().count('cannot accept connections'), 1)
        self.assertIn('Too many open files', daemon.log())
        while crowd:  # each that ends makes room for one that waits
            ready = select.select(crowd, [], [], DEADLINE_S)[0]
            self.assertTrue(ready, 'those that wait are accepted')
            for stream in ready:
                self.assertIn(b'Hello', stream.recv(65536))
                stream.close()
                crowd.remove(stream)
        self.assertIn(b'Hello', self.ask(served))
        daemon.stop()

    @staticmethod
    def ask(stream):
        stream.sendall(GET)
        return stream.recv(65536)


if __name__ == '__main__':
    unittest.main()
