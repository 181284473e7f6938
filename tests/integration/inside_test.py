"""Code in the workers spawns tasks and waits for them, whoever dies meanwhile."""

import http.client
import os
import shutil
import signal
import tempfile
import unittest

from grove_api import CANCELLED, RUNNING, SUCCEEDED, fairness_service_pb2, spec, tasks
from grove_harness import DEADLINE_S, OwnDaemonTest, eventually

SPAWNING = 'tests/integration/spawning'
CONFIG = '''
http:
  middleware:
    - tenant: {rules: [{header: X-Tenant}]}
tenants:
  - name: default
    queues: [{name: tiny, depth_max: 2, paused: true}]
  - name: acme
  - name: umbrella
'''
VOLATILE = tasks.DURABILITY_VOLATILE


class InsideTest(OwnDaemonTest):

    def setUp(self):
        # Where the program looks what it is told.
        self.told = tempfile.mkdtemp(prefix='grove-told-')
        self.addCleanup(shutil.rmtree, self.told)

    def start_spawning(self, config=CONFIG, **options):
        self.start(binary=SPAWNING, config=config, env={'GROVE_TEST_FOLDER': self.told}, **options)
        self.api = self.daemon.api()

    def tell(self, word):
        with open(os.path.join(self.told, word), 'w', encoding='utf-8'):
            pass

    def http(self, method, path, tenant=None, body=None):
        connection = http.client.HTTPConnection(self.daemon.http_address, timeout=DEADLINE_S)
        try:
            connection.request(method, path, body, {'X-Tenant': tenant} if tenant else {})
            response = connection.getresponse()
            text = response.read().decode()
            self.assertEqual(response.status, 200, text)
            return text
        finally:
            connection.close()

    def spawn(self, function, times=1, how='volatile', tenant=None, queue=''):
        """What a handler says: a name, or an error, for each."""
        path = f'/spawn/{function}/{times}/{how}' + (f'/{queue}' if queue else '')
        return self.http('GET', path, tenant).split('\n')

    def wait(self, name, tenant=None):
        """How a handler's wait of two seconds ends."""
        return self.http('POST', '/wait', tenant, name)

    def late(self, words, **fields):
        """A task that spawns once it is told to `go`, and runs now."""
        name = self.api.spawn_spec(
            spec('late', input=words.encode(), content_type='text/plain', **fields)).name
        eventually('it runs', lambda: self.api.get(name).state == RUNNING)
        return name

    def all_of(self, function, parent='tenants/default'):
        request = tasks.ListTasksRequest(parent=parent, function=function)
        return list(self.api.call(self.api.tasks.ListTasks, request).tasks)

    def kill_control(self):
        """SIGKILL; back when there is another one."""
        pid = self.daemon.pid_of('grove-control')
        os.kill(pid, signal.SIGKILL)
        eventually('there is another control',
                   lambda: self.daemon.pid_of('grove-control') not in (None, pid))

    def reconnect(self):
        def serves():
            try:
                self.api = self.daemon.api()
                self.all_of('say')
                return True
            except Exception:  # pylint: disable=broad-except
                return False
        eventually('control serves', serves)

    # Who spawns

    def test_a_handler_spawns_and_waits_for_its_tenant(self):
        self.start_spawning()
        for how in ('volatile', 'durable'):
            for tenant in (None, 'acme', 'umbrella'):
                [name] = self.spawn('say', how=how, tenant=tenant)
                self.assertTrue(name.startswith(f'tenants/{tenant or "default"}/queues/default/'),
                                name)
                self.assertEqual(self.wait(name, tenant), f'OK {tenant or "default"}')
                task = self.api.get(name)
                self.assertEqual((task.state, task.parent_task), (SUCCEEDED, ''))
                self.assertEqual(task.spec.durability == VOLATILE, how == 'volatile')
        # Another tenant's is not there; what is asked for is the code's word, not the user's.
        self.assertEqual(self.wait(name, 'acme'), 'NOT_FOUND TASK_NOT_FOUND')
        self.assertEqual(self.wait(name), 'NOT_FOUND TASK_NOT_FOUND')
        self.daemon.stop()

    def test_a_function_spawns_for_its_tenant_and_is_the_parent(self):
        self.start_spawning()
        parent = self.api.call(self.api.tasks.SpawnTask, tasks.SpawnTaskRequest(
            parent='tenants/acme',
            spec=spec('parent', input=b'say 3 durable', content_type='text/plain'))).task.name
        task = self.api.wait(parent)
        self.assertEqual(task.state, SUCCEEDED, task.error)
        names = []
        for line in task.output.decode().split('\n'):
            name, how, tenant = line.split(' ')
            self.assertEqual((how, tenant), ('OK', 'acme'))
            self.assertEqual(self.api.get(name).parent_task, parent)
            names.append(name)
        listed = self.api.call(self.api.tasks.ListTasks, tasks.ListTasksRequest(
            parent='tenants/acme', filter=tasks.TaskFilter(parent_task=parent))).tasks
        self.assertEqual({each.name for each in listed}, set(names))
        self.assertEqual(len(names), 3)
        shown = self.daemon.grovectl('get', '--tenant=acme', names[0].rsplit('/', 1)[1])
        self.assertIn(parent, shown.stdout)
        counted = self.daemon.grovectl_json(
            'tasks', 'count', '--tenant=acme', f'--parent_task={parent.rsplit("/", 1)[1]}')
        self.assertEqual(int(counted['total']), 3)
        self.daemon.stop()
        # In the store with the rest.
        self.start_spawning(folder=self.daemon.folder)
        self.assertEqual(self.api.get(names[0]).parent_task, parent)
        self.daemon.stop()

    def test_periodic_work_spawns_for_the_default_tenant(self):
        self.start_spawning()
        self.assertEqual(self.all_of('say'), [])
        self.tell('tick')
        [task] = eventually('it has ticked', lambda: self.all_of('say'))
        self.assertEqual(task.spec.labels['from'], 'periodic')
        self.assertEqual(self.api.wait(task.name).state, SUCCEEDED)
        # It ticks on, and says by the request_id that it is the same.
        self.assertEqual(len(self.all_of('say')), 1)
        self.daemon.stop()

    # Refusals

    def test_errors_have_reasons_and_each_spawn_its_own(self):
        self.start_spawning()
        first, second, third = self.spawn('say', 3, queue='tiny')
        self.assertIn('/queues/tiny/tasks/', first)
        self.assertIn('/queues/tiny/tasks/', second)
        self.assertEqual(third, 'RESOURCE_EXHAUSTED QUEUE_FULL')
        self.assertEqual(self.spawn('nosuch'), ['INVALID_ARGUMENT UNKNOWN_FUNCTION'])
        self.assertEqual(self.spawn('say', queue='nosuch'), ['NOT_FOUND QUEUE_NOT_FOUND'])
        self.assertEqual(self.wait(first), 'DEADLINE_EXCEEDED WAIT_OVER')
        self.assertEqual(self.wait('nonsense').split(' ')[0], 'INVALID_ARGUMENT')
        self.daemon.stop()

    def test_a_tasks_wait_ends_with_its_fiber(self):
        self.start_spawning()
        parent = self.api.spawn_spec(
            spec('parent', input=b'hold 1 volatile', content_type='text/plain')).name
        [child] = eventually('the child runs', lambda: [
            each for each in self.all_of('hold') if each.state == RUNNING])
        self.assertEqual(self.api.cancel(parent).state, CANCELLED)
        worker_free = 'grove_worker_attempts_running'
        eventually('the parent has left its worker',
                   lambda: self.daemon.metrics_sum(worker_free) == 1)
        self.tell('go')
        self.assertEqual(self.api.wait(child.name).state, SUCCEEDED)
        self.daemon.stop()

    def test_spawns_from_inside_are_in_the_audit_log(self):
        secret = os.path.join(self.told, 'secret')
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), 'w', encoding='utf-8') as file:
            file.write('0123456789abcdef\n')
        token = f'{{name: ci, role: admin, secret_file: {secret}}}'
        self.start_spawning(config=f'{CONFIG}control: {{tokens: [{token}]}}\n')
        self.spawn('say', 2, tenant='acme')
        line = eventually('there is a line', lambda: [
            each for each in self.daemon.audit() if each['who'].startswith('workers/')])[-1]
        self.assertEqual((line['method'], line['resource'], line['asked'], line['result']), (
            '/grove.v1.TaskService/BatchSpawnTasks', 'tenants/acme',
            '2 tasks from inside, 0 refused', 'OK'))
        self.daemon.stop()

    # Deaths

    def test_a_spawn_that_control_did_not_answer_is_asked_of_the_next_and_not_doubled(self):
        self.start_spawning()
        for how in ('durable', 'volatile'):
            name = self.late(f'say 1 {how}')
            # What is on disk behind its start: else the next control may run it again, and so may
            # its child be another's.
            self.api.wait(self.api.spawn_spec(spec('say', input=b'0')).name)
            control = self.daemon.pid_of('grove-control')
            os.kill(control, signal.SIGSTOP)
            # It asks now, and is not heard.
            self.tell('go')
            self.kill_control()
            self.reconnect()
            task = self.api.wait(name)
            self.assertEqual(task.state, SUCCEEDED, task.error)
            child = task.output.decode()
            self.assertEqual(self.api.wait(child).state, SUCCEEDED)
            mine = [each for each in self.all_of('say') if each.parent_task == name]
            self.assertEqual([each.name for each in mine], [child])
            os.remove(os.path.join(self.told, 'go'))
        self.daemon.stop()

    def test_a_wait_survives_the_death_of_control(self):
        self.start_spawning()
        parent = self.api.spawn_spec(
            spec('parent', input=b'hold 2 durable', content_type='text/plain')).name
        eventually('the children run', lambda: len(
            [each for each in self.all_of('hold') if each.state == RUNNING]) == 2)
        self.kill_control()
        self.reconnect()
        self.tell('go')
        task = self.api.wait(parent)
        self.assertEqual(task.state, SUCCEEDED, task.error)
        self.assertEqual(len(task.output.decode().split('\n')), 2)
        self.assertEqual(len(self.all_of('hold')), 2)
        [attempt] = task.attempts
        self.assertEqual(attempt.number, 1)
        self.daemon.stop()

    def test_a_function_run_again_after_its_workers_death_has_one_child_if_it_says_so(self):
        self.start_spawning()
        self.tell('die')
        name = self.late('say 1 durable the-one')
        self.tell('go')
        task = self.api.wait(name)
        self.assertEqual(task.state, SUCCEEDED, task.error)
        self.assertEqual(len(task.attempts), 2)
        [child] = self.all_of('say')
        self.assertEqual(child.name, task.output.decode())
        # One that dies while the daemon stops makes its exit code 1.
        eventually('its death is known', lambda: '"died" name=grove-w' in self.daemon.log())
        self.daemon.stop()

    def test_what_the_daemons_end_kept_from_spawning_goes_on_after_the_next_start(self):
        self.start_spawning()
        name = self.late('say 1 durable')
        self.daemon.terminate()
        eventually('it drains', lambda: '"draining"' in self.daemon.log())
        self.tell('go')
        self.daemon.ended()
        self.start_spawning(folder=self.daemon.folder)
        task = self.api.wait(name)
        self.assertEqual(task.state, SUCCEEDED, task.error)
        self.assertEqual(self.api.wait(task.output.decode()).state, SUCCEEDED)
        self.daemon.stop()

    # Charges

    def test_a_request_is_charged_to_its_tenant(self):
        self.start_spawning()
        for _ in range(4):
            self.http('GET', '/burn', 'acme')

        def times():
            shares = self.api.call(self.api.fairness.GetFairness,
                                   fairness_service_pb2.GetFairnessRequest()).shares
            found = {each.tenant: each.http_time_total.ToMilliseconds() for each in shares}
            return len(found) == 2 and found['tenants/acme'] >= 200 and found
        found = eventually('both tenants have had their time', times)
        # By the clock of a loaded machine, a request may run for longer.
        self.assertGreaterEqual(found['tenants/umbrella'], 200)
        self.assertIn('HTTP', self.daemon.grovectl('fairness').stdout)
        self.daemon.stop()


if __name__ == '__main__':
    unittest.main()
