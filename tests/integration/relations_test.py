"""Tasks that come after others, run in sequences, or give their places back: over deaths of all."""

import os
import shutil
import tempfile
import unittest

import grpc

from grove_api import (CANCELLED, FAILED, RUNNING, SCHEDULED, SUCCEEDED, error_details,
                       queue_service_pb2, spec, status_details, tasks)
from grove_harness import KilledTest, eventually, free_port

SPAWNING = 'tests/integration/spawning'
QUEUE = 'tenants/default/queues/default'
CONFIG = '''
tenants:
  - name: default
    pools: [{name: default, size: 2}]
  - name: acme
'''
AFTER = tasks.WaitExplanation.CAUSE_AFTER
SEQUENCE = tasks.WaitExplanation.CAUSE_SEQUENCE
SUSPENDED = tasks.WaitExplanation.CAUSE_SUSPENDED
IF_SUCCEEDED = tasks.AFTER_CONDITION_SUCCEEDED
HALT = tasks.Sequence(key='s', on_failure=tasks.Sequence.ON_FAILURE_HALT)


def begin(task):
    return task.attempts[-1].start_time.ToNanoseconds()


def end(task):
    return task.end_time.ToNanoseconds()


class RelationsTest(KilledTest):

    def setUp(self):
        # Where the program looks what it is told.
        self.told = tempfile.mkdtemp(prefix='grove-told-')
        self.addCleanup(shutil.rmtree, self.told)
        # Control has the same port when it was replaced.
        self.start(binary=SPAWNING, config=CONFIG, env={'GROVE_TEST_FOLDER': self.told},
                   flags=[f'--control=127.0.0.1:{free_port()}'])
        self.api = self.daemon.api()

    def let_go(self):
        with open(os.path.join(self.told, 'go'), 'w', encoding='utf-8'):
            pass

    def hold(self, **fields):
        """A task that runs until it is let go."""
        return self.api.spawn_spec(
            spec('hold', input=b'x', content_type='text/plain', **fields)).name

    def cause(self, name):
        return self.api.get(name).wait.cause

    def ends(self, name, state=SUCCEEDED):
        task = self.api.wait(name)
        self.assertEqual(task.state, state, task)
        return task

    # After others

    def test_a_task_starts_after_those_that_it_names_whoever_dies(self):
        first = [self.hold() for _ in range(2)]
        last = self.api.spawn('echo', 1, after=first, after_condition=IF_SUCCEEDED).name
        after_last = self.api.spawn('echo', 2, after=[last]).name
        eventually('the first ones run',
                   lambda: all(self.api.get(name).state == RUNNING for name in first))
        self.again()
        self.kill_control()
        self.assertEqual(self.api.get(last).state, SCHEDULED)
        self.assertEqual(self.cause(last), AFTER)
        self.assertIn('of which 0 have ended', self.ctl('tasks', 'explain', last))
        self.let_go()
        self.assertGreaterEqual(begin(self.ends(after_last)), end(self.ends(last)))
        self.assertGreaterEqual(begin(self.api.get(last)),
                                max(end(self.api.get(name)) for name in first))
        # What has ended is still looked up after another death.
        another = self.api.spawn('echo', 3, after=first, after_condition=IF_SUCCEEDED).name
        self.again()
        self.ends(another)
        self.daemon.stop()

    def test_one_fails_with_those_that_it_comes_after(self):
        held = self.hold()
        failing = self.api.spawn('fail', delay=3600).name
        last = self.api.spawn('echo', after=[held, failing], after_condition=IF_SUCCEEDED).name
        beyond = self.api.spawn('echo', after=[last], after_condition=IF_SUCCEEDED).name
        anyway = self.api.spawn('echo', after=[last]).name
        self.again()
        self.ctl('tasks', 'retry', failing)  # it fails now
        for name in (last, beyond):
            task = self.ends(name, FAILED)
            self.assertEqual(status_details(task.error)['ErrorInfo'].reason, 'AFTER_FAILED')
            self.assertEqual(len(task.attempts), 0)
        self.ends(anyway)
        self.let_go()
        self.daemon.stop()

    def test_no_task_comes_after_another_tenants(self):
        other = self.api.call(self.api.tasks.SpawnTask, tasks.SpawnTaskRequest(
            parent='tenants/acme', spec=spec('echo', 1))).task.name
        errors = []
        for name in (other, f'{QUEUE}/tasks/01ARZ3NDEKTSV4RRFFQ69G5FAV'):
            with self.assertRaises(grpc.RpcError) as refused:
                self.api.spawn('echo', after=[name])
            self.assertEqual(refused.exception.code(), grpc.StatusCode.NOT_FOUND)
            self.assertEqual(error_details(refused.exception)['ErrorInfo'].reason,
                             'AFTER_NOT_FOUND')
            errors.append(refused.exception.details().replace(name, 'NAME'))
        self.assertEqual(errors[0], errors[1])
        self.daemon.stop()

    def test_a_batch_is_completed_once(self):
        request = tasks.BatchSpawnTasksRequest(
            request_id='batch', specs=[spec('hold', input=b'x', content_type='text/plain')] * 2,
            completion=spec('echo', 'whole'))
        answer = self.api.call(self.api.tasks.BatchSpawnTasks, request)
        completion = answer.completion.name
        self.assertEqual(list(self.api.get(completion).spec.after),
                         [result.name for result in answer.results])
        self.again()
        self.assertEqual(self.api.call(self.api.tasks.BatchSpawnTasks, request), answer)
        self.assertEqual(self.cause(completion), AFTER)
        self.let_go()
        self.assertEqual(self.ends(completion).output, b'"whole"')
        # Not without all of them; sent again with what was wrong mended, it is whole.
        request = tasks.BatchSpawnTasksRequest(
            request_id='second', specs=[spec('echo', 1), spec('no-such')],
            completion=spec('echo', 'whole'))
        answer = self.api.call(self.api.tasks.BatchSpawnTasks, request)
        self.assertTrue(answer.results[0].name)
        self.assertEqual(answer.completion.error.code, grpc.StatusCode.FAILED_PRECONDITION.value[0])
        self.assertEqual(status_details(answer.completion.error)['ErrorInfo'].reason,
                         'BATCH_INCOMPLETE')
        request.specs[1].function = 'echo'
        again = self.api.call(self.api.tasks.BatchSpawnTasks, request)
        self.assertEqual(again.results[0].name, answer.results[0].name)
        self.ends(again.completion.name)
        with self.assertRaises(grpc.RpcError) as refused:
            self.api.call(self.api.tasks.BatchSpawnTasks,
                          tasks.BatchSpawnTasksRequest(request_id='x' * 101))
        self.assertEqual(error_details(refused.exception)['ErrorInfo'].reason,
                         'BATCH_REQUEST_ID_INVALID')
        names = self.ctl('spawn', 'echo', '1', '--count=3', '--completion=echo',
                         '--completion_input="whole"', '-o', 'name').split()
        self.assertEqual(len(self.api.get(names[-1]).spec.after), 3)
        self.daemon.stop()

    # Sequences

    def test_a_sequence_runs_in_its_order_whoever_dies(self):
        self.api.call(self.api.queues.PauseQueue, queue_service_pb2.PauseQueueRequest(name=QUEUE))
        specs = [spec('echo', n, sequence=tasks.Sequence(key='s'), priority=n % 10)
                 for n in range(20)]
        names = [result.name for result in self.api.spawn_batch(specs)]
        self.again()
        self.assertEqual(self.cause(names[-1]), SEQUENCE)
        self.assertEqual(self.api.get(names[-1]).wait.subject, names[0])
        self.ctl('queues', 'resume', 'default')
        self.kill_control()
        ended = [self.ends(name) for name in names]
        for before, after in zip(ended, ended[1:]):
            self.assertLessEqual(end(before), begin(after))
        self.assertEqual(len(self.ctl('tasks', 'list', '--sequence=s', '-o', 'name').split()), 20)
        self.daemon.stop()

    def test_a_failure_halts_a_sequence_until_it_is_gone(self):
        first = self.api.spawn('fail', sequence=HALT).name
        second = self.api.spawn('echo', sequence=HALT).name
        self.ends(first, FAILED)
        self.again()
        self.assertEqual(self.cause(second), SEQUENCE)
        self.assertIn('is halted by', self.ctl('tasks', 'explain', second))
        self.ctl('tasks', 'retry', first)
        self.ends(first, FAILED)
        self.assertEqual(self.api.get(second).state, SCHEDULED)
        self.ctl('tasks', 'delete', first, '--yes')
        self.ends(second)
        self.daemon.stop()

    # Suspension

    def all_is_written(self):
        """What was seen so far outlasts a death: a spawn is answered when it is on disk, and the
        store writes in order."""
        self.api.spawn('echo', delay=3600, durability=tasks.DURABILITY_DURABLE)

    def test_a_function_waits_without_its_place_whoever_dies(self):
        # Two slots, as many as there are children.
        gather = self.api.spawn_spec(spec('gather', input=b'2', content_type='text/plain')).name
        eventually('it is suspended', lambda: self.cause(gather) == SUSPENDED)
        self.all_is_written()
        children = list(self.api.get(gather).suspended_for)
        self.assertEqual(len(children), 2)
        self.again()
        self.assertEqual(list(self.api.get(gather).suspended_for), children)
        self.assertIn(children[0], self.ctl('get', gather))
        eventually('both children run',
                   lambda: all(self.api.get(name).state == RUNNING for name in children))
        self.kill_control()
        self.let_go()
        task = self.ends(gather)
        lines = task.output.decode().split('\n')
        self.assertEqual(lines[:-1], children)
        self.assertEqual([attempt.state for attempt in task.attempts][-2:],
                         [tasks.Attempt.STATE_SUSPENDED, tasks.Attempt.STATE_SUCCEEDED])
        self.daemon.stop()

    def test_a_function_sleeps_over_a_death(self):
        nap = self.api.spawn_spec(spec('nap', input=b'1500', content_type='text/plain')).name
        eventually('it is suspended', lambda: self.cause(nap) == SUSPENDED)
        self.all_is_written()
        self.again()
        task = self.ends(nap)
        self.assertEqual(task.output, b'2')
        self.assertGreaterEqual(begin(task) - task.attempts[0].end_time.ToNanoseconds(),
                                1_500_000_000)
        self.daemon.stop()

    # Families

    def test_a_cancel_reaches_descendants(self):
        parent = self.api.spawn_spec(
            spec('parent', input=b'hold 3 durable', content_type='text/plain')).name

        def children():
            return self.api.list(filter=tasks.TaskFilter(parent_task=parent)).tasks
        eventually('it has three', lambda: len(children()) == 3)
        other = self.hold()
        self.assertIn('CANCELLED', self.ctl('tasks', 'cancel', parent, '--descendants',
                                            '--reason=enough'))
        for child in children():
            task = self.ends(child.name, CANCELLED)
            self.assertIn('enough', task.error.message)
        self.assertNotEqual(self.api.get(other).state, CANCELLED)
        # By the short verb, too.
        parent = self.api.spawn_spec(
            spec('parent', input=b'hold 3 durable', content_type='text/plain')).name
        eventually('it has three', lambda: len(children()) == 3)
        self.assertIn('CANCELLED', self.ctl('cancel', parent, '--descendants'))
        for child in children():
            self.ends(child.name, CANCELLED)
        # One that leaves them alone.
        lone = self.api.spawn_spec(
            spec('parent', input=b'hold 1 durable', content_type='text/plain')).name
        eventually('it has one', lambda: self.api.list(
            filter=tasks.TaskFilter(parent_task=lone)).tasks)
        self.api.cancel(lone)
        [child] = self.api.list(filter=tasks.TaskFilter(parent_task=lone)).tasks
        self.let_go()
        self.ends(child.name)
        self.daemon.stop()

    def test_a_task_is_tried_again_as_a_new_one(self):
        large = 'x' * 100000  # not in memory
        first = self.ends(self.api.spawn(
            'echo', large, request_id='r', labels={'a': 'b'}, delay=0.01,
            unique_key=tasks.UniqueKey(key='u')).name)
        self.again()
        for name in (first.name, self.hold()):
            again = self.api.call(self.api.tasks.RetryTask, tasks.RetryTaskRequest(
                name=name, as_new=True)).task
            self.assertNotEqual(again.name, name)
            self.assertEqual(again.retry_of, name)
            self.assertEqual(again.spec.request_id, '')
            self.assertFalse(again.spec.HasField('unique_key') or again.spec.HasField('delay'))
        self.assertEqual(self.api.get(first.name).state, SUCCEEDED)
        self.let_go()
        shown = self.ctl('tasks', 'retry', first.name, '--as_new', '-o', 'name').strip()
        again = self.ends(shown)
        self.assertEqual((again.retry_of, again.output), (first.name, f'"{large}"'.encode()))
        self.assertEqual(dict(again.spec.labels), {'a': 'b'})
        self.again()
        self.assertEqual(self.api.get(shown).retry_of, first.name)
        self.daemon.stop()

    def test_code_in_workers_names_what_tasks_come_after(self):
        first = self.ends(self.api.spawn_spec(
            spec('first', input=b'x', content_type='text/plain')).name)
        held, following = first.output.decode().split('\n')
        task = self.api.get(following)
        self.assertEqual(list(task.spec.after), [held])
        self.assertEqual(task.spec.after_condition, IF_SUCCEEDED)
        self.assertEqual(task.spec.sequence.key, 'inside')
        self.assertEqual(task.spec.sequence.on_failure, tasks.Sequence.ON_FAILURE_HALT)
        self.let_go()
        self.ends(following)
        self.daemon.stop()


if __name__ == '__main__':
    unittest.main()
