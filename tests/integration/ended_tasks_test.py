"""Ended durable tasks that only the store has: all is answered as if they were in memory."""

import unittest

import grpc

from grove_api import (FAILED, QUEUE, SUCCEEDED, error_details, queue_service_pb2, spec,
                       tasks)
from grove_harness import KilledTest

DURABLE = tasks.DURABILITY_DURABLE
ONCE = tasks.RetryPolicy(max_attempts=1)
GOOD, BAD = 12, 8
ORDERS = ('create_time desc', 'create_time', 'end_time desc', 'end_time')


def ended_at(task):
    return task.end_time.ToNanoseconds()


class EndedTasksTest(KilledTest):

    def setUp(self):
        self.start()
        self.api = self.daemon.api()
        good = [spec('echo', [i], durability=DURABLE, labels={'n': str(i % 3)},
                     request_id=f'r{i}' if i % 4 == 0 else '') for i in range(GOOD)]
        bad = [spec('fail', [i], durability=DURABLE, retry_policy=ONCE) for i in range(BAD)]
        self.good = [result.name for result in self.api.spawn_batch(good)]
        self.bad = [result.name for result in self.api.spawn_batch(bad)]
        for result in self.api.wait_batch(self.good + self.bad):
            self.assertIn(result.task.state, (SUCCEEDED, FAILED))
        self.before = {task.name: task for task in self.api.list(
            page_size=100, view=tasks.TASK_VIEW_BASIC).tasks}
        self.assertEqual(len(self.before), GOOD + BAD)
        # The next control has read no record of them, but of those with a request_id.
        self.again()

    def pages(self, size=6, **fields):
        """All that is listed; a task that comes twice, or a page without an end, fails."""
        found, token = [], ''
        for _ in range(100):
            page = self.api.list(page_size=size, page_token=token, **fields)
            self.assertLessEqual(len(page.tasks), size)
            found += page.tasks
            token = page.next_page_token
            if not token:
                names = [task.name for task in found]
                self.assertEqual(len(names), len(set(names)), names)
                return found
        self.fail('no end of pages')

    def count(self, **fields):
        response = self.api.call(self.api.tasks.CountTasks, tasks.CountTasksRequest(
            filter=tasks.TaskFilter(**fields)))
        return response.total

    def change(self, **fields):
        return self.api.call(self.api.tasks.BatchChangeTasks,
                             tasks.BatchChangeTasksRequest(**fields))

    def test_what_is_shown_is_what_it_was(self):
        for name, was in self.before.items():
            self.assertEqual(self.api.get(name, tasks.TASK_VIEW_BASIC), was)
        shown = self.api.get(self.good[3])
        self.assertEqual((shown.spec.input, shown.output), (b'[3]', b'[3]'))
        self.assertEqual(self.api.wait(self.good[3]).output, b'[3]')
        waited = self.api.wait_batch(self.good)
        self.assertEqual([result.task.name for result in waited], self.good)
        self.assertEqual([result.task.output for result in waited],
                         [b'[%d]' % i for i in range(GOOD)])

    def test_lists_find_them_in_each_order_beside_what_lives(self):
        live = [self.api.spawn('echo', [0], delay=3600, durability=DURABLE).name
                for _ in range(3)]
        for order in ORDERS:
            found = self.pages(order_by=order, view=tasks.TASK_VIEW_BASIC)
            names = {task.name for task in found}
            if order.startswith('create_time'):
                self.assertEqual(names, set(self.before) | set(live))
                keys = [task.name.rsplit('/', 1)[1] for task in found]
            else:
                self.assertEqual(names, set(self.before))
                keys = [ended_at(task) for task in found]
            self.assertEqual(keys, sorted(keys, reverse=order.endswith('desc')), order)

    def test_filters_and_counts(self):
        failed = tasks.TaskFilter(states=[FAILED])
        self.assertEqual({task.name for task in self.pages(filter=failed)}, set(self.bad))
        labelled = tasks.TaskFilter(labels={'n': '1'})
        self.assertEqual({task.name for task in self.pages(filter=labelled)},
                         set(self.good[1::3]))
        by_function = tasks.TaskFilter(function='echo')
        self.assertEqual(len(self.pages(filter=by_function, order_by='end_time')), GOOD)
        named = tasks.TaskFilter(names=[self.good[0], self.bad[0]])
        self.assertEqual({task.name for task in self.pages(filter=named)},
                         {self.good[0], self.bad[0]})
        self.assertEqual(self.count(), GOOD + BAD)
        self.assertEqual(self.count(states=[FAILED]), BAD)
        self.assertEqual(self.count(labels={'n': '1'}), len(self.good[1::3]))
        queue = self.api.call(self.api.queues.GetQueue,
                              queue_service_pb2.GetQueueRequest(name=QUEUE)).queue
        self.assertEqual((queue.ended, queue.dead_letters), (GOOD + BAD, BAD))

    def test_a_spawn_that_is_repeated_finds_the_first_one(self):
        again = spec('echo', [4], durability=DURABLE, labels={'n': '1'}, request_id='r4')
        self.assertEqual(self.api.spawn_spec(again).name, self.good[4])
        other = spec('echo', [5], durability=DURABLE, request_id='r4')
        with self.assertRaises(grpc.RpcError) as refused:
            self.api.spawn_spec(other)
        self.assertEqual(error_details(refused.exception)['ErrorInfo'].reason,
                         'REQUEST_ID_REUSED')

    def test_they_are_tried_again_and_deleted(self):
        filter_of_failed = tasks.TaskFilter(states=[FAILED])
        would = self.change(retry={}, filter=filter_of_failed, validate_only=True)
        self.assertEqual((would.matched, would.changed), (BAD, 0))
        done = self.change(retry={}, filter=filter_of_failed)
        self.assertEqual(done.changed, BAD)
        for result in self.api.wait_batch(self.bad):
            self.assertEqual(len(self.api.get(result.task.name).attempts), 2)
        after = self.api.spawn('echo', [1], durability=DURABLE, after=[self.good[1]]).name
        self.assertEqual(self.api.wait(after).state, SUCCEEDED)
        self.again()
        self.ctl('tasks', 'delete', self.bad[0])
        self.assertEqual(self.count(states=[FAILED]), BAD - 1)
        gone = self.change(delete={}, filter=filter_of_failed)
        self.assertEqual(gone.changed, BAD - 1)
        self.again()
        self.assertEqual(self.count(states=[FAILED]), 0)
        self.assertEqual(len(self.pages(filter=filter_of_failed)), 0)
        self.assertEqual(len(self.pages()), GOOD + 1)

    def test_a_watch_tells_of_them(self):
        request = tasks.WatchTasksRequest(with_existing=True)
        stream = self.api.tasks.WatchTasks(request, timeout=60)
        self.addCleanup(stream.cancel)
        existing, token = set(), ''
        for message in stream:
            existing |= {event.existing.name for event in message.events
                         if event.HasField('existing')}
            if any(event.HasField('synced') for event in message.events):
                token = message.resume_token
                break
        self.assertEqual(existing, set(self.before))
        new = self.api.run('echo', [9], durability=DURABLE).name
        resumed = self.api.tasks.WatchTasks(
            tasks.WatchTasksRequest(resume_token=token), timeout=60)
        self.addCleanup(resumed.cancel)
        for message in resumed:
            if any(event.changed.name == new and event.changed.state == SUCCEEDED
                   for event in message.events):
                return
        self.fail('the watch ended')


if __name__ == '__main__':
    unittest.main()
