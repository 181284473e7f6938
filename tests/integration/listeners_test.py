"""HTTP's listeners: TLS and its certificates, PROXY headers, inherited and several sockets."""

import json
import os
import select
import signal
import socket
import ssl
import struct
import subprocess
import sys
import unittest

from grove_harness import (DEADLINE_S, Daemon, GroveTest, OwnDaemonTest, curl, die_with_parent,
                           eventually)

# Hands the sockets at the descriptors of argv[2] over as systemd does, from descriptor 3 on.
ACTIVATE = '''
import fcntl, os, sys
names, fds, command = sys.argv[1], [int(fd) for fd in sys.argv[2].split(",")], sys.argv[3:]
high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 100) for fd in fds]
for index, fd in enumerate(high):
    os.dup2(fd, 3 + index, inheritable=True)
    os.close(fd)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=names)
os.execv(command[0], command)
'''


def openssl(*arguments):
    subprocess.run(['/usr/bin/openssl', *arguments], check=True, capture_output=True)


class Authority:
    """Certificates of an authority of the test's own."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.ca = self.path('ca.pem')
        openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
                '-nodes', '-keyout', self.path('ca.key'), '-out', self.ca, '-days', '2',
                '-subj', '/CN=test authority')

    def path(self, name):
        return os.path.join(self.folder, name)

    def issue(self, file, name):
        """A certificate for `name` in `file`.pem and `file`.key, put there by rename."""
        extensions = self.path('extensions')
        with open(extensions, 'w', encoding='utf-8') as out:
            out.write(f'subjectAltName=DNS:{name}\n')
        request, fresh_key, fresh = (self.path(each) for each in ('csr', 'new.key', 'new.pem'))
        openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
                '-keyout', fresh_key, '-out', request, '-subj', f'/CN={name}')
        openssl('x509', '-req', '-in', request, '-CA', self.ca, '-CAkey', self.path('ca.key'),
                '-CAcreateserial', '-days', '2', '-extfile', extensions, '-out', fresh)
        os.chmod(fresh_key, 0o600)
        os.rename(fresh_key, self.path(file + '.key'))
        os.rename(fresh, self.path(file + '.pem'))

    def yaml(self, file):
        return f'{{certificate_file: {self.path(file)}.pem, key_file: {self.path(file)}.key}}'

    def context(self, certificate=None):
        context = ssl.create_default_context(cafile=self.ca)
        if certificate:
            context.load_cert_chain(self.path(certificate + '.pem'),
                                    self.path(certificate + '.key'))
        return context


def port_of(address):
    return int(address.rpartition(':')[2])


def dial(address):
    return socket.create_connection(('127.0.0.1', port_of(address)), timeout=DEADLINE_S)


def name_shown(address, authority, name):
    """The name in the certificate that the listener shows to who asks for `name`."""
    context = authority.context()
    context.check_hostname = False
    with context.wrap_socket(dial(address), server_hostname=name) as stream:
        return stream.getpeercert()['subjectAltName'][0][1]


def ask(stream):
    stream.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    answer = b''
    while not answer.endswith(b'Hello, World!\n'):
        piece = stream.recv(65536)
        if not piece:
            break
        answer += piece
    return answer.decode()


class ListenersTest(GroveTest):
    """Several listeners of one daemon."""

    @classmethod
    def setUpClass(cls):
        cls.folder = f'/tmp/grove-listeners-{os.getpid()}'
        cls.authority = Authority(cls.folder)
        for file, name in (('a', 'a.example'), ('b', 'b.example'), ('client', 'client.example')):
            cls.authority.issue(file, name)
        certificates = f'[{cls.authority.yaml("a")}, {cls.authority.yaml("b")}]'
        cls.unix_path = os.path.join(cls.folder, 'http.sock')
        cls.config = f'''
http:
  raw_utf8_targets: true
  listeners:
  - {{address: "127.0.0.1:0", tls: {{certificates: {certificates}}}}}
  - address: "127.0.0.1:0"
    tls:
      certificates: {certificates}
      client_ca_file: {cls.authority.ca}
      client_certificate: required
      version_min: 1.3
  - {{address: "[::1]:0"}}
  - {{address: "unix:{cls.unix_path}", unix_mode: "0600"}}
  - {{address: "127.0.0.1:0", proxy_protocol: {{trusted: [127.0.0.0/8]}}}}
  routes:
  - {{path: "/", function: hello}}
  - {{path: "/reflect", function: reflect}}
  - path: "/mine"
    function: reflect
    middleware: [{{tenant: {{required: true, rules: [{{certificate: "DNS:*.example"}}]}}}}]
  access_log: {{file: "{cls.folder}/access.log", json: true}}
tenants: [{{name: client}}]
'''
        super().setUpClass()
        cls.addClassCleanup(subprocess.run, ['rm', '-r', cls.folder], check=True)
        (cls.plain, cls.tls, cls.mutual, cls.six, cls.unix,
         cls.proxied) = cls.daemon.http_address.split(',')

    def test_each_is_served(self):
        for url, options in {
                f'http://{self.plain}/': [],
                f'http://{self.six}/': [],
                'http://localhost/': ['--unix-socket', self.unix_path],
        }.items():
            with self.subTest(url):
                self.assertEqual(curl(*options, url), b'Hello, World!\n')
        self.assertEqual(os.stat(self.unix_path).st_mode & 0o777, 0o600)

    def curl_tls(self, name, *options, address=None, path='/'):
        port = port_of(address or self.tls)
        return curl('--cacert', self.authority.ca, '--resolve', f'{name}:{port}:127.0.0.1',
                    *options, f'https://{name}:{port}{path}')

    def test_curl_speaks_tls_by_both_names(self):
        for name in ('a.example', 'b.example'):
            self.assertEqual(self.curl_tls(name), b'Hello, World!\n')
            self.assertEqual(name_shown(self.tls, self.authority, name), name)
        self.assertEqual(name_shown(self.tls, self.authority, 'other.example'), 'a.example')

    def test_alpn_chooses_http_1_1(self):
        context = self.authority.context()
        context.set_alpn_protocols(['h2', 'http/1.1'])
        with context.wrap_socket(dial(self.tls), server_hostname='a.example') as stream:
            self.assertEqual(stream.selected_alpn_protocol(), 'http/1.1')
            self.assertEqual(stream.version(), 'TLSv1.3')

    def test_a_target_of_the_other_scheme_is_misdirected(self):
        def status_of(stream, target):
            with stream:
                stream.sendall(f'GET {target} HTTP/1.1\r\nHost: a.example\r\n'
                               'Connection: close\r\n\r\n'.encode())
                return stream.recv(65536).split()[1]

        def tls():
            return self.authority.context().wrap_socket(dial(self.tls),
                                                        server_hostname='a.example')

        self.assertEqual(status_of(tls(), 'https://a.example/'), b'200')
        self.assertEqual(status_of(tls(), 'http://a.example/'), b'421')
        self.assertEqual(status_of(dial(self.plain), 'http://a.example/'), b'200')
        self.assertEqual(status_of(dial(self.plain), 'https://a.example/'), b'421')

    def test_utf8_stands_in_targets_where_the_config_says_so(self):
        for query, status in (('\u00e9', b'200'), ('\u00e9"', b'400')):
            with dial(self.plain) as stream:
                stream.sendall(f'GET /reflect?{query} HTTP/1.1\r\nHost: a\r\n\r\n'.encode())
                self.assertEqual(stream.recv(65536).split()[1], status)

    def test_http2_on_a_plain_port_is_told_to_use_http_1_1(self):
        with dial(self.plain) as stream:
            stream.sendall(b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]))
            answer = b''
            while piece := stream.recv(65536):
                answer += piece
        frames = []
        while answer:
            length = int.from_bytes(answer[:3], 'big')
            frames.append((answer[3], answer[9:9 + length]))
            answer = answer[9 + length:]
        self.assertEqual([kind for kind, _ in frames], [4, 7], 'SETTINGS, GOAWAY')
        self.assertEqual(frames[1][1][:8], bytes([0, 0, 0, 0, 0, 0, 0, 0xd]), 'HTTP_1_1_REQUIRED')

    def test_a_session_is_resumed_under_its_own_name_alone(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.authority.context()
            context.maximum_version = version
            with context.wrap_socket(dial(self.tls), server_hostname='a.example') as stream:
                ask(stream)
                session = stream.session
            for name, resumed in (('b.example', False), ('a.example', True)):
                with context.wrap_socket(dial(self.tls), server_hostname=name,
                                         session=session) as stream:
                    self.assertEqual((name, stream.session_reused), (name, resumed))

    def test_dear_groups_are_refused(self):
        for group, agreed in (('X25519', True), ('P-384', True), ('ffdhe2048', False)):
            done = subprocess.run(
                ['/usr/bin/openssl', 's_client', '-connect', f'127.0.0.1:{port_of(self.tls)}',
                 '-groups', group], stdin=subprocess.DEVNULL, capture_output=True, check=False,
                timeout=60)
            self.assertEqual((group, done.returncode == 0), (group, agreed), done.stderr)

    def test_old_tls_is_refused(self):
        with self.assertRaisesRegex(AssertionError, 'curl'):
            self.curl_tls('a.example', '--tls-max', '1.1', '--ciphers', 'DEFAULT:@SECLEVEL=0')

    def test_a_client_certificate_is_required_where_the_config_says_so(self):
        with self.assertRaisesRegex(AssertionError, 'curl'):
            self.curl_tls('a.example', address=self.mutual)
        answer = self.curl_tls('a.example', '--cert', self.authority.path('client.pem'), '--key',
                               self.authority.path('client.key'), address=self.mutual)
        self.assertEqual(answer, b'Hello, World!\n')

    def test_handlers_tenants_and_the_log_see_the_clients_certificate(self):
        def ask_as(name):
            return json.loads(self.curl_tls(
                'a.example', '--cert', self.authority.path(name + '.pem'), '--key',
                self.authority.path(name + '.key'), address=self.mutual, path='/mine'))

        seen = ask_as('client')
        self.assertEqual(seen['tenant'], 'client')
        certificate = seen['client_certificate']
        shown = subprocess.run(['/usr/bin/openssl', 'x509', '-in',
                                self.authority.path('client.pem'), '-noout', '-serial',
                                '-fingerprint', '-sha256', '-subject', '-nameopt', 'RFC2253'],
                               check=True, capture_output=True, text=True).stdout
        shown = dict(line.split('=', 1) for line in shown.splitlines())
        self.assertEqual(certificate['serial'], shown['serial'])
        self.assertEqual(certificate['fingerprint'],
                         shown['sha256 Fingerprint'].replace(':', '').lower())
        self.assertEqual(certificate['subject'], shown['subject'].strip())
        self.assertEqual(certificate['names'], ['DNS:client.example'])
        with self.assertRaisesRegex(json.JSONDecodeError, 'line 1'):
            ask_as('b')  # no tenant of that name: 403
        self.assertNotIn('client_certificate', json.loads(curl(f'http://{self.plain}/reflect')))

        def logged():
            with open(os.path.join(self.folder, 'access.log'), encoding='utf-8') as file:
                lines = [json.loads(line) for line in file]
            return [line for line in lines if line['path'] == '/mine']
        lines = eventually('both are in the log', lambda: len(logged()) == 2 and logged())
        self.assertEqual([line['client_subject'] for line in lines],
                         ['CN=client.example', 'CN=b.example'])
        self.assertEqual(lines[0]['client_fingerprint'], certificate['fingerprint'])

    def test_plain_http_on_a_tls_port_is_told_so(self):
        answer = curl('-i', f'http://{self.tls}/').decode()
        self.assertTrue(answer.startswith('HTTP/1.1 400 Bad Request\r\n'), answer)
        self.assertIn('this port speaks HTTPS', answer)

    def test_workers_resume_each_others_sessions(self):
        context = self.authority.context()
        with context.wrap_socket(dial(self.tls), server_hostname='a.example') as stream:
            ask(stream)
            session = stream.session
        resumed = 0
        for _ in range(20):
            with context.wrap_socket(dial(self.tls), server_hostname='a.example',
                                     session=session) as stream:
                resumed += stream.session_reused
                ask(stream)
        self.assertEqual(resumed, 20)

    def test_the_client_of_a_proxy_is_the_one_it_names(self):
        address = socket.inet_aton('192.0.2.7') + socket.inet_aton('198.51.100.1')
        binary = (b'\r\n\r\n\0\r\nQUIT\n\x21\x11' + struct.pack('!H', 12) + address +
                  struct.pack('!HH', 4711, 80))
        for header in (b'PROXY TCP4 192.0.2.7 198.51.100.1 4711 80\r\n', binary):
            with dial(self.proxied) as stream:
                stream.sendall(header)
                self.assertIn('Hello, World!', ask(stream))
        with dial(self.proxied) as stream:
            stream.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
            self.assertNotIn(b'HTTP/1.1', self.to_end(stream))
        eventually('the failure is counted', lambda: self.daemon.metrics_sum(
            'grove_http_proxy_header_failures_total') >= 1)

    @staticmethod
    def to_end(stream):
        try:
            return b''.join(iter(lambda: stream.recv(65536), b''))
        except ConnectionResetError:
            return b''


class ReloadTest(OwnDaemonTest):
    """Certificates that change under a running daemon."""

    def setUp(self):
        folder = f'/tmp/grove-reload-{os.getpid()}'
        self.authority = Authority(folder)
        self.addCleanup(subprocess.run, ['rm', '-r', folder], check=True)
        self.authority.issue('a', 'old.example')
        self.start(workers=1, config='http: {listeners: [{address: "127.0.0.1:0", tls: '
                   f'{{certificates: [{self.authority.yaml("a")}]}}}}]}}\n')
        self.tls = self.daemon.http_address.split(',')[1]

    def shown(self):
        return name_shown(self.tls, self.authority, 'a.example')

    def test_new_files_are_taken_without_a_restart_and_old_connections_go_on(self):
        pid = self.daemon.pid_of('grove-w0')
        context = self.authority.context()
        with context.wrap_socket(dial(self.tls), server_hostname='old.example') as stream:
            self.assertIn('Hello', ask(stream))
            with open(self.authority.path('a.pem'), 'w', encoding='utf-8') as file:
                file.write('no certificate')
            eventually('the broken file is in the log',
                       lambda: 'new certificates cannot be used' in self.daemon.log())
            self.assertEqual(self.shown(), 'old.example')
            self.authority.issue('a', 'new.example')
            eventually('new connections see it', lambda: self.shown() == 'new.example')
            self.assertIn('Hello', ask(stream))
        self.assertEqual(self.daemon.pid_of('grove-w0'), pid)
        self.daemon.stop()

    def test_sighup_takes_them_too_and_refuses_broken_ones(self):
        with open(self.authority.path('a.pem'), 'w', encoding='utf-8') as file:
            file.write('no certificate')
        pid = self.daemon.pid_of('grove-w0')
        self.daemon.process.send_signal(signal.SIGHUP)
        eventually('it says why not', lambda: '"not reloading' in self.daemon.log())
        self.assertEqual(self.shown(), 'old.example')
        self.authority.issue('a', 'new.example')
        self.daemon.process.send_signal(signal.SIGHUP)
        eventually('another worker', lambda: self.daemon.pid_of('grove-w0') not in (None, pid))
        eventually('new connections see it', lambda: self.shown() == 'new.example')
        self.daemon.stop()

    def test_check_names_the_file_that_is_wrong(self):
        self.authority.issue('b', 'b.example')
        os.rename(self.authority.path('b.key'), self.authority.path('a.key'))
        done = subprocess.run(self.daemon.command() + ['--check'], capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn('http.listeners[0].tls: ', done.stderr)
        self.assertIn('a.key', done.stderr)
        self.daemon.stop()


class ReusePortTest(OwnDaemonTest):
    """A socket for each worker."""

    WORKERS = 4

    def serve(self):
        self.start(workers=self.WORKERS, config='http: {listeners: ['
                   '{address: "127.0.0.1:0", reuse_port: true}, '
                   '{address: "[::1]:0", reuse_port: true}]}\n',
                   flags=['--http=127.0.0.1:0'])
        return self.daemon.http_address.split(',')[1:]

    def connect(self, address):
        host, _, port = address.rpartition(':')
        stream = socket.create_connection((host.strip('[]'), int(port)), timeout=DEADLINE_S)
        self.addCleanup(stream.close)
        stream.sendall(b'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
        return stream

    def accepted(self):
        return [self.daemon.metrics()[f'grove_http_connections_total{{worker="{worker}"}}']
                for worker in range(self.WORKERS)]

    def test_every_worker_takes_its_share_of_both_families(self):
        for address in self.serve():
            before = self.accepted()
            for _ in range(80):
                self.assertIn(b'Hello', self.connect(address).recv(65536))
            eventually('each has taken some', lambda: all(
                now > then for now, then in zip(self.accepted(), before)))
        self.daemon.stop()

    def test_what_waits_for_a_worker_that_dies_is_served_by_its_successor(self):
        address, _ = self.serve()
        pid = self.daemon.pid_of('grove-w0')
        os.kill(pid, signal.SIGSTOP)
        waiting = [self.connect(address) for _ in range(80)]
        ours = self.WORKERS - 1

        def left():
            for stream in select.select(waiting, [], [], 0)[0]:
                self.assertIn(b'Hello', stream.recv(65536))
                waiting.remove(stream)
            return waiting
        eventually('the others have served theirs',
                   lambda: sum(self.accepted()[-ours:]) + len(left()) == 80)
        self.assertTrue(waiting, 'some wait for the one that stands still')
        os.kill(pid, signal.SIGKILL)
        eventually('its successor serves them', lambda: not left())
        self.daemon.stop()


class Activated(Daemon):
    """A daemon that is started as systemd does, with sockets of its own."""

    def __init__(self, sockets, names, **options):
        super().__init__(**options)
        self.sockets, self.names = sockets, names

    def launch(self):
        with open(self.log_path, 'ab') as log:
            self._log_start = log.tell()
            fds = [each.fileno() for each in self.sockets]
            self.process = subprocess.Popen(
                [sys.executable, '-c', ACTIVATE, self.names, ','.join(map(str, fds))] +
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd='/',
                start_new_session=True, preexec_fn=die_with_parent, pass_fds=fds)
        return self


class ActivationTest(unittest.TestCase):
    """LISTEN_FDS."""

    def listening(self):
        bound = socket.create_server(('127.0.0.1', 0))
        self.addCleanup(bound.close)
        return bound, '127.0.0.1:%d' % bound.getsockname()[1]

    def daemon(self, sockets, names, **options):
        daemon = Activated(sockets, names, **options)
        self.addCleanup(daemon.kill)
        return daemon

    def test_sockets_are_found_by_name_and_by_address(self):
        named, named_address = self.listening()
        bound, bound_address = self.listening()
        daemon = self.daemon(
            [named, bound], 'web:groved.socket', flags=['--http=127.0.0.1:0'],
            config='http: {listeners: [{name: web, address: "127.0.0.1:1"}, '
                   f'{{address: "{bound_address}"}}]}}\n').start()
        self.assertEqual(daemon.http_address.split(',')[1:], [named_address, bound_address])
        for address in daemon.http_address.split(','):
            self.assertEqual(curl(f'http://{address}/'), b'Hello, World!\n')
        with open(f'/proc/{daemon.pid_of("grove-control")}/environ', 'rb') as file:
            self.assertNotIn(b'LISTEN_', file.read())
        daemon.stop()

    def test_a_client_waits_in_the_socket_while_the_daemon_is_away(self):
        bound, address = self.listening()
        daemon = self.daemon([bound], 'http').start()
        self.assertEqual(daemon.http_address, address)
        daemon.stop()
        with dial(address) as waiting:
            waiting.sendall(b'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
            daemon.start()
            self.assertIn(b'Hello, World!', waiting.recv(65536))
        daemon.stop()

    def test_a_socket_that_nobody_serves_is_refused(self):
        bound, address = self.listening()
        daemon = self.daemon([bound], 'control').launch()
        self.assertEqual(daemon.process.wait(DEADLINE_S), 3)
        self.assertIn(f'{address} (control)', daemon.log())


if __name__ == '__main__':
    unittest.main()
