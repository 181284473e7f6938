"""Quotas of tenants and limits of their keys: what is refused, what waits, and what lasts."""

import unittest

import grpc

from grove_api import (FAILED, QUEUED, RUNNING, SUCCEEDED, error_details, spec, status_details,
                       tasks, tenants)
from grove_harness import KilledTest, eventually, free_port

CONFIG = '''tenants:
- name: default
  quotas: {output_bytes_max: 100}
  limits:
  - {pattern: "fixed*", running_max: 2}
'''
VOLATILE = tasks.DURABILITY_VOLATILE
CAUSES = tasks.WaitExplanation
HOUR = {'seconds': 3600}


class QuotasTest(KilledTest):

    def setUp(self):
        # Control has the same port when it was replaced.
        self.start(config=CONFIG, flags=[f'--control=127.0.0.1:{free_port()}'])
        self.api = self.daemon.api()

    def ask(self, tenant='default', value=HOUR, function='sleep', **fields):
        return self.api.call(self.api.tasks.SpawnTask, tasks.SpawnTaskRequest(
            parent=f'tenants/{tenant}', spec=spec(function, value, **fields))).task.name

    def refused(self, **fields):
        """The details of a spawn's refusal."""
        with self.assertRaises(grpc.RpcError) as raised:
            self.ask(**fields)
        self.assertEqual(raised.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
        return error_details(raised.exception)

    def states(self, names):
        return [self.api.get(name).state for name in names]

    def running(self, names, count):
        """So many of them run; those names."""
        def look():
            found = [name for name in names if self.api.get(name).state == RUNNING]
            return found if len(found) == count else None
        return eventually(f'{count} run', look)

    def cause(self, name):
        return self.api.get(name).wait.cause

    def usage(self, tenant='default'):
        listed = self.api.call(self.api.tenants.ListLimits,
                               tenants.ListLimitsRequest(parent=f'tenants/{tenant}'))
        return {key.key: (key.running, key.queued) for key in listed.keys}

    # Quotas

    def test_a_tenants_quotas_are_set_and_last(self):
        self.ctl('tenants', 'create', 'acme', '--running_max=2', '--queued_max=3')
        names = [self.ask('acme', durability=VOLATILE) for _ in range(5)]
        running = self.running(names, 2)
        waiting = [name for name in names if name not in running]
        task = self.api.get(waiting[0])
        self.assertEqual(task.wait.cause, CAUSES.CAUSE_QUOTA)
        self.assertEqual((task.wait.used, task.wait.limit, task.wait.subject),
                         (2, 2, 'tenants/acme'))
        details = self.refused(tenant='acme')
        self.assertEqual(details['ErrorInfo'].reason, 'QUOTA_QUEUED')
        self.assertEqual(details['QuotaFailure'].violations[0].subject, 'tenants/acme')
        self.assertIn('RetryInfo', details)
        self.ask('default', durability=VOLATILE)
        # It holds at once, for those that wait, too.
        self.ctl('tenants', 'update', 'acme', '--running_max=4')
        self.running(names, 4)
        shown = self.daemon.grovectl_json('tenants', 'get', 'acme')
        self.assertEqual(int(shown['quotas']['running_max']), 4)
        self.assertEqual(int(shown['running_slots']), 4)
        metrics = self.daemon.metrics()
        self.assertEqual(metrics['grove_tenant_quota_used{tenant="acme",quota="running"}'], 4)
        self.assertEqual(metrics['grove_tenant_quota_max{tenant="acme",quota="queued"}'], 3)
        self.again()
        shown = self.daemon.grovectl_json('tenants', 'get', 'acme')
        self.assertEqual(int(shown['quotas']['queued_max']), 3)

    def test_a_rate_lets_a_burst_in(self):
        self.ctl('tenants', 'create', 'acme', '--spawns_per_minute=2', '--spawn_burst=3')
        request = tasks.BatchSpawnTasksRequest(
            parent='tenants/acme', specs=[spec('echo', i) for i in range(5)])
        results = self.api.call(self.api.tasks.BatchSpawnTasks, request).results
        self.assertEqual([result.HasField('name') for result in results], [True] * 3 + [False] * 2)
        details = status_details(results[4].error)
        self.assertEqual(details['ErrorInfo'].reason, 'QUOTA_SPAWN_RATE')
        self.assertGreater(details['RetryInfo'].retry_delay.seconds, 0)
        self.assertLessEqual(details['RetryInfo'].retry_delay.seconds, 30)

    def test_an_output_beyond_the_quota_fails(self):
        self.assertEqual(self.api.run('echo', 'x' * 90).state, SUCCEEDED)
        task = self.api.run('echo', 'x' * 200, retry_policy=tasks.RetryPolicy(max_attempts=3))
        self.assertEqual((task.state, len(task.attempts)), (FAILED, 1))
        self.assertEqual(status_details(task.error)['ErrorInfo'].reason, 'QUOTA_OUTPUT_BYTES')

    # Limits

    def test_keys_of_a_limit_wait_and_others_pass(self):
        self.ctl('limits', 'set', 'customer-*', '--running_max=2')
        self.ctl('limits', 'set', 'customer-*/report', '--running_max=1')
        reports = [self.ask(limit_keys=['customer-7', 'report']) for _ in range(3)]
        plain = [self.ask(limit_keys=['customer-7']) for _ in range(3)]
        other = self.ask(limit_keys=['customer-8', 'report'])
        free = self.ask()
        self.running(reports + plain, 2)
        self.running([other, free], 2)
        self.assertEqual(len(self.running(reports, 1)), 1)
        waiting = [name for name in plain if self.api.get(name).state == QUEUED]
        task = self.api.get(waiting[0])
        self.assertEqual(task.wait.cause, CAUSES.CAUSE_LIMIT)
        self.assertEqual((task.wait.subject, task.wait.used, task.wait.limit),
                         ('customer-7', 2, 2))
        self.assertEqual(task.waiting_reason,
                         'limit customer-* of key customer-7 is full: 2 of 2 slots taken')
        self.assertEqual(self.usage(), {
            'customer-7': (2, 4), 'customer-7/report': (1, 2), 'customer-8': (1, 0),
            'customer-8/report': (1, 0)})
        self.api.cancel(self.running(reports, 1)[0])
        self.running(reports + plain, 2)
        table = self.ctl('limits')
        self.assertIn('customer-*/report', table)
        self.assertIn('2 of 2', table)
        self.ctl('limits', 'delete', 'customer-*')
        self.running(plain, 3)

    def test_a_slot_cost_counts_for_pool_quota_and_limit(self):
        self.api.resize(4)
        large = self.ask(slot_cost=3, limit_keys=['fixed'])
        waits = self.ask(slot_cost=2, limit_keys=['other'])
        self.assertEqual(self.cause(large), CAUSES.CAUSE_LIMIT)
        self.running([waits], 1)
        self.assertEqual(self.api.pool().running, 2)
        self.assertEqual(self.usage(), {'fixed': (0, 1), 'other': (2, 0)})
        wrong = self.daemon.grovectl('limits', 'set', 'fixed*', '--running_max=3')
        self.assertEqual(wrong.returncode, 1)
        self.assertIn('the config\'s to change', wrong.stderr)
        self.ctl('limits', 'set', 'fixed', '--running_max=3')
        eventually('the pool is what it waits for',
                   lambda: self.cause(large) == CAUSES.CAUSE_POOL_FULL)
        self.api.resize(5)
        self.running([large, waits], 2)

    def test_keys_and_limits_last_over_the_death_of_control_and_of_all(self):
        self.ctl('limits', 'set', 'k', '--running_max=1', '--queued_max=3')
        names = [self.ask(limit_keys=['k', 'x'], slot_cost=1) for _ in range(3)]
        volatile = self.ask(limit_keys=['k'], durability=VOLATILE)
        running = self.running(names + [volatile], 1)
        self.assertEqual(self.refused(limit_keys=['k'])['ErrorInfo'].reason, 'LIMIT_QUEUED')
        self.kill_control()
        eventually('what ran runs', lambda: self.states(running) == [RUNNING])
        self.assertEqual(self.usage()['k'], (1, 2))
        self.assertEqual(list(self.api.get(names[0]).spec.limit_keys), ['k', 'x'])
        self.again()
        self.running(names, 1)
        self.assertEqual(self.usage()['k'], (1, 2))
        self.ask(limit_keys=['k'])
        self.assertEqual(self.refused(limit_keys=['k', 'y'])['ErrorInfo'].reason, 'LIMIT_QUEUED')

    def test_a_restart_hands_volatile_tasks_over_with_their_keys(self):
        self.ctl('limits', 'set', 'v', '--running_max=1')
        names = [self.ask(limit_keys=['v'], durability=VOLATILE) for _ in range(3)]
        running = self.running(names, 1)
        before = self.daemon.pid_of('grove-control')
        self.ctl('restart', '--control')
        self.api = self.daemon.api()
        self.assertNotEqual(self.daemon.pid_of('grove-control'), before)
        self.assertEqual(self.running(names, 1), running)
        self.assertEqual(self.usage()['v'], (1, 2))
        self.api.cancel(running[0])
        self.running(names, 1)

    def test_what_a_key_may_be(self):
        for keys, reason in ((['a', 'b', 'c'], 'TOO_MANY_LIMIT_KEYS'),
                             (['a*'], 'LIMIT_KEY_INVALID')):
            with self.assertRaises(grpc.RpcError) as raised:
                self.ask(limit_keys=keys)
            self.assertEqual(error_details(raised.exception)['ErrorInfo'].reason, reason)


if __name__ == '__main__':
    unittest.main()
