"""What the WebSocket client makes of servers: of websocket_cases.py, as a server sends them, and of
the websockets library. The programs under test are websocket_peer.cc, which echoes, and the
example chat.cc."""

import asyncio
import contextlib
import http
import os
import random
import socket
import subprocess
import tempfile
import unittest

import websockets

from websocket_cases import (BYTEWISE_BYTES_MAX, CASES, SPLIT_SEED, byte_by_byte, in_pieces,
                             whole)
from websocket_client import DEADLINE_S
from websocket_server import ServedClient, other_ends

PEER = os.path.abspath('tests/integration/websocket_peer')
CHAT = os.path.abspath('http/examples/chat')


def mirrored(offer):
    """What a client would ask for, as what a server says of itself."""
    return offer and offer.replace('client_', 'server_')


class CasesTest(unittest.TestCase):

    def setUp(self):
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.addCleanup(self.listener.close)
        self.listener.settimeout(DEADLINE_S)
        port = self.listener.getsockname()[1]
        # Not a pipe, which would fill up: it is read at the end.
        self.said = tempfile.TemporaryFile()
        self.addCleanup(self.said.close)
        self.peer = subprocess.Popen([PEER, f'ws://127.0.0.1:{port}/'], stdin=subprocess.DEVNULL,
                                     stdout=self.said)
        self.addCleanup(self.peer.wait)
        self.addCleanup(self.peer.kill)

    def check(self, case, split):
        with ServedClient(self.listener.accept()[0]) as client:
            client.accept(mirrored(case.offer))
            said = client.talk(split(other_ends(case.frames)))
        # As bytes would tell, but short.
        self.assertEqual([(kind, payload[:200], len(payload)) for kind, payload in said.events],
                         [(kind, payload[:200], len(payload)) for kind, payload in case.events])
        self.assertTrue(said.events == case.events, 'a payload changed on its way')
        if isinstance(case.end, int):
            self.assertIsNotNone(said.close, 'no close frame')
            self.assertEqual(int.from_bytes(said.close[:2], 'big'), case.end, said.close)
            said.close[2:].decode()
        else:
            self.assertEqual(said.close, case.end)

    def check_all(self, cases, split):
        for case in cases:
            with self.subTest(case.name):
                self.check(case, split)
        with ServedClient(self.listener.accept()[0]) as client:
            client.refuse(404)
        self.assertEqual(self.peer.wait(DEADLINE_S), 0)
        self.said.seek(0)
        self.assertEqual(len(self.said.read().splitlines()), len(cases))

    def test_whole(self):
        self.check_all(CASES, whole)

    def test_in_pieces(self):
        self.check_all(CASES, in_pieces)

    def test_byte_by_byte(self):
        self.check_all([case for case in CASES if len(case.frames) <= BYTEWISE_BYTES_MAX],
                       byte_by_byte)


class LibraryTest(unittest.IsolatedAsyncioTestCase):
    """Servers of the websockets library."""

    @contextlib.asynccontextmanager
    async def serve(self, handler, connections=1, **options):
        """The URL of a server that refuses all but the first connections with 404."""
        left = connections

        async def gate(_path, _headers):
            nonlocal left
            left -= 1
            return (http.HTTPStatus.NOT_FOUND, [], b'') if left < 0 else None

        async with websockets.serve(handler, '127.0.0.1', 0, process_request=gate,
                                    **options) as server:
            port = server.sockets[0].getsockname()[1]
            yield f'ws://127.0.0.1:{port}/'

    async def run_peer(self, handler, **options):
        """What the echoing peer says of its connection."""
        failures = []

        async def guarded(connection):
            try:
                await handler(connection)
            except Exception as failure:  # told by the test, not by the server's log
                failures.append(failure)
                raise

        async with self.serve(guarded, **options) as url:
            process = await asyncio.create_subprocess_exec(
                PEER, url, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            said, _ = await asyncio.wait_for(process.communicate(), DEADLINE_S)
        self.assertEqual(failures, [])
        self.assertEqual(process.returncode, 0)
        return said.decode().splitlines()

    async def talk(self, connection):
        chance = random.Random(SPLIT_SEED)
        for size in (0, 1, 125, 126, 1000, 65535, 65536, 1 << 19):
            for message in ('ä' * (size // 2), chance.randbytes(size), b'compressible' * size):
                message = message[:size]
                await connection.send(message)
                self.assertEqual(await connection.recv(), message)
        await connection.send(iter(['in ', 'some ', 'fragments']))
        self.assertEqual(await connection.recv(), 'in some fragments')
        await (await connection.ping(b'alive?'))

    async def test_compressed(self):
        lines = await self.run_peer(self.talk, subprotocols=['echo'])
        self.assertEqual(lines, ['subprotocol=echo compressed OK; OK'])

    async def test_with_small_windows_and_without_contexts(self):
        extension = websockets.extensions.permessage_deflate.ServerPerMessageDeflateFactory(
            server_no_context_takeover=True, client_no_context_takeover=True,
            server_max_window_bits=9, client_max_window_bits=9)
        lines = await self.run_peer(self.talk, compression=None, extensions=[extension])
        self.assertEqual(lines, ['subprotocol= compressed OK; OK'])

    async def test_plain(self):
        lines = await self.run_peer(self.talk, compression=None)
        self.assertEqual(lines, ['subprotocol= plain OK; OK'])

    async def test_close_codes(self):
        said = []

        async def close(connection):
            code, reason = next(left)
            await connection.close(code, reason)
            said.append((connection.close_code, connection.close_reason))

        codes = [(1000, ''), (1001, 'away'), (1011, 'broken'), (4321, 'mine')]
        left = iter(codes)
        lines = await self.run_peer(close, connections=len(codes), compression=None)
        self.assertCountEqual(said, codes)
        closed = 'UNAVAILABLE: the server closed the WebSocket with code'
        self.assertEqual(lines, ['subprotocol= plain OK; OK', 'subprotocol= plain OK; OK',
                                 f'subprotocol= plain {closed} 1011: broken; OK',
                                 f'subprotocol= plain {closed} 4321: mine; OK'])

    async def test_the_chat_example(self):
        ended = asyncio.get_running_loop().create_future()

        async def shout(connection):
            async for message in connection:
                await connection.send(message.upper())
            ended.set_result(connection.close_code)

        async with self.serve(shout) as url:
            chat = await asyncio.create_subprocess_exec(
                CHAT, url, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            for line in (b'hello\n', b'world\n'):
                chat.stdin.write(line)
                self.assertEqual(await asyncio.wait_for(chat.stdout.readline(), DEADLINE_S),
                                 line.upper())
            chat.stdin.close()
            self.assertEqual(await asyncio.wait_for(chat.wait(), DEADLINE_S), 0)
            self.assertEqual(await asyncio.wait_for(ended, DEADLINE_S), 1000)

    async def test_the_chat_example_without_a_server_that_speaks_websocket(self):
        async with self.serve(self.talk, connections=0) as url:
            chat = await asyncio.create_subprocess_exec(
                CHAT, url, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
            _, said = await asyncio.wait_for(chat.communicate(), DEADLINE_S)
        self.assertEqual(chat.returncode, 1)
        self.assertIn('the server answers 404 to the handshake', said.decode())


if __name__ == '__main__':
    unittest.main()
