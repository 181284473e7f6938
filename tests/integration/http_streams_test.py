"""What the daemon makes of http_streams.py, over a real socket: whole, in pieces, byte by byte."""

import errno
import json
import os
import random
import socket
import unittest

from grove_harness import GroveTest
from http_streams import AT_ONCE, CASES

CONFIG = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                       '../../deploy/examples/fixture.yaml'))
SEED = 20260613
# A byte each is a segment each: for streams of the length that a person writes.
BYTEWISE_BYTES_MAX = 400


class Broken(Exception):
    """No HTTP/1.1 response."""


def split_chunks(rest):
    body = b''
    while True:
        size, mark, rest = rest.partition(b'\r\n')
        if not mark:
            raise Broken(f'a chunk size without an end: {size[:40]}')
        size = int(size, 16)
        body += rest[:size]
        if rest[size:size + 2] != b'\r\n':
            raise Broken('a chunk without an end')
        rest = rest[size + 2:]
        if size == 0:
            return body, rest


def split_response(stream):
    """(status, fields, body, what follows) of a response to anything but HEAD."""
    head, mark, rest = stream.partition(b'\r\n\r\n')
    line, *lines = head.split(b'\r\n')
    if not mark or not line.startswith(b'HTTP/1.1 '):
        raise Broken(f'no head: {stream[:80]}')
    status = int(line.split()[1])
    fields = {name.strip().lower(): value.strip()
              for name, _, value in (each.partition(b':') for each in lines)}
    if status in (204, 304) or status < 200:
        return status, fields, b'', rest
    if fields.get(b'transfer-encoding') == b'chunked':
        return status, fields, *split_chunks(rest)
    if b'content-length' not in fields:
        return status, fields, rest, b''
    length = int(fields[b'content-length'])
    if len(rest) < length:
        raise Broken(f'a body of {len(rest)} bytes instead of {length}')
    return status, fields, rest[:length], rest[length:]


def split_responses(stream):
    found = []
    while stream:
        status, fields, body, stream = split_response(stream)
        found.append((status, fields, body))
    return found


def whole(stream):
    yield stream


def byte_by_byte(stream):
    for index in range(len(stream)):
        yield stream[index:index + 1]


def in_pieces(stream):
    chance = random.Random(SEED + len(stream))
    at = 0
    while at < len(stream):
        size = chance.choice((1, 2, 3, 10, 50, 4000, 100000))
        yield stream[at:at + size]
        at += size


class HttpStreamsTest(GroveTest):

    flags = (f'--config={CONFIG}',)
    workers = 1

    def ask(self, stream, split):
        """All that the server says to a client that sends so much and then its end."""
        with self.daemon.connect() as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            received = b''
            try:
                for piece in split(stream):
                    connection.sendall(piece)
                connection.shutdown(socket.SHUT_WR)
            except OSError as error:
                # It had said enough; what it said is still there to be read.
                if error.errno not in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN):
                    raise
            try:
                while chunk := connection.recv(1 << 20):
                    received += chunk
            except ConnectionResetError:
                pass  # It had closed, as it said, before the last pieces came.
            return received

    def check(self, case, split):
        answers = split_responses(self.ask(case.stream, split))
        expected = case.answers
        if split is not whole:
            # 100 is sent if the body is not there yet when the handler looks for it.
            answers = [answer for answer in answers if answer[0] != 100]
            expected = [status for status in expected if status != 100]
        self.assertEqual([status for status, _, _ in answers], expected)
        for status, fields, _ in answers[:-1]:
            self.assertNotIn(b'connection', fields, f'{status} is not the last answer') if (
                b' HTTP/1.0\r\n' not in case.stream) else None
        if case.seen:
            seen = json.loads(answers[0][2])
            self.assertEqual({key: seen[key] for key in case.seen}, case.seen)

    def test_whole(self):
        for case in CASES + AT_ONCE:
            with self.subTest(case.name):
                self.check(case, whole)

    def test_what_breaks_later_is_the_last_that_is_answered(self):
        for case in AT_ONCE:
            for split in (in_pieces, byte_by_byte):
                with self.subTest(case.name, split=split.__name__):
                    self.assertEqual(len(split_responses(self.ask(case.stream, split))), 1)

    def test_in_pieces(self):
        for case in CASES:
            with self.subTest(case.name):
                self.check(case, in_pieces)

    def test_byte_by_byte(self):
        for case in CASES:
            if len(case.stream) <= BYTEWISE_BYTES_MAX:
                with self.subTest(case.name):
                    self.check(case, byte_by_byte)


if __name__ == '__main__':
    unittest.main()
