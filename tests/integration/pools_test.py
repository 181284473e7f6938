"""Pools and queues: bounds that hold tasks back, and let them go when they change."""

import unittest

from grove_api import (CANCELLED, POOL, QUEUE, QUEUED, RUNNING, SUCCEEDED, pool_service_pb2,
                       queue_service_pb2, spec)
from grove_harness import GroveTest, eventually


class PoolsTest(GroveTest):
    config = '''
tenants:
  - name: default
    pools:
      - {name: default}
      - {name: one, size: 1}
    queues:
      - {name: default}
      - {name: single, pool: one}
      - {name: urgent, pool: one, order: priority}
      - {name: stack, pool: one, order: lifo}
      - {name: paused, paused: true}
  - name: acme
'''

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.api = cls.daemon.api()

    def setUp(self):
        self.addCleanup(self.api.resize, 1000)
        self.addCleanup(self.api.resize, 1, f'{POOL[:-7]}one')

    def test_a_pool_of_size_zero_holds_tasks_and_says_why(self):
        self.assertEqual(self.api.resize(0).size, 0)
        task = self.api.spawn('echo', {})
        # Once it is on disk it waits for the pool.
        held = eventually('the task waits for the pool',
                          lambda: self.api.get(task.name) if 'pool' in
                          self.api.get(task.name).waiting_reason else None)
        self.assertEqual((held.state, len(held.attempts)), (QUEUED, 0))
        self.assertRegex(held.waiting_reason, 'pool default is full: 0 of 0 running')
        self.assertEqual(self.api.pool().waiting, 1)
        queue = self.api.queue()
        self.assertEqual(queue.queued, 1)
        self.assertIn('pool default is full', queue.waiting_reason)
        self.assertGreaterEqual(queue.oldest_age.ToNanoseconds(), 0)
        self.assertEqual(self.api.wait(task.name, 0.2).state, QUEUED)
        self.assertEqual(self.api.resize(1).size, 1)
        self.assertEqual(self.api.wait(task.name).state, SUCCEEDED)

    def test_cancelling_a_queued_task_ends_it_at_once(self):
        self.api.resize(0)
        task = self.api.spawn('echo', {})
        self.assertEqual(self.api.get(task.name).state, QUEUED)
        self.assertEqual(self.api.cancel(task.name, 'not needed').state, CANCELLED)
        ended = self.api.wait(task.name)
        self.assertEqual((ended.state, len(ended.attempts)), (CANCELLED, 0))
        self.assertIn('not needed', ended.error.message)
        self.assertEqual(self.api.pool().waiting, 0)

    def test_a_pool_bounds_what_runs_at_once_and_grows_and_shrinks_live(self):
        self.api.resize(2)
        names = [result.name for result in
                 self.api.spawn_batch([spec('sleep', {'seconds': 600})] * 5)]

        def running(count):
            eventually(f'{count} run', lambda: self.api.pool().running == count)
            states = [self.api.get(name).state for name in names]
            self.assertEqual(states.count(RUNNING), count)
        running(2)
        pool = self.api.resize(4)
        running(4)
        self.assertEqual(pool.size, 4)
        # Shrinking lets what runs go on.
        self.assertEqual(self.api.resize(1).free, -3)
        self.assertEqual(self.api.pool().running, 4)
        for name in names:
            self.api.cancel(name)
        eventually('nothing runs', lambda: self.api.pool().running == 0)

    def order_of(self, queue, specs):
        """In which order `specs` start, once all wait in a queue of a pool that runs one."""
        one = f'{POOL[:-7]}one'
        self.api.resize(0, one)
        names = [self.api.spawn_spec(each).name for each in specs]
        path = f'tenants/default/queues/{queue}'
        eventually('all wait', lambda: self.api.queue(path).queued == len(specs))
        self.api.resize(1, one)
        ended = [result.task for result in self.api.wait_batch(names)]
        starts = [task.attempts[0].start_time.ToNanoseconds() for task in ended]
        return [index for _, index in sorted(zip(starts, range(len(specs))))]

    def test_fifo_starts_the_oldest_first(self):
        specs = [spec('sleep', {'seconds': 0.01}, queue='single') for _ in range(5)]
        self.assertEqual(self.order_of('single', specs), [0, 1, 2, 3, 4])

    def test_lifo_starts_the_newest_first(self):
        specs = [spec('sleep', {'seconds': 0.01}, queue='stack') for _ in range(5)]
        self.assertEqual(self.order_of('stack', specs), [4, 3, 2, 1, 0])

    def test_priority_starts_the_higher_first_and_equals_in_order(self):
        specs = [spec('sleep', {'seconds': 0.01}, queue='urgent', priority=priority)
                 for priority in (0, 9, 5, 9)]
        self.assertEqual(self.order_of('urgent', specs), [1, 3, 2, 0])

    def test_a_paused_queue_accepts_tasks_and_starts_none(self):
        task = self.api.spawn('echo', {}, queue='paused')
        held = eventually('it waits for the queue', lambda: self.api.get(task.name)
                          if 'paused' in self.api.get(task.name).waiting_reason else None)
        self.assertEqual(held.state, QUEUED)
        self.api.cancel(task.name)

    def test_pools_and_queues_are_listed_for_one_tenant_and_for_all(self):
        def pools(parent):
            request = pool_service_pb2.ListPoolsRequest(parent=parent)
            return [each.name for each in self.api.call(self.api.pools.ListPools, request).pools]

        def queues(parent):
            request = queue_service_pb2.ListQueuesRequest(parent=parent)
            return [each.name for each in
                    self.api.call(self.api.queues.ListQueues, request).queues]
        self.assertEqual(sorted(pools('tenants/default')), [POOL, f'{POOL[:-7]}one'])
        self.assertEqual(pools('tenants/acme'), ['tenants/acme/pools/default'])
        self.assertEqual(len(pools('')), 3)
        self.assertEqual(pools('tenants/-'), pools(''))
        self.assertEqual(len(queues('tenants/default')), 5)
        self.assertIn(QUEUE, queues(''))

    def test_tenants_run_their_own_tasks(self):
        name = 'tenants/acme/queues/default'
        before = self.api.queue(name).spawned_total
        done = self.daemon.grovectl('spawn', 'echo', '{"a":1}', '--tenant', 'acme', '--wait')
        self.assertEqual((done.returncode, done.stdout), (0, '{"a":1}'), done.stderr)
        self.assertEqual(self.api.queue(name).spawned_total, before + 1)


if __name__ == '__main__':
    unittest.main()
