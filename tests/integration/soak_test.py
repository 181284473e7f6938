"""Over reloads and deaths of workers every process keeps to what it held.

A few of each by default; `./dev soak` asks for thousands.
"""

import os
import re
import signal
import time
import unittest

from footprint import Kept
from grove_api import worker_service_pb2
from grove_harness import OwnDaemonTest, eventually

READY = worker_service_pb2.Worker.STATE_READY
RELOADS = int(os.environ.get('GROVE_SOAK_RELOADS', '5'))
KILLS = int(os.environ.get('GROVE_SOAK_KILLS', '6'))
# As many before the first look: pools and caches are filled then.
WARM_UP = 3
# Who dies sooner after it was ready counts as one that keeps dying (server/supervisor/policy.h).
LIVES_S = 2.5


class SoakTest(OwnDaemonTest):

    def all_ready(self, api):
        return all(worker.state == READY and worker.linked for worker in api.list_workers())

    def reload(self, daemon, api, count):
        """The count-th of this daemon."""
        ended = re.compile(r'"operation ended" operation=\d+ kind=reload .*outcome=succeeded')
        daemon.process.send_signal(signal.SIGHUP)
        eventually(f'reload {count} has ended',
                   lambda: len(ended.findall(daemon.log())) >= count)
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
        for count in range(WARM_UP):
            self.reload(daemon, api, count + 1)
        with Kept(daemon, f'{RELOADS} reloads'):
            for count in range(RELOADS):
                self.reload(daemon, api, WARM_UP + count + 1)
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
