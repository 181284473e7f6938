"""Tenants and tokens are made, listed, changed and deleted while the daemon runs, and last."""

import json
import os
import signal

import grpc

from grove_api import CANCELLED, RUNNING, SUCCEEDED, error_details, spec, tasks, tenants
from grove_harness import DEADLINE_S, HELLO_AND_SLEEP, GroveTest, OwnDaemonTest, eventually
from upgrade_test import Installed


def reason_of(call, *arguments, **fields):
    """The ErrorInfo's reason of a call that fails; empty if it does not."""
    try:
        call(*arguments, **fields)
        return ''
    except grpc.RpcError as error:
        return error_details(error)['ErrorInfo'].reason


class Operator:
    """grovectl with an operators' administrator's token, made in a daemon without any."""

    def __init__(self, daemon):
        self.daemon = daemon
        done = daemon.grovectl('tokens', 'create', 'root', '--role', 'admin')
        assert done.returncode == 0, done.stderr
        self.token = done.stdout.strip()
        daemon.token = self.token

    def run(self, *arguments, token=None):
        """grovectl's exit code, stdout and stderr."""
        return self.daemon.grovectl(*arguments, f'--token={token or self.token}')

    def output(self, *arguments):
        done = self.run(*arguments)
        assert done.returncode == 0, f'{arguments}: {done.stderr}'
        return done.stdout

    def json(self, *arguments):
        return json.loads(self.output(*arguments, '-o', 'json'))

    def secret(self, *arguments):
        """Of a token that is made so."""
        return self.output('tokens', *arguments).strip()

    def tenant(self, name):
        self.output('tenants', 'create', name)
        return self.secret('create', 'ci', '--tenant', name, '--role', 'writer')

    def has(self, tenant):
        return self.run('tenants', 'get', tenant).returncode == 0


def spawn(api, tenant, function='echo', value=1, **fields):
    request = tasks.SpawnTaskRequest(parent=f'tenants/{tenant}',
                                     spec=spec(function, value, **fields))
    return api.call(api.tasks.SpawnTask, request).task


class TenantsTest(GroveTest):
    """One daemon, whose first token is made in it."""

    config = HELLO_AND_SLEEP + 'tenants: [{name: configured}]\n'

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.operator = Operator(cls.daemon)

    def test_the_first_token_shuts_the_door(self):
        self.assertTrue(self.operator.token.startswith('grv_'))
        without = self.daemon.grovectl('tenants')
        self.assertEqual(without.returncode, 1)
        self.assertIn('no token', without.stderr)

    def test_a_secret_stands_alone_and_once(self):
        done = self.operator.run('tokens', 'create', 'alone', '--role', 'viewer')
        self.assertRegex(done.stdout, r'\Agrv_[-_0-9A-Za-z]{43}\n\Z')
        self.assertIn('operators/tokens/alone (viewer)', done.stderr)
        shown = self.operator.output('tokens', 'get', 'alone', '-o', 'json')
        self.assertNotIn(done.stdout.strip(), shown)
        self.assertEqual(json.loads(shown)['display_prefix'], done.stdout[:8])

    def test_one_made_at_run_time_works_on_all_workers(self):
        secret = self.operator.tenant('busy')
        api = self.daemon.api(token=secret)
        names = [spawn(api, 'busy', 'sleep', {'seconds': 0.3}).name for _ in range(40)]
        workers = {api.wait(name).attempts[0].worker for name in names}
        self.assertEqual(workers, {'workers/0', 'workers/1'})
        self.assertEqual(self.operator.json('tenants', 'get', 'busy')['state'], 'ACTIVE')

    def test_a_tenants_token_is_its_own(self):
        secret = self.operator.tenant('mine')
        self.operator.tenant('theirs')
        api = self.daemon.api(token=secret)
        listed = api.call(api.tenants.ListTenants, tenants.ListTenantsRequest()).tenants
        self.assertEqual([each.name for each in listed], ['tenants/mine'])
        get = tenants.GetTenantRequest
        self.assertEqual(reason_of(api.call, api.tenants.GetTenant, get(name='tenants/theirs')),
                         'TENANT_NOT_FOUND')
        self.assertEqual(reason_of(api.call, api.tenants.CreateTenant,
                                   tenants.CreateTenantRequest(tenant_id='more')),
                         'OPERATORS_ONLY')
        # A writer makes no tokens; an administrator of the tenant's does, of this tenant alone.
        create = tenants.CreateTokenRequest(parent='tenants/mine',
                                            token={'roles': [tenants.Token.ROLE_VIEWER]})
        self.assertEqual(reason_of(api.call, api.tenants.CreateToken, create), 'ROLE_INSUFFICIENT')
        admin = self.daemon.api(token=self.operator.secret(
            'create', 'admin', '--tenant', 'mine', '--role', 'admin'))
        made = admin.call(admin.tenants.CreateToken, create)
        self.assertTrue(made.token.name.startswith('tenants/mine/tokens/'))
        for parent in ('tenants/theirs', 'operators', 'tenants/nobody'):
            create.parent = parent
            self.assertIn(reason_of(admin.call, admin.tenants.CreateToken, create),
                          ('TENANT_NOT_FOUND', 'TOKEN_NOT_FOUND'), parent)
        names = [each.name for each in admin.call(
            admin.tenants.ListTokens, tenants.ListTokensRequest(parent='tenants/mine')).tokens]
        self.assertEqual(sorted(names), sorted([
            'tenants/mine/tokens/admin', 'tenants/mine/tokens/ci', made.token.name]))

    def test_a_revocation_works_at_once_also_on_what_is_under_way(self):
        secret = self.operator.tenant('leaky')
        api = self.daemon.api(token=secret)
        task = spawn(api, 'leaky', 'sleep', {'seconds': 600})
        waiting = api.tasks.WaitTask.future(tasks.WaitTaskRequest(name=task.name),
                                            metadata=api.metadata, timeout=DEADLINE_S)
        eventually('it runs', lambda: api.get(task.name).state == RUNNING)
        self.assertFalse(waiting.done())
        self.operator.output('tokens', 'revoke', 'leaky/ci', '--reason', 'leaked')
        self.assertEqual(reason_of(api.get, task.name), 'TOKEN_UNKNOWN')
        with self.assertRaises(grpc.RpcError) as refused:
            waiting.result()
        self.assertEqual(error_details(refused.exception)['ErrorInfo'].reason, 'TOKEN_REVOKED')
        self.assertEqual(self.operator.json('tokens', '--tenant', 'leaky')['tokens'], [])
        self.operator.output('cancel', task.name)

    def test_rotation_overlaps(self):
        old = self.operator.tenant('careful')
        new = self.operator.secret('rotate', 'careful/ci', '--overlap', '1h')
        for secret in (old, new):
            self.assertEqual(self.operator.run('tenants', 'get', 'careful',
                                               token=secret).returncode, 0)
        shown = self.operator.json('tokens', 'get', 'careful/ci')
        self.assertEqual(shown['rotated_to'], 'tenants/careful/tokens/ci.2')
        short = self.operator.secret('rotate', 'careful/ci.2', '--overlap', '1s')
        gone = eventually('the overlap is over', lambda: self.operator.run(
            'tenants', 'get', 'careful', token=new).returncode == 1)
        self.assertTrue(gone)
        self.assertEqual(self.operator.run('tenants', 'get', 'careful', token=short).returncode, 0)

    def test_an_expired_token_is_refused(self):
        self.operator.tenant('brief')
        secret = self.operator.secret('create', 'brief', '--tenant', 'brief', '--role', 'viewer',
                                      '--expires', '5s')
        api = self.daemon.api(token=secret)
        get = tenants.GetTenantRequest(name='tenants/brief')
        eventually('it has expired', lambda: reason_of(api.call, api.tenants.GetTenant, get) in
                   ('TOKEN_EXPIRED', 'TOKEN_UNKNOWN'))

    def test_the_operators_last_administrator_stays(self):
        done = self.operator.run('tokens', 'revoke', 'root')
        self.assertEqual(done.returncode, 1)
        self.assertIn('LAST_ADMIN_TOKEN', done.stderr)

    def test_what_the_config_names_stays(self):
        for arguments in (('update', 'configured', '--weight', '2'), ('delete', 'configured'),
                          ('delete', 'default')):
            done = self.operator.run('tenants', *arguments)
            self.assertEqual(done.returncode, 1, arguments)
            self.assertIn('TENANT_FROM_CONFIG', done.stderr)
        self.assertEqual(self.operator.run('tenants', 'create', 'configured').returncode, 1)
        self.assertTrue(self.operator.json('tenants', 'get', 'configured')['from_config'])

    def test_an_update_needs_the_etag_it_was_read_with(self):
        self.operator.tenant('changing')
        etag = self.operator.json('tenants', 'get', 'changing')['etag']
        changed = self.operator.json('tenants', 'update', 'changing', '--weight', '2', '--label',
                                     'tier=gold', '--etag', etag)
        self.assertEqual((changed['weight'], changed['labels']), (2, {'tier': 'gold'}))
        done = self.operator.run('tenants', 'update', 'changing', '--weight', '3', '--etag', etag)
        self.assertIn('ETAG_MISMATCH', done.stderr)

    def test_deletion_drains(self):
        secret = self.operator.tenant('going')
        api = self.daemon.api(token=secret)
        task = spawn(api, 'going', 'sleep', {'seconds': 600})
        eventually('it runs', lambda: api.get(task.name).state == RUNNING)
        deleted = self.operator.json('tenants', 'delete', 'going')
        self.assertEqual((deleted['tenant']['state'], deleted['tasks_left']), ('DRAINING', '1'))
        self.assertEqual(reason_of(spawn, api, 'going'), 'TENANT_DRAINING')
        self.assertIn('TENANT_EXISTS', self.operator.run('tenants', 'create', 'going').stderr)
        self.assertTrue(self.operator.has('going'))
        self.assertEqual(api.cancel(task.name).state, CANCELLED)
        eventually('it is gone', lambda: not self.operator.has('going'))
        self.assertEqual(reason_of(api.get, task.name), 'TOKEN_UNKNOWN')
        # Its name may come again, and has nothing of before.
        again = self.daemon.api(token=self.operator.tenant('going'))
        listed = again.call(again.tasks.ListTasks, tasks.ListTasksRequest(parent='tenants/going'))
        self.assertEqual(len(listed.tasks), 0)
        self.assertEqual(again.wait(spawn(again, 'going').name).state, SUCCEEDED)

    def test_deletion_may_cancel(self):
        api = self.daemon.api(token=self.operator.tenant('doomed'))
        names = [spawn(api, 'doomed', 'sleep', {'seconds': 600}).name for _ in range(20)]
        names += [spawn(api, 'doomed', delay=600).name for _ in range(20)]
        deleted = self.operator.json('tenants', 'delete', 'doomed', '--dry_run')
        self.assertEqual(deleted['tasks_left'], '40')
        self.operator.output('tenants', 'delete', 'doomed', '--cancel_tasks', '--wait')
        self.assertFalse(self.operator.has('doomed'))
        self.assertEqual(len(names), 40)


class LastingTest(OwnDaemonTest):
    """What was made outlives the processes that made it."""

    def check_all(self, operator, secret):
        """Of the tenant acme, which was made before."""
        eventually('control answers', lambda: operator.run('tenants').returncode == 0)
        self.assertEqual(operator.json('tenants', 'get', 'acme')['weight'], 2.5)
        api = self.daemon.api(token=secret)
        self.assertEqual(api.wait(spawn(api, 'acme').name).state, SUCCEEDED)
        self.assertEqual(operator.run('tenants', token='grv_wrong').returncode, 1)
        self.assertEqual(self.daemon.grovectl('tenants').returncode, 1)

    def make_acme(self):
        operator = Operator(self.daemon)
        operator.output('tenants', 'create', 'acme', '--weight', '2.5')
        return operator, operator.secret('create', 'ci', '--tenant', 'acme', '--role', 'writer')

    def test_a_restart(self):
        daemon = self.start()
        operator, secret = self.make_acme()
        revoked = operator.secret('create', 'gone', '--tenant', 'acme', '--role', 'writer')
        operator.output('tokens', 'revoke', 'acme/gone')
        daemon.stop()
        daemon.start()
        self.check_all(operator, secret)
        self.assertEqual(operator.run('tenants', token=revoked).returncode, 1)
        mode = os.stat(os.path.join(daemon.state_dir, 'registry.db')).st_mode
        self.assertEqual(mode & 0o777, 0o600)
        daemon.stop()

    def test_a_kill_of_control_and_of_all(self):
        daemon = self.start()
        operator, secret = self.make_acme()
        control = daemon.pid_of('grove-control')
        os.kill(control, signal.SIGKILL)
        eventually('control is another', lambda: daemon.pid_of('grove-control') not in
                   (None, control))
        self.check_all(operator, secret)
        api = daemon.api(token=secret)
        kept = spawn(api, 'acme', delay=1).name
        # The supervisor first: it starts what dies.
        os.kill(daemon.process.pid, signal.SIGKILL)
        eventually('all have ended', lambda: not daemon.processes())
        daemon.process.wait(DEADLINE_S)
        daemon.start()
        self.check_all(operator, secret)
        self.assertEqual(self.daemon.api(token=secret).wait(kept).state, SUCCEEDED)
        daemon.stop()

    def test_what_is_being_deleted_goes_on_being_deleted(self):
        daemon = self.start()
        operator, secret = self.make_acme()
        spawn(daemon.api(token=secret), 'acme', delay=600)
        operator.output('tenants', 'delete', 'acme')
        daemon.stop()
        daemon.start()
        self.assertEqual(operator.json('tenants', 'get', 'acme')['state'], 'DRAINING')
        self.assertEqual(reason_of(spawn, daemon.api(token=secret), 'acme'), 'TENANT_DRAINING')
        operator.output('tenants', 'delete', 'acme', '--cancel_tasks', '--wait')
        self.assertFalse(operator.has('acme'))
        daemon.stop()

    def test_an_upgrade(self):
        self.daemon = Installed(workers=2)
        self.addCleanup(self.daemon.kill)
        self.daemon.start()
        operator, secret = self.make_acme()
        api = self.daemon.api(token=secret)
        task = spawn(api, 'acme', 'sleep', {'seconds': 3}, durability=tasks.DURABILITY_VOLATILE)
        self.daemon.install()
        self.assertIn(' outcome=succeeded', self.daemon.upgrade())
        self.check_all(operator, secret)
        self.assertEqual(self.daemon.api(token=secret).wait(task.name).state, SUCCEEDED)
        operator.output('tenants', 'delete', 'acme', '--wait')
        self.daemon.stop()

    def test_a_way_back_in_where_all_tokens_are_lost(self):
        daemon = self.start(config='')
        Operator(daemon)
        secret = os.path.join(daemon.folder, 'rescue')
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), 'w', encoding='utf-8') as file:
            file.write('the-rescue-secret-of-the-test\n')
        with open(os.path.join(daemon.folder, 'config.yaml'), 'w', encoding='utf-8') as file:
            file.write('control: {tokens: '
                       f'[{{name: rescue, role: admin, secret_file: {secret}}}]}}\n')
        daemon.process.send_signal(signal.SIGHUP)
        rescue = f'--token_file={secret}'
        eventually('the rescuer is let in',
                   lambda: daemon.grovectl('tokens', rescue).returncode == 0)
        done = daemon.grovectl('tokens', 'rotate', 'root', rescue)
        self.assertEqual(done.returncode, 0, done.stderr)
        new = done.stdout.strip()
        self.assertEqual(daemon.grovectl('tenants', f'--token={new}').returncode, 0)
        self.assertIn('TOKEN_FROM_CONFIG', daemon.grovectl('tokens', 'revoke', 'rescue',
                                                           rescue).stderr)
        daemon.stop()

    def test_a_registry_of_a_newer_program_is_refused(self):
        daemon = self.start()
        self.make_acme()
        daemon.stop()
        path = os.path.join(daemon.state_dir, 'registry.db')
        with open(path, 'r+b') as file:
            # user_version, big-endian, in the file's header.
            file.seek(60)
            file.write((99).to_bytes(4, 'big'))
        daemon.launch()
        self.assertNotEqual(daemon.process.wait(DEADLINE_S), 0)
        self.assertIn('registry.db has schema version 99, this program reads version 1',
                      daemon.log())
