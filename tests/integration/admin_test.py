"""The admin port: metrics that promtool accepts and that never fall, and the probes."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import unittest

from feed_server import FETCH_HERE, serve_feeds
from grove_api import RUNNING
from grove_harness import Daemon, GroveTest, OwnDaemonTest, curl, eventually, write_certificate


class MetricsTest(GroveTest):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.api = cls.daemon.api()

    def counted(self, name):
        return self.daemon.metrics().get(name, 0)

    def eventually_counted(self, name, value):
        # Workers publish once a turn.
        eventually(f'{name} is {value}', lambda: self.counted(name) == value)

    def test_promtool_accepts_them(self):
        self.api.run('echo', {})
        self.daemon.get('/')
        text = curl(self.daemon.admin_url('/metrics'))
        done = subprocess.run(['/usr/bin/promtool', 'check', 'metrics'], input=text,
                              capture_output=True, check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b'', b''))

    def test_the_content_type_is_prometheus_text(self):
        head = curl('-I', '-X', 'GET', self.daemon.admin_url('/metrics')).decode()
        self.assertIn('Content-Type: text/plain; version=0.0.4', head)

    def test_requests_are_counted_by_code(self):
        ok, missing = ('grove_http_requests_total{code="%d"}' % code for code in (200, 404))
        before = self.counted(ok), self.counted(missing)
        for _ in range(5):
            self.daemon.get('/')
        for _ in range(3):
            self.daemon.get('/nowhere')
        self.eventually_counted(ok, before[0] + 5)
        self.eventually_counted(missing, before[1] + 3)

    def test_requests_are_counted_by_route_method_and_code(self):
        hello = 'grove_http_route_requests_total{route="/",method="GET",code="200"}'
        none = 'grove_http_route_requests_total{route="_none",method="GET",code="404"}'
        times = 'grove_http_route_request_duration_seconds_count{route="/"}'
        before = [self.counted(name) for name in (hello, none, times)]
        for _ in range(5):
            self.daemon.get('/')
        self.daemon.get('/nowhere')
        for name, count, more in zip((hello, none, times), before, (5, 1, 5)):
            self.eventually_counted(name, count + more)

    def test_every_process_is_shown(self):
        metrics = self.daemon.metrics()
        for process in ('supervisor', 'control', 'worker-0', 'worker-1'):
            for name in ('resident_memory_bytes', 'open_fds', 'max_fds', 'threads'):
                self.assertGreater(metrics[f'grove_process_{name}{{process="{process}"}}'], 0)
            self.assertIn(f'grove_process_cpu_seconds_total{{process="{process}"}}', metrics)
        self.assertGreaterEqual(metrics['grove_cpus'], 1)
        self.assertGreater(metrics['grove_memory_limit_bytes'], 1 << 20)

    def test_tasks_are_counted_by_function_and_state(self):
        succeeded = 'grove_tasks_ended_total{tenant="default",function="echo",state="succeeded"}'
        failed = 'grove_tasks_ended_total{tenant="default",function="fail",state="failed"}'
        attempts = 'grove_task_attempts_total{tenant="default",function="echo",outcome="succeeded"}'
        before = [self.counted(name) for name in (succeeded, failed, attempts)]
        for _ in range(4):
            self.api.run('echo', {})
        self.api.run('fail', {})
        self.eventually_counted(succeeded, before[0] + 4)
        self.eventually_counted(failed, before[1] + 1)
        self.eventually_counted(attempts, before[2] + 4)

    def test_refusals_are_counted_by_reason(self):
        name = 'grove_tasks_rejected_total{reason="UNKNOWN_FUNCTION"}'
        before = self.counted(name)
        with self.assertRaises(Exception):
            self.api.spawn('nope')
        self.eventually_counted(name, before + 1)

    def test_queues_and_pools_are_shown(self):
        self.addCleanup(self.api.resize, 1000)
        self.api.resize(0)
        name = self.api.spawn('echo', {}).name
        self.eventually_counted('grove_queue_depth{tenant="default",queue="default"}', 1)
        self.assertEqual(self.counted('grove_pool_size{tenant="default",pool="default"}'), 0)
        eventually('it ages', lambda: self.counted(
            'grove_queue_oldest_age_seconds{tenant="default",queue="default"}') > 0)
        self.api.resize(7)
        self.api.wait(name)
        self.eventually_counted('grove_queue_depth{tenant="default",queue="default"}', 0)
        self.assertEqual(self.counted('grove_pool_size{tenant="default",pool="default"}'), 7)

    def test_running_attempts_are_shown(self):
        name = self.api.spawn('sleep', {'seconds': 600}).name
        self.eventually_counted('grove_pool_running{tenant="default",pool="default"}', 1)
        self.eventually_counted('grove_task_attempts_running', 1)
        eventually('on a worker too', lambda: self.daemon.metrics_sum(
            'grove_worker_attempts_running') == 1)
        self.api.cancel(name)

    def test_hubs_turn_and_fibers_live(self):
        before = self.counted('grove_hub_turns_total{worker="0"}')
        eventually('hub 0 turns', lambda: self.counted('grove_hub_turns_total{worker="0"}')
                   > before)
        for worker in (0, 1):
            self.assertGreater(self.counted(f'grove_worker_fibers{{worker="{worker}"}}'), 4)
            self.assertEqual(self.counted(f'grove_worker_up{{worker="{worker}"}}'), 1)
            # Known from a hub's first timer on, which may still be to come.
            eventually('a timer fired', lambda worker=worker: self.counted(
                f'grove_hub_lag_seconds_count{{worker="{worker}"}}') > 0)

    def test_probes_and_pages(self):
        self.assertEqual(self.daemon.admin('/livez'), (200, 'ok\n'))
        self.assertEqual(self.daemon.admin('/readyz'), (200, 'ok\n'))
        status, page = self.daemon.admin('/')
        self.assertEqual(status, 200)
        self.assertIn('/metrics', page)
        self.assertEqual(self.daemon.admin('/nowhere')[0], 404)

    def test_probes_tell_each_check_on_demand(self):
        self.assertEqual(self.daemon.admin('/readyz?verbose'), (
            200, '[+]control serving\n[+]store ok\n[+]worker-0 ready\n[+]worker-1 ready\n'
                 'readyz check passed\n'))
        page = json.loads(curl('-H', 'Accept: application/json', self.daemon.admin_url('/livez')))
        self.assertEqual(page['status'], 'ok')
        self.assertEqual([check['name'] for check in page['checks']], ['worker-0', 'worker-1'])


class SecuredTest(unittest.TestCase):
    """With TLS and a token, as beyond loopback."""

    SECRET = 'a-secret-of-the-scraper-s'

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='grove-admin-', dir='/tmp')
        self.addCleanup(shutil.rmtree, self.folder)
        self.key, self.certificate = write_certificate(self.folder)
        token = os.path.join(self.folder, 'token')
        with open(token, 'w', encoding='utf-8') as file:
            file.write(self.SECRET + '\n')
        os.chmod(token, 0o600)
        self.daemon = Daemon(workers=1, config=(
            f'admin:\n  tls: {{certificate_file: {self.certificate}, key_file: {self.key}}}\n'
            f'  tokens: [{{name: prometheus, role: read, secret_file: {token}}}]\n'))
        self.addCleanup(self.daemon.kill)
        self.daemon.start()

    def ask(self, path, *arguments):
        """(status, head and body)."""
        text = curl('--cacert', self.certificate, '-i', *arguments,
                    f'https://{self.daemon.address("admin")}{path}').decode()
        return int(text.split()[1]), text

    def test_metrics_want_the_token_and_probes_do_not(self):
        for path in ('/livez', '/readyz', '/'):
            self.assertEqual(self.ask(path)[0], 200, path)
        status, text = self.ask('/metrics')
        self.assertEqual(status, 401)
        self.assertIn('WWW-Authenticate: Bearer', text)
        self.assertEqual(self.ask('/metrics', '-H', 'Authorization: Bearer wrong')[0], 401)
        status, text = self.ask('/metrics', '-H', f'Authorization: Bearer {self.SECRET}')
        self.assertEqual(status, 200)
        self.assertIn('\ngrove_admin_refused_tokens_total 2\n', text)
        self.assertIn('requests of the admin port without a right token', self.daemon.log())
        self.daemon.stop()

    def test_a_new_certificate_is_taken(self):
        old = self.certificate
        kept = shutil.copy(old, os.path.join(self.folder, 'old.pem'))
        os.unlink(self.key)
        write_certificate(self.folder)

        def served():
            done = subprocess.run(
                ['/usr/bin/openssl', 's_client', '-connect', self.daemon.address('admin'),
                 '-CAfile', self.certificate, '-verify_return_error'],
                stdin=subprocess.DEVNULL, capture_output=True, check=False)
            return done.returncode == 0
        eventually('the new one is served', served)
        with self.assertRaises(AssertionError):
            curl('--cacert', kept, f'https://{self.daemon.address("admin")}/livez')
        eventually('it is said', lambda: '"new certificates are in use" listener=admin'
                   in self.daemon.log())
        self.daemon.stop()


class TotalsTest(OwnDaemonTest):

    COUNTERS = ('_total', '_count', '_sum', '_bucket')

    def totals(self, daemon):
        return {name: value for name, value in daemon.metrics().items()
                if name.partition('{')[0].endswith(self.COUNTERS)}

    def test_do_not_fall_when_a_worker_is_killed(self):
        daemon = self.start(workers=1)
        api = daemon.api()
        for _ in range(50):
            daemon.get('/')
        for _ in range(10):
            api.run('echo', {})
        name = 'grove_http_requests_total{code="200"}'
        eventually('all are counted', lambda: daemon.metrics()[name] == 50)
        before = self.totals(daemon)
        self.assertGreater(len(before), 20)
        os.kill(daemon.pid_of('grove-w0'), signal.SIGKILL)

        restarts = 'grove_worker_restarts_total{worker="0"}'
        eventually('the restart is counted', lambda: daemon.metrics()[restarts] == 1)
        for _ in range(5):
            daemon.get('/')
        eventually('old and new requests are counted', lambda: daemon.metrics()[name] == 55)
        self.assert_none_fell(before, daemon)
        daemon.stop()

    def assert_none_fell(self, before, daemon):
        after = self.totals(daemon)
        fallen = {name: (value, after.get(name)) for name, value in before.items()
                  if after.get(name, -1) < value}
        self.assertEqual(fallen, {})

    def test_do_not_fall_when_control_is_killed(self):
        daemon = self.start(workers=1)
        api = daemon.api()
        for _ in range(10):
            api.run('echo', {})
        with self.assertRaises(Exception):
            api.spawn('nope')
        ended = 'grove_tasks_ended_total{tenant="default",function="echo",state="succeeded"}'
        waits = 'grove_task_queue_wait_seconds_count{function="echo"}'
        spawns = 'grove_rpcs_total{method="grove.v1.TaskService/SpawnTask",code="OK"}'
        refused = 'grove_tasks_rejected_total{reason="UNKNOWN_FUNCTION"}'
        before = self.totals(daemon)
        self.assertEqual([before[name] for name in (ended, waits, spawns, refused)],
                         [10, 10, 10, 1])
        pid = daemon.pid_of('grove-control')
        os.kill(pid, signal.SIGKILL)

        def restarts():
            try:
                return daemon.metrics()['grove_control_restarts_total']
            except OSError:
                return 0
        eventually('another control serves', lambda: restarts() == 1)
        self.assert_none_fell(before, daemon)
        daemon.api().run('echo', {})
        self.assertEqual(daemon.metrics()[ended], 11)
        daemon.stop()

    def test_readiness_is_lost_while_draining_and_liveness_is_not(self):
        feeds = serve_feeds(self)
        daemon = self.start(config=FETCH_HERE)
        api = daemon.api()
        name = api.spawn('http.fetch', {'url': feeds.url('held/page.html')}).name
        eventually('it runs', lambda: api.get(name).state == RUNNING)
        daemon.terminate()
        eventually('it is not ready', lambda: daemon.admin('/readyz') == (503, 'draining\n'))
        self.assertEqual(daemon.admin('/livez'), (200, 'ok\n'))
        self.assertEqual(daemon.metrics()['grove_control_draining'], 1)
        feeds.release()
        daemon.ended()

    def test_readiness_needs_a_worker(self):
        daemon = self.start(workers=1)
        pid = daemon.pid_of('grove-w0')
        # Stopped, so that there is no other worker before the answer is seen.
        daemon.process.send_signal(signal.SIGSTOP)
        try:
            os.kill(pid, signal.SIGKILL)
            eventually('it is not ready', lambda: daemon.admin('/readyz') == (
                503, 'no worker can serve\nworker 0: not linked to control\n'))
        finally:
            daemon.process.send_signal(signal.SIGCONT)
        eventually('it is ready again with another worker', lambda: daemon.pid_of('grove-w0')
                   not in (None, pid) and daemon.admin('/readyz')[0] == 200)
        daemon.stop()


if __name__ == '__main__':
    unittest.main()
