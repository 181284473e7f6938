"""What a task may ask for and its function may say, with a daemon that is killed meanwhile."""

import os
import signal
import unittest

import grpc

from grove_api import (FAILED, QUEUED, RUNNING, SUCCEEDED, TIMED_OUT, duration, error_details,
                       inspect_service_pb2, spec, status_details, tasks)
from grove_harness import KilledTest, eventually, free_port

PROMISING = 'tests/integration/promising'
CONFIG = '''tenants:
- name: default
  queues:
  - name: default
  - name: mail
'''
REFUSE = tasks.UniqueKey.ON_CONFLICT_REFUSE
VOLATILE = tasks.DURABILITY_VOLATILE
CAUSES = tasks.WaitExplanation


def micros(stamp):
    return stamp.seconds * 1000000 + stamp.nanos // 1000


def reason(error):
    return status_details(error)['ErrorInfo'].reason


def policy(**fields):
    return tasks.RetryPolicy(**fields)


class FeaturesTest(KilledTest):

    def setUp(self):
        # Control has the same port when it was replaced.
        self.start(binary=PROMISING, config=CONFIG, flags=[f'--control=127.0.0.1:{free_port()}'])
        self.api = self.daemon.api()

    def tearDown(self):
        self.daemon.stop()

    def until(self, name, probe):
        def look():
            task = self.api.get(name)
            return task if probe(task) else None
        return eventually('the task gets there', look)

    # Retries

    def test_the_function_says_when_and_whether_it_is_tried_again(self):
        later = self.api.run('later', retry_policy=policy(max_attempts=2))
        self.assertEqual((later.state, later.output), (SUCCEEDED, b'later'))
        first, second = later.attempts
        self.assertGreaterEqual(micros(second.start_time) - micros(first.end_time), 650000)
        self.assertEqual(first.error.message, 'not yet')
        never = self.api.run('never', retry_policy=policy(max_attempts=9))
        self.assertEqual((never.state, len(never.attempts)), (FAILED, 1))
        self.assertEqual(never.error.message, 'not at all')

    def test_a_task_names_codes_that_are_final(self):
        task = self.api.run('third', retry_policy=policy(max_attempts=9, not_retried_codes=[13]))
        self.assertEqual((task.state, len(task.attempts)), (FAILED, 1))

    def test_what_a_task_does_not_say_its_function_does(self):
        task = self.api.run('third')
        self.assertEqual((task.state, task.output), (SUCCEEDED, b'third'))
        self.assertIn('/queues/mail/', task.name)
        self.assertEqual(task.spec.retry_policy.max_attempts, 3)
        self.assertEqual(task.spec.heartbeat_timeout, duration(20))
        task = self.api.run('third', queue='default', retry_policy=policy(max_attempts=1))
        self.assertEqual((task.state, len(task.attempts)), (FAILED, 1))
        self.assertIn('/queues/default/', task.name)
        reply = self.api.call(self.api.inspect.ListFunctions,
                              inspect_service_pb2.ListFunctionsRequest())
        shown = {each.name.removeprefix('functions/'): each for each in reply.functions}
        self.assertEqual(shown['third'].queue, 'mail')
        self.assertEqual(shown['third'].retry_policy.max_attempts, 3)
        self.assertEqual(list(shown['third'].retry_policy.not_retried_codes), [5])
        self.assertEqual(shown['alone'].concurrency_max, 1)
        self.assertEqual(shown['alone'].queue, 'default')
        listed = self.ctl('functions')
        self.assertRegex(listed, r'(?m)^third +\S+ +3 ')
        self.assertRegex(listed, r'(?m)^alone +\S+ +1 +1 ')

    # One at a time

    def test_no_more_run_at_once_than_the_function_allows(self):
        specs = [spec('alone', durability=VOLATILE) for _ in range(8)]
        names = [result.name for result in self.api.spawn_batch(specs)]
        # Others of its queue pass.
        self.assertEqual(self.api.run('never').state, FAILED)
        ended = [result.task for result in self.api.wait_batch(names)]
        self.assertEqual({task.state for task in ended}, {SUCCEEDED})
        spans = sorted((micros(task.attempts[0].start_time), micros(task.attempts[0].end_time))
                       for task in ended)
        for (_, end), (start, _) in zip(spans, spans[1:]):
            self.assertLessEqual(end, start)

    def test_who_waits_for_its_function_is_told_so(self):
        # They run one by one for two seconds: long enough to be asked.
        names = [result.name for result in self.api.spawn_batch([spec('alone')] * 40)]
        wait = self.api.get(names[-1]).wait
        self.assertEqual((wait.cause, wait.subject, wait.limit),
                         (CAUSES.CAUSE_FUNCTION_FULL, 'functions/alone', 1))
        self.assertIn('function alone is full', self.ctl('tasks', 'explain', names[-1]))
        self.api.wait_batch(names)

    # Time-outs

    def test_a_task_that_waits_too_long_for_its_start_ends(self):
        self.api.resize(0)
        task = self.api.wait(self.api.spawn('later', schedule_to_start_timeout=0.3).name)
        self.assertEqual((task.state, task.error.code, len(task.attempts)), (TIMED_OUT, 4, 0))
        self.assertEqual(reason(task.error), 'SCHEDULE_TO_START_TIMEOUT')
        self.assertIn('pool default is full', task.error.message)

    def test_an_attempt_that_falls_silent_is_ended_and_the_next_one_runs(self):
        task = self.api.run('silent', heartbeat_timeout=0.4, timeout=600,
                            retry_policy=policy(max_attempts=2, initial_backoff=duration(0.01)))
        self.assertEqual((task.state, task.output), (SUCCEEDED, b'spoke'))
        self.assertEqual(reason(task.attempts[0].error), 'HEARTBEAT_TIMEOUT')
        took = micros(task.attempts[0].end_time) - micros(task.attempts[0].start_time)
        self.assertGreaterEqual(took, 700000, 'it spoke for 0.4 s, and was silent for 0.4 s')

    # Checkpoints

    def progressed(self, name, steps):
        return self.until(name, lambda task: int(task.checkpoint or 0) >= steps)

    def test_the_next_attempt_goes_on_where_a_killed_worker_stopped(self):
        task = self.api.spawn('steps', input=b'20 100', content_type='text/plain')
        running = self.progressed(task.name, 3)
        os.kill(running.attempts[-1].worker_pid, signal.SIGKILL)
        ended = self.api.wait(task.name)
        attempt, began = (int(word) for word in ended.output.split())
        self.assertEqual((ended.state, attempt), (SUCCEEDED, 2))
        self.assertGreaterEqual(began, 3)
        self.assertEqual(ended.checkpoint, b'')

    def test_a_checkpoint_outlives_the_death_of_all(self):
        task = self.api.spawn('steps', input=b'20 100', content_type='text/plain')
        self.progressed(task.name, 3)
        # What was shown may be a moment from the disk: what came before it is there.
        self.progressed(task.name, 5)
        self.again()
        ended = self.api.wait(task.name)
        self.assertEqual(ended.state, SUCCEEDED)
        self.assertGreaterEqual(int(ended.output.split()[1]), 3)

    def test_a_checkpoint_outlives_control_while_the_attempt_goes_on(self):
        task = self.api.spawn('steps', input=b'40 100', content_type='text/plain')
        running = self.progressed(task.name, 3)
        self.kill_control()
        eventually('linked again', lambda: self.api.get(task.name).state == RUNNING)
        os.kill(running.attempts[-1].worker_pid, signal.SIGKILL)
        ended = self.api.wait(task.name)
        self.assertEqual(ended.state, SUCCEEDED)
        self.assertGreaterEqual(int(ended.output.split()[1]), 3)

    # Unique keys

    def ask(self, **fields):
        request = tasks.SpawnTaskRequest(spec=spec(
            'steps', input=b'1 1', content_type='text/plain', **fields))
        return self.api.call(self.api.tasks.SpawnTask, request)

    def test_a_second_spawn_attaches_to_the_first_over_the_death_of_all(self):
        key = tasks.UniqueKey(key='nightly')
        first = self.ask(unique_key=key, delay=600)
        self.assertFalse(first.attached)
        self.again()
        second = self.ask(unique_key=key)
        self.assertTrue(second.attached)
        self.assertEqual(second.task.name, first.task.name)
        with self.assertRaises(grpc.RpcError) as caught:
            self.ask(unique_key=tasks.UniqueKey(key='nightly', on_conflict=REFUSE))
        self.assertEqual(caught.exception.code(), grpc.StatusCode.ALREADY_EXISTS)
        self.assertEqual(error_details(caught.exception)['ErrorInfo'].reason, 'UNIQUE_KEY_TAKEN')
        results = self.api.spawn_batch([spec('steps', unique_key=key), spec('never')])
        self.assertEqual([result.attached for result in results], [True, False])
        self.api.cancel(first.task.name)
        self.assertFalse(self.ask(unique_key=key).attached)

    def test_grovectl_asks_for_all_of_it_and_shows_it(self):
        flags = ('--unique_key=k', '--start_timeout=1h', '--heartbeat_timeout=5s', '--delay=10m',
                 '--max_attempts=4', '--backoff=2s', '--max_backoff=1m', '--jitter=0.5',
                 '--not_retried=NOT_FOUND')
        name = self.ctl('spawn', 'steps', '1 1', '--content_type=text/plain', *flags).strip()
        asked = self.api.get(name).spec
        self.assertEqual(asked.unique_key.key, 'k')
        self.assertEqual(asked.schedule_to_start_timeout, duration(3600))
        self.assertEqual(asked.heartbeat_timeout, duration(5))
        retry = asked.retry_policy
        self.assertEqual((retry.max_attempts, retry.jitter, list(retry.not_retried_codes)),
                         (4, 0.5, [5]))
        shown = self.ctl('get', name)
        for line in ('start timeout: *1h', 'heartbeat timeout: *5', 'back-off: *2.* to 1m',
                     'not retried: *NOT_FOUND', 'unique key: *k'):
            self.assertRegex(shown, line)
        again = self.daemon.grovectl('spawn', 'steps', '1 1', '--content_type=text/plain', *flags)
        self.assertEqual((again.stdout.strip(), again.stderr),
                         (name, 'attached to the task that has the key\n'))
        refused = self.daemon.grovectl('spawn', 'steps', '--unique_key=k', '--on_conflict=refuse')
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn('has it, and has not ended', refused.stderr)

    # Numbers of attempts

    def test_no_number_is_given_twice_when_control_dies(self):
        specs = [spec('steps', input=b'1 300', content_type='text/plain') for _ in range(200)]
        names = [result.name for result in self.api.spawn_batch(specs)]
        self.kill_control()
        for result in self.api.wait_batch(names):
            task = result.task
            self.assertEqual(task.state, SUCCEEDED)
            self.assertEqual([each.number for each in task.attempts],
                             list(range(1, len(task.attempts) + 1)))

    def test_volatile_tasks_keep_what_was_asked_over_a_change_of_control(self):
        name = self.api.spawn('steps', durability=VOLATILE, delay=600,
                              unique_key=tasks.UniqueKey(key='v'),
                              heartbeat_timeout=7, schedule_to_start_timeout=8,
                              retry_policy=policy(jitter=0.25, not_retried_codes=[5])).name
        before = self.api.get(name)
        self.ctl('restart', '--control')
        self.api = self.daemon.api()
        self.assertEqual(self.api.get(name).spec, before.spec)
        self.assertTrue(self.ask(unique_key=tasks.UniqueKey(key='v')).attached)
        self.assertEqual(self.api.get(name).state, before.state)
        self.assertNotEqual(before.state, QUEUED)


if __name__ == '__main__':
    unittest.main()
