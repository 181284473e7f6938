"""WebSocket clients that don't read, vanish or flood: bounded, and at nobody else's cost."""

import socket
import struct
import unittest

from grove_harness import GroveTest, eventually
from websocket_client import BINARY, Client, binary, close, frame, ping, text

# A time-out that a test can await, but no loaded machine takes for a healthy client's time.
CONFIG = '''
http:
  io_timeout_ms: 1000
  routes: [{path: /ws, function: websocket.echo}]
'''
# What the kernel's buffers of both ends may hold, with a margin, and far less than what is sent.
BUFFERED_BYTES_MAX = 64 << 20
GROWTH_KIB_MAX = 32 * 1024


class WebSocketClientsTest(GroveTest):

    config = CONFIG
    workers = 1

    def open(self):
        client = Client(self.daemon.connect())
        self.addCleanup(client.socket.close)
        client.open()
        return client

    def resident_kib(self):
        with open(f'/proc/{self.daemon.pid_of("grove-w0")}/status', encoding='utf-8') as file:
            return next(int(line.split()[1]) for line in file if line.startswith('VmRSS:'))

    def open_websockets(self):
        return self.daemon.metrics_sum('grove_http_websockets')

    def none_is_left(self):
        eventually('no WebSocket is left', lambda: self.open_websockets() == 0)

    def flood(self, stream):
        """Sends it again and again without reading, until it is cut off; how many bytes it took."""
        client = self.open()
        client.socket.settimeout(30)
        sent = 0
        try:
            while sent < 8 * BUFFERED_BYTES_MAX:
                sent += client.socket.send(stream)
        except (ConnectionResetError, BrokenPipeError):
            pass
        return sent

    def test_floods_by_clients_that_do_not_read_are_cut_off(self):
        before = self.resident_kib()
        for name, stream in (('pings', ping(b'*' * 125) * 500),
                             ('messages', text(b'*' * 10_000) * 6),
                             ('long messages', binary(bytes(1 << 20))),
                             ('empty messages', text(b'') * 10_000)):
            with self.subTest(name):
                self.assertLess(self.flood(stream), BUFFERED_BYTES_MAX)
        self.none_is_left()
        self.assertLess(self.resident_kib() - before, GROWTH_KIB_MAX)

    def test_others_are_served_beside_a_flood(self):
        flooding, other = self.open(), self.open()
        flooding.socket.setblocking(False)
        for number in range(100):
            try:
                flooding.socket.send(ping(b'*' * 125) * 500)
            except (BlockingIOError, ConnectionResetError, BrokenPipeError):
                pass
            other.send(text(b'%d' % number))
            self.assertEqual(other.events(1), [('text', b'%d' % number)])

    def test_a_flood_by_a_client_that_reads_is_answered(self):
        count = 50_000
        with Client(self.daemon.connect()) as client:
            client.open()
            said = client.talk([b''.join(ping(b'%d' % each)
                                         for each in range(count)) + close(1000)])
        self.assertTrue(said.events == [('pong', b'%d' % each) for each in range(count)])

    def test_a_client_that_reads_late_misses_nothing(self):
        messages = [bytes([each]) * 100_000 for each in range(50)]
        client = self.open()
        for message in messages:
            # Sent while nothing is read, as far as it goes.
            client.socket.setblocking(False)
            try:
                sent = client.socket.send(binary(message, key=bytes(4)))
            except BlockingIOError:
                sent = 0
            rest = binary(message, key=bytes(4))[sent:]
            while rest:
                client.socket.settimeout(30)
                client.reader.feed(client.socket.recv(1000))
                client.socket.setblocking(False)
                try:
                    rest = rest[client.socket.send(rest):]
                except BlockingIOError:
                    pass
        self.assertTrue(client.talk([close(1000)]).events == [('binary', message)
                                                              for message in messages])

    def test_clients_that_vanish_are_noticed(self):
        for stream in (b'', b'\x81', frame(BINARY, b'', length=1000), text(b'a', final=False),
                       text(b'Hello')):
            for linger in (None, struct.pack('ii', 1, 0)):
                client = self.open()
                client.send(stream)
                if linger:
                    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                client.socket.close()
        self.none_is_left()

    def test_a_client_that_ends_its_stream_without_a_close_frame_gets_none(self):
        client = self.open()
        client.send(text(b'Hello'))
        self.assertEqual(client.events(1), [('text', b'Hello')])
        client.socket.shutdown(socket.SHUT_WR)
        said = client.talk([])
        self.assertEqual((said.events, said.close), ([], None))
        self.none_is_left()

    def test_a_client_that_never_ends_its_stream_is_left(self):
        client = self.open()
        self.assertEqual(client.talk([close(1000)]).close, b'\x03\xe8')
        eventually('the connection is closed',
                   lambda: self.daemon.metrics_sum('grove_http_connections') == 0)

    def test_a_thousand_at_once(self):
        clients = [self.open() for _ in range(1000)]
        for index, client in enumerate(clients):
            client.send(text(b'%d' % index))
        for index, client in enumerate(clients):
            self.assertEqual(client.events(1), [('text', b'%d' % index)])
        eventually('all are counted', lambda: self.open_websockets() == 1000)
        for client in clients:
            self.assertEqual(client.talk([close(3000)]).close, b'\x0b\xb8')
            client.socket.close()
        self.none_is_left()


if __name__ == '__main__':
    unittest.main()
