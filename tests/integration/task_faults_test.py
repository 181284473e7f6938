"""Tasks where clocks, processes and callers do what they should not."""

import os
import shutil
import signal
import tempfile
import time
import unittest

import grpc

from grove_api import FAILED, QUEUED, RUNNING, SUCCEEDED, error_details, spec, tasks
from grove_harness import OwnDaemonTest, eventually

# With the C and C++ libraries' heap before jemalloc's, which asks for the time as it starts, while
# libfaketime asks it for memory: each would wait for the other.
FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1 libc.so.6 libstdc++.so.6'


class ClockTest(OwnDaemonTest):
    """The wall clock is set while the daemon runs."""

    def start_on_a_clock(self):
        """A daemon, and what sets its wall clock ahead by so many seconds."""
        folder = tempfile.mkdtemp(prefix='grove-clock-', dir='/tmp')
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, 'clock')

        def set_clock(offset):
            with open(path + '.new', 'w', encoding='utf-8') as file:
                file.write(f'{offset:+d}\n')
            os.rename(path + '.new', path)

        set_clock(0)
        daemon = self.start(env={'LD_PRELOAD': FAKETIME, 'DONT_FAKE_MONOTONIC': '1',
                                 'FAKETIME_TIMESTAMP_FILE': path, 'FAKETIME_NO_CACHE': '1'})
        return daemon, set_clock

    def test_moves_no_delay_back_off_or_time_out(self):
        for offset in (-3600, 3600):
            with self.subTest(offset=offset):
                daemon, set_clock = self.start_on_a_clock()
                api = daemon.api()
                held = api.spawn('sleep', {'seconds': 600})
                eventually('it runs', lambda: api.get(held.name).state == RUNNING)
                kept = api.run('echo', 1)
                delayed = api.spawn('echo', 1, delay=1)
                set_clock(offset)
                # Not in the round that had begun.
                eventually('control is on the new clock', lambda offset=offset: abs(
                    api.run('echo', 1).create_time.seconds - time.time() - offset) < 120)
                began = time.monotonic()
                failing = api.spawn('fail', {'code': 'INTERNAL', 'message': 'x'},
                                    retry_policy=tasks.RetryPolicy(max_attempts=2))
                self.assertEqual(api.wait(delayed.name).state, SUCCEEDED)
                self.assertEqual(api.wait(failing.name).state, FAILED)
                # A second each; set back, they would take an hour.
                self.assertLess(time.monotonic() - began, 60)
                self.assertGreater(time.monotonic() - began, 0.9)
                # An hour ahead, its time-out would have passed and the ended one be forgotten.
                self.assertEqual(api.get(held.name).state, RUNNING)
                self.assertEqual(api.get(kept.name).state, SUCCEEDED)
                # What is shown is on the clock as it is.
                shown = api.get(failing.name).create_time.seconds
                self.assertLess(abs(shown - (time.time() + offset)), 120)
                api.cancel(held.name)
                daemon.stop()


class RequestIdTest(OwnDaemonTest):

    def test_stands_for_one_request(self):
        daemon = self.start()
        api = daemon.api()
        first = api.spawn('echo', {'a': 1}, request_id='r')
        self.assertEqual(api.spawn('echo', {'a': 1}, request_id='r').name, first.name)
        for function, value in (('echo', {'a': 2}), ('sleep', {'a': 1})):
            with self.assertRaises(grpc.RpcError) as caught:
                api.spawn(function, value, request_id='r')
            error = caught.exception
            self.assertEqual(error.code(), grpc.StatusCode.ALREADY_EXISTS)
            info = error_details(error)['ErrorInfo']
            self.assertEqual(info.reason, 'REQUEST_ID_REUSED')
            self.assertEqual(info.metadata['task'], first.name)
            self.assertNotEqual(info.metadata['fingerprint'],
                                info.metadata['fingerprint_of_request'])
        daemon.stop()


class StandstillTest(OwnDaemonTest):

    def test_what_ended_while_control_stood_still_has_ended(self):
        daemon = self.start()
        api = daemon.api()
        names = [api.spawn('sleep', {'seconds': 0.3}, timeout=1).name for _ in range(20)]
        eventually('all run', lambda: all(api.get(name).state == RUNNING for name in names)
                   or api.get(names[0]).state == SUCCEEDED)
        control = daemon.pid_of('grove-control')
        os.kill(control, signal.SIGSTOP)
        stopped = time.monotonic()
        # Beyond the time-out and control's grace.
        eventually('their time is over', lambda: time.monotonic() - stopped > 3.5)
        os.kill(control, signal.SIGCONT)
        self.assertEqual({api.wait(name).state for name in names}, {SUCCEEDED})
        daemon.stop()

    def test_what_a_stopped_worker_has_not_started_another_takes(self):
        daemon = self.start(config='runtime: {stuck_ms: 500, stuck_kill_ms: 0}')
        api = daemon.api()
        worker = daemon.pid_of('grove-w0')
        os.kill(worker, signal.SIGSTOP)
        try:
            results = api.spawn_batch([spec('echo', i) for i in range(20)])
            names = [result.name for result in results]
            waited = api.wait_batch(names)
            self.assertEqual({result.task.state for result in waited}, {SUCCEEDED})
            self.assertEqual({result.task.attempts[-1].worker for result in waited},
                             {'workers/1'})
        finally:
            os.kill(worker, signal.SIGCONT)
        eventually('it works again', lambda: any(
            api.run('echo', 1).attempts[-1].worker == 'workers/0' for _ in range(10)))
        daemon.stop()

    def test_nor_does_a_time_out_end_what_was_not_started(self):
        # Control does not know yet that the worker is stuck.
        daemon = self.start(config='runtime: {stuck_ms: 60000}')
        api = daemon.api()
        worker = daemon.pid_of('grove-w0')
        os.kill(worker, signal.SIGSTOP)
        try:
            results = api.spawn_batch([spec('echo', i, timeout=0.1) for i in range(6)])
            waited = api.wait_batch([result.name for result in results])
            self.assertEqual({result.task.state for result in waited}, {SUCCEEDED})
        finally:
            os.kill(worker, signal.SIGCONT)
        daemon.stop()


class DaemonDeathTest(OwnDaemonTest):

    def test_fails_no_task_however_often(self):
        daemon = self.start(config='tasks: {interruptions_max: 2}')
        name = daemon.api().spawn('sleep', {'seconds': 600}).name
        for _ in range(3):
            eventually('it runs', lambda: daemon.api().get(name).state == RUNNING)
            daemon.kill_all()
            daemon.start()
        task = eventually('it runs', lambda: (lambda each: each if each.state == RUNNING else None)(
            daemon.api().get(name)))
        self.assertEqual([each.error.message for each in task.attempts[:-1]],
                         ['the daemon ended while it ran'] * 3)
        # Its worker's own deaths still do.
        for _ in range(2):
            eventually('it runs', lambda: daemon.api().get(name).state == RUNNING)
            attempt = daemon.api().get(name).attempts[-1]
            os.kill(attempt.worker_pid, signal.SIGKILL)
            eventually('it was interrupted', lambda: daemon.api().get(name).state != RUNNING
                       or daemon.api().get(name).attempts[-1].number > attempt.number)
        self.assertEqual(daemon.api().wait(name).state, FAILED)
        # A death that is found while it stops would be taken for one of the drain's.
        eventually('the supervisor has seen both',
                   lambda: daemon.log().count('"died" name=grove-w') == 2)
        daemon.stop()


class StoreTest(OwnDaemonTest):

    def test_a_failing_store_is_said_everywhere_and_heals(self):
        daemon = self.start()
        api = daemon.api()
        api.run('echo', 1)
        database = os.path.join(daemon.state_dir, 'tasks.db')
        os.link(database, database + '.right')
        shutil.copy(database, database + '.wrong')
        os.replace(database + '.wrong', database)
        status, text = eventually('readyz says so', lambda: (
            lambda answer: answer if answer[0] == 503 else None)(daemon.admin('/readyz')))
        self.assertIn('was replaced while it was open', text)
        self.assertEqual(daemon.metrics()['grove_store_failing'], 1)
        self.assertIn('"the task store fails; durable tasks wait for it"', daemon.log())
        with self.assertRaises(grpc.RpcError) as caught:
            api.spawn('echo', 2)
        self.assertEqual(error_details(caught.exception)['ErrorInfo'].reason, 'STORE_UNAVAILABLE')
        self.assertEqual(api.run('echo', 3, durability=tasks.DURABILITY_VOLATILE).state, SUCCEEDED)
        os.replace(database + '.right', database)
        eventually('it is ready again', lambda: daemon.admin('/readyz')[0] == 200)
        self.assertEqual(daemon.metrics()['grove_store_failing'], 0)
        self.assertEqual(api.run('echo', 4).state, SUCCEEDED)
        daemon.stop()

    def test_a_deleted_log_loses_nothing(self):
        daemon = self.start()
        api = daemon.api()
        names = [api.run('echo', i).name for i in range(5)]
        os.unlink(os.path.join(daemon.state_dir, 'tasks.db-wal'))
        eventually('it is said', lambda: 'was deleted' in daemon.log())
        names.append(api.run('echo', 5).name)
        daemon.stop()
        daemon.start()
        self.assertEqual([daemon.api().get(name).output for name in names],
                         [str(i).encode() for i in range(6)])
        daemon.stop()


class PageTokenTest(OwnDaemonTest):

    def test_of_another_filter_is_refused(self):
        daemon = self.start()
        api = daemon.api()
        api.resize(0)
        api.spawn_batch([spec('echo', i) for i in range(3)])
        token = api.list(page_size=1).next_page_token
        self.assertEqual(len(api.list(page_token=token).tasks), 2)
        for other in ({'states': [QUEUED]}, {'function': 'echo'}, {'view': tasks.TASK_VIEW_FULL},
                      {'parent': 'tenants/default/queues/default'}):
            with self.assertRaises(grpc.RpcError) as caught:
                api.list(page_token=token, **other)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT, other)
        api.resize(10)
        daemon.stop()


if __name__ == '__main__':
    unittest.main()
