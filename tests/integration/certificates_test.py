"""Who calls is known by a client certificate: roles, tenants, and what is refused."""

import os
import subprocess
import tempfile
import unittest

import grpc

from grove_api import Api, error_details, tenants
from grove_harness import (DEADLINE_S, GROVECTL, OwnDaemonTest, eventually, program,
                           write_certificate)

OPENSSL = '/usr/bin/openssl'
SECRET = 'the-secret-of-the-test'


def run_openssl(*arguments):
    subprocess.run([OPENSSL, *arguments], check=True, capture_output=True)


class Authority:
    """Issues certificates for clients into a folder."""

    def __init__(self, folder, name):
        self.folder = folder
        self.name = name
        self.certificate = os.path.join(folder, f'{name}.pem')
        self.key = os.path.join(folder, f'{name}.key')
        # What it has revoked.
        self.list = os.path.join(folder, f'{name}.crl')
        run_openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
                    '-nodes', '-keyout', self.key, '-out', self.certificate, '-days', '2',
                    '-subj', f'/CN={name}')

    def issue(self, common_name, names=None):
        """(key, certificate) of a client."""
        path = os.path.join(self.folder, f'{self.name}-{common_name}')
        run_openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
                    '-keyout', path + '.key', '-out', path + '.csr', '-subj', f'/CN={common_name}')
        extensions = path + '.ext'
        with open(extensions, 'w', encoding='utf-8') as file:
            file.write(f'subjectAltName={names}\n' if names else 'basicConstraints=CA:FALSE\n')
        run_openssl('x509', '-req', '-in', path + '.csr', '-CA', self.certificate, '-CAkey',
                    self.key, '-CAcreateserial', '-days', '2', '-extfile', extensions, '-out',
                    path + '.pem')
        return path + '.key', path + '.pem'

    def revoke(self, *certificates, until=None):
        """Puts them on its list, which is written anew; until: "YYMMDDHHMMSSZ"."""
        config = os.path.join(self.folder, f'{self.name}.cnf')
        index = os.path.join(self.folder, f'{self.name}.index')
        if not os.path.exists(config):
            with open(index, 'w', encoding='utf-8'):
                pass
            with open(config, 'w', encoding='utf-8') as file:
                file.write(f'[ca]\ndefault_ca=own\n[own]\ndatabase={index}\ndefault_md=sha256\n'
                           'default_crl_days=1\n')
        own = ('ca', '-config', config, '-keyfile', self.key, '-cert', self.certificate)
        for certificate in certificates:
            run_openssl(*own, '-revoke', certificate)
        times = ('-crl_lastupdate', '200101000000Z', '-crl_nextupdate', until) if until else ()
        run_openssl(*own, '-gencrl', '-out', self.list + '.new', *times)
        os.rename(self.list + '.new', self.list)


class CertificatesTest(OwnDaemonTest):

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.server_key, self.server_certificate = write_certificate(self.folder)
        self.authority = Authority(self.folder, 'clients')
        secret = os.path.join(self.folder, 'secret')
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), 'w', encoding='utf-8') as file:
            file.write(SECRET + '\n')
        self.token = f'{{name: reader, role: viewer, secret_file: {secret}}}'

    def begin(self, demand, tokens=''):
        """A daemon that knows three kinds of certificates."""
        return self.start(config=f'''
control:
  tls:
    certificate_file: {self.server_certificate}
    key_file: {self.server_key}
    client_ca_file: {self.authority.certificate}
    client_certificate: {demand}
    roles:
      - {{certificate: "CN:root", role: admin}}
      - {{certificate: "CN:deploy", role: operator}}
      - {{certificate: "DNS:ci.acme.example.org", role: writer, tenant: acme}}
      - {{certificate: "URI:spiffe://example.org/tenant/*", role: writer}}
  tokens: [{tokens}]
tenants: [{{name: acme}}, {{name: other}}]
''')

    def api(self, pair=None, token=None):
        api = Api(self.daemon.address('grpc'), token=token, ca_cert=self.server_certificate,
                  client_pair=pair)
        self.addCleanup(api.close)
        return api

    def refused(self, call, *arguments, **fields):
        """(code, reason) of a call that fails."""
        with self.assertRaises(grpc.RpcError) as raised:
            call(*arguments, **fields)
        info = error_details(raised.exception).get('ErrorInfo')
        return raised.exception.code(), info and info.reason

    def test_its_names_say_who_calls(self):
        self.begin('required')
        acme = self.api(self.authority.issue('ci', 'DNS:ci.acme.example.org'))
        task = acme.spawn('echo', 1)
        self.assertRegex(task.name, '^tenants/acme/')
        other = self.api(self.authority.issue('pod', 'URI:spiffe://example.org/tenant/other'))
        self.assertRegex(other.spawn('echo', 1).name, '^tenants/other/')
        self.assertEqual(self.refused(other.get, task.name),
                         (grpc.StatusCode.NOT_FOUND, 'TASK_NOT_FOUND'))
        self.assertEqual(self.refused(acme.list_workers),
                         (grpc.StatusCode.PERMISSION_DENIED, 'OPERATORS_ONLY'))
        deploy = self.api(self.authority.issue('deploy'))
        self.assertEqual(deploy.get(task.name).name, task.name)
        self.assertEqual(self.refused(deploy.call, deploy.tenants.CreateTenant,
                                      tenants.CreateTenantRequest(tenant_id='new')),
                         (grpc.StatusCode.PERMISSION_DENIED, 'ROLE_INSUFFICIENT'))
        log = self.daemon.audit()
        self.assertIn(('certificate CN=ci', 'acme'),
                      {(line['who'], line['tenant']) for line in log})

    def test_one_without_a_role_or_of_another_authority_is_nobody(self):
        self.begin('required')
        stranger = self.api(self.authority.issue('stranger'))
        self.assertEqual(self.refused(stranger.list_workers),
                         (grpc.StatusCode.UNAUTHENTICATED, 'CERTIFICATE_UNKNOWN'))
        # What no tenant can be called would be all of them.
        for name in ('-', 'acme/queues/default'):
            wild = self.api(self.authority.issue('wild', f'URI:spiffe://example.org/tenant/{name}'))
            self.assertEqual(self.refused(wild.spawn, 'echo', 1),
                             (grpc.StatusCode.UNAUTHENTICATED, 'CERTIFICATE_UNKNOWN'), name)
        forged = self.api(Authority(self.folder, 'forger').issue('root'))
        self.assertEqual(self.refused(forged.list_workers), (grpc.StatusCode.UNAVAILABLE, None))
        self.assertEqual(self.refused(self.api().list_workers),
                         (grpc.StatusCode.UNAVAILABLE, None))

    def test_where_it_is_optional_a_token_does(self):
        self.begin('optional', tokens=self.token)
        self.assertEqual(self.refused(self.api().list_workers),
                         (grpc.StatusCode.UNAUTHENTICATED, 'TOKEN_MISSING'))
        self.assertEqual(len(self.api(token=SECRET).list_workers()), 2)
        # It beats the certificate.
        both = self.api(self.authority.issue('root'), token=SECRET)
        self.assertEqual(self.refused(both.call, both.tenants.CreateTenant,
                                      tenants.CreateTenantRequest(tenant_id='new')),
                         (grpc.StatusCode.PERMISSION_DENIED, 'ROLE_INSUFFICIENT'))
        wrong = self.api(self.authority.issue('root'), token='wrong')
        self.assertEqual(self.refused(wrong.list_workers),
                         (grpc.StatusCode.UNAUTHENTICATED, 'TOKEN_UNKNOWN'))

    def test_an_administrator_by_certificate_makes_tokens(self):
        self.begin('optional')
        root = self.api(self.authority.issue('root'))
        # Not the first of the operators' administrators: there is a way in already.
        secret = root.call(root.tenants.CreateToken, tenants.CreateTokenRequest(
            parent='tenants/acme', token_id='ci',
            token=tenants.Token(roles=[tenants.Token.ROLE_WRITER]))).secret
        self.assertRegex(self.api(token=secret).spawn('echo', 1).name, '^tenants/acme/')

    def test_grovectl_shows_one(self):
        self.begin('required')
        key, certificate = self.authority.issue('deploy')
        shown = (f'--ca_cert={self.server_certificate}', f'--client_cert={certificate}',
                 f'--client_key={key}')
        done = self.daemon.grovectl('workers', *shown)
        self.assertEqual(done.returncode, 0, done.stderr)
        other_key, _ = self.authority.issue('other')
        for wrong, said in (
                (shown[:2], 'client_cert and client_key: want both or none'),
                (shown[1:], 'client_cert: is shown over TLS alone'),
                ((*shown[:2], f'--client_key={other_key}'), 'is not the key of client_cert'),
                ((*shown[:2], '--client_key=/none'), 'client_key: cannot open /none'),
                ((*shown[:2], f'--client_key={certificate}'), 'holds no private key in PEM')):
            done = self.daemon.grovectl('workers', *wrong)
            self.assertEqual((done.returncode, done.stdout), (2, ''), wrong)
            self.assertIn(said, done.stderr)

    def test_a_context_keeps_it(self):
        self.begin('required')
        key, certificate = self.authority.issue('deploy')
        environment = dict(os.environ, GROVECTL_CONFIG=os.path.join(self.folder, 'contexts.yaml'))

        def run(*arguments):
            return subprocess.run([program(GROVECTL), *arguments], env=environment, text=True,
                                  capture_output=True, check=False, timeout=DEADLINE_S)
        done = run('context', 'set', 'here', f'--address={self.daemon.address("grpc")}',
                   f'--ca_cert={self.server_certificate}', f'--client_cert={certificate}')
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn('want both or none', done.stderr)
        done = run('context', 'set', 'here', f'--address={self.daemon.address("grpc")}',
                   f'--ca_cert={self.server_certificate}', f'--client_cert={certificate}',
                   f'--client_key={key}')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(run('workers').returncode, 0)

    def begin_with_lists(self):
        self.authority.revoke()
        self.start(config=f'''
http:
  listeners:
  - address: "127.0.0.1:0"
    tls:
      certificates: [{{certificate_file: {self.server_certificate}, key_file: {self.server_key}}}]
      client_ca_file: {self.authority.certificate}
      client_crl_file: {self.authority.list}
      client_certificate: required
control:
  tls:
    certificate_file: {self.server_certificate}
    key_file: {self.server_key}
    client_ca_file: {self.authority.certificate}
    client_crl_file: {self.authority.list}
    client_certificate: required
    roles: [{{certificate: "CN:good", role: operator}}, {{certificate: "CN:bad", role: operator}}]
''')

    def served(self, pair, otherwise='CERTIFICATE_REVOKED'):
        """Whether both ports serve who shows it; None if they differ. `otherwise`: why not."""
        # Behind the plain one of the flag.
        host, _, port = self.daemon.http_address.split(',')[-1].rpartition(':')
        done = subprocess.run(
            ['/usr/bin/curl', '--silent', '--noproxy', '*', '--max-time', '30', '--cacert',
             self.server_certificate, '--key', pair[0], '--cert', pair[1],
             f'https://localhost:{port}/', '--resolve', f'localhost:{port}:{host}'],
            capture_output=True, check=False)
        try:
            over_grpc = len(self.api(pair).list_workers()) == 2
        except grpc.RpcError as error:
            self.assertEqual(error.code(), grpc.StatusCode.UNAUTHENTICATED)
            self.assertEqual(error_details(error)['ErrorInfo'].reason, otherwise)
            over_grpc = False
        return over_grpc if over_grpc == (done.returncode == 0) else None

    def test_one_that_is_revoked_is_refused_once_the_list_says_so(self):
        good, bad = self.authority.issue('good'), self.authority.issue('bad')
        self.begin_with_lists()
        self.assertIs(self.served(good), True)
        self.assertIs(self.served(bad), True)
        connected = self.api(bad)
        self.assertEqual(len(connected.list_workers()), 2)
        self.authority.revoke(bad[1])
        eventually('it is refused', lambda: self.served(bad) is False)
        self.assertEqual(self.refused(connected.list_workers),
                         (grpc.StatusCode.UNAUTHENTICATED, 'CERTIFICATE_REVOKED'),
                         'on a connection that was there before')
        self.assertIs(self.served(good), True)
        # A list that is wrong changes nothing.
        with open(self.authority.list, 'w', encoding='utf-8') as file:
            file.write('no list')
        eventually('it is told', lambda: 'the old ones stay' in self.daemon.log())
        self.assertIs(self.served(good), True)
        self.assertIs(self.served(bad), False)
        # Without a valid one nobody is known not to be on it.
        self.authority.revoke(until='200102000000Z')
        eventually('all are refused', lambda: self.served(good, 'CERTIFICATE_UNKNOWN') is False)
        self.assertIn('was to be renewed by', self.daemon.log())
        self.authority.revoke()
        eventually('those that are not revoked are served',
                   lambda: self.served(good, 'CERTIFICATE_UNKNOWN') is True)
        self.assertIs(self.served(bad), False)

    def test_lists_that_cannot_be_used_are_told(self):
        tls = (f'{{certificate_file: {self.server_certificate}, key_file: {self.server_key}, '
               f'client_crl_file: %s')
        authorities = f', client_ca_file: {self.authority.certificate}}}'
        for config, said in (
                (f'control: {{tls: {tls}{authorities}}}\n', 'control.tls'),
                (f'control: {{tls: {tls}}}}}\n', 'control.tls.client_crl_file: want client_ca_fi')):
            for file in ('/none', self.server_key):
                daemon = self.launch(config=config % file)
                self.assertEqual(daemon.process.wait(DEADLINE_S), 2, daemon.evidence())
                self.assertIn(said, daemon.log())

    def test_files_that_cannot_be_used_are_told(self):
        config = (f'control: {{tls: {{certificate_file: {self.server_certificate}, '
                  f'key_file: {self.server_key}, client_ca_file: %s}}}}\n')
        for file, said in (('/none', 'control.tls.client_ca_file: /none'),
                           (self.server_key, 'control.tls: ')):
            daemon = self.launch(config=config % file)
            self.assertEqual(daemon.process.wait(DEADLINE_S), 2, daemon.evidence())
            self.assertIn(said, daemon.log())


if __name__ == '__main__':
    unittest.main()
