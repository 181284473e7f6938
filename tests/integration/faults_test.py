"""What the machine and its users do to the daemon, where no other test has it: docs/testing.md."""

import os
import random
import signal
import unittest

from grove_harness import OwnDaemonTest, eventually


class SignalsTest(OwnDaemonTest):

    STORM = 1_000

    def test_a_storm_of_them_changes_no_process_but_by_reload(self):
        daemon = self.start()
        api = daemon.api()
        control = daemon.pid_of('grove-control')
        chance = random.Random(self.STORM)
        for _ in range(self.STORM):
            pid = chance.choice(list(daemon.processes()) or [daemon.process.pid])
            own = pid == daemon.process.pid
            numbers = [signal.SIGCHLD, signal.SIGALRM, signal.SIGHUP, signal.SIGURG]
            # Of a child: a terminal's, which are the supervisor's to act on.
            number = chance.choice(numbers if own else numbers + [signal.SIGINT])
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        eventually('all serve', lambda: all(worker.linked for worker in api.list_workers())
                   and len(api.list_workers()) == 2 and daemon.get('/')[0] == 200)
        self.assertEqual(daemon.pid_of('grove-control'), control)
        self.assertNotIn('"died"', daemon.log())
        daemon.stop()

    def test_a_hang_up_of_a_child_alone_changes_nothing(self):
        daemon = self.start()
        before = daemon.processes()
        for name in ('grove-w0', 'grove-w1', 'grove-control'):
            for _ in range(10):
                os.kill(daemon.pid_of(name), signal.SIGHUP)
        api = daemon.api()
        self.assertEqual(api.run('echo', 'a').output, b'"a"')
        self.assertEqual(daemon.get('/')[0], 200)
        self.assertEqual(daemon.processes(), before)
        daemon.stop()


if __name__ == '__main__':
    unittest.main()
