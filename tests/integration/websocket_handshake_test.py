"""How the daemon answers websocket_handshakes.py, and that it keeps what it agrees on."""

import base64
import hashlib
import itertools
import os
import random
import re
import unittest

from grove_harness import GroveTest
from websocket_client import (GUID, TEXT, Broken, Client, Deflate, Inflate, close, fragments,
                              opening, text)
from websocket_handshakes import ACCEPTED, NEGOTIATIONS, PLAIN, REFUSALS

CONFIG = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                       '../../deploy/examples/fixture.yaml'))
NEXT = b'GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
CHANCE = random.Random(7692)
# Alike enough to refer back to, within a message and to the one before; the last is longer than a
# window.
MESSAGES = [b'Hello', b'the quick brown fox %d ' % 7 * 10, b'',
            b'the quick brown fox %d ' % 8 * 100,
            b''.join(b'%x and ' % CHANCE.getrandbits(32) for _ in range(6000)), b'Hello' * 1000]
BITS = range(8, 16)


def pieces(payload):
    """Split anywhere."""
    ends = sorted(CHANCE.randrange(len(payload) + 1) for _ in range(CHANCE.randrange(4)))
    return [payload[start:end] for start, end in zip([0, *ends], [*ends, len(payload)])]


def agreed(answer):
    """(client's Deflate, client's Inflate) for what a server answered."""
    bits = {side: int(value) for side, value in re.findall(r'(\w+)_max_window_bits=(\d+)', answer)}
    return (Deflate(bits.get('client', 15), 'client_no_context_takeover' not in answer),
            Inflate(bits.get('server', 15), 'server_no_context_takeover' not in answer))


class WebSocketHandshakeTest(GroveTest):

    flags = (f'--config={CONFIG}',)
    workers = 1

    def connect(self):
        return Client(self.daemon.connect())

    def test_refusals(self):
        for case in REFUSALS:
            with self.subTest(case.name), self.connect() as client:
                answer = client.ask(case.request)
                self.assertEqual(answer.status, case.status)
                for name, value in case.fields.items():
                    self.assertEqual(answer.field(name), value, name)
                self.assertIsNone(answer.field('sec-websocket-accept'))

    def test_nothing_behind_a_refusal_is_taken_for_a_request(self):
        with self.connect() as client:
            wrong = opening().replace(b'Version: 13', b'Version: 8')
            client.send(wrong * 3 + NEXT)
            stream = b''
            while chunk := client.socket.recv(65536):
                stream += chunk
        self.assertEqual(re.findall(rb'HTTP/1\.1 (\d+)', stream), [b'426'])

    def test_accepted(self):
        for name, request in ACCEPTED:
            with self.subTest(name), self.connect() as client:
                key = re.search(rb'Sec-WebSocket-Key: (\S+)', request).group(1)
                # The first frames may come with the request.
                answer = client.ask(request + text(b'Hello') + close(1000))
                self.assertEqual(answer.status, 101)
                self.assertEqual(answer.field('sec-websocket-accept').encode(),
                                 base64.b64encode(hashlib.sha1(key + GUID).digest()))
                for each in ('sec-websocket-protocol', 'sec-websocket-extensions', 'content-length',
                             'transfer-encoding'):
                    self.assertIsNone(answer.field(each))
                client.reader.feed(answer.rest)
                said = client.talk([])
                self.assertEqual((said.events, said.close), ([('text', b'Hello')], b'\x03\xe8'))

    def test_negotiations(self):
        for case in NEGOTIATIONS:
            with self.subTest(case.offers), self.connect() as client:
                answer = client.open(*(f'Sec-WebSocket-Extensions: {offer}'
                                       for offer in case.offers))
                self.assertEqual(answer.field('sec-websocket-extensions'), case.answer)
                compressed = text(Deflate()(b'Hello'), rsv=4)
                said = client.talk([compressed + close(1000)])
                # Without an agreement, a compressed message is a fault.
                self.assertEqual(int.from_bytes(said.close[:2], 'big'),
                                 1000 if case.answer else 1002)

    def talk(self, offer):
        with self.connect() as client:
            opened = client.open(f'Sec-WebSocket-Extensions: {offer}')
            answer = opened.field('sec-websocket-extensions')
            deflate, client.reader.inflate = agreed(answer)
            sent = []
            for message in MESSAGES:
                sent.append(fragments(TEXT, pieces(deflate(message)), rsv=4))
                sent.append(text(message))
            said = client.talk([b''.join(sent) + close(1000)])
            self.assertEqual(said.close, b'\x03\xe8')
            self.assertTrue(said.events == [('text', message) for message in MESSAGES
                                            for _ in range(2)])
            return answer

    def test_every_combination_of_parameters(self):
        for server_none, client_none, server_bits, client_bits in itertools.product(
                ('', '; server_no_context_takeover'), ('', '; client_no_context_takeover'),
                ('', *(f'; server_max_window_bits={bits}' for bits in BITS)),
                ('', '; client_max_window_bits',
                 *(f'; client_max_window_bits={bits}' for bits in BITS))):
            offer = PLAIN + client_bits + server_none + server_bits + client_none
            with self.subTest(offer):
                answer = self.talk(offer)
                self.assertEqual('server_no_context_takeover' in answer, bool(server_none))
                self.assertEqual('client_no_context_takeover' in answer, bool(client_none))

    def test_what_it_sends_is_compressed(self):
        with self.connect() as client:
            client.open(f'Sec-WebSocket-Extensions: {PLAIN}')
            client.send(text(b'*' * 100_000) + close(1000))
            received = b''
            while chunk := client.socket.recv(65536):
                received += chunk
        self.assertEqual(received[0], 0xc1)
        self.assertLess(len(received), 1000)

    def test_other_paths_know_no_websocket(self):
        with self.connect() as client:
            with self.assertRaisesRegex(Broken, '^200 '):
                client.open(path='/hello')
            with self.connect() as other, self.assertRaisesRegex(Broken, '^404 '):
                other.open(path='/nothing')


if __name__ == '__main__':
    unittest.main()
