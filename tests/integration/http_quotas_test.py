"""Quotas of tenants that workers hold: HTTP requests and fetches, over all workers."""

import http.client
import http.server
import json
import os
import shutil
import signal
import socketserver
import tempfile
import threading
import unittest

from grove_api import SUCCEEDED, spec, tasks
from grove_harness import DEADLINE_S, KilledTest, eventually

CONFIG = '''http:
  middleware:
    - tenant: {rules: [{header: X-Tenant}]}
  routes:
    - {path: /hello, function: hello}
    - {path: /sleep, function: sleep}
    - {path: /socket, function: websocket.echo}
  access_log: {file: %s}
fetch: {allow: [127.0.0.0/8]}
tenants:
  - name: acme
    quotas: {http_requests_max: 4, fetches_max: 2}
  - {name: free}
'''


class GatedServer:
    """Answers each GET once it is told to; knows how many wait."""

    def __init__(self):
        self.waiting = 0
        self.most = 0
        self.lock = threading.Lock()
        self.gate = threading.Event()
        gated = self

        class Handler(http.server.BaseHTTPRequestHandler):

            def do_GET(self):
                with gated.lock:
                    gated.waiting += 1
                    gated.most = max(gated.most, gated.waiting)
                gated.gate.wait(DEADLINE_S)
                with gated.lock:
                    gated.waiting -= 1
                self.send_response(200)
                self.send_header('Content-Length', '0')
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True

        self.server = Server(('127.0.0.1', 0), Handler)
        self.url = f'http://127.0.0.1:{self.server.server_port}/'
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self):
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class HttpQuotasTest(KilledTest):

    def begin(self, config=CONFIG):
        folder = tempfile.mkdtemp(prefix='grove-logs-')
        self.addCleanup(shutil.rmtree, folder)
        self.access_log = os.path.join(folder, 'access.log')
        self.start(config=config % self.access_log)

    def get(self, path, tenant='acme'):
        """(status, Retry-After, body)."""
        connection = http.client.HTTPConnection(self.daemon.http_address, timeout=DEADLINE_S)
        try:
            connection.request('GET', path, headers={'X-Tenant': tenant})
            response = connection.getresponse()
            return response.status, response.getheader('Retry-After'), response.read().decode()
        finally:
            connection.close()

    def status(self, path='/hello', tenant='acme'):
        return self.get(path, tenant)[0]

    def hold(self, path='/sleep?seconds=60', fields='', tenant='acme'):
        """A request that runs on, as its connection."""
        connection = self.daemon.connect()
        self.addCleanup(connection.close)
        connection.sendall(
            f'GET {path} HTTP/1.1\r\nHost: h\r\nX-Tenant: {tenant}\r\n{fields}\r\n'.encode())
        return connection

    def used(self, quota='http_requests', tenant='acme'):
        return self.daemon.metrics().get(
            f'grove_tenant_quota_used{{tenant="{tenant}",quota="{quota}"}}')

    def await_used(self, count, quota='http_requests'):
        eventually(f'{count} of {quota} used', lambda: self.used(quota) == count)

    def refused(self, quota, tenant='acme'):
        return self.daemon.metrics().get(
            f'grove_tenant_http_refused_total{{tenant="{tenant}",quota="{quota}"}}')

    def test_as_many_run_as_may_over_all_workers_and_a_killed_one_leaves_none(self):
        self.begin()
        held = [self.hold() for _ in range(4)]
        self.await_used(4)
        # Whichever worker takes it.
        for _ in range(10):
            status, retry_after, body = self.get('/hello')
            self.assertEqual((status, retry_after), (429, '1'), body)
        self.assertEqual(self.status(tenant='free'), 200)
        self.assertEqual(self.refused('http_requests'), 10)
        self.assertRegex(self.ctl('tenants', 'get', 'acme'),
                         r'(?m)^http_requests: +4 of 4, 10 refused$')
        eventually('the access log has them', lambda: 10 == len([
            line for line in self.log_lines() if ' 429 ' in line]))

        self.kill_worker('grove-w0')
        self.kill_worker('grove-w1')
        for connection in held:
            connection.settimeout(DEADLINE_S)
            try:
                self.assertEqual(connection.recv(1), b'')
            except ConnectionResetError:
                pass
        self.await_used(0)
        for _ in range(4):
            self.hold()
        self.await_used(4)
        self.assertEqual(self.status(), 429)

    def log_lines(self):
        if not os.path.exists(self.access_log):
            return []
        with open(self.access_log, encoding='utf-8') as file:
            return file.readlines()

    def test_a_websocket_counts_while_it_is_open(self):
        self.begin()
        fields = ('Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n'
                  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n')
        sockets = [self.hold('/socket', fields) for _ in range(4)]
        for socket in sockets:
            self.assertTrue(socket.recv(100).startswith(b'HTTP/1.1 101'))
        self.assertEqual(self.status(), 429)
        sockets[0].close()
        self.await_used(3)
        self.assertEqual(self.status(), 200)

    def test_quotas_of_a_tenant_that_was_made_hold_at_once_and_last(self):
        self.begin()
        self.assertEqual(self.status(tenant='made'), 403)
        self.ctl('tenants', 'create', 'made')
        eventually('the workers know it', lambda: self.status(tenant='made') == 200)
        self.ctl('tenants', 'update', 'made', '--http_requests_per_minute=1', '--http_burst=1000')
        shown = self.daemon.grovectl_json('tenants', 'get', 'made')['quotas']
        self.assertEqual(int(shown['http_burst']), 1000)
        self.ctl('tenants', 'update', 'made', '--http_burst=2')
        status, retry_after, body = eventually('it is refused', lambda: self.refusal('made'))
        self.assertTrue(1 <= int(retry_after) <= 60, retry_after)
        self.assertIn('more often', body)
        self.assertGreaterEqual(self.refused('http_rate', 'made'), 1)

        self.kill_control()
        self.kill_worker('grove-w0')
        self.kill_worker('grove-w1')
        eventually('it is refused by others', lambda: self.refusal('made'))

        self.ctl('tenants', 'update', 'made', '--http_requests_per_minute=0', '--http_burst=0')
        eventually('nothing bounds it', lambda: self.status(tenant='made') == 200)
        self.ctl('tenants', 'delete', 'made', '--yes')
        eventually('it is gone', lambda: self.status(tenant='made') == 403)

    def refusal(self, tenant):
        """What a request is told, if it is refused."""
        try:
            answer = self.get('/hello', tenant)
        except OSError:
            return None
        return answer if answer[0] == 429 else None

    def kill_worker(self, name):
        pid = self.daemon.pid_of(name)
        os.kill(pid, signal.SIGKILL)
        eventually('it has a successor', lambda: self.daemon.pid_of(name) not in (None, pid))

    def test_fetches_wait_for_their_turn_over_all_workers(self):
        self.begin()
        server = GatedServer()
        self.addCleanup(server.close)
        api = self.daemon.api()
        value = {'url': server.url}
        names = [api.call(api.tasks.SpawnTask, tasks.SpawnTaskRequest(
            parent='tenants/acme', spec=spec('http.fetch', value))).task.name for _ in range(6)]
        self.await_used(2, 'fetches')
        eventually('two ask', lambda: server.waiting == 2)
        eventually('the others wait', lambda: self.daemon.metrics().get(
            'grove_tenant_fetch_waits_total{tenant="acme"}') == 4)
        self.assertEqual(server.waiting, 2)
        server.gate.set()
        for name in names:
            eventually(f'{name} has ended', lambda of=name: api.get(of).state == SUCCEEDED)
        self.assertEqual(server.most, 2)
        self.await_used(0, 'fetches')

    def test_what_http_ran_is_on_the_metrics(self):
        self.begin()
        name = 'grove_tenant_http_seconds_total{tenant="free"}'

        def counted():
            self.assertEqual(self.status(tenant='free'), 200)
            return self.daemon.metrics().get(name, 0) > 0
        eventually('it is told', counted)
        before = self.daemon.metrics()[name]
        self.kill_control()
        self.assertGreaterEqual(self.daemon.metrics()[name], before)
        shares = json.loads(self.daemon.grovectl('fairness', '-o', 'json').stdout)
        self.assertIn('shares', shares)


if __name__ == '__main__':
    unittest.main()
