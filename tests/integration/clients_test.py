"""The HTTP port as curl, ab and wrk use it. None of them may see a failed request."""

import gzip
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from grove_harness import GroveTest, curl

# Of the file itself: a link among the test's data may lead out of the folder, which is not served.
EXAMPLES = os.path.dirname(os.path.realpath(os.path.join(
    os.path.dirname(os.path.abspath(__file__)), '../../deploy/examples/fixture.yaml')))

ROUTES = f'''
  routes:
  - {{path: /hello, function: hello}}
  - {{path: /reflect, function: reflect}}
  - {{path: /echo, function: echo}}
  - {{path: /ignore, function: ignore}}
  - {{path: /stream, function: stream}}
  - {{path: "/files/{{path...}}", function: file, folder: {EXAMPLES}/files}}
'''


class CurlTest(GroveTest):

    workers = 1
    config = '''
http:
  middleware:
  - gzip: {bytes_min: 100}
  listeners:
  - {address: "127.0.0.1:0", proxy_protocol: {trusted: [127.0.0.1/32]}}
''' + ROUTES

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.mkdtemp(prefix='grove-curl-', dir='/tmp')
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        plain, cls.proxied = cls.daemon.http_address.split(',')
        cls.daemon.http_address = plain
        with open(f'{EXAMPLES}/files/hello.txt', 'rb') as file:
            cls.content = file.read()

    def ask(self, path, *arguments, stdin=None):
        return curl(*arguments, self.daemon.url(path), stdin=stdin)

    def spoken(self, path, *arguments, stdin=None):
        """What was said: '> ' or '< ' and a line of a head, and curl's own words."""
        done = subprocess.run(
            ['/usr/bin/curl', '--silent', '--verbose', '--noproxy', '*', '--max-time', '60', '-o',
             '/dev/null', *arguments, self.daemon.url(path)], input=stdin, capture_output=True,
            check=True)
        return done.stderr.decode(errors='replace').replace('\r\n', '\n').splitlines()

    def status(self, path, *arguments):
        return self.ask(path, '-o', '/dev/null', '-w', '%{http_code}', *arguments).decode()

    def test_http_1_0(self):
        seen = json.loads(self.ask('/reflect', '--http1.0', '-d', 'abc'))
        self.assertEqual((seen['version'], seen['body']), ('1.0', 'YWJj'))
        said = self.spoken('/stream?chunks=3', '--http1.0')
        self.assertIn('< Connection: close', said)
        self.assertFalse([line for line in said if line.lower().startswith('< transfer-encoding')])
        said = self.spoken('/hello', '--http1.0', '-H', 'Connection: keep-alive',
                           self.daemon.url('/hello'))
        self.assertTrue([line for line in said if 'Re-using existing connection' in line], said)

    def test_an_upload_waits_to_be_invited(self):
        expect = ('-H', 'Expect: 100-continue', '--expect100-timeout', '50')
        said = self.spoken('/echo', *expect, '--data-binary', '@-', stdin=b'x' * 100_000)
        self.assertLess(said.index('< HTTP/1.1 100 Continue'), said.index('< HTTP/1.1 200 OK'))
        self.assertEqual(said.count('< HTTP/1.1 100 Continue'), 1)
        said = self.spoken('/echo', *expect, '-T', '-', stdin=b'x' * 100_000)
        self.assertIn('> Transfer-Encoding: chunked', said)
        self.assertIn('< HTTP/1.1 100 Continue', said)
        # Not by one who answers without it, nor in HTTP/1.0.
        said = self.spoken('/ignore', *expect, '--data-binary', '@-', stdin=b'x' * 100_000)
        self.assertNotIn('< HTTP/1.1 100 Continue', said)
        self.assertIn('< HTTP/1.1 200 OK', said)
        self.assertIn('< Connection: close', said)

    def test_a_large_upload_both_ways(self):
        body = os.urandom(6 << 20)
        for arguments in (('-T', '-'), ('--data-binary', '@-')):
            self.assertEqual(self.ask('/echo', *arguments, stdin=body), body)

    def test_an_early_answer_to_an_upload_is_heard(self):
        for arguments in (('-T', '-'), ('--data-binary', '@-')):
            self.assertEqual(self.ask('/ignore', '-H', 'Expect:', *arguments,
                                      stdin=b'x' * (200 << 10)), b'ignored\n')

    def test_head(self):
        for path, length in (('/files/hello.txt', len(self.content)), ('/hello', 14)):
            answer = self.ask(path, '-I').decode()
            self.assertTrue(answer.startswith('HTTP/1.1 200 OK\r\n')
                            and answer.endswith('\r\n\r\n'), answer)
            self.assertIn(f'Content-Length: {length}\r\n', answer)

    def test_ranges(self):
        for wanted, got in (('0-0', self.content[:1]), ('2-', self.content[2:]),
                            ('-3', self.content[-3:])):
            self.assertEqual(self.ask('/files/hello.txt', '-r', wanted), got)
        self.assertEqual(self.status('/files/hello.txt', '-r', '0-1'), '206')
        self.assertEqual(self.status('/files/hello.txt', '-r', '99999-'), '416')
        answer = self.ask('/files/hello.txt', '-r', '0-0,2-3', '-i').decode()
        self.assertIn('Content-Type: multipart/byteranges; boundary=', answer)
        part = os.path.join(self.folder, 'part')
        with open(part, 'wb') as file:
            file.write(self.content[:4])
        self.ask('/files/hello.txt', '-C', '-', '-o', part)
        with open(part, 'rb') as file:
            self.assertEqual(file.read(), self.content)

    def test_conditions(self):
        tag = os.path.join(self.folder, 'etag')
        copy = os.path.join(self.folder, 'copy')
        self.assertEqual(self.status('/files/hello.txt', '--etag-save', tag), '200')
        self.assertEqual(self.status('/files/hello.txt', '--etag-compare', tag), '304')
        self.ask('/files/hello.txt', '-R', '-o', copy)
        self.assertEqual(self.status('/files/hello.txt', '-z', copy), '304')
        self.assertEqual(self.status('/files/hello.txt', '-z', '1999-01-01'), '200')
        # Not by -z: with that, curl speaks of 304 whatever it hears.
        since = 'If-Unmodified-Since: Fri, 01 Jan 1999 00:00:00 GMT'
        self.assertEqual(self.status('/files/hello.txt', '-H', since), '412')

    def test_compression(self):
        plain = self.ask('/stream?chunks=20&bytes=100')
        self.assertEqual(self.ask('/stream?chunks=20&bytes=100', '--compressed'), plain)
        packed = self.ask('/stream?chunks=20&bytes=100', '-H', 'Accept-Encoding: gzip')
        self.assertEqual(gzip.decompress(packed), plain)
        self.assertLess(len(packed), len(plain))

    def test_a_proxy_header(self):
        address = f'http://{self.proxied}/hello'
        self.assertEqual(curl('--haproxy-protocol', address, address), b'Hello, World!\n' * 2)
        with self.assertRaisesRegex(AssertionError, r': (52|56): '):
            curl(address)

    def test_one_connection_for_different_requests(self):
        following = ('--next', '--noproxy', '*', '-o', '/dev/null')
        said = self.spoken('/hello', '-I', self.daemon.url('/hello'), *following, '-d', 'abc',
                           self.daemon.url('/echo'), *following, '-X', 'DELETE',
                           self.daemon.url('/files/x'), *following)
        self.assertEqual([line[11:14] for line in said if line.startswith('< HTTP/1.1 ')],
                         ['200', '200', '405', '200'])
        self.assertEqual(len([line for line in said if 'Re-using existing connection' in line]), 3,
                         said)


class LoadTest(GroveTest):

    workers = 2
    config = 'http:' + ROUTES

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.mkdtemp(prefix='grove-load-', dir='/tmp')
        cls.addClassCleanup(shutil.rmtree, cls.folder)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, 'w', encoding='ascii') as file:
            file.write(text)
        return path

    def run_client(self, *command):
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def ab(self, path, *arguments, count=1000):
        said = self.run_client('/usr/bin/ab', '-q', '-n', str(count), '-c', '8', *arguments,
                               self.daemon.url(path))
        self.assertRegex(said, rf'Complete requests: +{count}\n')
        self.assertRegex(said, r'Failed requests: +0\n')
        self.assertNotIn('Non-2xx', said)
        self.assertNotIn('Write errors', said)
        return said

    def test_ab(self):
        self.assertNotIn('Keep-Alive requests', self.ab('/hello'))

    def test_ab_keeps_alive(self):
        self.assertRegex(self.ab('/hello', '-k'), r'Keep-Alive requests: +1000\n')

    def test_ab_posts(self):
        body = self.write('body', 'x' * 5000)
        for arguments in (('/echo',), ('/ignore', '-k')):
            with self.subTest(arguments):
                said = self.ab(*arguments, '-p', body, '-T', 'text/plain')
                self.assertRegex(said, r'Total body sent: +5\d{6}\n')

    def test_ab_heads(self):
        self.ab('/hello', '-i', '-k')

    def wrk(self, path, *arguments):
        said = self.run_client('/usr/bin/wrk', '-t', '1', '-c', '8', '-d', '1s', *arguments,
                               self.daemon.url(path))
        self.assertNotIn('Socket errors', said)
        self.assertNotIn('Non-2xx', said)
        self.assertGreater(int(re.search(r'(\d+) requests in', said).group(1)), 0, said)

    def test_wrk(self):
        for path in ('/hello', '/stream?chunks=3&bytes=100', '/files/hello.txt'):
            with self.subTest(path):
                self.wrk(path)

    def test_wrk_in_pipelines(self):
        script = self.write('pipeline.lua', '''
            init = function(args)
              local each = {}
              for i = 1, 16 do
                local method = i % 2 == 0 and "GET" or "POST"
                each[i] = wrk.format(method, i % 2 == 0 and "/hello" or "/echo", nil, "body")
              end
              batch = table.concat(each)
            end
            request = function() return batch end
        ''')
        self.wrk('/', '-s', script)


if __name__ == '__main__':
    unittest.main()
