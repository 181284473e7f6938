"""The machine lets no process be started for a while: the daemon serves on, and recovers by itself.

It runs as a user of its own, since root may start as many processes as it likes.
"""

import os
import re
import shutil
import signal
import subprocess
import time
import unittest

from grove_api import SUCCEEDED, tasks, worker_service_pb2
from grove_harness import (CONTROL, DEADLINE_S, GROVED, HELLO_AND_SLEEP, Daemon, OwnDaemonTest,
                           eventually, program)

SETPRIV = '/usr/bin/setpriv'
PRLIMIT = '/usr/bin/prlimit'
# Nobody else's: what counts is all that a user runs.
USER = 1_000_000_000 + os.getpid()
FAILURES = 'grove_process_start_failures_total{process="%s"}'
# kNotStartedLineEvery.
LINE_EVERY_S = 60
Worker = worker_service_pb2.Worker


def as_user(*command):
    return [SETPRIV, f'--reuid={USER}', f'--regid={USER}', '--clear-groups', *command]


def why_not():
    """Empty: another user's processes can be started and bounded here."""
    if os.geteuid() != 0:
        return 'only root can be another user'
    for needed in (SETPRIV, PRLIMIT):
        if not os.path.exists(needed):
            return f'there is no {needed}'
    done = subprocess.run(as_user(PRLIMIT, '--nproc=1:', '/bin/sh', '-c', '/bin/true; /bin/true'),
                          capture_output=True, text=True, check=False)
    # A shell of that user alone is as many as it may have.
    return '' if 'fork' in done.stderr.lower() else f'no limit holds: {done.stderr!r}'


class OtherUsers(Daemon):
    """A daemon whose programs, folders and processes are that user's."""

    def __init__(self, **options):
        super().__init__(config=HELLO_AND_SLEEP, **options)
        for path in (GROVED, CONTROL):
            shutil.copy(program(path), self.folder)
            os.chmod(self.copy_of(path), 0o755)
        os.chown(self.folder, USER, USER)

    def copy_of(self, path):
        return os.path.join(self.folder, os.path.basename(path))

    def command(self):
        arguments = [each for each in super().command()[1:]
                     if not each.startswith('--control_binary=')]
        # Other credentials forget whose death was to be theirs.
        return as_user('--pdeathsig=KILL', self.copy_of(GROVED), *arguments)

    def prlimit(self, *arguments):
        """Of the supervisor alone. As its user, whom root is not without CAP_SYS_RESOURCE."""
        return subprocess.run(as_user(PRLIMIT, f'--pid={self.process.pid}', *arguments), check=True,
                              capture_output=True, text=True, timeout=DEADLINE_S).stdout.strip()

    def limit_processes(self, number):
        self.prlimit(f'--nproc={number}:')

    def failure_lines(self, name):
        return re.findall(rf'"cannot start a process" name={name} .*', self.log())


WHY_NOT = why_not()


@unittest.skipIf(WHY_NOT, WHY_NOT)
class StartFailuresTest(OwnDaemonTest):

    def start(self):
        self.daemon = OtherUsers()
        self.addCleanup(self.daemon.kill)
        return self.daemon.start()

    def kill(self, name):
        pid = self.daemon.pid_of(name)
        os.kill(pid, signal.SIGKILL)

    def test_it_serves_on_and_recovers_and_nothing_is_lost(self):
        daemon = self.start()
        limit = daemon.prlimit('--nproc', '--raw', '--noheadings', '--output=SOFT')
        api = daemon.api()
        self.assertEqual([daemon.metrics()[FAILURES % each] for each in ('worker', 'control')],
                         [0, 0])
        names = [api.spawn('sleep', {'seconds': 1}, durability=tasks.DURABILITY_DURABLE).name
                 for _ in range(8)]
        begun = time.monotonic()
        daemon.limit_processes(1)
        self.kill('grove-w0')
        # Four within a second and a half, where they were ten seconds apart.
        eventually('it is tried again and again',
                   lambda: daemon.metrics()[FAILURES % 'worker'] >= 5)
        next_try = re.compile(r'^\[-\]worker-0 down: restarts in \d+\.\d s$', re.M)
        eventually('/readyz says when the next try is',
                   lambda: next_try.search(daemon.admin('/readyz?verbose')[1]))
        self.assertEqual(daemon.admin('/readyz')[0], 200)
        self.assertEqual(daemon.get('/hello')[0], 200)
        worker = api.list_workers()[0]
        self.assertEqual((worker.state, worker.pid, worker.generation), (Worker.STATE_DOWN, 0, 1))
        # None is left at all: control cannot come back, and connections wait.
        self.kill('grove-control')
        eventually('control is tried', lambda: daemon.failure_lines('grove-control'))
        self.kill('grove-w1')
        eventually('nobody is left', lambda: list(daemon.processes()) == [daemon.process.pid])
        with daemon.connect() as waiting:
            waiting.sendall(b'GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
            lines = daemon.failure_lines('grove-w[01]')
            passed = time.monotonic() - begun
            self.assertLessEqual(len(lines), 1 + passed // LINE_EVERY_S, daemon.evidence())
            self.assertIn('error="fork: Resource temporarily unavailable" times=1', lines[0])

            daemon.limit_processes(limit)
            self.assertTrue(waiting.recv(64).startswith(b'HTTP/1.1 200 '))
        # grove-w1 may not have been tried before the limit was lifted.
        for name in ('grove-w0', 'grove-control'):
            eventually(f'{name} is back', lambda name=name: re.search(
                rf'"can be started again" name={name} after_failures=\d+', daemon.log()))
        eventually('both serve', lambda: self.both_serve())
        self.assertGreaterEqual(daemon.metrics()[FAILURES % 'control'], 1)
        api = daemon.api()
        for name in names:
            self.assertEqual(api.wait(name).state, SUCCEEDED)
        # What never was is no process.
        self.assertEqual([each.generation for each in api.list_workers()], [2, 2])
        failures = daemon.metrics()[FAILURES % 'worker']
        self.kill('grove-w0')
        eventually('it is back at once', lambda: self.both_serve()
                   and self.daemon.api().list_workers()[0].generation == 3)
        self.assertEqual(daemon.metrics()[FAILURES % 'worker'], failures)
        daemon.stop()

    def both_serve(self):
        try:
            text = self.daemon.admin('/readyz?verbose')[1]
        except (OSError, ValueError):
            return False
        return text.count('[+]worker-') == 2


if __name__ == '__main__':
    unittest.main()
