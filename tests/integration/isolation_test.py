"""Two tenants with tokens of their own: for each of them the other does not exist.

What there is to try is taken from the descriptors and from control's table of methods, so that a
method or a field that nobody thought of fails here.
"""

import datetime
import importlib
import json
import os
import re
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.request

import grpc
from google.protobuf import descriptor, descriptor_pool, text_format

from grove_api import CALL_TIMEOUT_S, duration, error_details, tasks
from grove_harness import CONTROL, Daemon, GroveTest, OwnDaemonTest, eventually, program
from names_nothing import NAMES_NOTHING, NEEDED

PACKAGE = os.path.dirname(tasks.__file__)

# Amber asks, Borage has. Each of these words names something of Borage's and stands nowhere else.
AMBER, BORAGE = 'amber', 'borage'
WORDS = (BORAGE, 'quartz', 'basalt', 'feldspar', 'gneiss')

# What Amber has spawned beside it.
OWN_TASK = re.compile(f'tenants/{AMBER}/queues/default/tasks/[0-9A-Z]{{26}}')

# Open to every token: what they say is nobody's. None is.
OPEN = set()

# What sleeps is not waited for at the end.
TENANTS = '''drain_timeout_ms: 100
tenants:
  - name: amber
    queues: [{name: default, pool: default}]
  - name: borage
    queues: [{name: quartz, pool: basalt}, {name: gneiss, pool: basalt, paused: true}]
    pools: [{name: basalt}]
'''


def secret(name):
    return f'the-secret-of-{name}-here'


def token(folder, name, role, tenant='', **more):
    path = os.path.join(folder, name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), 'w', encoding='utf-8') as file:
        file.write(secret(name) + '\n')
    fields = {'name': name, 'role': role, 'secret_file': path, 'tenant': tenant} | more
    return '{' + ', '.join(f'{key}: "{value}"' for key, value in fields.items()) + '}'


def services():
    """Those of all protos of the public API, whichever there are."""
    found = []
    for name in sorted(os.listdir(PACKAGE)):
        if name.endswith('_pb2.py'):
            module = importlib.import_module(f'grove.v1.{name.removesuffix(".py")}')
            found += module.DESCRIPTOR.services_by_name.values()
    return found


def methods():
    """{"/grove.v1.S/M": its descriptor}"""
    return {f'/{service.full_name}/{method.name}': method
            for service in services() for method in service.methods}


class Row:
    """A line of control's table."""

    def __init__(self, line):
        self.method, self.role, self.reach, *fields = line.split()
        self.fields = dict(field.rstrip('*').split('=') for field in fields)
        self.per_item = {field.split('=')[0] for field in fields if field.endswith('*')}


def table():
    text = subprocess.check_output([program(CONTROL), '--method_table'], text=True)
    return {row.method: row for row in map(Row, text.splitlines())}


def texts(message, path='', within=()):
    """(path, field) of every string in a message, however deep."""
    for field in message.fields:
        at = f'{path}{field.name}'
        if field.type == descriptor.FieldDescriptor.TYPE_STRING:
            yield at, field
        elif field.message_type and field.message_type not in within:
            yield from texts(field.message_type, at + '.', within + (message,))


def assign(message, path, text):
    """Sets a field of a field; of what is repeated, the first."""
    name, _, rest = path.partition('.')
    field = message.DESCRIPTOR.fields_by_name[name]
    repeated = field.label == descriptor.FieldDescriptor.LABEL_REPEATED
    value = getattr(message, name)
    if rest:
        if repeated and not value:
            value.add()
        assign(value[0] if repeated else value, rest, text)
    elif repeated:
        value.append(text)
    else:
        setattr(message, name, text)


class Outcome:
    """What a call gave: a message, or a code with its text and details; as text."""

    def __init__(self, response=None, error=None):
        if error is None:
            # With the details of errors spelled out.
            self.code, self.response = 'OK', response
            self.text = text_format.MessageToString(
                response, descriptor_pool=descriptor_pool.Default())
        else:
            self.code, self.response = error.code().name, None
            details = error_details(error)
            self.text = '\n'.join([error.details()] + [
                f'{kind}: {details[kind]}' for kind in sorted(details)])

    def about(self, name):
        """With the name replaced: what does not depend on it; nor on what else was spawned."""
        return self.code, OWN_TASK.sub('OWN', self.text.replace(name, 'NAME'))


class Client:
    """Calls any method by its name, with one token."""

    def __init__(self, daemon, who):
        self._channel = daemon.api(token=secret(who)).channel
        self._metadata = [('authorization', f'Bearer {secret(who)}')]
        self._methods = methods()

    def request(self, method, **fields):
        message = self._methods[method].input_type._concrete_class
        return message(**(NEEDED.get(method, {}) | fields))

    def call(self, method, request):
        found = self._methods[method]
        streams = ('stream' if found.client_streaming else 'unary',
                   'stream' if found.server_streaming else 'unary')
        invoke = getattr(self._channel, '_'.join(streams))(
            method, request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=found.output_type._concrete_class.FromString)
        sent = iter([request]) if found.client_streaming else request
        try:
            answer = invoke(sent, timeout=CALL_TIMEOUT_S, metadata=self._metadata)
            return Outcome(next(iter(answer)) if found.server_streaming else answer)
        except grpc.RpcError as error:
            return Outcome(error=error)

    def do(self, method, **fields):
        """The answer to a call that succeeds."""
        answer = self.call(f'/grove.v1.{method}', self.request(f'/grove.v1.{method}', **fields))
        assert answer.code == 'OK', answer.text
        return answer.response


class TwoTenants(GroveTest):
    """Borage has something of each kind, Amber asks."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        tokens = ', '.join([token(cls.folder.name, AMBER, 'admin', AMBER),
                            token(cls.folder.name, BORAGE, 'admin', BORAGE),
                            token(cls.folder.name, 'boss', 'admin')])
        cls.daemon = Daemon(config=f'control: {{tokens: [{tokens}]}}\n'
                                   f'admin: {{tokens: [{tokens}]}}\n{TENANTS}').start()
        cls.addClassCleanup(cls.daemon.kill)
        cls.amber, cls.borage, cls.boss = (
            Client(cls.daemon, who) for who in (AMBER, BORAGE, 'boss'))
        cls.table = table()
        cls.methods = methods()
        cls.have_something()

    @classmethod
    def have_something(cls):
        """Borage has tasks of all kinds."""
        def spawn(queue, function, value):
            return cls.borage.do('TaskService/SpawnTask', spec=tasks.TaskSpec(
                function=function, queue=queue, input=json.dumps(value).encode(),
                labels={'what': 'feldspar'}, request_id=f'feldspar-{function}-{queue}-{value}',
                limit_keys=[f'gneiss-{function}', 'feldspar'])).task.name

        cls.boss.do('TenantService/CreateToken', parent='tenants/borage', token_id='gneiss')
        cls.borage.do('TenantService/SetLimit', limit={'pattern': 'basalt-*', 'running_max': 9})
        for who, name in ((cls.borage, 'feldspar'), (cls.borage, 'gneiss'), (cls.amber, 'own')):
            who.do('ScheduleService/CreateSchedule', schedule_id=name, validate_only=False)
        cls.payloads = [who.do('PayloadService/WritePayload').payload.name
                        for who in (cls.borage, cls.borage, cls.amber)][:2]
        cls.running = [spawn('quartz', 'sleep', {'seconds': seconds}) for seconds in (3600, 3601)]
        cls.ended = [spawn('quartz', 'echo', 'feldspar'), spawn('quartz', 'echo', 'gneiss')]
        cls.queued = [spawn('gneiss', 'echo', 'feldspar')]
        for name in cls.ended:
            cls.borage.do('TaskService/WaitTask', name=name, timeout=duration(30))
        cls.names = {
            'tenant': ['tenants/borage'],
            'tenants': ['tenants/borage'],
            'tenant_or_queue': ['tenants/borage', 'tenants/borage/queues/quartz'],
            'queue': ['tenants/borage/queues/quartz', 'tenants/borage/queues/default'],
            'queue_or_short': ['tenants/borage/queues/quartz', 'tenants/borage/queues/default'],
            'queues': ['tenants/borage/queues/quartz', 'tenants/borage/queues/-'],
            'pool': ['tenants/borage/pools/basalt', 'tenants/borage/pools/default'],
            'task': cls.running + cls.ended + cls.queued,
            'schedule': [f'tenants/borage/schedules/{each}' for each in ('feldspar', 'gneiss')],
            'payload': cls.payloads,
            'token': ['tenants/borage/tokens/borage', 'tenants/borage/tokens/gneiss'],
            'token_parent': ['tenants/borage'],
        }
        ids = [name.rpartition('/')[2] for name in cls.names['task']]
        # Amber's own, that never were.
        cls.never = {
            'tenant_or_queue': ['tenants/amber/queues/never'],
            'queue': ['tenants/amber/queues/never', 'tenants/amber/queues/quartz'],
            'queue_or_short': ['tenants/amber/queues/never', 'tenants/amber/queues/quartz'],
            'queues': ['tenants/amber/queues/never', 'tenants/amber/queues/quartz'],
            'pool': ['tenants/amber/pools/never', 'tenants/amber/pools/basalt'],
            'task': [f'tenants/amber/queues/default/tasks/{each}' for each in ids + [ids[0][::-1]]],
            'schedule': ['tenants/amber/schedules/never', 'tenants/amber/schedules/feldspar'],
            'payload': [name.replace(BORAGE, AMBER) for name in cls.payloads],
            'token': ['tenants/amber/tokens/never', 'tenants/amber/tokens/gneiss'],
        }

    def of_tenants(self):
        return [row for row in self.table.values()
                if row.method in self.methods and row.reach == 'tenant']

    def tell(self, client, row, path, name):
        request = client.request(row.method)
        assign(request, path, name)
        return client.call(row.method, request)

    def state_of_borage(self):
        """What a call by somebody else could have changed."""
        listed = self.borage.do('TaskService/ListTasks').tasks
        pools = self.borage.do('PoolService/ListPools').pools
        limits = self.borage.do('TenantService/ListLimits').limits
        schedules = self.borage.do('ScheduleService/ListSchedules').schedules
        return ([(task.name, task.state, len(task.attempts)) for task in listed],
                [(pool.name, pool.size) for pool in pools],
                [(limit.pattern, limit.running_max) for limit in limits],
                [(schedule.name, schedule.etag) for schedule in schedules],
                [each.name for each in self.borage.do('PayloadService/ListPayloads').payloads])

    def assert_clean(self, text, what):
        for word in WORDS:
            self.assertNotIn(word, text, what)


class IsolationTest(TwoTenants):

    # The table

    def test_every_method_has_a_row(self):
        self.assertGreater(len(self.methods), 25)
        self.assertEqual([name for name in self.methods if name not in self.table], [])

    def test_every_text_of_a_request_names_something_or_nothing(self):
        known = set()
        for row in self.of_tenants():
            found = dict(texts(self.methods[row.method].input_type))
            self.assertLessEqual(set(row.fields), set(found), row.method)
            for path, field in found.items():
                if path in row.fields or path.endswith(('page_token', 'resume_token')):
                    continue
                known.add(field.full_name)
                self.assertIn(field.full_name, NAMES_NOTHING,
                              f'{row.method}: what does {path} name? Give it a rule in '
                              'method_table.h, or say here that it names nothing')
        self.assertEqual(sorted(set(NAMES_NOTHING) - known), [], 'of no request any more')

    def test_what_is_open_is_few(self):
        self.assertEqual({row.method for row in self.table.values()
                          if row.reach == 'open' and row.method in self.methods}, OPEN)

    # What the operators' methods say

    def test_methods_of_the_operators_are_closed(self):
        closed = [row for row in self.table.values()
                  if row.method in self.methods and row.reach == 'operators']
        self.assertGreater(len(closed), 10)
        for row in closed:
            with self.subTest(row.method):
                outcome = self.amber.call(row.method, self.amber.request(row.method))
                self.assertEqual(outcome.code, 'PERMISSION_DENIED')
                self.assertIn('"OPERATORS_ONLY"', outcome.text)
                self.assert_clean(outcome.text, row.method)

    # Names

    def test_what_is_anothers_is_answered_as_what_never_was(self):
        before = self.state_of_borage()
        tried = 0
        for row in self.of_tenants():
            for path, kind in row.fields.items():
                for name in self.names[kind]:
                    with self.subTest(row.method, path=path, name=name):
                        tried += 1
                        self.compare(row, path, kind, name)
        self.assertGreater(tried, 30)
        self.assertEqual(self.state_of_borage(), before)

    def compare(self, row, path, kind, name):
        outcome = self.tell(self.amber, row, path, name)
        there_is_none = name.replace(BORAGE, 'nobody')
        self.assertEqual(outcome.about(name),
                         self.tell(self.amber, row, path, there_is_none).about(there_is_none))
        for never in self.never.get(kind, []):
            if never.split('/')[2:3] == name.split('/')[2:3]:
                self.assertEqual(outcome.about(name),
                                 self.tell(self.amber, row, path, never).about(never))
        self.assertEqual(outcome.code, 'OK' if path in row.per_item else 'NOT_FOUND')
        self.assertIn('NOT_FOUND"', outcome.text)
        self.assert_clean(outcome.text.replace(name, ''), f'{row.method} {path}')
        # For the others it is there.
        for who in (self.borage, self.boss):
            if row.role == 'viewer':
                self.assertNotIn('NOT_FOUND"', self.tell(who, row, path, name).text)

    def test_no_answer_says_what_others_have(self):
        answered = 0
        for row in self.of_tenants():
            if 'parent' not in row.fields:
                continue
            for parent in ('', 'tenants/-', 'tenants/amber'):
                for view in (0, 1, 2):
                    request = self.amber.request(row.method, parent=parent)
                    if 'view' in request.DESCRIPTOR.fields_by_name:
                        request.view = view
                    with self.subTest(row.method, parent=parent):
                        outcome = self.amber.call(row.method, request)
                        answered += outcome.code == 'OK'
                        self.assert_clean(outcome.text, row.method)
        self.assertGreater(answered, 20)

    def test_an_empty_parent_is_the_callers_own(self):
        spawned = self.amber.call('/grove.v1.TaskService/SpawnTask', self.amber.request(
            '/grove.v1.TaskService/SpawnTask')).response.task.name
        self.assertTrue(spawned.startswith('tenants/amber/'), spawned)
        for parent in ('', 'tenants/-'):
            for method, field in (('TaskService/ListTasks', 'tasks'),
                                  ('QueueService/ListQueues', 'queues'),
                                  ('PoolService/ListPools', 'pools'),
                                  ('PayloadService/ListPayloads', 'payloads'),
                                  ('ScheduleService/ListSchedules', 'schedules')):
                method = f'/grove.v1.{method}'
                response = self.amber.call(
                    method, self.amber.request(method, parent=parent)).response
                owners = {each.name.split('/')[1] for each in getattr(response, field)}
                self.assertEqual(owners, {AMBER}, method)

    def test_request_ids_are_the_tenants_own(self):
        request = self.amber.request('/grove.v1.TaskService/SpawnTask', spec=tasks.TaskSpec(
            function='echo', input=b'1', request_id='feldspar-sleep-quartz-' + str(
                {'seconds': 3600})))
        outcome = self.amber.call('/grove.v1.TaskService/SpawnTask', request)
        self.assertEqual(outcome.code, 'OK', outcome.text)
        self.assertTrue(outcome.response.task.name.startswith('tenants/amber/'))

    # Pages

    def test_page_tokens_of_others_are_refused_as_damaged_ones(self):
        replayed = set()
        for row in self.of_tenants():
            request = self.borage.request(row.method)
            if not {'page_token', 'page_size'} <= set(request.DESCRIPTOR.fields_by_name):
                continue
            # There is one tenant: tests beside them try these.
            if row.method.endswith(('/ListTenants', '/GetFairness')):
                continue
            request.page_size = 1
            first = self.borage.call(row.method, request)
            with self.subTest(row.method):
                self.assertTrue(first.response.next_page_token, 'Borage has one page alone')
                request.page_token = first.response.next_page_token
                self.assertEqual(self.borage.call(row.method, request).code, 'OK')
                outcome = self.amber.call(row.method, request)
                request.page_token = request.page_token[:-1] + '~'
                self.assertEqual(outcome.code, 'INVALID_ARGUMENT')
                self.assertEqual(outcome.about(first.response.next_page_token),
                                 self.amber.call(row.method, request).about(request.page_token))
                replayed.add(row.method.rpartition('/')[2])
        self.assertGreaterEqual(replayed, {'ListTasks', 'ListQueues', 'ListPools', 'ListFibers',
                                           'ListLimits', 'ListPayloads'})

    # Fibers

    def test_fibers_of_others_are_not_there(self):
        listing = '/grove.v1.InspectService/ListFibers'
        getting = '/grove.v1.InspectService/GetFiber'
        theirs = eventually('Borage\'s fibers', lambda: [
            fiber for fiber in self.borage.call(
                listing, self.borage.request(listing)).response.fibers
            if fiber.tenant == BORAGE])
        for parent in ('', 'workers/-', 'workers/0', 'workers/1'):
            outcome = self.amber.call(listing, self.amber.request(listing, parent=parent))
            self.assertEqual(outcome.code, 'OK', outcome.text)
            self.assertLessEqual({fiber.tenant for fiber in outcome.response.fibers}, {AMBER})
        self.assertEqual(
            {fiber.tenant for fiber in self.borage.call(
                listing, self.borage.request(listing)).response.fibers}, {BORAGE})
        for fiber in theirs:
            outcome = self.amber.call(getting, self.amber.request(getting, name=fiber.name))
            never = fiber.name.rpartition('/')[0] + '/999999999'
            self.assertEqual(outcome.code, 'NOT_FOUND')
            self.assertEqual(
                outcome.about(fiber.name),
                self.amber.call(getting, self.amber.request(getting, name=never)).about(never))
            self.assertEqual(
                self.borage.call(getting, self.borage.request(getting, name=fiber.name)).code, 'OK')
        own = self.amber.call('/grove.v1.TaskService/SpawnTask', self.amber.request(
            '/grove.v1.TaskService/SpawnTask',
            spec=tasks.TaskSpec(function='sleep', input=b'{"seconds": 3602}'))).response.task.name
        eventually('a fiber of one\'s own is there', lambda: own in {
            fiber.task for fiber in self.amber.call(
                listing, self.amber.request(listing)).response.fibers})

    # The admin port

    def admin(self, path, who):
        request = urllib.request.Request(self.daemon.admin_url(path), headers={
            'Authorization': f'Bearer {secret(who)}', 'Accept': 'application/json'})
        try:
            with urllib.request.urlopen(request, timeout=CALL_TIMEOUT_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def test_metrics_are_the_tenants_own(self):
        def lines():
            status, text = self.admin('/metrics', AMBER)
            self.assertEqual(status, 200)
            self.assert_clean(text, '/metrics')
            return [line for line in text.splitlines() if not line.startswith('#')]

        found = eventually('metrics of Amber', lines)
        for line in found:
            self.assertRegex(line, r'[{,]tenant="amber"[,}]')
        self.assertIn(BORAGE, self.admin('/metrics', 'boss')[1])

    def test_debug_pages_are_the_tenants_own_or_closed(self):
        with urllib.request.urlopen(self.daemon.admin_url('/')) as index:
            pages = set(re.findall(r'/debug/\w+', index.read().decode()))
        own = {'/debug/fibers', '/debug/pools', '/debug/queues'}
        self.assertLess(own, pages)
        for page in sorted(pages):
            for query in ('', '?tenant=borage') if page == '/debug/fibers' else ('',):
                with self.subTest(page + query):
                    status, text = self.admin(page + query, AMBER)
                    self.assertEqual(status, 200 if page in own else 403)
                    self.assert_clean(text, page)
                    self.assertEqual(self.admin(page + query, 'boss')[0], 200)
        self.assertIn('tenants/amber/pools/default', self.admin('/debug/pools', AMBER)[1])
        self.assertIn('tenants/amber/queues/default', self.admin('/debug/queues', AMBER)[1])


class EndOfTokenTest(OwnDaemonTest):

    def test_a_wait_ends_with_its_token(self):
        with tempfile.TemporaryDirectory() as folder:
            # How long a start takes depends on the machine: the first that is long enough.
            for seconds in (4, 15, 60):
                if self.waits_until_the_end(folder, seconds):
                    return
        self.fail('the daemon does not start within a minute')

    def waits_until_the_end(self, folder, seconds):
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
        tokens = ', '.join([
            token(folder, 'brief', 'writer', AMBER, expire_time=end.isoformat()),
            token(folder, 'lasting', 'writer', AMBER)])
        daemon = self.start(config=f'control: {{tokens: [{tokens}]}}\n{TENANTS}')
        brief, lasting = Client(daemon, 'brief'), Client(daemon, 'lasting')
        spawn, wait = '/grove.v1.TaskService/SpawnTask', '/grove.v1.TaskService/WaitTask'
        name = lasting.call(spawn, lasting.request(spawn, spec=tasks.TaskSpec(
            function='sleep', input=b'{"seconds": 3600}'))).response.task.name
        outcome = brief.call(wait, brief.request(wait, name=name, timeout=duration(1000)))
        self.assertEqual(outcome.code, 'UNAUTHENTICATED')
        after = brief.call(wait, brief.request(wait, name=name))
        self.assertIn('TOKEN_EXPIRED', after.text)
        still = lasting.call(wait, lasting.request(wait, name=name, timeout=duration(0.001)))
        self.assertEqual(still.code, 'OK')
        daemon.kill()
        return 'TOKEN_REVOKED' in outcome.text


if __name__ == '__main__':
    unittest.main()
