"""What an application calls that blocks: the page of greened calls, and pools of its own."""

import json
import os
import signal
import unittest

from grove_harness import OwnDaemonTest, eventually

CALLING = 'tests/integration/calling'
NEVER_KILLED = 'runtime: {stuck_ms: 1000, stuck_kill_ms: 0}\n'


def pool(kind, name, number):
    return f'grove_work_pool_{number}{{kind="{kind}",pool="{name}"}}'


class GreenPageTest(OwnDaemonTest):

    def page(self, daemon, query=''):
        status, text = daemon.admin(f'/debug/green?format=json{query}')
        self.assertEqual(status, 200, text)
        return json.loads(text)

    def test_shows_the_calls_of_all_workers_and_first_what_held_a_hub(self):
        daemon = self.start(binary=CALLING)
        page = self.page(daemon)
        self.assertEqual([(row['process'], row['read'], row['calls'])
                          for row in page['processes']],
                         [('worker-0', 'hub', 0), ('worker-1', 'hub', 0)])
        self.assertEqual(page['calls'], [])
        for _ in range(10):
            self.assertEqual(daemon.get('/green')[0], 200)
        escaped, parked = self.page(daemon)['calls']
        self.assertEqual((escaped['call'], escaped['escaped'], escaped['parked']), ('read', 10, 0))
        self.assertGreater(escaped['blocked_s'], 0)
        self.assertEqual((parked['call'], parked['parked'], parked['escaped']), ('poll', 10, 0))
        for row in (escaped, parked):
            self.assertTrue(row['library'].endswith('/calling'), row)
            self.assertRegex(row['caller'], r'\+0x[0-9a-f]+$')
        self.assertIn('ESCAPED', daemon.admin('/debug/green')[1].upper())
        by_worker = [sum(row['parked'] for row in self.page(daemon, f'&worker={worker}')['calls'])
                     for worker in (0, 1)]
        self.assertEqual(sum(by_worker), 10)
        bounded = self.page(daemon, '&limit=1')
        self.assertEqual(([row['call'] for row in bounded['calls']], bounded['more']),
                         (['read'], True))
        status, text = daemon.admin('/debug/green?worker=2')
        self.assertEqual((status, 'worker: want 0 to 1' in text), (400, True), text)
        daemon.stop()

    def test_says_which_worker_does_not_answer(self):
        daemon = self.start(binary=CALLING, config=NEVER_KILLED)
        pid = daemon.pid_of('grove-w0')
        os.kill(pid, signal.SIGSTOP)
        stuck, other = self.page(daemon)['processes']
        self.assertTrue(stuck['unreachable'])
        self.assertRegex(stuck['read'], 'its hub has not (answered|turned) for')
        self.assertEqual((other['read'], other['process']), ('hub', 'worker-1'))
        os.kill(pid, signal.SIGCONT)
        daemon.stop()


class PoolsTest(OwnDaemonTest):

    def test_counts_stay_and_levels_are_those_of_the_living(self):
        daemon = self.start(binary=CALLING)
        for _ in range(5):
            self.assertEqual(daemon.get('/disk')[0], 200)
            self.assertIn('ended with exit code 3', daemon.get('/native/crash')[1])
        self.assertEqual(daemon.get('/native/hello')[1], 'hello')
        calls = pool('threads', 'disk', 'calls_total')
        failures = pool('processes', 'native', 'failures_total')

        def counted():
            metrics = daemon.metrics()
            return metrics.get(calls) == 5 and metrics.get(failures) == 5
        eventually('all are counted', counted)
        metrics = daemon.metrics()
        self.assertEqual(metrics[pool('threads', 'disk', 'size')], 6)
        self.assertEqual(metrics[pool('processes', 'native', 'size')], 4)
        for number in ('busy', 'queued', 'refused_total', 'dropped_total'):
            self.assertEqual(metrics[pool('threads', 'disk', number)], 0, number)
        self.assertGreater(metrics[pool('processes', 'native', 'run_seconds_total')], 0)
        for worker in (0, 1):
            pid = daemon.pid_of(f'grove-w{worker}')
            os.kill(pid, signal.SIGKILL)
            eventually('there is another', lambda: daemon.pid_of(f'grove-w{worker}')
                       not in (None, pid))  # pylint: disable=cell-var-from-loop
        eventually('their pools are there',
                   lambda: daemon.metrics()[pool('threads', 'disk', 'size')] == 6)
        metrics = daemon.metrics()
        self.assertEqual((metrics[calls], metrics[failures]), (5, 5))
        daemon.stop()

    def test_the_backdoor_shows_them(self):
        daemon = self.start(binary=CALLING, workers=1)
        self.assertEqual(daemon.get('/disk')[0], 200)
        done = daemon.grovectl(
            'backdoor', '--worker', '0', '-c',
            "for _, p in ipairs(pools()) do if p.kind then "
            "print(p.kind, p.name, p.size, p.running, p.waiting, p.calls, p.refused) end end")
        self.assertEqual(done.stdout.split('\n')[:2],
                         ['processes\tnative\t2\t0\t0\t0\t0', 'threads\tdisk\t3\t0\t0\t1\t0'])
        daemon.stop()

    def test_a_drain_ends_their_processes(self):
        daemon = self.start(binary=CALLING, workers=1)
        self.assertEqual(daemon.get('/native/hello')[1], 'hello')
        self.assertEqual(len(daemon.processes()), 4)  # supervisor, control, worker, and its own
        daemon.stop()
        self.assertEqual(daemon.processes(), {})


if __name__ == '__main__':
    unittest.main()
