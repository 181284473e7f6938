"""What is left of tasks when processes are killed: the whole daemon, and control alone."""

import json
import os
import signal
import unittest

import grpc

from feed_server import FETCH_HERE, serve_feeds
from grove_api import QUEUED, RUNNING, SCHEDULED, SUCCEEDED, spec, tasks
from grove_harness import OwnDaemonTest, eventually

VOLATILE = tasks.DURABILITY_VOLATILE


class DurabilityTest(OwnDaemonTest):

    def running(self, api, name):
        return eventually('the task runs', lambda: (lambda task: task if task.state == RUNNING
                                                    else None)(api.get(name)))

    def test_durable_tasks_survive_the_death_of_the_daemon(self):
        daemon = self.start()
        api = daemon.api()
        ended = api.run('echo', {'kept': True})
        results = api.spawn_batch([spec('sleep', {'seconds': 0.2}) for _ in range(50)])
        names = [result.name for result in results]
        later = api.spawn('echo', {'later': 1}, delay=1.5)
        held = api.spawn('sleep', {'seconds': 600})
        self.running(api, held.name)
        lost = api.spawn('sleep', {'seconds': 600}, durability=VOLATILE)
        daemon.kill_all()

        daemon.start()
        api = daemon.api()
        # As they were when they were acknowledged, in any state that can follow.
        self.assertEqual(json.loads(api.get(ended.name).output), {'kept': True})
        self.assertIn(api.get(later.name).state, (SCHEDULED, QUEUED, RUNNING, SUCCEEDED))
        self.assertEqual({result.task.state for result in api.wait_batch(names)}, {SUCCEEDED})
        self.assertEqual(api.wait(later.name).output, b'{"later": 1}')
        task = self.running(api, held.name)
        self.assertEqual(task.attempts[-1].state, tasks.Attempt.STATE_RUNNING)
        self.assertEqual([each.state for each in task.attempts[:-1]],
                         [tasks.Attempt.STATE_INTERRUPTED] * (len(task.attempts) - 1))
        api.cancel(held.name)
        with self.assertRaises(grpc.RpcError) as caught:
            api.get(lost.name)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.NOT_FOUND)
        daemon.stop()

    def test_a_stopped_daemon_goes_on_with_what_waited(self):
        daemon = self.start()
        api = daemon.api()
        api.resize(0)
        names = [result.name for result in api.spawn_batch([spec('echo', {})] * 20)]
        daemon.stop()
        daemon.start()
        results = daemon.api().wait_batch(names)
        self.assertEqual({result.task.state for result in results}, {SUCCEEDED})
        daemon.stop()

    def test_a_task_goes_on_while_control_is_killed_and_its_result_arrives(self):
        feeds = serve_feeds(self)
        daemon = self.start(config=FETCH_HERE)
        api = daemon.api()
        name = api.spawn('http.fetch', {'url': feeds.url('held/page.html')}).name
        before = self.running(api, name)
        volatile = api.spawn('sleep', {'seconds': 600}, durability=VOLATILE)
        self.running(api, volatile.name)
        control, workers = daemon.pid_of('grove-control'), self.workers(daemon)
        addresses = os.stat(os.path.join(daemon.run_dir, 'control.addresses')).st_mtime_ns
        os.kill(control, signal.SIGKILL)
        # HTTP does not notice.
        self.assertEqual(daemon.get('/'), (200, 'Hello, World!\n'))
        eventually('control listens again', lambda: os.stat(os.path.join(
            daemon.run_dir, 'control.addresses')).st_mtime_ns != addresses)
        self.assertNotEqual(daemon.pid_of('grove-control'), control)
        self.assertEqual(self.workers(daemon), workers)

        api = daemon.api()
        self.running(api, name)
        feeds.release()
        task = api.wait(name)
        self.assertEqual(task.state, SUCCEEDED)
        [attempt] = task.attempts
        self.assertEqual((attempt.number, attempt.worker_pid),
                         (1, before.attempts[0].worker_pid))
        # What control forgot is not left running.
        eventually('nothing runs', lambda: sum(each.tasks_running for each in
                                               api.list_workers()) == 0)
        self.assertEqual(api.run('echo', {}).state, SUCCEEDED)
        daemon.stop()

    @staticmethod
    def workers(daemon):
        return {name: pid for pid, name in daemon.processes().items()
                if name.startswith('grove-w')}


if __name__ == '__main__':
    unittest.main()
