"""The shared table and named locks: one of all workers, whatever becomes of these."""

import json
import os
import re
import signal
import unittest

from grove_harness import OperationsTest, curl, eventually
from upgrade_test import Installed

TALLY = 'server/examples/tally'
CONFIG = 'runtime: {offload_threads: %d}\n'


class TallyTest(OperationsTest):

    def start_tally(self, workers=2, config=CONFIG % 2):
        return self.start(binary=TALLY, workers=workers, config=config)

    def vote(self, name):
        """How many it has now, and which worker says so."""
        said = curl('-X', 'POST', self.daemon.url(f'/votes/{name}')).decode()
        votes, worker = re.fullmatch(r'(\d+) at worker (\d+)', said).groups()
        return int(votes), int(worker)

    def leader(self):
        """Its pid and its token; nothing while there has been none."""
        match = re.fullmatch(r'pid (\d+), token (\d+)', self.daemon.get('/leader')[1])
        return match and tuple(int(each) for each in match.groups())

    def leads(self, before=None):
        """Another one than before, who was told a greater token; a worker that stays."""
        def found():
            leader = self.leader()
            stays = leader and leader[0] in [self.daemon.pid_of(f'grove-w{n}') for n in range(3)]
            return stays and (before is None or leader[0] != before[0]) and leader
        pid, token = eventually('there is another leader', found)
        if before is not None:
            self.assertGreater(token, before[1])
        return pid, token

    def table(self):
        return json.loads(self.daemon.admin('/debug/shared?format=json')[1])['table']


class SharedTest(TallyTest):

    def test_all_workers_count_together(self):
        daemon = self.start_tally()
        seen = set()
        votes = 0
        while len(seen) < 2:
            now, worker = self.vote('blue')
            votes += 1
            self.assertEqual(now, votes)
            seen.add(worker)
        self.assertEqual(daemon.get('/votes/blue'), (200, str(votes)))
        self.assertEqual(daemon.get('/votes/red')[0], 404)
        self.leads()  # a row, beside its lock
        eventually('it is told', lambda: self.table() == {
            'rows': 3, 'rows_max': 1024, 'locks': 1, 'refused': 0})
        self.assertEqual(daemon.metrics_sum('grove_shared_table_rows'), 3)
        daemon.stop()

    def test_the_lock_of_a_worker_that_is_killed_is_anothers_at_once(self):
        daemon = self.start_tally()
        votes, _ = self.vote('blue')
        leader = self.leads()
        for _ in range(3):
            os.kill(leader[0], signal.SIGKILL)
            leader = self.leads(leader)  # long before a term of 60 s is over
        self.assertEqual(daemon.log().count('"released the locks of a worker that has ended"'), 3)
        self.assertEqual(self.vote('blue')[0], votes + 1)
        daemon.stop()

    def test_it_outlives_a_reload_and_changes_of_the_worker_count(self):
        daemon = self.start_tally()
        votes, _ = self.vote('blue')
        leader = self.leads()
        with open(os.path.join(daemon.folder, 'config.yaml'), 'w', encoding='utf-8') as file:
            file.write(CONFIG % 3)
        self.tell(signal.SIGHUP)
        self.ended('reload')
        leader = self.leads(leader)
        self.assertEqual(self.vote('blue')[0], votes + 1)
        self.tell(signal.SIGTTIN)
        self.ended('scale')
        seen = {}
        while 2 not in seen:
            now, worker = self.vote('blue')
            seen[worker] = now
        self.assertEqual(self.leader(), leader)
        for times in (2, 3):
            self.tell(signal.SIGTTOU)
            self.ended('scale', times=times)
        self.assertEqual(self.vote('blue'), (seen[2] + 1, 0))
        last = daemon.pid_of('grove-w0')
        eventually('it leads', lambda: (self.leader() or [0])[0] == last)
        daemon.stop()

    def test_a_table_that_is_full_refuses_what_is_new(self):
        daemon = self.start_tally(workers=1, config='shared_table: {rows_max: 4}\n')
        self.leads()  # has two of them
        for name in ('a', 'b'):
            self.assertEqual(self.vote(name)[0], 1)
        refused = curl('-X', 'POST', '-w', ' %{http_code}', daemon.url('/votes/c')).decode()
        self.assertIn('the shared table is full: it has 4 rows', refused)
        self.assertTrue(refused.endswith(' 429'), refused)
        self.assertEqual(self.vote('a')[0], 2)
        eventually('it is counted', lambda: daemon.metrics_sum(
            'grove_shared_table_refused_total') == 1)
        daemon.stop()


class UpgradeTest(TallyTest):

    def test_it_outlives_an_upgrade(self):
        daemon = self.daemon = Installed(source=TALLY, config=CONFIG % 2)
        self.addCleanup(daemon.kill)
        daemon.start()
        votes, _ = self.vote('blue')
        leader = self.leads()
        for times in (1, 2):
            daemon.install()
            self.assertIn('outcome=succeeded', daemon.upgrade())
            leader = self.leads(leader)
            self.assertEqual(self.vote('blue')[0], votes + times)
        daemon.stop()


if __name__ == '__main__':
    unittest.main()
