"""A worker in Python: its functions, its end, and what outlasts deaths."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.abspath('python'))

import grove
import grove.worker
from grove_api import CANCELLED, FAILED, RUNNING, SUCCEEDED, TIMED_OUT, spec, tasks
from grove_harness import DEADLINE_S, KilledTest, eventually, free_port

PROGRAM = 'tests/integration/python_tasks.py'
ONCE = tasks.RetryPolicy(max_attempts=1)


class PythonWorkerTest(KilledTest):

    def setUp(self):
        # The worker comes back to the same address.
        self.start(flags=[f'--control=127.0.0.1:{free_port()}'])
        self.api = self.daemon.api()
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def worker(self, drain_timeout=DEADLINE_S):
        """Once it has joined."""
        before = len(self.api.list_workers())
        log = open(os.path.join(self.folder.name, f'log{before}'), 'w', encoding='utf-8')
        self.addCleanup(log.close)
        process = subprocess.Popen(
            [sys.executable, '-B', PROGRAM, self.daemon.address('grpc'), str(drain_timeout)],
            stderr=log)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        eventually('it has joined', lambda: len(self.api.list_workers()) > before)
        return process

    def path(self, name='go'):
        return os.path.join(self.folder.name, name)

    def begun(self, **fields):
        """A task that runs until path() is there."""
        name = self.api.spawn('waits', {'path': self.path(), 'label': 'a'}, labels={'a': 'b'},
                              **fields).name
        eventually('it runs', lambda: self.api.get(name).progress == 0.25)
        return name

    def go(self):
        with open(self.path(), 'w', encoding='utf-8'):
            pass

    def states(self, name):
        return [tasks.Attempt.State.Name(each.state).removeprefix('STATE_')
                for each in self.api.get(name).attempts]

    def test_inputs_are_arguments_and_what_is_returned_is_the_output(self):
        self.worker()
        for given, output in (({'a': 2, 'b': 3}, 5), ({'a': 2}, 3), ([4, 5], 9), (6, 7)):
            self.assertEqual(json.loads(self.api.run('add', given).output), output)
        self.assertEqual(self.api.run('nap', 0).output, b'"slept"')
        raw = self.api.spawn_spec(spec('raw.bytes', input=b'abc', content_type='text/plain')).name
        ended = self.api.wait(raw)
        self.assertEqual((ended.output, ended.output_content_type),
                         (b'cba', 'application/octet-stream'))
        shown = self.daemon.grovectl_json('functions')
        self.assertIn(('default/add', 'Adds two numbers.'),
                      [(each['name'].removeprefix('functions/'), each.get('description'))
                       for each in (shown if isinstance(shown, list) else shown['functions'])])

    def test_exceptions_are_failures_and_say_when_to_come_again(self):
        self.worker()
        later = self.api.run('fails', 'later')
        self.assertEqual(json.loads(later.output), [2, 'so far'])
        for how, attempts, message in (('never', 1, 'no use'), ('always', 3, "KeyError: 'x'")):
            name = self.api.spawn('fails', how).name
            ended = self.api.wait(name)
            self.assertEqual((ended.state, ended.error.message), (FAILED, message))
            self.assertEqual(self.states(name), ['FAILED'] * attempts)

    def test_what_is_cancelled_stops_on_threads_and_on_the_loop(self):
        self.worker()
        thread = self.begun()
        loop = self.api.spawn('nap', 3600).name
        eventually('it runs', lambda: self.api.get(loop).state == RUNNING)
        for name in (thread, loop):
            self.api.cancel(name, 'enough')
            self.assertEqual(self.api.wait(name).state, CANCELLED)
        self.assertEqual(json.loads(self.api.run('add', [1, 1]).output), 2)

    def test_what_is_cancelled_as_it_starts_takes_no_place_for_good(self):
        self.worker()
        for _ in range(40):
            name = self.api.spawn('nap', 3600).name
            self.api.cancel(name)
            self.assertEqual(self.api.wait(name).state, CANCELLED)
        eventually('all places are free', lambda: all(
            each.tasks_running == 0 for each in self.api.list_workers() if each.runtime))

    def test_the_daemon_ends_what_takes_too_long(self):
        self.worker()
        name = self.api.spawn('nap', 3600, timeout=0.01, retry_policy=ONCE).name
        self.assertEqual(self.api.wait(name).state, TIMED_OUT)

    def test_told_to_end_it_finishes_what_runs(self):
        worker = self.worker()
        name = self.begun()
        worker.send_signal(signal.SIGTERM)
        eventually('it drains', lambda: any(each.runtime and each.state == each.STATE_DRAINING
                                            for each in self.api.list_workers()))
        self.go()
        self.assertEqual(worker.wait(DEADLINE_S), 0)
        self.assertEqual(json.loads(self.api.wait(name).output), [worker.pid, 'b'])

    def test_what_it_cannot_finish_it_gives_back(self):
        worker = self.worker(drain_timeout=0)
        name = self.begun()
        worker.send_signal(signal.SIGTERM)
        self.assertEqual(worker.wait(DEADLINE_S), 0)
        self.go()
        other = self.worker()
        self.assertEqual(json.loads(self.api.wait(name).output)[0], other.pid)
        self.assertEqual(self.states(name), ['INTERRUPTED', 'SUCCEEDED'])

    def test_killed_its_task_runs_elsewhere_at_once(self):
        worker, name = self.worker(), None
        name = self.begun(retry_policy=ONCE)
        other = self.worker()
        worker.kill()
        eventually('elsewhere', lambda: len(self.api.get(name).attempts) == 2)
        self.go()
        self.assertEqual(json.loads(self.api.wait(name).output)[0], other.pid)
        self.assertEqual(self.states(name), ['INTERRUPTED', 'SUCCEEDED'])

    def test_a_task_outlasts_the_daemon(self):
        for end in (self.again, self.kill_control):
            worker = self.worker()
            name = self.begun(retry_policy=ONCE)
            # What is on disk is so in order: the task's start is, too.
            self.api.run('echo', 1, durability=tasks.DURABILITY_DURABLE)
            end()
            eventually('it is back', lambda: any(each.runtime for each in self.api.list_workers()))
            self.go()
            ended = self.api.wait(name)
            self.assertEqual((ended.state, json.loads(ended.output)[0]), (SUCCEEDED, worker.pid))
            self.assertEqual(self.states(name), ['SUCCEEDED'])
            worker.send_signal(signal.SIGTERM)
            self.assertEqual(worker.wait(DEADLINE_S), 0)
            os.remove(self.path())

    def test_a_registration_that_is_wrong_is_said_and_not_tried_again(self):
        app = grove.worker.App(self.daemon.address('grpc'))
        with self.assertRaises(grove.InvalidArgument) as refused:
            app.run()
        self.assertEqual(refused.exception.reason, 'REGISTRATION_INVALID')
        app.function('twice')(print)
        with self.assertRaisesRegex(ValueError, "there are two functions 'twice'"):
            app.function('twice')(print)
        with self.assertRaisesRegex(TypeError, "Function has no field 'colour'"):
            app.function('other', colour='red')(print)


if __name__ == '__main__':
    unittest.main()
