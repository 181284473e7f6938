"""Tests that do something bad to a daemon again and again, at random moments, while clients spawn
tasks, and account for every task.

A failure names its seed: GROVE_DELIVERY_SEED draws the same again, though not at the same moments.
"""

import contextlib
import http.client
import mmap
import os
import random
import secrets
import signal
import struct
import tempfile
import threading
import time

from delivery_clients import Client, Clients
from delivery_oracle import Book, read_notes
from grove_harness import DEADLINE_S, OwnDaemonTest, eventually, program

SEED = int(os.environ.get('GROVE_DELIVERY_SEED', '0')) or secrets.randbelow(1 << 32)
NOTING = 'tests/integration/noting'
SLOW_DISK = 'tests/integration/slow_disk.so'
WORKERS = 3
# Rounds between a task's spawn and the look at its end: it may live through all of them.
ROUNDS_OF_LIFE = 3
# No task is to fail or to be forgotten but by its function; stops of a moment are to be noticed.
CONFIG = '''
runtime: {stuck_ms: 300}
tasks: {interruptions_max: 1000, retention_ms: 86400000, retained_max: 10000000}
'''


def whole(tasks):
    """Comparable, and without a word where they are the same."""
    return {key: task.SerializeToString(deterministic=True) for key, task in tasks.items()}


class DeliveryTest(OwnDaemonTest):

    # How often the next blow comes before the daemon has recovered.
    hasty = 0
    # What a sync takes, drawn anew for each round: some disks have little to be killed in.
    sync_ms = (0,)
    # At most, between two rounds.
    rest_s = 0.3

    def setUp(self):
        self.chance = random.Random(SEED)
        self.book = Book()
        self.folder = tempfile.mkdtemp(prefix='grove-', dir='/tmp')
        self.notes = os.path.join(self.folder, 'notes')
        self._never = threading.Event()

    def start(self):
        path = os.path.join(self.folder, 'sync_ms')
        with open(path, 'w+b') as file:
            file.write(struct.pack('=i', 0))
            file.flush()
            self._sync_ms = mmap.mmap(file.fileno(), 4)
        self.addCleanup(self._sync_ms.close)
        return super().start(binary=NOTING, workers=WORKERS, config=CONFIG, folder=self.folder,
                             env={'LD_PRELOAD': program(SLOW_DISK), 'GROVE_TEST_SYNC_MS': path,
                                  'GROVE_TEST_NOTES': self.notes})

    def syncs_take(self, milliseconds):
        """Beside what the disk itself takes."""
        self._sync_ms[:] = struct.pack('=i', milliseconds)

    # The daemon

    def pass_time(self, most_s):
        """A random moment is one when nothing in particular has just happened."""
        self._never.wait(self.chance.uniform(0, most_s))

    def pids(self, prefix):
        return [pid for pid, name in self.daemon.processes().items() if name.startswith(prefix)]

    def a_worker(self):
        """Any; none if none is left."""
        workers = self.pids('grove-w')
        return self.chance.sample(workers, min(1, len(workers)))

    @staticmethod
    def signal(pids, number=signal.SIGKILL):
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def answers(self, path):
        try:
            return self.daemon.admin(path)[0] == 200
        except (OSError, KeyError, http.client.HTTPException):
            return False

    def settle(self):
        eventually('the daemon is ready again', lambda: self.answers('/readyz'), 2 * DEADLINE_S)

    def await_end(self):
        self.daemon.process.wait()
        eventually('nothing is left', lambda: not self.daemon.processes())

    # Who dies

    def kill_a_worker(self):
        self.signal(self.a_worker())

    @contextlib.contextmanager
    def death_of_control(self):
        """What it takes until it is dead may be gone, and what it took before."""
        self.book.control_dies()
        yield
        self.book.control_dies()

    def kill_control(self):
        with self.death_of_control():
            dying = self.pids('grove-control')
            self.signal(dying)
            eventually('it is dead', lambda: not set(dying) & set(self.daemon.processes()))

    def end_all(self):
        """All at once, as a power cut does."""
        with self.death_of_control():
            self.daemon.kill_all()

    def kill_all(self):
        self.end_all()
        self.daemon.start()

    # The test

    def check(self, clients):
        self.assertEqual(self.book.problems + clients.failures, [],
                         f'seed {SEED}, round {self.book.round}: {self.book.report()}')

    def rounds(self, count, blows):
        """So many of the blows, each at a random moment; how long it took."""
        began = time.monotonic()
        with Clients(self.daemon, self.book, SEED) as clients:
            self.pass_time(0.5)
            self.book.calm_until_ns = time.monotonic_ns()
            for self.book.round, blow in zip(range(1, count + 1), blows):
                self.syncs_take(self.chance.choice(self.sync_ms))
                blow()
                if self.chance.random() >= self.hasty:
                    self.settle()
                    self.look(self.book.round - ROUNDS_OF_LIFE)
                self.check(clients)
                self.pass_time(self.rest_s)
            self.syncs_take(0)
            self.settle()
        self.check(clients)
        return time.monotonic() - began

    def look(self, until):
        """What was accepted up to a round has ended."""
        try:
            eventually('all have ended', lambda: self.book.ended(until), 2 * DEADLINE_S)
        except AssertionError as error:
            raise AssertionError(f'seed {SEED}: {error}: {self.book.unended(until)}') from None

    def account(self, what, seconds):
        """Everything is as it should be, and stays so when all have died once more."""
        api = self.daemon.api()
        eventually('all have ended', lambda: (
            self.book.follow(api, 1) or self.book.ended(self.book.round)), 2 * DEADLINE_S)
        before = self.book.listed(api)
        self.kill_all()
        after = self.book.listed(self.daemon.api())
        self.assertEqual(whole({key: task for key, task in before.items()
                                if self.book.asks[key].durable}), whole(after))
        count = self.book.audit(before, read_notes(self.notes))
        self.assertEqual(self.book.problems, [], f'seed {SEED}: {self.book.report()}')
        print(f'\n{what} in {seconds:.0f} s, seed {SEED}: '
              + ', '.join(f'{number} {name}' for name, number in count.items())
              + f', refusals {dict(self.book.refusals)}')
        self.assertGreater(count['accepted'], 0)

    def in_mid_write(self, blow):
        """While batches are on their way to a disk that has not done with what came before."""
        client = Client(self.daemon, self.book, self.chance)
        calls = []
        for _ in range(4):
            asks = client.asks(self.chance.choice((10, 100, 500)))
            calls.append((asks, client.start(asks)))
            self.pass_time(0.03)
        blow()
        for asks, call in calls:
            client.finish(asks, call)
        client.finish_repeating()

    def in_turn(self, blows):
        """For ever: each of them once, in a random order, and again."""
        while True:
            yield from self.chance.sample(blows, len(blows))
