"""Stuck processes: seen, given nothing, killed with a report, and replaced."""

import os
import re
import signal
import stat
import unittest

from grove_api import SUCCEEDED, worker_service_pb2
from grove_harness import CONTROL, Daemon, OwnDaemonTest, eventually, program

HANGING = 'tests/integration/hanging'
Worker = worker_service_pb2.Worker
READY = (200, 'ok\n')
# Longer than a busy machine holds a healthy process up.
WATCHED = 'runtime: {stuck_ms: 1000, stuck_kill_ms: 4000}\n'
NEVER_KILLED = 'runtime: {stuck_ms: 1000, stuck_kill_ms: 0}\n'


class StuckWorkerTest(OwnDaemonTest):

    def state(self, api, worker=0):
        return api.list_workers()[worker].state

    def test_everybody_says_so_until_it_goes_on(self):
        daemon = self.start(config=NEVER_KILLED)
        api = daemon.api()
        pid = api.list_workers()[0].pid
        os.kill(pid, signal.SIGSTOP)
        eventually('it is stuck', lambda: self.state(api) == Worker.STATE_STUCK)
        self.assertEqual(daemon.metrics()['grove_worker_up{worker="0"}'], 0)
        self.assertEqual(daemon.metrics()['grove_worker_up{worker="1"}'], 1)
        self.assertIn('STUCK', daemon.grovectl('workers').stdout)
        self.assertEqual(daemon.admin('/readyz'), READY, 'the other one serves')
        self.assertEqual(daemon.admin('/livez'), READY)
        for _ in range(20):
            self.assertEqual(daemon.get('/'), (200, 'Hello, World!\n'))
        eventually('the log says so', lambda: re.search(
            r'"stuck: its hub does not turn" name=grove-w0 .*doing="T \(stopped\)"', daemon.log()))
        os.kill(pid, signal.SIGCONT)
        eventually('it is ready', lambda: self.state(api) == Worker.STATE_READY)
        eventually('the log says that too',
                   lambda: 'no longer stuck' in daemon.log())
        self.assertEqual(api.list_workers()[0].pid, pid)
        daemon.stop()

    def test_without_another_the_daemon_is_neither_ready_nor_live(self):
        daemon = self.start(config=NEVER_KILLED, workers=1)
        pid = daemon.pid_of('grove-w0')
        os.kill(pid, signal.SIGSTOP)
        status, text = eventually('it is not ready', lambda: (
            daemon.admin('/readyz') if daemon.admin('/readyz')[0] == 503 else None))
        self.assertRegex(text, '^no worker can serve\nworker 0: stuck: its hub has not turned for '
                         r'\d+ s\n$')
        self.assertEqual(daemon.admin('/livez')[0], 503)
        os.kill(pid, signal.SIGCONT)
        eventually('it is ready', lambda: daemon.admin('/readyz') == READY)
        daemon.stop()

    def is_replaced(self, daemon, pid):
        new = daemon.pid_of('grove-w0')
        return new not in (None, pid) and daemon.admin('/readyz') == READY

    def test_a_stopped_one_is_killed_and_replaced(self):
        daemon = self.start(config=WATCHED, workers=1)
        pid = daemon.pid_of('grove-w0')
        os.kill(pid, signal.SIGSTOP)
        eventually('there is another', lambda: self.is_replaced(daemon, pid))
        self.assertNotIn(pid, daemon.processes())
        self.assertRegex(daemon.log(), r'"died" name=grove-w0 .*signal 6 \(Aborted\)')
        self.assertEqual(daemon.metrics()['grove_worker_restarts_total{worker="0"}'], 1)
        self.assertEqual(daemon.get('/'), (200, 'Hello, World!\n'))
        daemon.stop()

    def test_one_that_loops_reports_its_fibers(self):
        daemon = self.start(binary=HANGING, config=WATCHED, workers=1)
        pid = int(daemon.get('/')[1])
        with daemon.connect() as connection:
            connection.sendall(b'GET /loop HTTP/1.1\r\nHost: a\r\n\r\n')
            eventually('there is another', lambda: self.is_replaced(daemon, pid))
            self.assertEqual(connection.recv(1), b'')
        log = daemon.log()
        self.assertRegex(log, r'grove: stuck in fiber \d+ "http\.connection"')
        self.assertRegex(log, r'grove: waits in fiber \d+ "heartbeat", spawned at \S+\n'
                         r'(grove:   #\d+ .*\n)*grove:   #\d+ .*Sleep')
        self.assertIn('Loop(', log, 'the stack of the fiber that runs')
        self.assertNotEqual(int(daemon.get('/')[1]), pid)
        daemon.stop()


class StuckControlTest(OwnDaemonTest):

    def test_it_is_killed_and_replaced(self):
        daemon = self.start(config=WATCHED)
        api = daemon.api()
        pid = daemon.pid_of('grove-control')
        os.kill(pid, signal.SIGSTOP)
        eventually('there is another', lambda: daemon.pid_of('grove-control') not in (None, pid))
        self.assertEqual(daemon.get('/'), (200, 'Hello, World!\n'))

        def replaced():
            try:
                return daemon.metrics()['grove_control_restarts_total'] == 1
            except OSError:
                return False
        eventually('it says that it was restarted', replaced)
        api = daemon.api()
        self.assertEqual(api.run('echo', {}).state, SUCCEEDED)
        self.assertRegex(daemon.log(), r'"stuck: its hub does not turn" name=grove-control')
        self.assertRegex(daemon.log(), r'grove: stuck .*\n')
        daemon.stop()


class HungBootTest(OwnDaemonTest):

    CONFIG = 'runtime: {boot_timeout_ms: 3000}\n'

    def launch(self, **options):
        self.daemon = Daemon(config=self.CONFIG, **options)
        self.addCleanup(self.daemon.kill)
        return self.daemon

    def until_it_gives_up_waiting(self, daemon, name, flag):
        """The boot is over once what holds it up is away, and the hung process is killed."""
        daemon.launch()
        eventually('the process is killed', lambda: re.search(
            rf'"not ready after runtime.boot_timeout_ms: killed with a report" name={name}',
            daemon.log()))
        os.unlink(flag)
        eventually('the daemon serves', lambda: ' "serving" http=' in daemon.log())
        self.assertRegex(daemon.log(), rf'"died" name={name} .*signal 6 \(Aborted\)')
        daemon.stop()

    def flag(self, daemon):
        path = os.path.join(daemon.folder, 'hang')
        with open(path, 'w', encoding='utf-8'):
            return path

    def test_a_workers_is_bounded(self):
        daemon = self.launch(binary=HANGING, workers=1)
        flag = self.flag(daemon)
        os.environ['GROVE_TEST_HANG'] = flag
        self.addCleanup(os.environ.pop, 'GROVE_TEST_HANG')
        self.until_it_gives_up_waiting(daemon, 'grove-w0', flag)

    def test_controls_is_bounded(self):
        daemon = self.launch(workers=1)
        flag = self.flag(daemon)
        script = os.path.join(daemon.folder, 'control')
        with open(script, 'w', encoding='utf-8') as file:
            file.write('#!/bin/sh\n'
                       f'[ -e {flag} ] && exec sleep 1000\n'
                       f'exec {program(CONTROL)} "$@"\n')
        os.chmod(script, stat.S_IRWXU)
        daemon.flags.append(f'--control_binary={script}')
        self.until_it_gives_up_waiting(daemon, 'grove-control', flag)


if __name__ == '__main__':
    unittest.main()
