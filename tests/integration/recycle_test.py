"""Workers that reach a bound of `recycle` are replaced while requests go on; and a worker that the
kernel ends for memory is told as that.
"""

import collections
import http.client
import os
import re
import signal
import tempfile
import unittest

from grove_harness import (HELLO_AND_SLEEP, Background, Daemon, OperationsTest, OwnDaemonTest,
                           eventually)

GROWING = 'tests/integration/growing'
MIB = 1 << 20
# A worker has some ten MiB, and 128 more once it has grown.
RSS_BOUND = 100 * MIB
EVENT = re.compile(r' (\S+) "(ready|draining|ended|died|operation begins|operation ended)"(.*)')


class Clients(Background):
    """Ask on a connection of their own each time, and note what came of it."""

    def __init__(self, daemon):
        super().__init__(self.ask, self.ask)
        self.daemon = daemon
        self.answers = collections.Counter()

    def ask(self):
        while not self.stop.is_set():
            try:
                self.answers[self.daemon.get('/')[0]] += 1
            except (OSError, http.client.HTTPException) as error:
                self.answers[str(error)] += 1


def field(name, text):
    match = re.search(rf' {name}=(\S+)', text)
    return match and match.group(1)


class RecycleTest(OperationsTest):

    def start(self, config, **options):
        return super().start(config=config, flags=['--log_level=debug'], **options)

    def reload(self, config, times=1):
        """The config is this one from now on; what is being replaced has been by then."""
        with open(os.path.join(self.daemon.folder, 'config.yaml'), 'w', encoding='utf-8') as file:
            file.write(config)
        self.tell(signal.SIGHUP)
        self.ended('reload', times=times)

    def replaced(self, reason):
        """Which workers were, one after the other."""
        return re.findall(rf'message="replaced (\S+) \({reason}\)"', self.daemon.log())

    def check_order(self, reason):
        """One operation at a time, each of which ends one worker; and at no moment do fewer accept
        connections than there are workers."""
        accepting, under_way, all_there = set(), None, False
        for tag, what, rest in EVENT.findall(self.daemon.log()):
            if what.startswith('operation') and field('kind', rest) != 'recycle':
                continue
            name = field('name', rest) or re.sub('^worker-', 'grove-w', tag)
            if what == 'ready' and name != 'grove-control':
                accepting.add(name)
            elif what == 'draining' and tag != 'control':
                accepting.discard('grove-stand-in' if tag == 'stand-in' else name)
            elif what in ('ended', 'died') and field('reason', rest) == reason:
                self.assertEqual(under_way, 'begun', rest)
                under_way = name
            elif what == 'operation begins':
                self.assertIsNone(under_way, rest)
                under_way = 'begun'
            elif what == 'operation ended':
                self.assertIn(f'message="replaced {under_way} ({reason})"', rest)
                under_way = None
            all_there = all_there or len(accepting) == self.daemon.workers
            if all_there:
                self.assertGreaterEqual(len(accepting), self.daemon.workers, (what, rest))
        self.assertTrue(all_there)

    def check_told(self, reason):
        """The metric and WorkerService count what the log says."""
        count = len(self.replaced(reason))
        daemon = self.daemon
        self.assertEqual(sum(value for name, value in daemon.metrics().items() if name.startswith(
            'grove_process_exits_total{process="worker-') and f'reason="{reason}"' in name), count)
        self.assertEqual(daemon.metrics()[
            'grove_operations_total{kind="recycle",outcome="succeeded"}'], count)
        workers = daemon.api().list_workers()
        self.assertEqual(sum(each.exits[reason] for each in workers), count)
        self.assertEqual({each.last_exit for each in workers if each.exits[reason]},
                         {f'{reason}: exit code 0'})
        self.assertIn(f'{reason}: exit code 0', daemon.grovectl('workers', '-o', 'wide').stdout)

    def test_a_worker_is_replaced_after_so_many_requests_and_none_is_lost(self):
        daemon = self.start('recycle: {max_requests: 40, jitter_percent: 0}\n' + HELLO_AND_SLEEP,
                            workers=1)
        answers = []

        def one_more():
            answers.append(daemon.get('/hello')[0])
            return daemon.log().count('kind=recycle') >= 4  # begun and ended, twice
        eventually('it was replaced twice', one_more)
        self.assertEqual(set(answers), {200})
        self.assertGreaterEqual(len(answers), 80)
        self.assertIn('message="replaced grove-w0 (max_requests)"', self.ended('recycle', times=2))
        self.assertIn('reason=max_requests', daemon.log())
        worker = daemon.api().list_workers()[0]
        self.assertEqual(worker.last_exit, 'max_requests: exit code 0')
        self.assertEqual(dict(worker.exits), {'max_requests': worker.generation - 1})
        daemon.stop()

    def test_each_worker_is_replaced_when_it_is_old_enough(self):
        daemon = self.start('recycle: {max_age_ms: 1000, jitter_percent: 0}\n', workers=3)
        with Clients(daemon) as clients:
            eventually('each was replaced', lambda: set(self.replaced('max_age')) ==
                       {'grove-w0', 'grove-w1', 'grove-w2'})
        self.assertEqual(set(clients.answers), {200})
        self.reload('')
        self.check_told('max_age')
        self.check_order('max_age')
        daemon.stop()

    def grown(self):
        """The worker that has come to hold more."""
        return int(self.daemon.get('/grow')[1])

    def test_the_worker_that_grows_is_replaced_and_another_is_not(self):
        daemon = self.start(f'recycle: {{max_rss_bytes: {RSS_BOUND}, jitter_percent: 0}}\n',
                            workers=2, binary=GROWING)
        before = {worker.pid for worker in daemon.api().list_workers()}
        with Clients(daemon) as clients:
            grown = self.grown()
            self.ended('recycle')
            [successor] = {each.pid for each in daemon.api().list_workers()} - before
            self.assertNotIn(grown, daemon.processes())
            # Both at once.
            both = before - {grown} | {successor}
            seen = set()
            eventually('both have grown', lambda: seen.add(self.grown()) or seen >= both)
            self.ended('recycle', times=3)
        self.assertEqual(set(clients.answers), {200})
        self.check_told('max_rss')
        for worker in daemon.api().list_workers():
            self.assertLess(worker.rss_bytes, RSS_BOUND)
        self.check_order('max_rss')
        daemon.stop()

    def test_a_bound_is_lower_by_a_part_that_each_worker_draws(self):
        daemon = self.start('', workers=4)
        largest = max(each.rss_bytes for each in daemon.api().list_workers())
        far = f'max_rss_bytes: {2 * largest}'
        self.reload(f'recycle: {{{far}, max_age_ms: 1000, jitter_percent: 0}}\n')
        self.ended('recycle', times=4)
        self.assertEqual(self.replaced('max_rss'), [])
        self.reload(f'recycle: {{{far}, jitter_percent: 100}}\n', times=2)

        def drawn():
            if self.replaced('max_rss'):
                return True
            # Half of them have drawn one that is low enough; if none has, they draw again.
            if daemon.log().count('kind=restart') % 2 == 0:
                daemon.grovectl('restart', '--all')
            return False
        eventually('one was replaced for half the bound', drawn)
        daemon.stop()


class MemoryGroup:
    """A cgroup of its own below the one of this process, with a limit. `why_not` says why there is
    none, where there is none."""

    def __init__(self, limit_bytes):
        self.folder = self.why_not = None
        try:
            parent, v2 = self.parent()
            self.folder = tempfile.mkdtemp(prefix='grove-', dir=parent)
            if v2:
                self.write('memory.max', limit_bytes)
                self.write('memory.swap.max', 0)
            else:
                self.write('memory.limit_in_bytes', limit_bytes)
        except OSError as error:
            self.remove()
            self.why_not = f'no memory cgroup can be made here: {error}'

    @staticmethod
    def parent():
        """(folder, whether it is of version 2)"""
        with open('/proc/self/cgroup', encoding='utf-8') as file:
            own = dict(line.rstrip().split(':', 2)[1:] for line in file)
        if 'memory' in own:
            return '/sys/fs/cgroup/memory' + own['memory'], False
        folder = '/sys/fs/cgroup' + own.get('', '/')
        with open(os.path.join(folder, 'cgroup.subtree_control'), encoding='utf-8') as file:
            if 'memory' not in file.read().split():
                raise OSError(f'{folder} has no memory controller for folders below it')
        return folder, True

    def write(self, name, value):
        with open(os.path.join(self.folder, name), 'w', encoding='utf-8') as file:
            file.write(str(value))

    def remove(self):
        if self.folder and os.path.exists(self.folder):
            eventually('the group is empty', self.removed)

    def removed(self):
        try:
            os.rmdir(self.folder)
        except OSError:
            return False
        return True


class BoundDaemon(Daemon):
    """One in a cgroup."""

    folder_of_group = ''

    def command(self):
        return ['/bin/sh', '-c', 'echo $$ >"$0"/cgroup.procs && exec "$@"', self.folder_of_group,
                *super().command()]


class OutOfMemoryTest(OwnDaemonTest):

    def test_a_worker_that_the_kernel_ends_is_told_as_that_and_the_others_go_on(self):
        group = MemoryGroup(256 * MIB)
        self.addCleanup(group.remove)
        if group.why_not:
            self.skipTest(group.why_not)
        self.daemon = daemon = BoundDaemon(binary=GROWING, workers=2)
        daemon.folder_of_group = group.folder
        self.addCleanup(daemon.kill)
        daemon.start()
        before = {each.pid: each.name for each in daemon.api().list_workers()}
        with self.assertRaises((OSError, http.client.HTTPException)):
            daemon.get('/devour')
        line = eventually('the log says why', lambda: re.search(
            r'"died" name=(\S+) pid=(\d+) reason=out_of_memory with="signal 9 \(Killed\)"',
            daemon.log()))
        slot, pid = line.group(1).removeprefix('grove-w'), int(line.group(2))
        self.assertEqual(before.pop(pid), f'workers/{slot}')
        eventually('its successor serves', lambda: [
            each.linked for each in daemon.api().list_workers()] == [True, True])
        workers = {each.name: each for each in daemon.api().list_workers()}
        self.assertIn(*before, [each.pid for each in workers.values()], 'the other one went on')
        self.assertEqual(workers[f'workers/{slot}'].last_exit, 'out_of_memory: signal 9 (Killed)')
        self.assertEqual(dict(workers[f'workers/{slot}'].exits), {'out_of_memory': 1})
        self.assertIn('out_of_memory: signal 9 (Killed)',
                      daemon.grovectl('workers', '-o', 'wide').stdout)
        self.assertEqual(daemon.metrics()[
            f'grove_process_exits_total{{process="worker-{slot}",reason="out_of_memory"}}'], 1)
        for _ in range(20):
            self.assertEqual(daemon.get('/')[0], 200)
        daemon.stop()


if __name__ == '__main__':
    unittest.main()
