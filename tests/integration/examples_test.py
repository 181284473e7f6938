"""Applications of one's own: HTTP, tasks and periodic work in one daemon."""

import os
import re
import signal
import unittest

from grove_api import SUCCEEDED
from grove_harness import OwnDaemonTest, curl, eventually

NOTES = 'server/examples/notes'
TICKER = 'server/examples/ticker'


class TickerTest(OwnDaemonTest):

    def start_ticker(self, *flags):
        return self.start(binary=TICKER, flags=flags)

    def test_serves_its_route_and_nothing_else(self):
        daemon = self.start_ticker()
        # Every ten seconds, so not yet.
        self.assertEqual(daemon.get('/count'), (200, '0\n'))
        self.assertEqual(daemon.get('/')[0], 404)
        daemon.stop()

    def test_a_handler_spawns_a_task_and_waits_for_it(self):
        daemon = self.start_ticker()
        self.assertEqual(daemon.get('/primes/100000'), (200, '9592\n'))
        [task] = daemon.grovectl_json('tasks')['tasks']
        self.assertEqual(task['spec']['durability'], 'VOLATILE')
        # The task's error is the request's.
        self.assertEqual(daemon.get('/primes/-1')[0], 400)
        daemon.stop()

    def test_takes_tasks_over_grpc(self):
        daemon = self.start_ticker()
        done = daemon.grovectl('spawn', 'ticker.primes', '100000', '--wait')
        self.assertEqual((done.returncode, done.stdout), (0, '9592'), done.stderr)
        self.assertEqual(daemon.api().run('ticker.primes', 0).output, b'0')
        functions = daemon.grovectl_json('functions')['functions']
        # Beside its own, the one that every worker has.
        self.assertEqual([each['name'] for each in functions],
                         ['functions/task.webhook', 'functions/ticker.primes'])
        daemon.stop()

    def test_does_its_periodic_work_beside_them(self):
        daemon = self.start_ticker('--tick_interval=100ms')
        task = daemon.api().spawn('ticker.primes', 2_000_000)
        eventually('it has ticked three times',
                   lambda: int(daemon.get('/count')[1]) >= 3)
        self.assertLessEqual({'worker=0', 'worker=1'},
                             set(re.findall(r'"tick" .*(worker=\d)', daemon.log())))
        self.assertEqual(daemon.api().wait(task.name).state, SUCCEEDED)
        daemon.stop()

    def test_its_work_starts_anew_in_a_new_worker(self):
        daemon = self.start_ticker('--tick_interval=50ms')
        pid = daemon.pid_of('grove-w0')
        eventually('worker 0 ticks', lambda: re.search('"tick" .*worker=0', daemon.log()))
        os.kill(pid, signal.SIGKILL)
        eventually('there is a new worker', lambda: daemon.pid_of('grove-w0') not in (None, pid))
        eventually('the new one ticks for its first time',
                   lambda: daemon.log().count('"tick" ticks=1 worker=0\n') == 2)
        daemon.stop()

    def test_its_name_stands_in_its_log_and_help(self):
        daemon = self.start_ticker()
        self.assertIn(' ticker "serving" ', daemon.log())
        daemon.stop()
        daemon = self.launch(binary=TICKER, flags=['--help'])
        daemon.process.wait()
        self.assertIn('--tick_interval', daemon.log())


class NotesTest(OwnDaemonTest):
    """The handlers that docs/http.md shows."""

    def test_does_what_its_comments_say(self):
        daemon = self.start(binary=NOTES, workers=1)
        put = ('--write-out', '%{http_code}', '--request', 'PUT', '--data-binary')
        self.assertEqual(curl(*put, 'hello', daemon.url('/notes/a%20b')), b'201')
        self.assertEqual(curl(*put, 'hi', daemon.url('/notes/a%20b')), b'204')
        self.assertEqual(daemon.get('/notes/a%20b'), (200, 'hi'))
        self.assertEqual(daemon.get('/notes/none'), (404, 'no such note\r\n'))
        self.assertTrue(curl(*put, 'x' * 65537, daemon.url('/notes/long')).endswith(b'KiB\n413'))
        self.assertEqual(curl('--data-binary', 'x' * 10000, daemon.url('/count')), b'10000\n')
        eventually('the hook has run', lambda: '"counted" whole=1' in daemon.log())
        self.assertEqual(curl(daemon.url('/ticks')), b'data: 1\n\ndata: 2\n\ndata: 3\n\n')
        self.assertEqual(daemon.get('/shout')[0], 400)
        daemon.stop()


if __name__ == '__main__':
    unittest.main()
