"""Safe from the start: loopback, tokens with roles, TLS, bounds."""

import os
import re
import socket
import stat
import subprocess
import tempfile
import unittest

import grpc

from grove_api import backdoor_service_pb2, error_details
from grove_harness import (DEADLINE_S, GROVECTL, Daemon, GroveTest, OwnDaemonTest, eventually,
                           program, write_certificate)

ROLES = ('read', 'write', 'admin')


def secret(role):
    return f'the-{role}-secret-of-the-test'


def write_tokens(folder):
    """The config's control.tokens, their secrets in files."""
    tokens = []
    for role in ROLES:
        path = os.path.join(folder, role)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), 'w', encoding='utf-8') as file:
            file.write(secret(role) + '\n')
        tokens.append(f'{{name: {role}er, role: {role}, secret_file: {path}}}')
    return f'[{", ".join(tokens)}]'


class ListenTest(OwnDaemonTest):

    def refused(self, **options):
        daemon = self.launch(**options)
        self.assertEqual(daemon.process.wait(DEADLINE_S), 2, daemon.evidence())
        self.assertRegex(daemon.log(), r'\Agroved: [^\n]+\n\Z')
        return daemon.log()

    def test_beyond_loopback_is_refused(self):
        for name in ('http', 'control', 'admin'):
            for address in ('0.0.0.0:0', '[::]:0'):
                with self.subTest(name, address=address):
                    log = self.refused(flags=[f'--{name}={address}'])
                    self.assertIn(f'--{name}', log)
                    self.assertIn('reachable beyond this machine', log)
                    self.assertIn('--insecure', log)

    def test_control_beyond_loopback_needs_tokens_and_tls(self):
        with tempfile.TemporaryDirectory() as folder:
            key, certificate = write_certificate(folder)
            tls = f'{{certificate_file: {certificate}, key_file: {key}}}'
            tokens = write_tokens(folder)
            flags = ['--control=0.0.0.0:0']
            self.assertIn('control.tokens', self.refused(
                flags=flags, config=f'control: {{tls: {tls}}}\n'))
            self.assertIn('control.tls', self.refused(
                flags=flags, config=f'control: {{tokens: {tokens}}}\n'))
            daemon = self.start(flags=flags, config=f'control: {{tls: {tls}, tokens: {tokens}}}\n')
            self.assertRegex(daemon.serving['control'], r'^0\.0\.0\.0:\d+$')
            daemon.stop()

    def test_insecure_allows_it(self):
        daemon = self.start(flags=['--http=0.0.0.0:0', '--control=0.0.0.0:0', '--admin=0.0.0.0:0',
                                   '--insecure'])
        port = int(daemon.http_address.rpartition(':')[2])
        with socket.create_connection(('127.0.0.1', port), DEADLINE_S):
            pass
        daemon.stop()

    def test_secrets_that_others_may_read_are_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            tokens = write_tokens(folder)
            os.chmod(os.path.join(folder, 'admin'), 0o644)
            self.assertIn('chmod', self.refused(config=f'control: {{tokens: {tokens}}}\n'))

    def test_short_secrets_are_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            tokens = write_tokens(folder)
            with open(os.path.join(folder, 'read'), 'w', encoding='utf-8') as file:
                file.write('short\n')
            self.assertIn('16', self.refused(config=f'control: {{tokens: {tokens}}}\n'))

    def test_the_folders_are_this_users_alone(self):
        daemon = self.start()
        for path in (daemon.run_dir, daemon.state_dir):
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o700, path)
        daemon.stop()


class TokensTest(GroveTest):

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.config = f'control: {{tokens: {write_tokens(folder.name)}}}\n'
        super().setUpClass()
        cls.apis = {role: cls.daemon.api(token=secret(role)) for role in ROLES}

    def refused(self, code, call):
        with self.assertRaises(grpc.RpcError) as caught:
            call()
        self.assertEqual(caught.exception.code(), code, caught.exception.details())
        self.assertTrue(error_details(caught.exception)['ErrorInfo'].reason)

    def open_backdoor(self, api):
        requests = [backdoor_service_pb2.OpenSessionRequest(worker='workers/0'),
                    backdoor_service_pb2.OpenSessionRequest(input=b'6 * 7\nquit()\n')]
        replies = api.backdoor.OpenSession(iter(requests), timeout=DEADLINE_S,
                                           metadata=api.metadata)
        return b''.join(reply.output for reply in replies).decode()

    def test_without_a_token_nothing_is_answered(self):
        for token in (None, 'not-a-token-that-anybody-has'):
            api = self.daemon.api(token=token)
            for call in (api.list, api.list_workers, api.list_fibers, api.pool,
                         lambda api=api: api.spawn('echo', {}),
                         lambda api=api: self.open_backdoor(api)):
                self.refused(grpc.StatusCode.UNAUTHENTICATED, call)
            with self.assertRaises(grpc.RpcError):
                api.reflected_services()

    def test_wrong_tokens_are_counted_and_said(self):
        before = self.daemon.metrics()['grove_control_refused_tokens_total']
        self.refused(grpc.StatusCode.UNAUTHENTICATED, self.daemon.api(token='wrong').list)
        with self.assertRaises(grpc.RpcError):
            self.daemon.api(token='wrong').channelz_servers()
        self.assertGreaterEqual(self.daemon.metrics()['grove_control_refused_tokens_total'],
                                before + 2)
        eventually('a line names the peer', lambda: re.search(
            r'calls without a right token are refused" peer=\S*127\.0\.0\.1', self.daemon.log()))

    def test_health_needs_none(self):
        self.assertEqual(self.daemon.api().health(), 1)

    def test_a_reader_only_reads(self):
        api = self.apis['read']
        self.assertEqual(len(api.list_workers()), 2)
        api.list()
        api.list_fibers()
        for call in (lambda: api.spawn('echo', {}), lambda: api.resize(1),
                     lambda: api.cancel('tenants/default/queues/default/tasks/' + '0' * 26),
                     lambda: self.open_backdoor(api)):
            self.refused(grpc.StatusCode.PERMISSION_DENIED, call)

    def test_a_writer_spawns_and_has_no_backdoor(self):
        api = self.apis['write']
        self.assertEqual(api.run('echo', {'a': 1}).output, b'{"a": 1}')
        for call in (lambda: api.resize(1000), lambda: self.open_backdoor(api)):
            self.refused(grpc.StatusCode.PERMISSION_DENIED, call)

    def test_an_admin_resizes_and_opens_the_backdoor(self):
        self.assertEqual(self.apis['admin'].resize(1000).size, 1000)
        self.assertIn('> 42\n', self.open_backdoor(self.apis['admin']))

    def test_grovectl_takes_a_token(self):
        self.assertEqual(self.daemon.grovectl('workers', f'--token={secret("read")}').returncode, 0)
        done = self.daemon.grovectl('workers')
        self.assertEqual((done.returncode, done.stdout), (1, ''))
        self.assertIn('(UNAUTHENTICATED, TOKEN_MISSING)', done.stderr)
        done = self.daemon.grovectl('spawn', 'echo', f'--token={secret("read")}')
        self.assertEqual(done.returncode, 1)
        self.assertIn('(PERMISSION_DENIED', done.stderr)

    def test_secrets_are_not_logged_and_names_are(self):
        self.apis['write'].run('echo', {})
        eventually('the call is audited', lambda: any(
            line['who'] == 'token writeer' for line in self.daemon.audit()))
        for role in ROLES:
            self.assertNotIn(secret(role), self.daemon.log())
            self.assertNotIn(secret(role), str(self.daemon.audit()))


class FewDescriptors(Daemon):

    def command(self):
        return ['/usr/bin/prlimit', '--nofile=600:600', *super().command()]


class ConnectionsTest(OwnDaemonTest):

    def setUp(self):
        super().setUp()
        self.silent = []
        self.addCleanup(self.close)

    def close(self):
        while self.silent:
            self.silent.pop().close()

    def connect(self, count):
        host, _, port = self.daemon.address('grpc').rpartition(':')
        for _ in range(count):
            self.silent.append(socket.create_connection((host, int(port)), DEADLINE_S))

    def greeted(self):
        """How many of them heard gRPC's settings; the others were closed."""
        return len([each for each in self.silent if self.heard(each)])

    def heard(self, connection):
        try:
            return connection.recv(1)
        except ConnectionError:
            return b''

    def check_it_serves(self, api):
        self.assertEqual(api.health(), 1)
        self.assertEqual(api.run('echo', {'a': 1}).output, b'{"a": 1}')
        self.assertEqual(self.daemon.admin('/readyz')[0], 200)

    def test_silent_connections_hold_nobody_up(self):
        self.start(config='control: {connections_max: 310}\n')
        self.connect(300)
        self.assertEqual(self.greeted(), 300)
        api = self.daemon.api()
        self.check_it_serves(api)
        self.assertGreater(self.daemon.metrics()['grove_control_connections'], 300)
        self.connect(20)
        self.assertEqual(self.greeted(), 309)
        self.check_it_serves(api)
        self.assertEqual(self.daemon.metrics()['grove_control_connections_refused_total'], 11)
        self.assertIn('"too many gRPC connections: further ones are closed"', self.daemon.log())
        self.close()
        eventually('their places are free', lambda: self.daemon.metrics()[
            'grove_control_connections'] < 5)
        self.check_it_serves(self.daemon.api())

    def test_descriptors_are_left_for_the_rest(self):
        self.daemon = FewDescriptors()
        self.addCleanup(self.daemon.kill)
        self.daemon.start()
        self.assertIn('"RLIMIT_NOFILE leaves fewer gRPC connections than control.connections_max"',
                      self.daemon.log())
        api = self.daemon.api()
        self.check_it_serves(api)
        self.connect(700)
        self.assertLess(self.greeted(), 400)
        self.check_it_serves(api)
        metrics = self.daemon.metrics()
        self.assertLess(metrics['process_open_fds'], metrics['process_max_fds'])

    def test_silent_connections_are_closed(self):
        self.start(config='control: {handshake_timeout_ms: 100}\n')
        self.connect(10)
        for each in self.silent:
            while self.heard(each):
                pass
        self.check_it_serves(self.daemon.api())


class TlsTest(GroveTest):

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        key, cls.certificate = write_certificate(folder.name)
        cls.config = (f'control: {{tls: {{certificate_file: {cls.certificate}, key_file: {key}}}, '
                      f'tokens: {write_tokens(folder.name)}}}\n')
        super().setUpClass()
        cls.daemon.ca_cert = cls.certificate

    def test_grovectl_speaks_it(self):
        done = self.daemon.grovectl('spawn', 'echo', '{"a":1}', '--wait',
                                    f'--ca_cert={self.certificate}', f'--token={secret("write")}')
        self.assertEqual((done.returncode, done.stdout), (0, '{"a":1}'), done.stderr)

    def test_a_grpc_client_speaks_it(self):
        self.assertEqual(len(self.daemon.api(token=secret('read')).list_workers()), 2)

    def test_a_client_without_it_is_told(self):
        done = self.daemon.grovectl('workers', f'--token={secret("read")}')
        self.assertEqual((done.returncode, done.stdout), (1, ''))
        self.assertRegex(done.stderr, r'\Agrovectl: cannot reach [^\n]*\n\Z')

    def test_a_certificate_of_somebody_else_is_not_trusted(self):
        with tempfile.TemporaryDirectory() as folder:
            _, other = write_certificate(folder)
            done = self.daemon.grovectl('workers', f'--ca_cert={other}',
                                        f'--token={secret("read")}')
        self.assertEqual((done.returncode, done.stdout), (1, ''))
        self.assertIn('TLS handshake failed', done.stderr)

    def test_dear_groups_are_refused(self):
        for group, agreed in (('P-256', True), ('ffdhe2048', False), ('ffdhe8192', False)):
            done = subprocess.run(
                ['/usr/bin/openssl', 's_client', '-connect', self.daemon.address('grpc'),
                 '-alpn', 'h2', '-groups', group], stdin=subprocess.DEVNULL, capture_output=True,
                check=False, timeout=60)
            self.assertEqual((group, done.returncode == 0), (group, agreed), done.stderr)

    def test_the_name_is_checked(self):
        port = self.daemon.address('grpc').rpartition(':')[2]
        done = subprocess.run(
            [program(GROVECTL), f'--address=127.0.0.2:{port}', f'--ca_cert={self.certificate}',
             'workers'], capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (1, ''))


if __name__ == '__main__':
    unittest.main()
