"""Waits of grovectl outlast a restart of control."""

import os
import signal
import subprocess
import unittest

from grove_harness import (DEADLINE_S, GROVECTL, OwnDaemonTest, eventually, free_port, program)


class RestartTest(OwnDaemonTest):

    def setUp(self):
        # A port that control takes again.
        self.start(flags=[f'--control=127.0.0.1:{free_port()}'])
        # A restarted control has the size of the configuration again, which lets the task run.
        self.daemon.api().resize(0)

    def grovectl(self, *arguments):
        process = subprocess.Popen(
            [program(GROVECTL), f'--address={self.daemon.address("grpc")}', *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdout.close)
        return process

    def end_control(self):
        before = self.daemon.pid_of('grove-control')
        os.kill(before, signal.SIGKILL)
        eventually('control is back',
                   lambda: self.daemon.pid_of('grove-control') not in (None, before))

    def outlasts(self, process):
        self.end_control()
        out, err = process.communicate(timeout=DEADLINE_S)
        self.assertRegex(err, r'(?m)^grovectl: .*fell silent; the tasks go on')
        self.assertRegex(err, r'(?m)^grovectl: 127\.0\.0\.1:\d+ is back$')
        return process.returncode, out, err

    def waiting(self):
        """The one task, which waits for room in its pool."""
        return eventually('it waits', lambda: self.daemon.api().list(states=[2]).tasks)[0].name

    def test_spawn_waits_on(self):
        process = self.grovectl('spawn', 'echo', '{"a":1}', '--wait')
        self.assertEqual(process.stderr.readline().strip(), self.waiting())
        code, out, _ = self.outlasts(process)
        self.assertEqual((code, out), (0, '{"a":1}'))
        self.daemon.stop()

    def test_wait_waits_on_for_several(self):
        api = self.daemon.api()
        names = [api.spawn('echo', 1).name, api.spawn('echo', 2).name]
        process = self.grovectl('wait', *names, '-o', 'name')
        eventually('it asks', lambda: self.daemon.metrics()['grove_task_waiters'] >= 1)
        code, out, _ = self.outlasts(process)
        self.assertEqual((code, out.split()), (0, names))
        self.daemon.stop()

    def test_a_volatile_task_is_said_to_be_lost(self):
        process = self.grovectl('spawn', 'echo', '1', '--volatile', '--wait')
        process.stderr.readline()
        code, out, err = self.outlasts(process)
        self.assertEqual((code, out), (1, ''))
        self.assertIn('volatile tasks do not outlast that (NOT_FOUND', err)
        self.daemon.stop()

    def test_a_timeout_bounds_it(self):
        process = self.grovectl('spawn', 'echo', '1', '--wait', '--timeout=0.3')
        process.stderr.readline()
        self.assertEqual(process.wait(DEADLINE_S), 1)
        self.daemon.stop()

    def test_sigint_without_a_terminal_says_how_to_go_on(self):
        process = self.grovectl('spawn', 'echo', '1', '--wait')
        name = process.stderr.readline().strip()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=DEADLINE_S)
        self.assertEqual(process.returncode, 130)
        self.assertRegex(err, rf'\Agrovectl: spawn: interrupted; .* wait {name}" waits on')
        self.daemon.stop()


if __name__ == '__main__':
    unittest.main()
