"""Chromium against the real daemon: pages, fetch(), caching, CORS and WebSockets, also over TLS."""

import json
import os
import shutil
import tempfile
import unittest

from browser import Browser
from grove_harness import Daemon, eventually, write_certificate

PAGES = os.path.dirname(os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                                      'chromium/index.html')))
CONFIG = '''
http:
  listeners:
  - address: "127.0.0.1:0"
    tls: {{certificates: [{{certificate_file: {certificate}, key_file: {key}}}]}}
  access_log: {{file: {log}, json: true}}
  middleware:
  - gzip:
  routes:
  - {{path: "/files/{{path...}}", function: file, folder: {files}}}
  - {{path: /hello, function: hello}}
  - {{path: /reflect, function: reflect}}
  - {{path: /echo, function: echo}}
  - {{path: /stream, function: stream}}
  - {{path: /status, function: status}}
  - {{path: /ws, function: websocket.echo}}
'''
# Another origin, whose first path is open to the pages above, and whose second is not.
OTHER_CONFIG = '''
http:
  routes:
  - path: /reflect
    function: reflect
    middleware:
    - cors:
        origins: ["{origin}"]
        methods: [GET, PUT]
        request_headers: [x-asked]
        response_headers: [x-told]
        credentials: true
  - {{path: /closed, function: reflect}}
  - {{path: /ws, function: websocket.echo}}
'''
TEXT = ''.join(f'line {number} of a text that shrinks\n' for number in range(3000))


class ChromiumTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix='grove-pages-', dir='/tmp')
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        files = os.path.join(cls.folder, 'files')
        shutil.copytree(PAGES, files)
        with open(os.path.join(files, 'text.txt'), 'w', encoding='utf-8') as file:
            file.write(TEXT)
        os.mkdir(os.path.join(files, 'folder'))
        with open(os.path.join(files, 'folder/index.html'), 'w', encoding='utf-8') as file:
            file.write('its index')
        key, certificate = write_certificate(cls.folder)
        cls.log_path = os.path.join(cls.folder, 'access.log')
        cls.daemon = Daemon(workers=1, config=CONFIG.format(certificate=certificate, key=key,
                                                            files=files, log=cls.log_path))
        cls.addClassCleanup(cls.daemon.kill)
        cls.daemon.start()
        plain, secure = cls.daemon.http_address.split(',')
        cls.plain = f'http://{plain}'
        cls.secure = f'https://localhost:{secure.rpartition(":")[2]}'
        cls.browser = cls.enterClassContext(Browser())

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()

    def evidence(self):
        return self.daemon.evidence()

    def open(self, origin):
        self.browser.open(f'{origin}/files/')
        self.assertEqual(self.browser.title(), 'A page of the daemon\'s')

    def call(self, function, *arguments):
        return self.browser.call(function, *arguments)

    def logged(self, path, count):
        """The access log's lines of a path, when there are so many."""
        def lines():
            with open(self.log_path, encoding='utf-8') as file:
                found = [each for each in map(json.loads, file) if each['path'] == path]
            return found if len(found) >= count else None
        return eventually(f'{count} lines of {path} are logged', lines)

    def fetches(self):
        seen = self.call('page')
        self.assertEqual(seen, {'color': 'rgb(1, 2, 3)', 'text': 'κόσμε', 'size': [12, 34],
                                'protocol': 'http/1.1'})
        hello = self.call('fetched', '/hello')
        self.assertEqual((hello['status'], hello['text']), (200, 'Hello, World!\n'))
        reflected = json.loads(self.call('fetched', '/reflect?a=%C3%A9',
                                         {'headers': {'X-A': 'b'}})['text'])
        self.assertEqual((reflected['path'], reflected['query']), ('/reflect', 'a=%C3%A9'))
        self.assertIn('b', [value for name, value in reflected['headers'] if name.lower() == 'x-a'])
        for size in (0, 1, 100_000, 3_000_000):
            self.assertEqual(self.call('echoed', size),
                             {'status': 200, 'bytes': size, 'same': True})
        self.assertIn('multipart/form-data', self.call('form')['text'])
        moved = self.call('fetched', '/files/folder')
        self.assertEqual((moved['status'], moved['redirected'], moved['text']),
                         (200, True, 'its index'))
        self.assertEqual(self.call('fetched', '/status?code=503')['status'], 503)
        empty = self.call('fetched', '/status?code=204')
        self.assertEqual((empty['status'], empty['text']), (204, ''))
        sizes = self.call('streamed', '/stream?chunks=10&bytes=1000&delay_ms=50')
        self.assertEqual(sum(sizes), 10_000)
        self.assertGreater(len(sizes), 1, 'it came at once')
        self.assertEqual(self.call('abandoned', '/stream?chunks=100000&bytes=1000&delay_ms=10'),
                         'AbortError')

    def conversations(self):
        said = self.call('conversation')
        self.assertTrue(said.pop('extensions').startswith('permessage-deflate'))
        self.assertEqual(said, {'text': 'κόσμε', 'empty': '', 'binary': list(range(256)),
                                'blob': 'of a blob', 'long': True, 'again': True, 'noise': True,
                                'order': list(range(100)),
                                'closed': {'code': 4001, 'reason': 'enough', 'clean': True}})
        self.assertEqual(self.call('closing'), {'code': 1005, 'reason': '', 'clean': True})
        self.assertEqual(self.call('closing', 1000), {'code': 1000, 'reason': '', 'clean': True})
        self.assertEqual(self.call('closing', 3000, 'κ' * 61),
                         {'code': 3000, 'reason': 'κ' * 61, 'clean': True})

    def silent_console(self):
        self.assertEqual([message for _, message in self.browser.console()
                          # A page's own fetch of it.
                          if '/status?code=503' not in message], [])

    def test_a_page_and_its_fetches(self):
        self.open(self.plain)
        self.fetches()
        self.silent_console()
        self.assertFalse(self.logged('/stream', 2)[-1]['complete'], 'the page had left')

    def test_a_page_and_its_fetches_over_tls(self):
        self.open(self.secure)
        self.fetches()
        self.silent_console()

    def test_websockets(self):
        self.open(self.plain)
        self.conversations()
        self.silent_console()

    def test_websockets_over_tls(self):
        self.open(self.secure)
        self.conversations()
        self.silent_console()

    def test_a_websocket_that_says_too_much_is_told_so(self):
        self.open(self.plain)
        closed = self.call('tooLong', (16 << 20) + 1)
        self.assertEqual((closed['code'], closed['clean']), (1009, True))

    def test_a_websocket_where_there_is_none(self):
        self.open(self.plain)
        self.assertEqual(self.call('socketRefused', '/hello'),
                         {'code': 1006, 'reason': '', 'clean': False})
        self.browser.console()

    def test_compression_and_ranges(self):
        self.open(self.plain)
        sizes = self.call('sizes', '/files/text.txt')
        self.assertEqual((sizes['text'], sizes['decoded']), (len(TEXT), len(TEXT)))
        self.assertLess(sizes['encoded'], len(TEXT) / 4)
        part = self.call('fetched', '/files/text.txt',
                         {'headers': {'Range': 'bytes=5-15'}, 'cache': 'no-store'})
        self.assertEqual((part['status'], part['text']), (206, TEXT[5:16]))
        self.assertEqual(part['fields']['content-range'], f'bytes 5-15/{len(TEXT)}')

    def test_the_cache_asks_whether_a_file_changed(self):
        self.open(self.plain)
        path = os.path.join(self.folder, 'files/news.txt')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('old')
        for _ in range(3):
            got = self.call('fetched', '/files/news.txt', {'cache': 'no-cache'})
            self.assertEqual((got['status'], got['text']), (200, 'old'))
        with open(path + '.new', 'w', encoding='utf-8') as file:
            file.write('newer')
        os.rename(path + '.new', path)
        self.assertEqual(self.call('fetched', '/files/news.txt', {'cache': 'no-cache'})['text'],
                         'newer')
        self.assertEqual([line['status_code'] for line in self.logged('/files/news.txt', 4)],
                         [200, 304, 304, 200])

    def test_another_origin(self):
        other = Daemon(workers=1, config=OTHER_CONFIG.format(origin=self.plain))
        self.addCleanup(other.kill)
        other.start()
        self.open(self.plain)
        open_url, closed_url = other.url('/reflect'), other.url('/closed')
        put = {'method': 'PUT', 'headers': {'X-Asked': '1'}, 'body': 'put',
               'credentials': 'include'}
        got = self.call('fetched', open_url, put)
        self.assertEqual((got['status'], json.loads(got['text'])['method']), (200, 'PUT'))
        # Not among the methods and fields that a preflight's answer allows.
        self.assertEqual(self.call('refused', open_url, {'method': 'DELETE'}), 'TypeError')
        self.assertEqual(self.call('refused', open_url, {'headers': {'X-Other': '1'}}), 'TypeError')
        self.assertEqual(self.call('refused', closed_url), 'TypeError')
        # Pages of an origin that is not allowed.
        self.open(self.secure.replace('localhost', '127.0.0.1'))
        self.assertEqual(self.call('refused', open_url), 'TypeError')
        self.open(self.plain)
        # No CORS for WebSockets: and the end of the daemon is told.
        self.assertEqual(self.call('keepOpen',
                                   open_url.replace('http', 'ws').replace('reflect', 'ws')),
                         'still here')
        other.stop()
        closed = self.call('keptClosed')
        self.assertEqual((closed['code'], closed['clean']), (1001, True))
        self.browser.console()


if __name__ == '__main__':
    unittest.main()
