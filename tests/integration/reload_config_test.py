"""Reloads: what of the config changes while everything runs, and what is replaced for the rest."""

import os
import signal
import socket
import threading
import unittest

import grpc

from grove_api import SUCCEEDED, spec, tasks
from grove_harness import (HELLO_AND_SLEEP, Background, Daemon, OperationsTest, eventually,
                           http_get)

HELLO = b'GET /hello HTTP/1.1\r\nHost: a\r\n\r\n'
BASE = 'workers: 1\nadmin: {listen: "127.0.0.1:0"}\n'
HI = HELLO_AND_SLEEP.replace('/hello', '/hi')


class ConfiguredDaemon(Daemon):
    """Whose number of workers and admin port are the config's."""

    def command(self):
        return [each for each in super().command()
                if not each.startswith(('--workers=', '--admin='))]


class ReloadConfigTest(OperationsTest):

    def setUp(self):
        super().setUp()
        self.daemon = ConfiguredDaemon(config=BASE + HELLO_AND_SLEEP)
        self.addCleanup(self.daemon.kill)
        self.daemon.start()
        self.before = self.daemon.processes()

    def reload(self, config):
        with open(os.path.join(self.daemon.folder, 'config.yaml'), 'w', encoding='utf-8') as file:
            file.write(config)
        self.tell(signal.SIGHUP)

    def test_what_is_wrong_changes_nothing(self):
        self.reload(BASE + HELLO_AND_SLEEP.replace('hello\n', 'helo\n'))
        self.assertIn('did you mean', self.ended('reload', 'failed'))
        self.reload(BASE + 'log: {format: json}\n' + HELLO_AND_SLEEP)
        self.assertIn('needs a restart: log.format', self.ended('reload', 'failed', times=2))
        # Names that were turned away stay so: another bound would say what does not hold.
        self.reload(BASE + 'metrics: {routes_max: 7}\n' + HELLO_AND_SLEEP)
        self.assertIn('needs a restart: metrics.routes_max',
                      self.ended('reload', 'failed', times=3))
        self.assertEqual(self.daemon.processes(), self.before)
        self.assertEqual(self.daemon.get('/hello')[0], 200)
        self.assertEqual(self.daemon.metrics()[
            'grove_operations_total{kind="reload",outcome="failed"}'], 3)
        self.daemon.stop()

    def pids(self):
        return {name: pid for pid, name in self.daemon.processes().items()}

    def answer_on(self, client, request):
        client.sendall(request)
        return client.recv(65536)

    def test_nothing_changed_replaces_the_workers(self):
        """Who asks for it has changed what they read at their start: a secret, code."""
        old = self.pids()
        self.reload(BASE + HELLO_AND_SLEEP)
        self.assertIn('message="replaced all 1"', self.ended('reload'))
        now = self.pids()
        self.assertNotEqual(now['grove-w0'], old['grove-w0'])
        self.assertEqual(now['grove-control'], old['grove-control'])
        self.daemon.stop()

    def test_routes_and_limits_change_in_place(self):
        daemon = self.daemon
        slow = []
        request = threading.Thread(target=lambda: slow.append(
            http_get(daemon.http_address, '/sleep?seconds=1')[0]))
        with daemon.connect() as kept:
            self.assertIn(b'200 OK', self.answer_on(kept, HELLO))
            request.start()
            eventually('it runs', lambda: daemon.metrics_sum('grove_http_requests_running') == 1)
            self.reload(BASE + HI.replace('/sleep', '/snore').replace(
                'http:\n', 'http:\n  body_max_bytes: 3\n'))
            self.assertIn('2 processes took it over in place', self.ended('reload'))
            self.assertIn(b'404 Not Found', self.answer_on(kept, HELLO))
            self.assertIn(b'200 OK', self.answer_on(kept, HELLO.replace(b'hello', b'hi')))
            self.assertIn(b'413 ', self.answer_on(
                kept, b'POST /hi HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd'))
        request.join()
        self.assertEqual(slow, [200])
        self.assertEqual(daemon.get('/sleep')[0], 404)
        self.assertEqual(daemon.processes(), self.before)
        self.assertNotIn('grove-stand-in', daemon.log())
        worker = daemon.api().list_workers()[0]
        self.assertEqual((worker.generation, worker.config_generation), (1, 2))
        self.assertEqual(daemon.metrics_sum('grove_config_generation'), 2)
        counted = daemon.metrics()
        self.assertEqual(counted[
            'grove_http_route_requests_total{route="/hi",method="GET",code="200"}'], 1)
        self.assertEqual(counted[
            'grove_http_route_requests_total{route="/sleep",method="GET",code="200"}'], 1)
        daemon.stop()

    def listen_at(self, *names):
        """The fixture's config with UNIX listeners of these names."""
        return BASE + HELLO_AND_SLEEP + '  listeners:\n' + ''.join(
            f'    - {{name: {name}, address: "unix:{self.daemon.folder}/{name}"}}\n'
            for name in names)

    def status_at(self, name):
        """None: nobody listens there."""
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(os.path.join(self.daemon.folder, name))
                client.sendall(HELLO)
                return client.recv(65536)[9:12]
        except OSError:
            return None

    def test_listeners_come_and_go(self):
        port = self.daemon.http_address
        self.reload(self.listen_at('a', 'b'))
        self.ended('reload')
        self.assertEqual([self.status_at('a'), self.status_at('b')], [b'200', b'200'])
        answers = set()

        def ask():
            while not clients.stop.is_set():
                answers.add(self.status_at('b'))

        clients = Background(ask)
        with clients:
            self.reload(self.listen_at('b', 'c'))
            self.ended('reload', times=2)
        self.assertEqual(answers, {b'200'})
        self.assertEqual([self.status_at(name) for name in 'abc'], [None, b'200', b'200'])
        self.assertFalse(os.path.exists(os.path.join(self.daemon.folder, 'a')))
        with open(os.path.join(self.daemon.run_dir, 'http.address'), encoding='utf-8') as file:
            self.assertEqual(file.read().splitlines(), [port] + [
                f'unix:{self.daemon.folder}/{name}' for name in 'bc'])
        self.daemon.stop()
        self.assertFalse(os.path.exists(os.path.join(self.daemon.folder, 'c')))

    def test_an_address_that_is_taken_changes_nothing(self):
        with socket.create_server(('127.0.0.1', 0)) as taken:
            address = f'127.0.0.1:{taken.getsockname()[1]}'
            self.reload(BASE + HI + f'  listeners: [{{name: a, address: "{address}"}}]\n')
            line = self.ended('reload', 'failed')
        self.assertIn(f'bind {address}: Address already in use (http.listeners[0])', line)
        self.assertEqual(self.daemon.processes(), self.before)
        self.assertEqual(self.daemon.get('/hello')[0], 200)
        self.daemon.stop()

    def test_a_new_tenant_leaves_the_workers_and_what_runs_on_them(self):
        api = self.daemon.api()
        old = self.pids()
        running = api.spawn('sleep', {'seconds': 2})
        self.reload(BASE + 'tenants: [{name: acme, pools: [{name: mail, size: 7}]}]\n'
                    + HELLO_AND_SLEEP)
        self.assertIn('1 process took it over in place; replaced grove-control',
                      self.ended('reload'))
        now = self.pids()
        self.assertEqual(now['grove-w0'], old['grove-w0'])
        self.assertNotEqual(now['grove-control'], old['grove-control'])
        api = self.daemon.api()
        self.assertEqual(api.pool('tenants/acme/pools/mail').size, 7)
        spawned = api.call(api.tasks.SpawnTask, tasks.SpawnTaskRequest(
            parent='tenants/acme', spec=spec('echo', 'a'))).task
        self.assertEqual(api.wait(spawned.name).state, SUCCEEDED)
        ended = api.wait(running.name)
        self.assertEqual((ended.state, len(ended.attempts)), (SUCCEEDED, 1))
        self.daemon.stop()

    def test_a_worker_that_does_not_answer_is_replaced(self):
        old = self.daemon.pid_of('grove-w0')
        os.kill(old, signal.SIGSTOP)
        self.reload(BASE + 'drain_timeout_ms: 500\n' + HI)
        line = self.ended('reload')
        self.assertIn('1 process took it over in place; replaced grove-w0', line)
        self.assertIn('did not take the config over in time', self.daemon.log())
        self.assertNotEqual(self.daemon.pid_of('grove-w0'), old)
        self.assertEqual(self.daemon.get('/hi')[0], 200)
        self.daemon.stop()

    def test_what_fails_later_is_taken_back(self):
        """In place too; control cannot come up with the port of another."""
        new = f'  listeners: [{{name: a, address: "unix:{self.daemon.folder}/a"}}]\n'
        for listeners in ('', new):
            with self.subTest(listeners=listeners), \
                    socket.create_server(('127.0.0.1', 0)) as taken:
                port = taken.getsockname()[1]
                failed = self.daemon.log().count('outcome=failed')
                self.reload(BASE.replace(':0', f':{port}') + HI + listeners)
                self.ended('reload', 'failed', times=failed + 1)
            eventually('its control serves again', self.control_serves)
            eventually('its routes are as before', lambda: self.daemon.get('/hello')[0] == 200)
            self.assertEqual(self.daemon.get('/hi')[0], 404)
            self.assertIsNone(self.status_at('a'))
            self.assertFalse(os.path.exists(os.path.join(self.daemon.folder, 'a')))
        self.daemon.stop()

    def test_a_worker_of_a_config_that_was_taken_back_is_replaced_for_the_next(self):
        bounded = HELLO_AND_SLEEP.replace('http:\n', 'http:\n  connections_max: 77\n')
        with socket.create_server(('127.0.0.1', 0)) as taken:
            self.reload(BASE.replace(':0', f':{taken.getsockname()[1]}') + bounded)
            self.ended('reload', 'failed')
        eventually('its control serves again', self.control_serves)
        worker = self.daemon.pid_of('grove-w0')
        self.assertEqual(self.daemon.get('/hello')[0], 200)
        self.reload(BASE + HI)
        self.assertIn('replaced grove-w0', self.ended('reload'))
        self.assertNotEqual(self.daemon.pid_of('grove-w0'), worker)
        self.assertEqual(self.daemon.get('/hi')[0], 200)
        self.assertNotIn('"died" name=grove-w0', self.daemon.log())
        self.daemon.stop()

    def control_serves(self):
        try:
            return self.daemon.api().list_workers()
        except (OSError, grpc.RpcError):
            return False

    def test_reloads_that_overtake_each_other_lose_nothing(self):
        old = self.pids()
        self.reload(BASE + 'runtime: {stall_report_ms: 500}\n' + HELLO_AND_SLEEP)
        eventually('it was read', lambda: self.daemon.log().count('config was read again') == 1)
        self.reload(BASE + 'runtime: {stall_report_ms: 500}\n' + HI)
        eventually('both have ended', lambda: self.daemon.log().count('operation ended') == 2)
        self.assertNotEqual(self.pids()['grove-w0'], old['grove-w0'])
        self.assertEqual(self.daemon.get('/hi')[0], 200)
        self.daemon.stop()

    def test_listeners_of_a_reload_that_was_overtaken_may_come_back(self):
        """Those of the first are still open, as its successor may fail."""
        self.reload(self.listen_at('a'))
        eventually('a was read', lambda: self.daemon.log().count('config was read again') == 1)
        self.reload(self.listen_at('b'))
        eventually('b was read', lambda: self.daemon.log().count('config was read again') == 2)
        self.reload(self.listen_at('a', 'b'))
        eventually('all have ended', lambda: self.daemon.log().count('operation ended') == 3)
        self.assertNotIn('outcome=failed', self.daemon.log())
        self.assertEqual([self.status_at('a'), self.status_at('b')], [b'200', b'200'])
        self.daemon.stop()

    def test_the_bound_of_outputs_changes_in_place(self):
        self.reload(BASE + 'tasks: {output_max_bytes: 3}\n' + HELLO_AND_SLEEP)
        self.ended('reload')
        ended = self.daemon.api().run('checksum', 'abcd')
        self.assertIn('more than the 3 of tasks.output_max_bytes', ended.error.message)
        self.assertEqual(self.daemon.processes(), self.before)
        self.daemon.stop()

    def test_what_control_reads_replaces_it_too(self):
        old = self.daemon.pid_of('grove-control')
        self.reload(BASE + 'tasks: {retained_max: 777}\n' + HELLO_AND_SLEEP)
        self.ended('reload')
        self.assertNotEqual(self.daemon.pid_of('grove-control'), old)
        self.assertEqual(self.daemon.api().run('echo', 'a').state, SUCCEEDED)
        self.daemon.stop()

    def test_another_number_of_workers_scales(self):
        self.reload(BASE.replace('1\n', '2\n', 1) + HELLO_AND_SLEEP)
        self.ended('reload')
        self.assertIn('requested_by="reload, operation 1"', self.ended('scale'))
        self.assertIsNotNone(self.daemon.pid_of('grove-w1'))
        self.daemon.stop()

    def test_the_log_level_holds_in_every_process(self):
        self.reload(BASE + 'log: {level: debug}\n' + HELLO_AND_SLEEP)
        self.ended('reload')
        eventually('a worker says more', lambda: self.daemon.get('/sleep?seconds=x')[0] == 400
                   and 'debug worker-0' in self.daemon.log())
        self.daemon.stop()


if __name__ == '__main__':
    unittest.main()
