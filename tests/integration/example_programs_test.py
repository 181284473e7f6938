"""The programs of //examples that are daemons, or talk to one, do what their first lines say."""

import asyncio
import http.server
import json
import re
import subprocess
import threading
import unittest

import websockets

from feed_server import FETCH_HERE, FeedServer
from grove_harness import OwnDaemonTest, curl, eventually, program


class ExamplesTest(OwnDaemonTest):

    def example(self, name, **options):
        return self.start(binary=f'examples/{name}', workers=1, **options)

    def test_hello_greets_and_knows_no_other_path(self):
        daemon = self.example('hello')
        self.assertEqual(daemon.get('/'), (200, 'Hello, World!\n'))
        self.assertEqual(daemon.get('/else')[0], 404)
        daemon.stop()

    def test_every_worker_has_a_backdoor_that_only_reads(self):
        daemon = self.example('hello')

        def said(line):
            return daemon.grovectl('backdoor', '--worker', '0', '-c', line)

        self.assertGreater(int(said('#fibers()').stdout), 0)
        self.assertEqual(said('worker().pid').stdout, f'{daemon.pid_of("grove-w0")}\n')
        self.assertEqual(said('os.exit(1)').returncode, 1)
        daemon.stop()

    def test_feed_titles_come_in_the_order_of_the_urls(self):
        feeds = FeedServer()
        self.addCleanup(feeds.close)
        daemon = self.example('feed_titles', config=FETCH_HERE)

        def titles(*paths):
            return curl('--data-binary', '@-', daemon.url('/'),
                        stdin=''.join(feeds.url(path) + '\n' for path in paths).encode()).decode()

        # The first is answered after the other: one after the other would never end well.
        feeds.expect_others_before_slow(1)
        self.assertEqual(titles('slow/magazine.rss', 'releases.atom'),
                         'The Lighthouse & Harbour Review\nRelease notes from anchor\n')
        self.assertEqual(titles('releases.atom', 'missing.xml'), 'Service Unavailable\r\n')
        eventually('the log says why', lambda: 'the server answered HTTP 404' in daemon.log())
        daemon.stop()

    def test_the_periodic_daemon_serves_beside_what_it_does(self):
        daemon = self.example('periodic_daemon',
                              flags=['--task_interval=50ms', '--say_interval=20ms'])
        self.assertRegex(daemon.get('/')[1], r'\Athe task has run \d+ times\n\Z')
        eventually('the task has run twice', lambda: '"the task runs" time=2' in daemon.log())
        eventually('it says that it runs', lambda: daemon.log().count('"running"') >= 3)
        self.assertGreaterEqual(int(re.search(r'\d+', daemon.get('/')[1]).group()), 2)
        daemon.stop()

    def test_a_post_hook_runs_once_the_response_was_sent(self):
        daemon = self.example('post_hooks')
        self.assertEqual(daemon.get('/'), (200, 'the log tells when this was sent\n'))
        eventually('the hook has run',
                   lambda: re.search(r'"sent" client=127\.0\.0\.1:\d+ status=200 whole=1\n',
                                     daemon.log()))
        daemon.stop()

    def test_what_one_says_in_the_chat_is_told_to_all(self):
        daemon = self.example('chat')
        url = daemon.url('/chat').replace('http', 'ws')

        async def talk():
            async with websockets.connect(url) as one, websockets.connect(url) as two:
                # Both are members once each has heard what it said itself.
                for each in (one, two):
                    await each.send('here')
                    while await asyncio.wait_for(each.recv(), 30) != 'here':
                        pass
                await one.send('hello')
                heard = []
                for each in (one, two):
                    while (said := await asyncio.wait_for(each.recv(), 30)) == 'here':
                        pass
                    heard.append(said)
                await two.close()
                await one.send('alone')
                return heard + [await asyncio.wait_for(one.recv(), 30)]

        self.assertEqual(asyncio.run(talk()), ['hello', 'hello', 'alone'])
        daemon.stop()


class Receivers(http.server.ThreadingHTTPServer):
    """Notes what it is told; each path is out of order at its first request."""

    def __init__(self):
        super().__init__(('127.0.0.1', 0), ReceiverHandler)
        self.told = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path):
        return f'http://127.0.0.1:{self.server_address[1]}{path}'


class ReceiverHandler(http.server.BaseHTTPRequestHandler):

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
        again = (self.path, body) in self.server.told
        self.server.told.append((self.path, body))
        self.send_response(204 if again else 503)
        self.send_header('Retry-After', '0')
        self.send_header('Content-Length', '0')
        self.end_headers()

    def log_message(self, *arguments):
        pass


class WebhooksTest(OwnDaemonTest):

    def test_each_receiver_is_told_until_it_has_heard_and_then_never_again(self):
        receivers = Receivers()
        self.addCleanup(receivers.server_close)
        self.addCleanup(receivers.shutdown)
        daemon = self.start(config=FETCH_HERE)
        urls = [receivers.url('/a'), receivers.url('/b')]

        def publish():
            done = subprocess.run(
                [program('examples/webhooks'), daemon.address('grpc'), 'order-7', *urls],
                capture_output=True, text=True, timeout=120, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ''))
            return done.stdout

        told = [(path, {'event': 'order-7'}) for path in ('/a', '/b')]
        self.assertEqual(publish(), ''.join(f'{url}: TASK_STATE_SUCCEEDED\n' for url in urls))
        self.assertEqual(sorted(receivers.told, key=str), sorted(2 * told, key=str))
        self.assertEqual(publish(), ''.join(f'{url}: TASK_STATE_SUCCEEDED\n' for url in urls))
        self.assertEqual(len(receivers.told), 4)  # the same tasks, which had ended
        daemon.stop()


if __name__ == '__main__':
    unittest.main()
