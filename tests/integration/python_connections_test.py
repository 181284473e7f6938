"""The client for Python where daemons die, and where they ask who calls."""

import asyncio
import itertools
import os
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.abspath('python'))

import grove
import grove.aio
from certificates_test import Authority
from grove_harness import (DEADLINE_S, KilledTest, OwnDaemonTest, eventually, free_port,
                           write_certificate)

HOUR = {'seconds': 3600}
KEEPS_ALL = 'tasks: {retained_max: 1000000}\n'
SECRET = 'python-0123456789abcdef'


class Thread(threading.Thread):
    """Of which a test wants what it returned, or raised."""

    def __init__(self, call, *args):
        super().__init__(target=self.keep, args=(call, *args), daemon=True)
        self.answer = None
        self.start()

    def keep(self, call, *args):
        try:
            self.answer = call(*args)
        except Exception as error:
            self.answer = error

    def answered(self):
        self.join(DEADLINE_S)
        return self.answer


class RestartTest(KilledTest):

    def setUp(self):
        # The next control listens where this one did.
        self.start(config=KEEPS_ALL, flags=[f'--control=127.0.0.1:{free_port()}'])
        self.client = grove.Client(self.daemon.address('grpc'), retry_for=60)
        self.addCleanup(self.client.close)

    def waiting(self, count):
        """So many waits have come to control."""
        eventually('control has the waits', lambda: self.daemon.metrics_sum(
            'grove_task_waiters') >= count)

    def test_waits_outlast_a_kill(self):
        tasks = [self.client.spawn('sleep', HOUR) for _ in range(3)]

        async def wait(task):
            async with grove.aio.Client(self.daemon.address('grpc')) as client:
                return await client.wait(task)
        waits = [Thread(self.client.wait, tasks[0]), Thread(self.client.wait_many, tasks[1:]),
                 Thread(lambda: asyncio.run(wait(tasks[2])))]
        self.waiting(3)
        self.kill_control()
        for task in tasks:
            self.client.cancel(task)
        one, many, of_asyncio = [wait.answered() for wait in waits]
        self.assertIsInstance(one, grove.TaskFailed)
        self.assertEqual([each.state for each in many], ['CANCELLED'] * 2)
        self.assertIsInstance(of_asyncio, grove.TaskFailed)
        self.daemon.stop()

    def test_a_volatile_task_that_a_kill_took_is_told(self):
        task = self.client.spawn('sleep', HOUR, durability='VOLATILE')
        wait = Thread(self.client.wait, task)
        self.waiting(1)
        self.kill_control()
        error = wait.answered()
        self.assertIsInstance(error, grove.NotFound)
        self.assertIn('volatile', error.__notes__[0])
        self.daemon.stop()

    def check_a_stream(self, stream):
        """`stream` calls what it is given with each result; 20 after the kill are enough."""
        told, killed, after = [], threading.Event(), itertools.count(1)

        def take(result):
            told.append(result)
            return not (killed.is_set() and next(after) == 20)
        thread = Thread(stream, take)
        eventually('it is under way', lambda: len(told) > 200 or thread.answer)
        self.kill_control()
        killed.set()
        self.assertIsNone(thread.answered())
        self.assertFalse(thread.is_alive())
        names = [each.name for each in told]
        self.assertEqual([each.error for each in told], [None] * len(told))
        # Each spec is there once: what was sent again is what was accepted.
        self.assertEqual(len(set(names)), len(names))
        outputs = [each.output for each in self.client.wait_many(names, DEADLINE_S)]
        self.assertEqual(outputs, list(range(len(names))))
        self.daemon.stop()

    def test_a_stream_outlasts_a_kill_and_doubles_nothing(self):
        specs = ({'function': 'echo', 'input': n} for n in itertools.count())

        def stream(take):
            for result in self.client.spawn_stream(specs, unanswered=50):
                if not take(result):
                    return
        self.check_a_stream(stream)

    def test_a_stream_of_asyncio_does_so_too(self):
        specs = ({'function': 'echo', 'input': n} for n in itertools.count())

        async def run(take):
            async with grove.aio.Client(self.daemon.address('grpc')) as client:
                async for result in client.spawn_stream(specs, unanswered=50):
                    if not take(result):
                        return
        self.check_a_stream(lambda take: asyncio.run(run(take)))

    def test_a_watch_outlasts_a_kill_and_says_that_something_may_be_missing(self):
        watch = self.client.watch(timeout=DEADLINE_S)
        self.assertEqual(next(watch).kind, 'token')
        self.kill_control()
        while next(watch).kind != 'gap':
            pass
        name = self.client.spawn('echo').name
        while next(watch).name != name:
            pass
        watch.close()
        self.daemon.stop()

    def test_calls_that_may_be_made_twice_outlast_a_kill(self):
        task = self.client.spawn('sleep', HOUR)
        old = self.daemon.pid_of('grove-control')
        os.kill(old, 9)
        self.assertEqual(self.client.get(task).name, task.name)
        self.assertNotEqual(self.client.spawn('echo').name, task.name)
        self.client.cancel(task)
        self.daemon.stop()

    def test_a_daemon_that_ends_is_not_waited_for_without_end(self):
        with grove.Client(self.daemon.address('grpc'), retry_for=0.2) as client:
            client.spawn('echo')
            self.daemon.stop()
            with self.assertRaises(grove.Unavailable):
                client.spawn('echo')

    def test_one_that_never_was_there_is_not_waited_for(self):
        self.daemon.stop()
        with grove.Client(f'127.0.0.1:{free_port()}', retry_for=3600) as client:
            for call in (client.spawn, client.wait, lambda name: next(client.watch())):
                with self.assertRaises(grove.Unavailable):
                    call('tenants/default/queues/default/tasks/01J')


class IdentityTest(OwnDaemonTest):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.secret = os.path.join(self.folder, 'secret')
        with open(os.open(self.secret, os.O_WRONLY | os.O_CREAT, 0o600), 'w',
                  encoding='utf-8') as file:
            file.write(SECRET + '\n')

    def connect(self, **options):
        client = grove.Client(self.daemon.address('grpc'), **options)
        self.addCleanup(client.close)
        return client

    def refused(self, kind, reason, **options):
        with self.assertRaises(kind) as caught:
            self.connect(**options).spawn('echo')
        self.assertEqual(caught.exception.reason, reason)

    def test_a_token_says_who_calls(self):
        self.start(config='control: {tokens: [{name: reader, role: viewer, secret_file: '
                          f'{self.secret}}}]}}\n')
        self.refused(grove.Unauthenticated, 'TOKEN_MISSING')
        self.refused(grove.Unauthenticated, 'TOKEN_UNKNOWN', token='wrong')
        self.refused(grove.PermissionDenied, 'ROLE_INSUFFICIENT', token=SECRET)
        self.assertEqual(list(self.connect(token=SECRET).list()), [])
        self.addCleanup(os.environ.pop, 'GROVE_TOKEN')
        os.environ['GROVE_TOKEN'] = SECRET
        self.assertEqual(list(self.connect().list()), [])
        for stream in (self.connect(token='wrong').watch(),
                       self.connect(token='wrong').spawn_stream([{'function': 'echo'}])):
            with self.assertRaises(grove.Unauthenticated):
                next(stream)
        self.daemon.stop()

    def test_certificates_say_who_is_there_and_who_calls(self):
        key, certificate = write_certificate(self.folder)
        authority = Authority(self.folder, 'clients')
        self.start(config=f'''
control:
  tls: {{certificate_file: {certificate}, key_file: {key},
         client_ca_file: {authority.certificate}, client_certificate: required,
         roles: [{{certificate: "CN:app", role: writer}}]}}
''')
        mine, shown = authority.issue('app')
        other, wrong = Authority(self.folder, 'others').issue('app')
        options = {'ca_cert': certificate, 'client_cert': shown, 'client_key': mine}
        client = self.connect(**options)
        self.assertEqual(client.wait(client.spawn('echo', 1), DEADLINE_S).output, 1)

        async def run():
            async with grove.aio.Client(self.daemon.address('grpc'), **options) as client:
                return (await client.wait(await client.spawn('echo', 2), DEADLINE_S)).output
        self.assertEqual(asyncio.run(run()), 2)
        self.refused(grove.Unavailable, '', **{**options, 'client_cert': wrong,
                                               'client_key': other})
        self.refused(grove.Unavailable, '', **{**options, 'ca_cert': authority.certificate})
        self.refused(grove.Unavailable, '')
        for left_out in ('ca_cert', 'client_cert', 'client_key'):
            with self.assertRaises(ValueError):
                self.connect(**{name: path for name, path in options.items() if name != left_out})
        self.daemon.stop()


if __name__ == '__main__':
    unittest.main()
