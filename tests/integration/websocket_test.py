"""WebSockets, spoken by a client that is not ours."""

import asyncio
import os
import signal
import socket
import subprocess
import time
import unittest

import websockets

from grove_harness import DEADLINE_S, OwnDaemonTest, eventually

CONFIG = '''
http:
  websocket: {subprotocols: [chat]}
  routes:
  - {path: /ws, function: websocket.echo}
  - path: /small
    function: websocket.echo
    websocket: {message_max_bytes: 10, compression: none, origins: ["https://a.example"]}
  - path: /watched
    function: websocket.echo
    websocket: {ping_interval_ms: 20, pong_timeout_ms: 40}
  - path: /slow
    function: websocket.echo
    websocket: {ping_interval_ms: 500, pong_timeout_ms: 1500, compression: none}
  - path: /impatient
    function: websocket.echo
    websocket: {close_timeout_ms: 20}
'''


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, timeout=60))


class WebSocketTest(OwnDaemonTest):

    def serve(self, path='/ws'):
        daemon = self.start(config=CONFIG, workers=1)
        return daemon, daemon.url(path).replace('http', 'ws', 1)

    def raw(self, path):
        """A WebSocket that answers nothing by itself."""
        daemon, _ = self.serve(path)
        return daemon, self.raw_to(daemon, path)

    def raw_to(self, daemon, path):
        host, _, port = daemon.http_address.rpartition(':')
        stream = socket.socket()
        self.addCleanup(stream.close)
        stream.settimeout(DEADLINE_S)
        # Little room, so that what it takes is seen soon.
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
        stream.connect((host, int(port)))
        stream.sendall(f'GET {path} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n'
                       'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n'
                       'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'.encode())
        head = b''
        while not head.endswith(b'\r\n\r\n'):
            head += stream.recv(1)
        self.assertIn(b'101', head)
        return stream

    def test_it_echoes_what_a_foreign_client_sends(self):
        _, url = self.serve()
        messages = ['', 'a', 'κόσμε', 'x' * 100_000, b'', bytes(range(256)) * 300,
                    os.urandom(3_000_000)]

        async def talk(compression):
            async with websockets.connect(url, compression=compression,
                                          max_size=None) as stream:
                for message in messages:
                    await stream.send(message)
                    self.assertEqual(await stream.recv(), message)
                await stream.send(['frag', 'men', 'ted'])
                self.assertEqual(await stream.recv(), 'fragmented')
                await (await stream.ping(b'?'))
                return [extension.name for extension in stream.extensions]

        self.assertEqual(run(talk(None)), [])
        self.assertEqual(run(talk('deflate')), ['permessage-deflate'])

    def test_a_route_has_its_own_limits(self):
        _, url = self.serve('/small')

        async def talk():
            async with websockets.connect(url, origin='https://A.example',
                                          subprotocols=['other', 'chat']) as stream:
                self.assertEqual(stream.extensions, [])
                self.assertEqual(stream.subprotocol, 'chat')
                await stream.send('x' * 10)
                self.assertEqual(await stream.recv(), 'x' * 10)
                with self.assertRaises(websockets.ConnectionClosed):
                    await stream.send('x' * 11)
                    await stream.recv()
                self.assertEqual(stream.close_code, 1009)
            with self.assertRaises(websockets.InvalidStatusCode) as refused:
                await websockets.connect(url, origin='https://b.example')
            return refused.exception.status_code

        self.assertEqual(run(talk()), 403)

    def test_check_says_that_a_handler_is_no_websocket(self):
        self.serve()
        self.daemon.config = ('http: {routes: [{path: /, function: hello, '
                              'websocket: {message_max_bytes: 1}}]}\n')
        done = subprocess.run(self.daemon.command() + ['--check'], capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn('http.routes[0].websocket: the handler "hello" is no WebSocket\'s',
                      done.stderr)
        self.daemon.stop()

    def test_a_silent_client_is_pinged_and_given_up(self):
        _, stream = self.raw('/watched')
        self.assertEqual(stream.recv(2, socket.MSG_WAITALL), b'\x89\x00')  # ping
        self.assertEqual(stream.recv(2, socket.MSG_WAITALL)[0], 0x88)  # close
        self.assertEqual(stream.recv(2, socket.MSG_WAITALL), (1011).to_bytes(2, 'big'))

    def test_a_ping_that_waits_behind_data_is_waited_for(self):
        _, stream = self.raw('/slow')
        size = 6_000_000
        stream.sendall(b'\x82\xff' + size.to_bytes(8, 'big') + bytes(4) + bytes(size))
        echo = b'\x82\x7f' + size.to_bytes(8, 'big') + bytes(size)
        received = 0
        while received < len(echo):  # slower than the ping's time-outs, all in all
            received += len(stream.recv(min(80_000, len(echo) - received)))
            time.sleep(0.1)
        for _ in range(3):
            self.assertEqual(stream.recv(2, socket.MSG_WAITALL), b'\x89\x00')  # ping
            stream.sendall(b'\x8a\x80' + bytes(4))  # pong
        stream.sendall(b'\x88\x82' + bytes(4) + (1000).to_bytes(2, 'big'))
        while (frame := stream.recv(2, socket.MSG_WAITALL)) == b'\x89\x00':
            pass
        self.assertEqual(frame, b'\x88\x02')

    def test_unfinished_messages_of_all_have_a_budget(self):
        daemon = self.start(config='http: {websocket_memory_max_bytes: 1048576, routes: '
                            '[{path: /ws, function: websocket.echo}]}', workers=1)
        begun = b'\x82\xff' + (5_000_000).to_bytes(8, 'big') + bytes(4) + bytes(700_000)
        first, second = (self.raw_to(daemon, '/ws') for _ in range(2))
        first.sendall(begun)
        eventually('it has arrived',
                   lambda: daemon.metrics_sum('grove_http_received_bytes_total') > 700_000)
        second.sendall(begun)
        self.assertEqual(second.recv(2, socket.MSG_WAITALL)[0], 0x88)  # close
        self.assertEqual(second.recv(2, socket.MSG_WAITALL), (1013).to_bytes(2, 'big'))
        eventually('it is counted',
                   lambda: daemon.metrics_sum('grove_http_websockets_over_budget_total') == 1)
        first.sendall(bytes(200_000))
        third = self.raw_to(daemon, '/ws')
        third.sendall(b'\x82\x81' + bytes(4) + b'a')
        self.assertEqual(third.recv(3, socket.MSG_WAITALL), b'\x82\x01a')
        daemon.stop()

    def test_a_client_that_answers_no_close_is_cut_off(self):
        daemon, stream = self.raw('/impatient')
        daemon.process.send_signal(signal.SIGHUP)
        self.assertEqual(stream.recv(4, socket.MSG_WAITALL)[:1], b'\x88')
        self.assertEqual(stream.recv(1), b'')

    def test_it_closes_as_the_client_closes(self):
        _, url = self.serve()

        async def talk():
            async with websockets.connect(url) as stream:
                await stream.close(3001, 'bye')
                return stream.close_code

        self.assertEqual(run(talk()), 3001)

    def test_a_message_over_the_limit_closes_with_1009(self):
        _, url = self.serve()

        async def talk(compression):
            async with websockets.connect(url, compression=compression) as stream:
                with self.assertRaises(websockets.ConnectionClosed):
                    await stream.send(b'\0' * ((16 << 20) + 1))
                    await stream.recv()
                return stream.close_code

        for compression in (None, 'deflate'):
            self.assertEqual(run(talk(compression)), 1009, compression)

    def test_open_ones_are_counted_and_get_1001_when_the_daemon_stops(self):
        daemon, url = self.serve()

        async def talk():
            sockets = [await websockets.connect(url) for _ in range(20)]
            for stream in sockets:
                await stream.send('hello')
                self.assertEqual(await stream.recv(), 'hello')
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(None, lambda: eventually(
                'all are counted',
                lambda: daemon.metrics_sum('grove_http_websockets') == 20))
            stopped = loop.run_in_executor(None, daemon.stop)
            for stream in sockets:
                await stream.wait_closed()
            await stopped
            return {stream.close_code for stream in sockets}

        self.assertEqual(run(talk()), {1001})


if __name__ == '__main__':
    unittest.main()
