"""POST /titles, feed.titles and http.fetch against real RSS, Atom and RDF files."""

import json
import socket
import tempfile
import unittest

from feed_server import FETCH_HERE, FeedServer
from grove_api import FAILED, SUCCEEDED
from grove_harness import GroveTest, curl, write_certificate

TITLES = {
    'magazine.rss': 'The Lighthouse & Harbour Review',
    'releases.atom': 'Release notes from anchor',
    'poetry.atom': 'Gedichte für jeden Tag — Über Nacht',
    'archive.rdf': 'Archives d\'été, numéro spécial',
}


class TitlesTest(GroveTest):
    config = FETCH_HERE

    @classmethod
    def setUpClass(cls):
        cls.feeds = FeedServer()
        cls.addClassCleanup(cls.feeds.close)
        super().setUpClass()

    def urls(self, *paths):
        return ''.join(self.feeds.url(path) + '\n' for path in paths)

    def titles(self, body, *arguments):
        return curl('--data-binary', '@-', *arguments, self.daemon.url('/titles'),
                    stdin=body.encode()).decode()

    def test_one_title_a_line_in_order(self):
        self.assertEqual(self.titles(self.urls(*TITLES)),
                         ''.join(title + '\n' for title in TITLES.values()))

    def test_feeds_are_fetched_concurrently_and_a_slow_one_keeps_its_place(self):
        # The first is answered after the other three: one after the other would never end well.
        self.feeds.expect_others_before_slow(3)
        paths = ['slow/magazine.rss', 'releases.atom', 'poetry.atom', 'archive.rdf']
        self.assertEqual(self.titles(self.urls(*paths)).splitlines(), list(TITLES.values()))

    def test_a_failed_feed_says_so_on_its_line_and_the_others_still_come(self):
        body = (self.urls('magazine.rss', 'missing.xml', 'page.html')
                + 'http://127.0.0.1:%d/\n' % self.refused_port()
                + 'ftp://127.0.0.1/x\nnot a url\n' + self.urls('releases.atom'))
        lines = self.titles(body).splitlines()
        self.assertEqual(len(lines), 7)
        self.assertEqual(lines[0], TITLES['magazine.rss'])
        self.assertEqual(lines[1], 'error: the server answered HTTP 404')
        for line in lines[2:6]:
            self.assertRegex(line, '^error: .')
        self.assertEqual(lines[6], TITLES['releases.atom'])

    @staticmethod
    def refused_port():
        with socket.socket() as taken:
            taken.bind(('127.0.0.1', 0))
            return taken.getsockname()[1]

    def test_chunked_bodies_go_both_ways(self):
        with self.daemon.connect() as connection:
            connection.sendall(b'POST /titles HTTP/1.1\r\nHost: a\r\nConnection: close\r\n'
                               b'Transfer-Encoding: chunked\r\n\r\n')
            for piece in (self.urls('magazine.rss')[:9], self.urls('magazine.rss')[9:],
                          self.urls('releases.atom')):
                connection.sendall(b'%x;name=value\r\n%s\r\n' % (len(piece), piece.encode()))
            connection.sendall(b'0\r\nTrailer: yes\r\n\r\n')
            received = b''
            while chunk := connection.recv(65536):
                received += chunk
        head, _, body = received.partition(b'\r\n\r\n')
        self.assertIn(b'HTTP/1.1 200 OK', head)
        self.assertIn(b'Transfer-Encoding: chunked', head)
        self.assertIn(b'Content-Type: text/plain; charset=utf-8', head)
        self.assertEqual(self.dechunk(body).decode().splitlines(),
                         [TITLES['magazine.rss'], TITLES['releases.atom']])

    def dechunk(self, body):
        text = b''
        while True:
            size, _, body = body.partition(b'\r\n')
            if int(size, 16) == 0:
                self.assertEqual(body, b'\r\n')
                return text
            text, body = text + body[:int(size, 16)], body[int(size, 16):]
            self.assertEqual(body[:2], b'\r\n')
            body = body[2:]

    def test_curl_sends_and_reads_chunked_bodies(self):
        answer = self.titles(self.urls('poetry.atom'), '-H', 'Transfer-Encoding: chunked')
        self.assertEqual(answer, TITLES['poetry.atom'] + '\n')

    def test_many_urls(self):
        paths = list(TITLES) * 25
        self.assertEqual(self.titles(self.urls(*paths)).splitlines(), list(TITLES.values()) * 25)

    def test_feed_titles_as_a_task(self):
        urls = [self.feeds.url(path) for path in ('releases.atom', 'missing.xml', 'archive.rdf')]
        task = self.daemon.api().run('feed.titles', {'urls': urls})
        self.assertEqual(task.state, SUCCEEDED)
        self.assertEqual(json.loads(task.output)['titles'], [
            {'url': urls[0], 'title': TITLES['releases.atom']},
            {'url': urls[1], 'error': 'the server answered HTTP 404'},
            {'url': urls[2], 'title': TITLES['archive.rdf']}])

    def test_http_fetch_gives_status_headers_and_body(self):
        task = self.daemon.api().run('http.fetch', {'url': self.feeds.url('page.html')})
        self.assertEqual(task.state, SUCCEEDED)
        output = json.loads(task.output)
        self.assertEqual(output['status'], 200)
        self.assertIn('<p>Hello</p>', output['body'])
        self.assertIn(['content-type', 'text/plain'],
                      [[name.lower(), value] for name, value in output['headers']])

    def test_http_fetch_reports_an_error_status_as_a_result(self):
        task = self.daemon.api().run('http.fetch', {'url': self.feeds.url('missing.xml')})
        self.assertEqual(json.loads(task.output)['status'], 404)

    def test_http_fetch_follows_redirects(self):
        url = self.feeds.url('redirect//magazine.rss')
        output = json.loads(self.daemon.api().run('http.fetch', {'url': url}).output)
        self.assertEqual((output['status'], output['url']),
                         (200, self.feeds.url('magazine.rss')))

    def test_grovectl_fetches(self):
        done = self.daemon.grovectl('spawn', 'http.fetch',
                                    json.dumps({'url': self.feeds.url('magazine.rss')}), '--wait')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('Restoring the fog signal', json.loads(done.stdout)['body'])


class RefusedTitlesTest(GroveTest):
    """Without fetch.allow nothing on this machine or in private networks is reached."""

    config = 'fetch: {allow: ["127.0.0.2/32"]}\n'

    @classmethod
    def setUpClass(cls):
        cls.feeds = FeedServer()
        cls.addClassCleanup(cls.feeds.close)
        super().setUpClass()

    def error_of(self, url):
        lines = curl('--data-binary', url, self.daemon.url('/titles')).decode().splitlines()
        self.assertEqual(len(lines), 1)
        return lines[0]

    def test_loopback_is_refused_by_address_and_by_name(self):
        port = self.feeds.address.rpartition(':')[2]
        for host in ('127.0.0.1', 'localhost', '[::1]', '[::ffff:127.0.0.1]', '0.0.0.0'):
            with self.subTest(host):
                error = self.error_of(f'http://{host}:{port}/magazine.rss')
                self.assertRegex(error, '^error: .*refuses to connect to .*fetch.allow')
        # The old ways to write an address are neither that nor a name.
        for host in ('127.1', '2130706433', '0x7f.1', '0177.0.0.1'):
            with self.subTest(host):
                error = self.error_of(f'http://{host}:{port}/magazine.rss')
                self.assertRegex(error, '^error: .*(neither an IPv4 address nor a name)')
        self.assertEqual(self.feeds.requests, [])

    def test_private_and_link_local_addresses_are_refused(self):
        for host in ('10.0.0.1', '172.16.0.1', '192.168.1.1', '169.254.169.254', '[fe80::1]',
                     '[fc00::1]'):
            with self.subTest(host):
                self.assertRegex(self.error_of(f'http://{host}/'), '^error: .*refuses to connect')

    def test_a_task_fails_with_the_reason(self):
        task = self.daemon.api().run('http.fetch', {'url': self.feeds.url('magazine.rss')})
        self.assertEqual(task.state, FAILED)
        self.assertIn('refuses to connect to 127.0.0.1 (loopback); allow it with fetch.allow',
                      task.error.message)
        self.assertEqual(self.feeds.requests, [])


class RedirectTest(GroveTest):
    """A redirect from an allowed address does not open another one."""

    config = 'fetch: {allow: ["127.0.0.1/32"]}\n'

    @classmethod
    def setUpClass(cls):
        cls.feeds = FeedServer()
        cls.addClassCleanup(cls.feeds.close)
        super().setUpClass()

    def test_is_checked_again(self):
        port = self.feeds.address.rpartition(':')[2]
        task = self.daemon.api().run(
            'http.fetch', {'url': self.feeds.url(f'redirect/http://127.0.0.2:{port}/page.html')})
        self.assertEqual(task.state, FAILED)
        self.assertIn('refuses to connect to 127.0.0.2', task.error.message)


class FetchLimitsTest(GroveTest):
    """Every fetch is bounded in size and redirects, and https means a checked certificate."""

    config = 'fetch: {allow: ["127.0.0.0/8"], body_max_bytes: 500, redirects_max: 2}\n'

    @classmethod
    def setUpClass(cls):
        cls.feeds = FeedServer()
        cls.addClassCleanup(cls.feeds.close)
        super().setUpClass()

    def error_of(self, url):
        task = self.daemon.api().run('http.fetch', {'url': url})
        self.assertEqual(task.state, FAILED)
        return task.error.message

    def test_size(self):
        self.assertEqual(self.daemon.api().run('http.fetch', {
            'url': self.feeds.url('page.html')}).state, SUCCEEDED)
        self.assertIn('fetch.body_max_bytes', self.error_of(self.feeds.url('magazine.rss')))

    def test_redirects(self):
        def chain(length):
            return self.feeds.url('redirect//' * length + 'page.html')
        output = json.loads(self.daemon.api().run('http.fetch', {'url': chain(2)}).output)
        self.assertEqual(output['status'], 200)
        self.assertIn('fetch.redirects_max', self.error_of(chain(3)))

    def test_https_is_spoken_and_an_unknown_certificate_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            key, certificate = write_certificate(folder)
            self.feeds.speak_tls(certificate, key)
            self.addCleanup(self.feeds.speak_plain)
            url = self.feeds.url('page.html').replace('http:', 'https:')
            self.assertRegex(self.error_of(url), '(?i)certificate')


class FetchTimeTest(GroveTest):
    """And in time: the only test with so short a one, as all others want to be answered."""

    config = 'fetch: {allow: ["127.0.0.0/8"], timeout_ms: 200}\n'

    @classmethod
    def setUpClass(cls):
        cls.feeds = FeedServer()
        cls.addClassCleanup(cls.feeds.close)
        super().setUpClass()

    def test_one_that_is_never_answered_ends(self):
        task = self.daemon.api().run('http.fetch', {'url': self.feeds.url('held/page.html')})
        self.assertEqual(task.state, FAILED)
        self.assertIn('fetch.timeout_ms', task.error.message)


if __name__ == '__main__':
    unittest.main()
