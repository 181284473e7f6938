"""Over reloads, upgrades and deaths of workers every process keeps to what it held.

A few of each by default; `./dev soak` asks for thousands.
"""

import os
import re
import signal
import time
import unittest

from footprint import Kept
from grove_api import worker_service_pb2
from grove_harness import DEADLINE_S, HELLO_AND_SLEEP, OwnDaemonTest, eventually

READY = worker_service_pb2.Worker.STATE_READY
RELOADS = int(os.environ.get('GROVE_SOAK_RELOADS', '5'))
KILLS = int(os.environ.get('GROVE_SOAK_KILLS', '6'))
UPGRADES = int(os.environ.get('GROVE_SOAK_UPGRADES', '3'))
# As many before the first look: pools and caches are filled then.
WARM_UP = 3
# Who dies sooner after it was ready counts as one that keeps dying (server/supervisor/policy.h).
LIVES_S = 2.5


class SoakTest(OwnDaemonTest):

    def all_ready(self, api):
        return all(worker.state == READY and worker.linked for worker in api.list_workers())

    def do(self, kind, number):
        """Tells the daemon so, and waits until that has ended."""
        ended = re.compile(rf'"operation ended" operation=\d+ kind={kind} .*outcome=succeeded')
        seen = len(self.daemon.log())
        self.daemon.process.send_signal(number)
        eventually(f'the {kind} has ended', lambda: ended.search(self.daemon.log()[seen:]),
                   2 * DEADLINE_S)

    def reload(self, api):
        self.do('reload', signal.SIGHUP)
        eventually('all workers serve', lambda: self.all_ready(api))

    def kill(self, daemon, api, worker):
        """A worker that has lived long enough not to be taken for one that keeps dying."""
        def ripe():
            row = api.list_workers()[worker]
            return (row.state == READY and row.linked
                    and time.time() - row.start_time.ToMicroseconds() / 1e6 > LIVES_S and row)
        row = eventually('it has lived', ripe)
        os.kill(row.pid, signal.SIGKILL)
        eventually('another serves', lambda: (
            api.list_workers()[worker].pid != row.pid and self.all_ready(api)))

    def test_reloads(self):
        daemon = self.start(workers=2)
        api = daemon.api()
        for _ in range(WARM_UP):
            self.reload(api)
        with Kept(daemon, f'{RELOADS} reloads'):
            for _ in range(RELOADS):
                self.reload(api)
        self.assertEqual(daemon.get('/')[0], 200)
        daemon.stop()

    def test_reloads_in_place(self):
        daemon = self.start(workers=2, config=HELLO_AND_SLEEP)
        before = daemon.processes()

        def change(count):
            path = ('/hello', '/hi')[count % 2]
            with open(os.path.join(daemon.folder, 'config.yaml'), 'w', encoding='utf-8') as file:
                file.write(HELLO_AND_SLEEP.replace('/hello', path))
            self.do('reload', signal.SIGHUP)
            self.assertEqual(daemon.get(path)[0], 200)
        for count in range(WARM_UP):
            change(1 + count)
        with Kept(daemon, f'{RELOADS} reloads in place'):
            for count in range(RELOADS):
                change(WARM_UP + 1 + count)
        self.assertEqual(daemon.processes(), before)
        daemon.stop()

    def test_upgrades(self):
        daemon = self.start(workers=2)
        for _ in range(WARM_UP):
            self.do('upgrade', signal.SIGUSR2)
        with Kept(daemon, f'{UPGRADES} upgrades'):
            for _ in range(UPGRADES):
                self.do('upgrade', signal.SIGUSR2)
        self.assertEqual(daemon.get('/')[0], 200)
        daemon.stop()

    def test_deaths_of_workers(self):
        workers = 4 if KILLS > 100 else 2
        daemon = self.start(workers=workers)
        api = daemon.api()
        for count in range(WARM_UP):
            self.kill(daemon, api, count % workers)
        with Kept(daemon, f'{KILLS} deaths of workers'):
            for count in range(KILLS):
                self.kill(daemon, api, count % workers)
        self.assertEqual(daemon.metrics_sum('grove_worker_restarts_total'), WARM_UP + KILLS)
        self.assertEqual(daemon.get('/')[0], 200)
        daemon.stop()


if __name__ == '__main__':
    unittest.main()
