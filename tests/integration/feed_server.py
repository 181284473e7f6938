"""A web server with the feeds of feeds/, and with answers that tests need.

/slow/FILE is answered only after `others` requests for other feeds, which came after it was said
how many, were answered: a client that fetches one after the other would get 503 for it. /held/FILE
is answered only after release().
"""

import http.server
import os
import ssl
import threading

_FEEDS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'feeds')
_TYPES = {'.xml': 'application/xml', '.rss': 'application/rss+xml', '.atom': 'application/atom+xml',
          '.rdf': 'application/rdf+xml'}
_SLOW_DEADLINE_S = 20
# The config with which the daemon fetches from it. A task that fetches from /held/ runs until it is
# let go: a sleep of some seconds would be over before a busy machine has looked at it.
FETCH_HERE = 'fetch: {allow: ["127.0.0.0/8"]}\n'


class _Server(http.server.ThreadingHTTPServer):
    # The default of 5 drops connections when a hundred feeds are fetched at once.
    request_queue_size = 1024
    tls = None

    def finish_request(self, request, client_address):
        if self.tls:
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        # A client that goes away, as those do whose time is over.
        pass


class FeedServer:
    """Serves on a free port of 127.0.0.1 until close()."""

    def __init__(self):
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_GET(self):
                server.answer(self)

            def log_message(self, *_):
                pass

        self._server = _Server(('127.0.0.1', 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self._changed = threading.Condition()
        self._others = 0
        self._round = 0
        self.others_before_slow = 0
        self._released = threading.Event()
        self.requests = []

    @property
    def address(self):
        return '127.0.0.1:%d' % self._server.server_address[1]

    def url(self, path):
        return f'http://{self.address}/{path}'

    def close(self):
        self.release()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def speak_tls(self, certificate, key):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.tls = context

    def speak_plain(self):
        self._server.tls = None

    def expect_others_before_slow(self, count):
        with self._changed:
            self._others = 0
            # An answer that a client no longer waits for may still be on its way.
            self._round += 1
            self.others_before_slow = count

    def release(self):
        """Lets what asks for /held/ have its answer, from now on."""
        self._released.set()

    def answer(self, request):
        path = request.path.lstrip('/')
        with self._changed:
            self.requests.append(path)
            asked_in = self._round
        if path.startswith('held/'):
            self._released.wait()
            path = path.removeprefix('held/')
        elif path.startswith('slow/'):
            with self._changed:
                if not self._changed.wait_for(lambda: self._others >= self.others_before_slow,
                                              _SLOW_DEADLINE_S):
                    return self.send(request, 503, 'text/plain', b'nobody else asked')
            path = path.removeprefix('slow/')
        # Also redirect//redirect//…/FILE: a chain of them.
        elif path.startswith('redirect/'):
            return self.send(request, 302, 'text/plain', b'', path.removeprefix('redirect/'))
        name = os.path.join(_FEEDS, os.path.basename(path))
        if not os.path.exists(name):
            self.send(request, 404, 'text/plain', b'no such feed')
        else:
            with open(name, 'rb') as file:
                body = file.read()
            self.send(request, 200, _TYPES.get(os.path.splitext(name)[1], 'text/plain'), body)
        with self._changed:
            if self._round == asked_in:
                self._others += 1
                self._changed.notify_all()
        return None

    @staticmethod
    def send(request, status, content_type, body, location=None):
        request.send_response(status)
        request.send_header('Content-Type', content_type)
        request.send_header('Content-Length', str(len(body)))
        if location:
            request.send_header('Location', location)
        request.end_headers()
        request.wfile.write(body)


def serve_feeds(test):
    """A FeedServer for as long as a test."""
    feeds = FeedServer()
    test.addCleanup(feeds.close)
    return feeds
