"""The HTTP port, read with curl and with raw bytes."""

import os
import re
import unittest

from grove_harness import GroveTest, curl

DATE = r'Date: [A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT\r\n'


def read_to_end(connection):
    received = b''
    while chunk := connection.recv(65536):
        received += chunk
    return received.decode()


class HttpTest(GroveTest):

    def talk(self, text):
        """What the server sends until it closes the connection."""
        with self.daemon.connect() as connection:
            connection.sendall(text.encode())
            return read_to_end(connection)

    def test_root_answers_hello_world(self):
        answer = curl('-i', self.daemon.url('/')).decode()
        self.assertRegex(answer, '^HTTP/1.1 200 OK\r\n' + DATE + re.escape(
            'Server: grove\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n\r\n'
            'Hello, World!\n') + '$')

    def test_any_other_path_is_not_found(self):
        for path in ('/x', '/hello', '/titles/', '//', '/index.html?a=b'):
            with self.subTest(path):
                answer = curl('-i', '--path-as-is', self.daemon.url(path)).decode()
                self.assertRegex(answer, '^HTTP/1.1 404 Not Found\r\n' + DATE + re.escape(
                    'Server: grove\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n\r\n'
                    'Not Found\r\n') + '$')

    def test_a_query_does_not_change_the_path(self):
        self.assertEqual(curl(self.daemon.url('/?a=b')), b'Hello, World!\n')

    def test_head_has_the_length_and_no_body(self):
        answer = self.talk('HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
        self.assertTrue(answer.startswith('HTTP/1.1 200 OK\r\n'), answer)
        self.assertIn('Content-Length: 14\r\n', answer)
        self.assertTrue(answer.endswith('\r\n\r\n'), answer)

    def test_another_method_is_not_allowed_and_the_allowed_ones_are_named(self):
        answer = curl('-i', '-X', 'DELETE', self.daemon.url('/')).decode()
        self.assertIn('HTTP/1.1 405 Method Not Allowed\r\n', answer)
        self.assertIn('Allow: GET, HEAD, OPTIONS\r\n', answer)
        answer = curl('-i', self.daemon.url('/titles')).decode()
        self.assertIn('HTTP/1.1 405 Method Not Allowed\r\n', answer)
        self.assertIn('Allow: OPTIONS, POST\r\n', answer)

    def test_a_connection_serves_many_requests(self):
        url = self.daemon.url('/')
        connects = curl(url, url, url, '-w', '%{num_connects} %{http_code}\n').decode()
        self.assertEqual(connects.replace('Hello, World!\n', ''), '1 200\n0 200\n0 200\n')

    def test_connection_close_is_honoured(self):
        answer = self.talk('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
        self.assertIn('Connection: close\r\n', answer)
        self.assertTrue(answer.endswith('\r\n\r\nHello, World!\n'), answer)

    def test_http_1_0_closes_the_connection(self):
        answer = self.talk('GET / HTTP/1.0\r\n\r\n')
        self.assertRegex(answer, '^HTTP/1.1 200 OK\r\n')
        self.assertTrue(answer.endswith('Hello, World!\n'), answer)

    def test_pipelined_requests_are_answered_in_order(self):
        requests = ('GET / HTTP/1.1\r\nHost: a\r\n\r\n'
                    'GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n'
                    'POST /titles HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n')
        last = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
        answer = self.talk(requests * 50 + last)
        codes = re.findall(r'^HTTP/1\.1 (\d+)', answer, re.MULTILINE)
        self.assertEqual(codes, ['200', '404', '200'] * 50 + ['200'])

    def test_a_request_may_come_byte_by_byte(self):
        with self.daemon.connect() as connection:
            for byte in b'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n':
                connection.sendall(bytes([byte]))
            self.assertTrue(read_to_end(connection).endswith('Hello, World!\n'))

    def test_ambiguous_framing_is_refused(self):
        for name, fields in {
                'both framings': 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n',
                'two lengths': 'Content-Length: 5\r\nContent-Length: 6\r\n',
                'a space before the colon': 'Content-Length : 5\r\n',
        }.items():
            with self.subTest(name):
                answer = self.talk(f'POST /titles HTTP/1.1\r\nHost: a\r\n{fields}\r\nabcde')
                self.assertRegex(answer, r'^HTTP/1\.1 400 Bad Request\r\n')
                self.assertIn('Connection: close\r\n', answer)

    def test_a_request_without_host_is_refused(self):
        self.assertRegex(self.talk('GET / HTTP/1.1\r\n\r\n'), r'^HTTP/1\.1 400 ')

    def test_a_body_over_the_limit_is_refused(self):
        answer = self.talk('POST /titles HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n')
        self.assertRegex(answer, r'^HTTP/1\.1 413 ')

    def test_continue_is_sent_when_the_body_is_wanted(self):
        with self.daemon.connect() as connection:
            connection.sendall(b'POST /titles HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n'
                               b'Content-Length: 1\r\nConnection: close\r\n\r\n')
            self.assertEqual(connection.recv(65536), b'HTTP/1.1 100 Continue\r\n\r\n')
            connection.sendall(b'\n')
            self.assertRegex(read_to_end(connection), r'^HTTP/1\.1 200 OK')


class UnixSocketTest(GroveTest):
    """The HTTP port as a UNIX socket."""

    @classmethod
    def setUpClass(cls):
        cls.flags = ('--http=unix:/tmp/grove-http-test-%d.sock' % os.getpid(),)
        super().setUpClass()

    def test_is_served(self):
        path = self.daemon.http_address.removeprefix('unix:')
        self.assertEqual(curl('--unix-socket', path, 'http://localhost/'), b'Hello, World!\n')


if __name__ == '__main__':
    unittest.main()
