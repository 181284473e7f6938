"""Signals that nobody means, that come twice, and what whoever started the daemon left of them."""

import os
import re
import signal
import threading
import unittest

from grove_harness import HELLO_AND_SLEEP, Daemon, OwnDaemonTest, eventually, http_get

UNUSED = (signal.SIGQUIT, signal.SIGUSR2, signal.SIGTTIN, signal.SIGTTOU, signal.SIGWINCH,
          signal.SIGALRM, signal.SIGRTMIN)
# By one of the processes alone.
USED = {'groved': set(UNUSED) - {signal.SIGALRM, signal.SIGRTMIN},
        'grove-control': {signal.SIGQUIT}}
IGNORING = '''
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
os.execv(sys.argv[1], sys.argv[1:])
'''


class IgnoringDaemon(Daemon):
    """Started by somebody who ignores signals."""

    def command(self):
        return ['/usr/bin/python3', '-c', IGNORING, *super().command()]


class SignalsTest(OwnDaemonTest):

    def test_what_nobody_uses_is_logged_and_changes_nothing(self):
        daemon = self.start(workers=1, config=HELLO_AND_SLEEP)
        before = daemon.processes()
        for name in ('groved', 'grove-w0', 'grove-control'):
            for number in set(UNUSED) - USED.get(name, set()):
                with self.subTest(name=name, signal=number):
                    said = f'changes nothing" .*number={int(number)} from_pid={os.getpid()}\n'
                    seen = len(daemon.log())
                    os.kill(daemon.pid_of(name), number)
                    eventually('it says so', lambda seen=seen, said=said: re.search(
                        said, daemon.log()[seen:]))
        self.assertEqual(daemon.processes(), before)
        self.assertEqual(daemon.get('/hello')[0], 200)
        daemon.stop()

    def test_a_worker_that_dies_is_replaced_though_sigchld_was_ignored(self):
        self.daemon = IgnoringDaemon(workers=1, config=HELLO_AND_SLEEP)
        self.addCleanup(self.daemon.kill)
        daemon = self.daemon.start()
        worker = daemon.pid_of('grove-w0')
        os.kill(worker, signal.SIGKILL)
        eventually('its successor serves', lambda: daemon.pid_of('grove-w0') not in (None, worker)
                   and daemon.get('/hello')[0] == 200)
        daemon.stop()

    def test_a_sigterm_that_is_repeated_at_once_loses_no_request(self):
        daemon = self.start(workers=1, config=HELLO_AND_SLEEP)
        answers = []
        client = threading.Thread(
            target=lambda: answers.append(http_get(daemon.http_address, '/sleep?seconds=1')))
        client.start()
        eventually('it runs', lambda: daemon.metrics_sum('grove_http_requests_running') == 1)
        for _ in range(3):
            daemon.process.send_signal(signal.SIGTERM)
        daemon.ended(exit_code=0)
        client.join()
        self.assertEqual(answers[0][0], 200)


if __name__ == '__main__':
    unittest.main()
