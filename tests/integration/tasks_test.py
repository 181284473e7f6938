"""The life of tasks over gRPC: every built-in function, every state, every way to end."""

import json
import time
import unittest

import grpc

from grove_api import (CANCELLED, FAILED, QUEUE, QUEUED, RUNNING, SCHEDULED, SUCCEEDED, TIMED_OUT,
                       error_details, inspect_service_pb2, spec, tasks)
from grove_harness import GroveTest, eventually

Attempt = tasks.Attempt


def seconds(stamp):
    return stamp.seconds + stamp.nanos / 1e9


class TasksTest(GroveTest):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.api = cls.daemon.api()

    def running(self, task):
        """The task once it runs."""
        def probe():
            found = self.api.get(task.name)
            return found if found.state == RUNNING and found.attempts[0].fiber else None
        return eventually('the task runs on a fiber', probe)

    # Functions

    def test_echo_returns_its_input_with_the_worker_and_the_times(self):
        before = time.time()
        task = self.api.run('echo', {'any': 'thing'})
        self.assertEqual(task.state, SUCCEEDED)
        self.assertEqual(json.loads(task.output), {'any': 'thing'})
        self.assertEqual(task.output_content_type, 'application/json')
        self.assertRegex(task.name, f'^{QUEUE}/tasks/[0-9A-Z]{{26}}$')
        [attempt] = task.attempts
        self.assertEqual((attempt.number, attempt.state), (1, Attempt.STATE_SUCCEEDED))
        self.assertRegex(attempt.worker, '^workers/[01]$')
        slot = int(attempt.worker.removeprefix('workers/'))
        self.assertEqual(attempt.worker_pid, self.daemon.pid_of(f'grove-w{slot}'))
        self.assertLessEqual(before - 1, seconds(task.create_time))
        self.assertLessEqual(seconds(task.create_time), seconds(attempt.end_time))
        self.assertLessEqual(seconds(attempt.start_time), seconds(attempt.end_time))
        self.assertLessEqual(seconds(attempt.end_time), seconds(task.end_time) + 1e-3)

    def test_echo_takes_any_bytes(self):
        for size in (0, 1, 1 << 20):
            data = bytes(range(256)) * (size // 256) + b'\xff' * (size % 256)
            task = self.api.wait(self.api.spawn('echo', input=data, content_type='x/y').name)
            self.assertEqual((task.state, task.output == data, task.output_content_type),
                             (SUCCEEDED, True, 'x/y'))

    def test_sleep_takes_as_long_as_it_is_told(self):
        task = self.api.run('sleep', {'seconds': 0.3})
        self.assertEqual(task.state, SUCCEEDED)
        took = seconds(task.attempts[0].end_time) - seconds(task.attempts[0].start_time)
        self.assertGreaterEqual(took, 0.3)

    def test_fail_fails_as_it_is_told(self):
        task = self.api.run('fail', {'code': 'NOT_FOUND', 'message': 'no such thing'})
        self.assertEqual(task.state, FAILED)
        self.assertEqual((task.error.code, task.error.message), (5, 'no such thing'))
        self.assertEqual(task.attempts[0].state, Attempt.STATE_FAILED)
        self.assertEqual(task.attempts[0].error.message, 'no such thing')

    def test_an_exception_fails_the_task_and_not_the_worker(self):
        pids = self.daemon.processes()
        task = self.api.run('fail', {'exception': True, 'message': 'thrown'})
        self.assertEqual(task.state, FAILED)
        self.assertIn('thrown', task.error.message)
        self.assertEqual(self.daemon.processes(), pids)

    def test_input_that_a_function_cannot_use_fails_the_task(self):
        task = self.api.run('sleep', {'second': 1})
        self.assertEqual((task.state, task.error.code), (FAILED, 3))

    def test_functions_are_listed(self):
        reply = self.api.call(self.api.inspect.ListFunctions,
                              inspect_service_pb2.ListFunctionsRequest())
        self.assertEqual(sorted(each.name for each in reply.functions),
                         [f'functions/{name}' for name in
                          ('checksum', 'echo', 'fail', 'feed.titles', 'http.fetch',
                           'http.request', 'sleep',
                           'task.webhook')])
        for each in reply.functions:
            self.assertTrue(each.description and each.input_example, each)

    # States

    def test_a_running_task_names_its_worker_and_fiber(self):
        task = self.running(self.api.spawn('sleep', {'seconds': 600}))
        [attempt] = task.attempts
        self.assertEqual(attempt.state, Attempt.STATE_RUNNING)
        self.assertRegex(attempt.fiber, f'^{attempt.worker}/fibers/[0-9]+$')
        fibers = {each.name: each for each in self.api.list_fibers().fibers}
        fiber = fibers[attempt.fiber]
        self.assertEqual(fiber.task, task.name)
        self.assertEqual(fiber.waiting_for, 'timer')
        self.assertFalse(fiber.stack)
        one = self.api.get_fiber(attempt.fiber)
        self.assertEqual(one.name, attempt.fiber)
        self.assertIn('grove::Sleep()', '\n'.join(one.stack))
        self.assertGreater(one.stack_used_bytes, 0)
        self.assertLessEqual(one.stack_used_bytes, one.stack_bytes)
        full = self.api.list_fibers(view=inspect_service_pb2.FIBER_VIEW_FULL).fibers
        self.assertEqual(list({each.name: each for each in full}[attempt.fiber].stack),
                         list(one.stack))
        self.api.cancel(task.name)

    def test_a_delayed_task_is_scheduled_until_then(self):
        task = self.api.spawn('echo', {}, delay=0.4)
        self.assertEqual(task.state, SCHEDULED)
        self.assertIn('starts at', task.waiting_reason)
        self.assertAlmostEqual(seconds(task.schedule_time) - seconds(task.create_time), 0.4,
                               delta=0.05)
        ended = self.api.wait(task.name)
        self.assertEqual(ended.state, SUCCEEDED)
        self.assertGreaterEqual(seconds(ended.attempts[0].start_time),
                                seconds(task.schedule_time) - 1e-3)

    def test_a_time_out_ends_a_task_as_timed_out(self):
        task = self.api.run('sleep', {'seconds': 600}, timeout=0.2)
        self.assertEqual(task.state, TIMED_OUT)
        self.assertEqual((task.error.code, task.attempts[0].state),
                         (4, Attempt.STATE_TIMED_OUT))
        took = seconds(task.attempts[0].end_time) - seconds(task.attempts[0].start_time)
        self.assertGreaterEqual(took, 0.19)

    def test_cancelling_a_running_task_ends_it_at_once(self):
        task = self.running(self.api.spawn('sleep', {'seconds': 600}))
        self.assertEqual(self.api.cancel(task.name, 'changed my mind').state, CANCELLED)
        ended = self.api.wait(task.name)
        self.assertEqual(ended.state, CANCELLED)
        self.assertIn('changed my mind', ended.error.message)
        eventually('its fiber is gone', lambda: task.attempts[0].fiber not in
                   [fiber.name for fiber in self.api.list_fibers().fibers])

    def test_cancelling_a_scheduled_task_ends_it_at_once(self):
        task = self.api.spawn('echo', {}, delay=600)
        self.assertEqual(self.api.cancel(task.name).state, CANCELLED)
        self.assertEqual(len(self.api.get(task.name).attempts), 0)

    def test_cancelling_an_ended_task_changes_nothing(self):
        task = self.api.run('echo', {})
        as_it_is = self.api.get(task.name, view=tasks.TASK_VIEW_BASIC)
        self.assertEqual(self.api.cancel(task.name), as_it_is)

    def test_retries_follow_the_policy(self):
        policy = tasks.RetryPolicy(max_attempts=3, backoff_multiplier=1.0)
        policy.initial_backoff.nanos = 50_000_000
        policy.max_backoff.nanos = 50_000_000
        task = self.api.run('fail', {}, retry_policy=policy)
        self.assertEqual(task.state, FAILED)
        self.assertEqual([each.number for each in task.attempts], [1, 2, 3])
        self.assertEqual({each.state for each in task.attempts}, {Attempt.STATE_FAILED})
        for earlier, later in zip(task.attempts, task.attempts[1:]):
            self.assertGreater(seconds(later.start_time), seconds(earlier.end_time) + 0.02)

    # Waiting

    def test_waiting_returns_the_task_as_it_is_when_its_time_is_over(self):
        task = self.api.spawn('sleep', {'seconds': 600})
        self.assertIn(self.api.wait(task.name, 0.1).state, (QUEUED, RUNNING))
        self.api.cancel(task.name)

    def test_many_wait_for_one_task(self):
        task = self.api.spawn('sleep', {'seconds': 600})
        waits = [self.api.tasks.WaitTask.future(tasks.WaitTaskRequest(name=task.name), timeout=30)
                 for _ in range(20)]
        self.running(task)
        self.api.cancel(task.name)
        self.assertEqual({wait.result().task.state for wait in waits}, {CANCELLED})

    # Batches and lists

    def test_batches_spawn_and_wait_in_order(self):
        specs = [spec('echo', {'number': number}) for number in range(500)]
        results = self.api.spawn_batch(specs)
        names = [result.name for result in results]
        self.assertEqual(len(set(names)), 500)
        ended = self.api.wait_batch(names)
        self.assertEqual([json.loads(result.task.output)['number'] for result in ended],
                         list(range(500)))
        self.assertEqual({result.task.state for result in ended}, {SUCCEEDED})

    def test_each_task_of_a_batch_is_accepted_or_refused_on_its_own(self):
        results = self.api.spawn_batch([spec('echo', {}), spec('nope'), spec('echo', {})])
        self.assertEqual([result.WhichOneof('result') for result in results],
                         ['name', 'error', 'name'])
        self.assertEqual(results[1].error.code, 3)
        ended = self.api.wait_batch([results[0].name, QUEUE + '/tasks/' + '0' * 26])
        self.assertEqual([result.WhichOneof('result') for result in ended], ['task', 'error'])
        self.assertEqual(ended[1].error.code, 5)

    def test_lists_come_in_pages_newest_first(self):
        names = [result.name for result in
                 self.api.spawn_batch([spec('echo', {}, request_id=f'page-{number}')
                                       for number in range(25)])]
        self.api.wait_batch(names)
        listed, token = [], ''
        while True:
            page = self.api.list(page_size=10, page_token=token)
            self.assertLessEqual(len(page.tasks), 10)
            listed += [task.name for task in page.tasks]
            token = page.next_page_token
            if not token or len(listed) >= 25:
                break
        self.assertEqual(listed[:25], names[::-1])
        self.assertEqual(len(set(listed)), len(listed))

    def test_lists_are_filtered_by_state_and_function(self):
        failed = self.api.run('fail', {}).name
        slow = self.running(self.api.spawn('sleep', {'seconds': 600})).name
        listed = self.api.list(states=[FAILED], page_size=1000).tasks
        self.assertIn(failed, [task.name for task in listed])
        self.assertEqual({task.state for task in listed}, {FAILED})
        both = self.api.list(states=[FAILED, RUNNING], page_size=1000).tasks
        self.assertLessEqual({failed, slow}, {task.name for task in both})
        self.assertEqual({task.state for task in both}, {FAILED, RUNNING})
        sleeps = self.api.list(function='sleep', page_size=1000).tasks
        self.assertEqual({task.spec.function for task in sleeps}, {'sleep'})
        self.assertEqual(len(self.api.list(parent=QUEUE, states=[SUCCEEDED],
                                           function='fail').tasks),
                         0)
        self.api.cancel(slow)

    def test_a_request_id_names_one_task(self):
        first = self.api.spawn('echo', {'n': 1}, request_id='once')
        again = self.api.spawn('echo', {'n': 1}, request_id='once')
        self.assertEqual(again.name, first.name)
        self.assertEqual(self.api.wait(first.name).output, b'{"n": 1}')

    def test_labels_stay_with_the_task(self):
        task = self.api.run('echo', {}, labels={'team': 'harbour'})
        self.assertEqual(dict(self.api.get(task.name).spec.labels), {'team': 'harbour'})

    def test_what_never_existed_is_not_found(self):
        with self.assertRaises(grpc.RpcError) as caught:
            self.api.get(QUEUE + '/tasks/' + '0' * 26)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.NOT_FOUND)
        self.assertTrue(error_details(caught.exception)['ErrorInfo'].reason)

    # The whole

    def test_work_is_spread_over_the_workers(self):
        results = self.api.spawn_batch([spec('sleep', {'seconds': 0.2}) for _ in range(40)])
        ended = self.api.wait_batch([result.name for result in results])
        self.assertEqual({result.task.attempts[0].worker for result in ended},
                         {'workers/0', 'workers/1'})

    def test_health_and_reflection_are_served(self):
        for service in ('', 'grove.v1.TaskService', 'grove.v1.BackdoorService'):
            self.assertEqual(self.api.health(service), 1, service)
        with self.assertRaises(grpc.RpcError) as caught:
            self.api.health('no.Service')
        self.assertEqual(caught.exception.code(), grpc.StatusCode.NOT_FOUND)
        for version in ('v1', 'v1alpha'):
            reflected = self.api.reflected_services(version)
            for service in ('Task', 'Queue', 'Pool', 'Worker', 'Inspect', 'Backdoor'):
                self.assertIn(f'grove.v1.{service}Service'.encode(), reflected)
            self.assertIn(b'grpc.reflection.v1.ServerReflection', reflected)
            self.assertIn(b'grpc.reflection.v1alpha.ServerReflection', reflected)

    def test_workers_are_listed(self):
        workers = self.api.list_workers()
        self.assertEqual([each.name for each in workers], ['workers/0', 'workers/1'])
        for slot, each in enumerate(workers):
            self.assertEqual(each.pid, self.daemon.pid_of(f'grove-w{slot}'))
            self.assertEqual((each.generation, each.linked), (1, True))
            self.assertGreater(each.rss_bytes, 1 << 20)
        eventually('both hubs turn', lambda: all(
            each.hub_idle_seconds < 10 for each in self.api.list_workers()))

    def test_fibers_are_listed_for_one_worker_and_in_pages(self):
        only = self.api.list_fibers(parent='workers/1')
        self.assertEqual({each.name.split('/')[1] for each in only.fibers}, {'1'})
        self.assertIn('http.accept', [each.display_name for each in only.fibers])
        self.assertEqual(list(only.unreachable), [])
        whole = len(self.api.list_fibers().fibers)
        names, token = [], ''
        while True:
            page = self.api.list_fibers(page_size=3, page_token=token)
            names += [each.name for each in page.fibers]
            token = page.next_page_token
            if not token:
                break
        self.assertEqual(len(names), len(set(names)))
        self.assertAlmostEqual(len(names), whole, delta=4)


if __name__ == '__main__':
    unittest.main()
