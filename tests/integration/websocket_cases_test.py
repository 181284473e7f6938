"""What the daemon makes of websocket_cases.py, over a socket: whole, in pieces, byte by byte."""

import os
import unittest

from grove_harness import GroveTest
from websocket_cases import BYTEWISE_BYTES_MAX, CASES, byte_by_byte, in_pieces, whole
from websocket_client import Client, Inflate

CONFIG = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                       '../../deploy/examples/fixture.yaml'))


class WebSocketCasesTest(GroveTest):

    flags = (f'--config={CONFIG}',)
    workers = 1

    def check(self, case, split):
        with Client(self.daemon.connect()) as client:
            if case.offer:
                client.open(f'Sec-WebSocket-Extensions: {case.offer}')
                client.reader.inflate = Inflate()
            else:
                client.open()
            said = client.talk(split(case.frames))
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

    def test_whole(self):
        for case in CASES:
            with self.subTest(case.name):
                self.check(case, whole)

    def test_in_pieces(self):
        for case in CASES:
            with self.subTest(case.name):
                self.check(case, in_pieces)

    def test_byte_by_byte(self):
        for case in CASES:
            if len(case.frames) <= BYTEWISE_BYTES_MAX:
                with self.subTest(case.name):
                    self.check(case, byte_by_byte)


if __name__ == '__main__':
    unittest.main()
