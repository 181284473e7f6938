"""deploy/examples/fixture.yaml, as it stands: every handler to try things out with, with curl."""

import json
import os
import subprocess
import unittest

from grove_harness import Daemon, curl

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../deploy/examples')


class FixtureTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        config = os.path.realpath(os.path.join(EXAMPLES, 'fixture.yaml'))
        cls.daemon = Daemon(flags=[f'--config={config}']).start()

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()

    def get(self, path, *arguments):
        return curl(*arguments, self.daemon.url(path))

    def status(self, path, *arguments):
        return self.get(path, '-o', '/dev/null', '-w', '%{http_code}', *arguments).decode()

    def test_hello(self):
        self.assertEqual(self.get('/hello'), b'Hello, World!\n')

    def test_reflect(self):
        seen = json.loads(self.get('/reflect?a=%20', '-H', 'X-A: b', '--data-binary', 'body'))
        self.assertEqual((seen['method'], seen['path'], seen['query'], seen['version']),
                         ('POST', '/reflect', 'a=%20', '1.1'))
        self.assertIn(['X-A', 'b'], seen['headers'])
        self.assertEqual(seen['body'], 'Ym9keQ==')

    def test_echo(self):
        body = os.urandom(1 << 20)
        self.assertEqual(curl('-T', '-', self.daemon.url('/echo'), stdin=body), body)

    def test_ignore(self):
        self.assertEqual(self.get('/ignore', '--data-binary', 'x' * 100_000), b'ignored\n')

    def test_stream(self):
        self.assertEqual(len(self.get('/stream?chunks=7&bytes=1000&delay_ms=1')), 7000)

    def test_status(self):
        for code in ('200', '204', '404', '503'):
            self.assertEqual(self.status(f'/status?code={code}'), code)
        self.assertEqual(self.status('/status?code=1000'), '400')

    def test_sleep(self):
        self.assertEqual(self.get('/sleep?seconds=0.01'), b'slept 0.01 s\n')

    def test_fail(self):
        self.assertEqual(self.status('/fail'), '500')
        done = subprocess.run(['/usr/bin/curl', '--silent', '--noproxy', '*', '--max-time', '60',
                               self.daemon.url('/fail?after_bytes=1000')],
                              capture_output=True, check=False)
        self.assertEqual(len(done.stdout), 1000)
        self.assertEqual(done.returncode, 18, 'a transfer cut short')

    def test_files(self):
        with open(os.path.join(EXAMPLES, 'files/hello.txt'), 'rb') as file:
            content = file.read()
        self.assertEqual(self.get('/files/hello.txt'), content)
        self.assertEqual(self.get('/files/hello.txt', '-r', '1-4'), content[1:5])
        self.assertIn(b'<title>', self.get('/files/'))
        self.assertEqual(self.status('/files/../fixture.yaml', '--path-as-is'), '404')
        self.assertEqual(self.status('/files/none'), '404')

    def test_websocket(self):
        self.assertEqual(self.status('/ws', '--max-time', '10'), '400')


if __name__ == '__main__':
    unittest.main()
