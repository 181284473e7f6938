"""Tenants share the workers by weight, whatever their tasks take, and everybody can see it."""

import threading
import unittest

from grove_api import SUCCEEDED, fairness_service_pb2, spec, tasks
from grove_harness import GroveTest, eventually

BATCH = 200


class Flood:
    """A tenant that always has more tasks than slots, each of so many seconds."""

    def __init__(self, api, tenant, seconds):
        self._api, self._tenant, self._seconds = api, f'tenants/{tenant}', seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.names = []

    def __enter__(self):
        self._spawn()
        self._spawn()
        self._thread.start()
        return self

    def __exit__(self, *unused):
        self._ended.set()
        self._thread.join()
        for name in self.names:
            self._api.cancel(name)

    def _spawn(self):
        batch = [spec('sleep', {'seconds': self._seconds}, durability=tasks.DURABILITY_VOLATILE)
                 for _ in range(BATCH)]
        request = tasks.BatchSpawnTasksRequest(parent=self._tenant, specs=batch)
        results = self._api.call(self._api.tasks.BatchSpawnTasks, request).results
        self.names.append([result.name for result in results])

    def _run(self):
        while not self._ended.is_set():
            done = self._api.get(self.names[0][-1]).state == SUCCEEDED
            if done:
                self.names.pop(0)
                self._spawn()
            self._ended.wait(0.01)
        self.names = [name for batch in self.names for name in batch]


class FairnessTest(GroveTest):
    config = '''
tasks: {running_max_per_worker: 8}
tenants:
  - name: flood
  - {name: twice, weight: 200}
  - name: quiet
'''

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.api = cls.daemon.api()

    def fairness(self, parent=''):
        request = fairness_service_pb2.GetFairnessRequest(parent=parent)
        return self.api.call(self.api.fairness.GetFairness, request)

    def shares(self):
        return {share.tenant.split('/')[1]: share for share in self.fairness().shares}

    def test_a_quiet_tenant_starts_at_once_beside_a_flood(self):
        with Flood(self.api, 'flood', 0.02):
            eventually('all slots are held', lambda: self.shares()['flood'].running == 16)
            for _ in range(20):
                request = tasks.SpawnTaskRequest(parent='tenants/quiet', spec=spec('echo', {}))
                name = self.api.call(self.api.tasks.SpawnTask, request).task.name
                self.assertEqual(self.api.wait(name).state, SUCCEEDED)
                # Behind so many it would have come after ten times the time of all that it saw.
                self.assertGreater(self.shares()['flood'].backlog, BATCH / 2)
            mine = self.fairness('tenants/quiet')
            self.assertEqual([share.tenant for share in mine.shares], ['tenants/quiet'])
            self.assertFalse(mine.HasField('daemon'))
            self.assertLess(mine.shares[0].start_p99.ToNanoseconds(),
                            self.shares()['flood'].start_p99.ToNanoseconds())

    def test_worker_time_goes_by_weight_whatever_tasks_take(self):
        with Flood(self.api, 'flood', 0.01), Flood(self.api, 'twice', 0.2):
            def settled():
                shares = self.shares()
                twice, flood = shares['twice'].worker_time_10s, shares['flood'].worker_time_10s
                total = (twice.ToNanoseconds() + flood.ToNanoseconds()) / 1e9
                # All slots for nearly all of the window, by two and one.
                return total > 120 and 1.7 < twice.ToNanoseconds() / flood.ToNanoseconds() < 2.3
            eventually('twice has twice as much', settled)
            fairness = self.fairness()
            self.assertGreater(fairness.daemon.jain, 0.97)
            self.assertEqual(fairness.daemon.idle_slot_while_backlogged.ToNanoseconds(), 0)
            self.assertEqual(fairness.daemon.slots, 16)
            shown = self.daemon.grovectl_json('fairness')
            self.assertEqual(shown['shares'][0]['tenant'], 'tenants/twice')
            metrics = self.daemon.metrics()
            self.assertGreater(metrics['grove_tenant_worker_seconds_total{tenant="twice"}'], 60)
            self.assertAlmostEqual(metrics['grove_tenant_fair_share{tenant="twice"}'], 2 / 3,
                                   delta=0.1)
            self.assertEqual(metrics['grove_fairness_idle_slot_seconds_total'], 0)


if __name__ == '__main__':
    unittest.main()
