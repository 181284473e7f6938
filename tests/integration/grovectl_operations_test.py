"""What an operator has the daemon do with itself, by grovectl, and what that answers."""

import os
import threading
import unittest

from grove_harness import OwnDaemonTest, eventually, free_port

CONFIG = '''http:
  routes:
    - path: /hello
      function: hello
drain_timeout_ms: 20000
'''


class Clients:
    """Ask for /hello on connections of their own, one after the other, until told to stop."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.answers = 0
        self.failures = []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.ask) for _ in range(2)]

    def ask(self):
        while not self.over.is_set():
            try:
                status, _ = self.daemon.get('/hello')
                if status != 200:
                    self.failures.append(status)
            except OSError as error:
                self.failures.append(error)
            self.answers += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        eventually('the clients are served', lambda: self.answers > 0)
        return self

    def __exit__(self, *_):
        before = self.answers
        eventually('the clients are served', lambda: self.answers > before + 10)
        self.over.set()
        for thread in self.threads:
            thread.join()


class GrovectlOperationsTest(OwnDaemonTest):

    def run_daemon(self, workers=2):
        # Control has the same port when it was replaced.
        return self.start(workers=workers, config=CONFIG,
                          flags=[f'--control=127.0.0.1:{free_port()}'])

    def done(self, *arguments, stdin=''):
        """What a verb that succeeds says."""
        result = self.daemon.grovectl(*arguments, stdin=stdin)
        self.assertEqual(result.returncode, 0, f'{arguments}: {result.stdout}{result.stderr}')
        return result.stdout

    def generations(self):
        return {each['name']: each['generation']
                for each in self.daemon.grovectl_json('workers')['workers']}

    def file(self, text):
        path = os.path.join(self.daemon.folder, 'other.yaml')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        return path

    def test_scales_up_and_down_while_requests_run(self):
        daemon = self.run_daemon(workers=1)
        with Clients(daemon) as clients:
            self.assertEqual(self.done('scale', '+2'), 'from 1 to 3 workers\n')
            eventually('all are linked', lambda: [
                each['linked'] for each in daemon.grovectl_json('workers')['workers']]
                == [True, True, True])
            self.assertEqual(self.done('scale', '1'), 'from 3 to 1 worker\n')
        self.assertEqual(clients.failures, [])
        eventually('one is left', lambda: list(self.generations()) == ['workers/0'])
        refused = daemon.grovectl('scale', '-1')
        self.assertEqual(refused.returncode, 1)
        self.assertIn('there would be 0 workers: 1 to 256 are possible', refused.stderr)
        daemon.stop()

    def test_restarts_one_and_all(self):
        daemon = self.run_daemon()
        with Clients(daemon) as clients:
            self.assertEqual(self.done('restart', '1'), 'replaced grove-w1\n')
            self.assertEqual(self.generations(), {'workers/0': '1', 'workers/1': '2'})
            self.assertEqual(self.done('restart', '--all'), 'replaced all 2\n')
            self.assertEqual(self.generations(), {'workers/0': '2', 'workers/1': '3'})
        self.assertEqual(clients.failures, [])
        refused = daemon.grovectl('restart', '7')
        self.assertEqual(refused.returncode, 1)
        self.assertIn('NOT_FOUND', refused.stderr)
        daemon.stop()

    def test_the_wait_outlasts_the_restart_of_control_that_it_waits_for(self):
        daemon = self.run_daemon(workers=1)
        before = daemon.pid_of('grove-control')
        self.assertEqual(self.done('restart', '--control'), 'replaced grove-control\n')
        self.assertNotEqual(daemon.pid_of('grove-control'), before)
        # The successor knows it, and what came before.
        listed = daemon.grovectl_json('operations')['operations']
        self.assertEqual([(each['name'], each['kind'], each['state']) for each in listed],
                         [('operations/1', 'RESTART', 'SUCCEEDED')])
        self.assertEqual(self.done('operation', '1', '--watch'), 'replaced grove-control\n')
        daemon.stop()

    def test_the_log_level_reaches_every_process_and_those_that_come(self):
        daemon = self.run_daemon(workers=1)
        self.assertEqual(self.done('loglevel', 'error'), 'log level error\n')
        before = len(daemon.log())
        self.done('scale', '2')
        self.done('restart', '--control')
        # A new control has said what it restored before it hears of the level.
        for line in ('"started"', '"serving"', '"operation ended"'):
            self.assertNotIn(line, daemon.log()[before:])
        self.assertEqual(self.done('loglevel'), 'log level info\n')
        before = len(daemon.log())
        self.done('restart', '1')
        for name in ('groved', 'grove-control', 'worker-1'):
            eventually(f'{name} is heard again',
                       lambda name=name: f' info {name} ' in daemon.log()[before:])
        refused = daemon.grovectl('loglevel', 'loud')
        self.assertEqual(refused.returncode, 1)
        self.assertIn('debug, info, warning or error', refused.stderr)
        daemon.stop()

    def test_the_config_in_force_and_what_a_reload_would_change(self):
        daemon = self.run_daemon(workers=1)
        self.assertIn('drain_timeout_ms: 20000\n', self.done('config'))
        self.assertNotIn('stuck_ms', self.done('config'))
        self.assertIn('stuck_ms', self.done('config', '--defaults'))
        self.assertEqual(self.done('config', '--diff'), '')
        other = daemon.grovectl('config', '--diff',
                                self.file(CONFIG.replace('20000', '10000')))
        self.assertEqual(other.returncode, 1, other.stderr)
        self.assertIn('- drain_timeout_ms: 20000\n+ drain_timeout_ms: 10000', other.stdout)
        wrong = daemon.grovectl('config', '--diff', self.file('drain_timeout_ms: soon\n'))
        self.assertEqual(wrong.returncode, 2)
        self.assertIn('drain_timeout_ms', wrong.stderr)
        daemon.stop()

    def test_a_bad_config_is_refused_and_a_good_one_taken_over(self):
        daemon = self.run_daemon(workers=1)
        with open(os.path.join(daemon.folder, 'config.yaml'), 'w', encoding='utf-8') as file:
            file.write('drain_timeout_ms: soon\n')
        refused = daemon.grovectl('reload')
        self.assertEqual((refused.returncode, refused.stdout), (1, ''))
        self.assertIn('operations/1 FAILED: ', refused.stderr)
        self.assertIn('drain_timeout_ms', refused.stderr)
        self.assertEqual(daemon.get('/hello')[0], 200)
        self.assertIn('drain_timeout_ms: 20000\n', self.done('config'))
        with open(os.path.join(daemon.folder, 'config.yaml'), 'w', encoding='utf-8') as file:
            file.write(CONFIG.replace('20000', '10000'))
        self.done('reload')
        self.assertIn('drain_timeout_ms: 10000\n', self.done('config'))
        daemon.stop()

    def test_each_is_audited(self):
        daemon = self.run_daemon(workers=1)
        self.done('scale', '2')
        lines = eventually('both are audited', lambda: (
            lambda all: all if len(all) >= 2 else None)(daemon.audit()))
        # What was asked for may have ended before the call was answered.
        self.assertCountEqual([(line['method'], line['who'], line['asked'], line['result'],
                                line['answer']) for line in lines], [
            ('/grove.v1.OperationService/ScaleWorkers', 'local', 'workers: 2', 'OK',
             'operations/1'),
            ('operation', 'local', 'KIND_SCALE', 'STATE_SUCCEEDED', 'from 1 to 2 workers')])
        self.assertIn('requested_by=local', daemon.log())
        daemon.stop()

    def test_a_drain_ends_the_daemon(self):
        daemon = self.run_daemon(workers=1)
        self.assertEqual(self.done('drain'), 'drained: the daemon has ended\n')
        daemon.ended()


if __name__ == '__main__':
    unittest.main()
