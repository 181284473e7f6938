"""A worker that dies at each of its starts: the daemon says so everywhere, until it lives."""

import os
import re
import signal
import unittest

from grove_harness import Daemon, OwnDaemonTest, eventually

HANGING = 'tests/integration/hanging'
QUICK_DEATHS = 'grove_worker_quick_deaths{worker="%d"}'


class CrashLoopTest(OwnDaemonTest):

    def start(self):
        """The file that names who is to die."""
        self.daemon = Daemon(binary=HANGING)
        self.addCleanup(self.daemon.kill)
        flag = os.path.join(self.daemon.folder, 'die')
        self.daemon.env['GROVE_TEST_DIE'] = flag
        self.daemon.start()
        return flag

    def verbose(self):
        return self.daemon.admin('/readyz?verbose')[1]

    def note(self):
        """Of worker 0."""
        line = self.daemon.grovectl('workers').stdout.splitlines()[1]
        return re.split(r'  +', line)[-1]

    def die(self, flag):
        """Worker 0, now and at each start while the file names it."""
        with open(flag, 'w', encoding='utf-8') as file:
            file.write('grove-w0')
        os.kill(self.daemon.pid_of('grove-w0'), signal.SIGKILL)

    def test_everybody_says_so_until_it_has_lived(self):
        flag = self.start()
        daemon = self.daemon
        self.assertEqual(daemon.metrics()[QUICK_DEATHS % 0], 0)
        api = daemon.api()
        self.die(flag)
        text = r'restarts in \d+\.\d s, died (\d+) times in a row \(signal: signal 9 \(Killed\)\)'
        told = eventually('/readyz says when and why',
                          lambda: re.search(rf'^\[-\]worker-0 down: {text}$', self.verbose(), re.M))
        self.assertGreaterEqual(int(told.group(1)), 2)
        self.assertIn('[+]worker-1 ready\n', self.verbose())
        self.assertTrue(self.verbose().endswith('readyz check passed\n'), 'the other one serves')
        text = r'^restarts in \w+[.\w]*, died (\d+) times in a row \(signal: signal 9 \(Killed\)\)$'
        note = eventually('grovectl says so', lambda: re.search(text, self.note()))
        self.assertGreaterEqual(int(note.group(1)), int(told.group(1)))
        worker = eventually('the API says so', lambda: next(
            (each for each in api.list_workers()[:1] if each.HasField('restart_delay')), None))
        self.assertGreaterEqual(worker.quick_deaths, int(note.group(1)))
        self.assertLessEqual(worker.restart_delay.ToTimedelta().total_seconds(), 10)
        metrics = daemon.metrics()
        self.assertGreaterEqual(metrics[QUICK_DEATHS % 0], worker.quick_deaths)
        self.assertEqual(metrics[QUICK_DEATHS % 1], 0)

        os.unlink(flag)
        eventually('it lives', lambda: daemon.metrics()[QUICK_DEATHS % 0] == 0)
        self.assertIn('[+]worker-0 ready\n', self.verbose())
        self.assertEqual(self.note(), '-')
        worker = api.list_workers()[0]
        self.assertEqual((worker.quick_deaths, worker.HasField('restart_delay')), (0, False))
        daemon.stop()


if __name__ == '__main__':
    unittest.main()
