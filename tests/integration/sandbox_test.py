"""Sandboxes that refuse system calls: what has a fall-back takes it, what has none says so."""

import os
import platform
import signal
import time
import unittest

from grove_harness import DEADLINE_S, Daemon, OwnDaemonTest, eventually

SANDBOX = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'sandbox.py')
# Of x86-64: asm/unistd_64.h.
EPOLL_WAIT, PPOLL, OPENAT2, EPOLL_PWAIT2 = 232, 271, 437, 441
FILES = '''http:
  routes:
    - path: /
      function: hello
    - path: /files/{path...}
      function: file
      folder: %s
'''


class SandboxedDaemon(Daemon):

    refused = ()

    def command(self):
        numbers = ','.join(str(each) for each in self.refused)
        return ['/usr/bin/python3', '-B', SANDBOX, numbers, *super().command()]


@unittest.skipUnless(platform.machine() == 'x86_64', 'the numbers of system calls are x86-64\'s')
class SandboxTest(OwnDaemonTest):

    def launch_without(self, *numbers, **options):
        self.daemon = SandboxedDaemon(**options)
        self.daemon.refused = numbers
        self.addCleanup(self.daemon.kill)
        return self.daemon

    def cpu_seconds(self, pid):
        with open(f'/proc/{pid}/stat', encoding='ascii') as file:
            fields = file.read().rpartition(')')[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def test_newer_calls_that_are_refused_have_older_ones_in_their_place(self):
        daemon = self.launch_without(EPOLL_PWAIT2, OPENAT2,
                                     config=FILES % '/tmp', workers=1)
        path = os.path.join(daemon.folder, 'a.txt')
        with open(path, 'w', encoding='ascii') as file:
            file.write('there')
        daemon.start()
        self.assertEqual(daemon.get('/')[0], 200)
        self.assertEqual(daemon.get('/files/' + os.path.relpath(path, '/tmp')), (200, 'there'))
        self.assertEqual(daemon.grovectl('spawn', 'echo', '1', '--wait').stdout.strip(), '1')
        # It waits and does not spin: idle for a second of the wall's, it takes none of the CPU's.
        worker = daemon.pid_of('grove-w0')
        before, began = self.cpu_seconds(worker), time.monotonic()
        eventually('a second is over', lambda: time.monotonic() > began + 1)
        self.assertLess(self.cpu_seconds(worker) - before, (time.monotonic() - began) / 2)
        daemon.stop()

    def test_a_hub_that_cannot_wait_says_so_and_ends(self):
        daemon = self.launch_without(EPOLL_WAIT, EPOLL_PWAIT2, workers=1)
        daemon.launch()
        daemon.ended(exit_code=4)
        self.assertRegex(daemon.log(), 'hub: epoll_wait: Operation not permitted; .*ends')

    def test_a_supervisor_that_cannot_wait_says_so_and_takes_all_along(self):
        daemon = self.launch_without(PPOLL, workers=1)
        daemon.launch()
        self.assertEqual(daemon.process.wait(DEADLINE_S), -signal.SIGABRT)
        eventually('no process is left', lambda: not daemon.processes())
        self.assertRegex(daemon.log(), 'supervisor: ppoll: Operation not permitted; .*ends')


if __name__ == '__main__':
    unittest.main()
