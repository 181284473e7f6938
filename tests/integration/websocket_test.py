"""WebSockets, spoken by a client that is not ours."""

import asyncio
import os
import unittest

import websockets

from grove_harness import OwnDaemonTest, eventually

CONFIG = 'http: {routes: [{path: /ws, function: websocket.echo}]}\n'


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, timeout=60))


class WebSocketTest(OwnDaemonTest):

    def serve(self):
        daemon = self.start(config=CONFIG, workers=1)
        return daemon, daemon.url('/ws').replace('http', 'ws', 1)

    def test_it_echoes_what_a_foreign_client_sends(self):
        _, url = self.serve()
        messages = ['', 'a', 'κόσμε', 'x' * 100_000, b'', bytes(range(256)) * 300,
                    os.urandom(3_000_000)]

        async def talk(compression):
            async with websockets.connect(url, compression=compression,
                                          max_size=None) as socket:
                for message in messages:
                    await socket.send(message)
                    self.assertEqual(await socket.recv(), message)
                await socket.send(['frag', 'men', 'ted'])
                self.assertEqual(await socket.recv(), 'fragmented')
                await (await socket.ping(b'?'))
                return [extension.name for extension in socket.extensions]

        self.assertEqual(run(talk(None)), [])
        self.assertEqual(run(talk('deflate')), ['permessage-deflate'])

    def test_it_closes_as_the_client_closes(self):
        _, url = self.serve()

        async def talk():
            async with websockets.connect(url) as socket:
                await socket.close(3001, 'bye')
                return socket.close_code

        self.assertEqual(run(talk()), 3001)

    def test_a_message_over_the_limit_closes_with_1009(self):
        _, url = self.serve()

        async def talk(compression):
            async with websockets.connect(url, compression=compression) as socket:
                with self.assertRaises(websockets.ConnectionClosed):
                    await socket.send(b'\0' * ((16 << 20) + 1))
                    await socket.recv()
                return socket.close_code

        for compression in (None, 'deflate'):
            self.assertEqual(run(talk(compression)), 1009, compression)

    def test_open_ones_are_counted_and_get_1001_when_the_daemon_stops(self):
        daemon, url = self.serve()

        async def talk():
            sockets = [await websockets.connect(url) for _ in range(20)]
            for socket in sockets:
                await socket.send('hello')
                self.assertEqual(await socket.recv(), 'hello')
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(None, lambda: eventually(
                'all are counted',
                lambda: daemon.metrics_sum('grove_http_websockets') == 20))
            stopped = loop.run_in_executor(None, daemon.stop)
            for socket in sockets:
                await socket.wait_closed()
            await stopped
            return {socket.close_code for socket in sockets}

        self.assertEqual(run(talk()), {1001})


if __name__ == '__main__':
    unittest.main()
