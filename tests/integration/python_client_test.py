"""The client for Python against a real daemon: each verb, blocking and of asyncio."""

import asyncio
import itertools
import os
import re
import sys
import threading
import unittest

sys.path.insert(0, os.path.abspath('python'))

import grove
import grove.aio
from grove_harness import GroveTest

HOUR = {'seconds': 3600}
CONFIG = '''
tenants:
  - name: default
    queues: [{name: default}, {name: held, paused: true}, {name: small, depth_max: 2, paused: true}]
  - {name: bounded, quotas: {spawns_per_minute: 1, spawn_burst: 1}}
  - {name: paced, quotas: {spawns_per_minute: 1200, spawn_burst: 1}}
'''
CLIENTS = 'docs/clients.md'
CELERY = 'docs/coming_from_celery.md'

# gRPC writes to the log where there are several, one after the other.
LOOP = asyncio.new_event_loop()


class Driven:
    """A client of asyncio whose verbs a test can call as if they blocked."""

    def __init__(self, *args, **options):
        self.client = grove.aio.Client(*args, **options)

    def close(self):
        LOOP.run_until_complete(self.client.close())

    def each(self, series):
        try:
            while True:
                yield LOOP.run_until_complete(anext(series))
        except StopAsyncIteration:
            return
        finally:
            LOOP.run_until_complete(series.aclose())

    def __getattr__(self, name):
        def call(*args, **fields):
            answer = getattr(self.client, name)(*args, **fields)
            if asyncio.iscoroutine(answer):
                return LOOP.run_until_complete(answer)
            return self.each(answer)
        return call


def read(document):
    with open(document, encoding='utf-8') as file:
        return file.read()


def until(watch, found):
    """Events up to the one that it is."""
    told = [next(watch)]
    while not found(told[-1]):
        told.append(next(watch))
    return told


class Verbs:
    """What both of them do. `made` makes one."""

    config = CONFIG

    def connect(self, **options):
        client = self.made(self.daemon.address('grpc'), **{'retry_for': 0, **options})
        self.addCleanup(client.close)
        return client

    def setUp(self):
        self.client = self.connect()
        # Of this test's tasks.
        self.labels = {'of': self.id().rpartition('.')[2][:63], 'kind': type(self).__name__}

    def spawn(self, function, input=None, **options):
        return self.client.spawn(function, input, labels=self.labels, **options)

    def refusal(self, kind, call, *args, **fields):
        with self.assertRaises(kind) as caught:
            call(*args, **fields)
        return caught.exception

    def test_a_task_comes_back_as_objects(self):
        task = self.spawn('echo', {'n': [1, None, 'ü']})
        self.assertEqual(self.client.wait(task, 60).output, {'n': [1, None, 'ü']})
        found = self.client.get(task.name)
        self.assertEqual((found.name, found.state, found.ended), (task.name, 'SUCCEEDED', True))
        self.assertEqual(dict(found.message.spec.labels), self.labels)
        self.assertEqual(found.result(), {'n': [1, None, 'ü']})

    def test_bytes_stay_bytes(self):
        task = self.spawn('echo', b'\x00{')
        self.assertEqual(self.client.get(task).message.spec.content_type,
                         'application/octet-stream')
        self.assertEqual(self.client.wait(task, 60).output, b'\x00{')

    def test_options_are_those_of_a_spec(self):
        task = self.spawn('echo', 1, delay=3600, priority=3, durability='VOLATILE',
                          retry_policy={'max_attempts': 4, 'initial_backoff': 0.25})
        spec = self.client.get(task).message.spec
        self.assertEqual((task.state, spec.priority, spec.durability), ('SCHEDULED', 3, 2))
        self.assertEqual(spec.retry_policy.initial_backoff.ToMilliseconds(), 250)
        self.client.cancel(task)
        self.assertIn('no_field', str(self.refusal(TypeError, self.spawn, 'echo', no_field=1)))
        self.assertIn('SOFT', str(self.refusal(ValueError, self.spawn, 'echo', durability='SOFT')))

    def test_a_request_id_gives_the_same_task(self):
        one = type(self).__name__
        names = {self.spawn('echo', 1, request_id=each).name for each in (one, one, '', '')}
        self.assertEqual(len(names), 3)

    def test_a_unique_key_attaches(self):
        key = {'key': type(self).__name__}
        first, second = (self.spawn('sleep', HOUR, unique_key=key) for _ in range(2))
        self.assertEqual((first.name, first.attached, second.attached), (second.name, False, True))
        self.client.cancel(first)

    def test_a_batch_has_a_result_for_each_and_its_completion(self):
        batch = self.client.spawn_many([{'function': 'echo', 'input': n} for n in range(3)],
                                       completion={'function': 'echo', 'input': 'all'})
        self.assertEqual([each.error for each in batch], [None] * 4)
        self.assertEqual(self.client.wait(batch[3].name, 60).output, 'all')
        good, bad, last = self.client.spawn_many(
            [{'function': 'echo'}, {'function': 'echo', 'priority': 10}],
            completion={'function': 'echo'})
        self.assertTrue(good.name)
        self.assertEqual((bad.name, bad.error.reason), ('', 'PRIORITY_OUT_OF_RANGE'))
        self.assertEqual(last.error.reason, 'BATCH_INCOMPLETE')

    def test_a_batch_that_is_sent_again_is_there_once(self):
        specs = [{'function': 'echo', 'input': n} for n in range(3)]
        first, second = (self.client.spawn_many(specs, request_id=type(self).__name__)
                         for _ in range(2))
        self.assertEqual(first, second)

    def test_a_stream_answers_each_spec_in_its_order(self):
        def specs():
            for n in range(250):
                yield {'function': 'echo', 'input': n, 'priority': 10 if n == 77 else 0}
        told = list(self.client.spawn_stream(specs()))
        self.assertEqual([n for n, each in enumerate(told) if each.error], [77])
        self.assertIsInstance(told[77].error, grove.InvalidArgument)
        for n in (0, 99, 249):
            self.assertEqual(self.client.wait(told[n].name, 60).output, n)
        self.assertEqual(list(self.client.spawn_stream([])), [])

    def test_a_stream_takes_no_more_than_may_be_unanswered(self):
        taken = itertools.count()
        specs = ({'function': 'echo', 'input': next(taken)} for _ in itertools.count())
        told = self.client.spawn_stream(specs, unanswered=20)
        for _ in range(100):
            next(told)
        # Beyond what was told: what has no answer, and the rest of the message answered last.
        self.assertLess(next(taken), 100 + 20 + 4)
        told.close()

    def test_large_inputs_are_sent_in_messages_that_the_server_takes(self):
        specs = ({'function': 'echo', 'input': 'x' * 900_000} for _ in range(20))
        told = list(self.client.spawn_stream(specs))
        self.assertEqual([each.error for each in told], [None] * 20)

    def test_a_wait_ends_in_time_or_with_what_failed(self):
        task = self.spawn('sleep', HOUR)
        late = self.refusal(grove.WaitTimeout, self.client.wait, task, 0)
        self.assertFalse(late.task.ended)
        self.client.cancel(task, 'enough')
        failed = self.refusal(grove.TaskFailed, self.client.wait, task, 60)
        self.assertEqual((failed.task.state, failed.reason), ('CANCELLED', 'TASK_CANCELLED'))
        self.assertIn('enough', str(failed))

    def test_waits_for_many_say_how_each_ended(self):
        names = [each.name for each in self.client.spawn_many(
            [{'function': 'echo', 'input': n} for n in range(50)])]
        gone, ends, runs = names[0][:-4] + '0000', self.spawn('sleep', HOUR), self.spawn(
            'sleep', HOUR)
        self.client.cancel(ends)
        told = self.client.wait_many([*names, gone, ends, names[0]], 60)
        self.assertEqual([each.output for each in told[:50]], list(range(50)))
        self.assertEqual((told[50].state, told[51].state, told[52].name),
                         ('NOT_FOUND', 'CANCELLED', names[0]))
        self.refusal(grove.NotFound, told[50].result)
        self.refusal(grove.TaskFailed, told[51].result)
        late = self.client.wait_many([runs, names[1]], 0)
        self.assertEqual((late[0].ended, late[1].output), (False, 1))
        self.refusal(grove.WaitTimeout, late[0].result)
        self.client.cancel(runs)
        self.assertEqual(self.client.wait_many([]), [])

    def test_a_watch_tells_what_is_there_what_changes_and_what_is_forgotten(self):
        task = self.spawn('sleep', HOUR)
        watch = self.client.watch(labels=self.labels, with_existing=True, timeout=120)
        told = until(watch, lambda told: told.kind == 'synced')
        self.assertEqual({each.name for each in told if each.kind == 'existing'}, {task.name})
        self.client.cancel(task)
        told = until(watch, lambda told: told.task and told.task.ended)
        self.assertEqual((told[-1].kind, told[-1].task.state), ('changed', 'CANCELLED'))
        self.client.delete(task)
        told = until(watch, lambda told: told.kind == 'forgotten')
        self.assertEqual(told[-1].name, task.name)
        watch.close()

    def test_a_watch_goes_on_from_its_token(self):
        watch = self.client.watch(labels=self.labels, timeout=120)
        self.assertEqual(next(watch).kind, 'token')
        first = self.spawn('echo', 1, queue='held')
        told = until(watch, lambda told: told.name == first.name)
        watch.close()
        second = self.spawn('echo', 2, queue='held')
        again = self.client.watch(labels=self.labels, timeout=120,
                                  resume_token=told[-1].resume_token)
        told = until(again, lambda told: told.name == second.name)
        again.close()
        self.assertIn(first.name, {each.name for each in told})
        self.assertNotIn('gap', {each.kind for each in told})

    def test_a_watch_ends_in_time(self):
        told = list(self.client.watch(labels=self.labels, timeout=0.01))
        self.assertLessEqual({each.kind for each in told}, {'token'})

    def test_a_list_has_all_pages(self):
        names = [self.spawn('echo', n, queue='held').name for n in range(5)]
        for order, wanted in (('create_time', names), ('create_time desc', names[::-1])):
            found = self.client.list(labels=self.labels, order_by=order, page_size=2, queue='held')
            self.assertEqual([each.name for each in found], wanted)
        self.assertEqual(list(self.client.list(labels=self.labels, states=['RUNNING'])), [])
        self.assertEqual(len(list(self.client.list(names=names[:2], states=['QUEUED']))), 2)

    def test_tasks_are_cancelled_retried_and_forgotten(self):
        task = self.spawn('sleep', HOUR)
        self.assertEqual(self.client.cancel(task).state, 'CANCELLED')
        self.assertEqual(self.client.retry(task).name, task.name)
        self.assertEqual(self.refusal(grove.FailedPrecondition, self.client.delete, task).reason,
                         'TASK_NOT_ENDED')
        self.client.cancel(task)
        other = self.client.retry(task, as_new=True)
        self.assertEqual((other.name == task.name, other.message.retry_of), (False, task.name))
        self.client.cancel(other)
        self.client.delete(task)
        self.assertEqual(self.refusal(grove.NotFound, self.client.get, task).reason,
                         'TASK_NOT_FOUND')

    def test_methods_without_a_verb_are_called_by_their_fields(self):
        self.assertEqual(self.client.call('CountTasks', filter={'worker': 'workers/9'}).total, 0)
        name = 'tenants/default/queues/held'
        self.assertEqual(self.client.call('GetQueue', name=name).queue.name, name)
        self.assertEqual(self.client.call('PauseQueue', name=name, reason='again').queue.name, name)

    def test_errors_say_why(self):
        error = self.refusal(grove.InvalidArgument, self.spawn, 'echo', 1, priority=10)
        self.assertEqual((error.code.name, error.reason, error.retry_delay),
                         ('INVALID_ARGUMENT', 'PRIORITY_OUT_OF_RANGE', None))
        self.assertEqual(error.violations[0][0], 'spec.priority')
        self.assertIn('priority', str(error))

    def test_a_call_has_a_deadline(self):
        client = self.connect(call_timeout=1e-6)
        error = self.refusal(grove.DeadlineExceeded, client.spawn, 'echo')
        self.assertEqual((error.code.name, error.reason), ('DEADLINE_EXCEEDED', ''))

    def test_a_full_queue_says_when_to_come_again(self):
        told = self.client.spawn_many([{'function': 'echo', 'queue': 'small'}] * 3)
        self.assertEqual(told[2].error.reason, 'QUEUE_FULL')
        error = self.refusal(grove.ResourceExhausted, self.spawn, 'echo', queue='small')
        self.assertGreater(error.retry_delay, 0)
        self.assertEqual(error.metadata['depth_max'], '2')
        streamed = list(self.client.spawn_stream([{'function': 'echo', 'queue': 'small'}] * 2))
        self.assertEqual([each.error.reason for each in streamed], ['QUEUE_FULL'] * 2)
        for each in told[:2]:
            self.client.cancel(each.name)

    def test_a_quota_is_waited_for_if_there_is_time(self):
        client = self.connect(tenant='paced', retry_for=600)
        names = {client.spawn('echo', n, durability='VOLATILE').name for n in range(4)}
        names |= {each.name for each in client.spawn_stream(
            {'function': 'echo', 'input': n, 'durability': 'VOLATILE'} for n in range(8))}
        self.assertEqual(len(names), 12)

    def test_a_quota_is_told(self):
        client = self.connect(tenant='bounded')
        client.spawn('echo', durability='VOLATILE')
        error = self.refusal(grove.ResourceExhausted, client.spawn, 'echo')
        self.assertEqual(error.reason, 'QUOTA_SPAWN_RATE')
        self.assertGreater(error.retry_delay, 0)
        self.assertEqual(error.violations[0][0], 'tenants/bounded')


class BlockingTest(Verbs, GroveTest):

    made = grove.Client

    def test_threads_share_one(self):
        outputs = {}

        def run(n):
            outputs[n] = self.client.wait(self.client.spawn('echo', n), 60).output
        threads = [threading.Thread(target=run, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(outputs, {n: n for n in range(8)})

    def test_it_is_closed_with_its_block(self):
        with grove.Client(self.daemon.address('grpc')) as client:
            client.spawn('echo')
        with self.assertRaises(ValueError):
            client.spawn('echo')


class AsyncioTest(Verbs, GroveTest):

    made = Driven

    def test_waits_go_on_side_by_side(self):
        async def run():
            async with grove.aio.Client(self.daemon.address('grpc')) as client:
                tasks = [await client.spawn('sleep', HOUR) for _ in range(8)]
                waits = [asyncio.create_task(client.wait(task)) for task in tasks]
                for task in reversed(tasks):
                    await client.cancel(task)
                return await asyncio.gather(*waits, return_exceptions=True)
        for each in asyncio.run(run()):
            self.assertIsInstance(each, grove.TaskFailed)

    def test_a_stream_takes_what_comes_later(self):
        async def run():
            async with grove.aio.Client(self.daemon.address('grpc')) as client:
                async def specs():
                    for n in range(3):
                        await client.wait(await client.spawn('echo', n))
                        yield {'function': 'echo', 'input': n}
                return [each async for each in client.spawn_stream(specs(), unanswered=1)]
        self.assertEqual([each.error for each in asyncio.run(run())], [None] * 3)

    def test_a_wait_can_be_cancelled(self):
        async def run():
            async with grove.aio.Client(self.daemon.address('grpc')) as client:
                task = await client.spawn('sleep', HOUR)
                with self.assertRaises(asyncio.TimeoutError):
                    await asyncio.wait_for(client.wait(task), 0.01)
                return (await client.cancel(task)).state
        self.assertEqual(asyncio.run(run()), 'CANCELLED')


class DocumentTest(GroveTest):

    def test_the_manuals_examples_do_what_they_say(self):
        self.assertGreater(self.ran('clients.md', read(CLIENTS)), 7)
        theirs = read(CELERY).split('\n## From Python\n')[1].split('\n## ')[0]
        self.assertEqual(self.ran('coming_from_celery.md', theirs), 1)

    def ran(self, name, text):
        """How many blocks of a document were run."""
        blocks = re.findall(r'^```python\n(.*?)^```$', text, re.M | re.S)
        space = {}
        for number, block in enumerate(blocks):
            with self.subTest(block=number):
                code = block.replace('127.0.0.1:8091', self.daemon.serving['control'])
                exec(compile(code, f'{name}, block {number}', 'exec'), space)
        space['client'].close()
        return len(blocks)

    def test_the_manual_for_celery_names_verbs_that_there_are(self):
        named = set(re.findall(r'client\.(\w+)\(', read(CELERY)))
        self.assertGreater(len(named), 8)
        self.assertEqual([name for name in named if not hasattr(grove.Client, name)], [])

    def test_the_manual_has_every_verb_and_exception(self):
        text = read(CLIENTS)
        verbs = [name for name in vars(grove.Client) if name[0] != '_' and name != 'close']
        self.assertGreater(len(verbs), 10)
        for name in verbs:
            self.assertRegex(text, rf'\n\| `{name}\(')
        for name in grove.__all__:
            if issubclass(getattr(grove, name), Exception):
                self.assertRegex(text, rf'\n\| `{name}` \|')


if __name__ == '__main__':
    unittest.main()
