"""Limits of the system that are too low are named, before and when processes die of them."""

import re
import unittest

from grove_harness import DEADLINE_S, Daemon, OwnDaemonTest, eventually


class LimitedDaemon(Daemon):
    """One that was started under a limit: an option of prlimit(1)."""

    limit = ''

    def command(self):
        return ['/usr/bin/prlimit', self.limit, '--'] + super().command()


class LimitsTest(OwnDaemonTest):

    def limited(self, limit, **options):
        self.daemon = LimitedDaemon(**options)
        self.daemon.limit = limit
        self.addCleanup(self.daemon.kill)
        return self.daemon

    def test_too_few_descriptors_for_the_connections_are_said_with_both_numbers(self):
        daemon = self.limited('--nofile=500:500', config='http: {connections_max: 2000}\n').start()
        self.assertRegex(daemon.log(), r'warning groved "a limit is low" '
                         r'limit="RLIMIT_NOFILE \(ulimit -n\)" is=500 wanted=2064 '
                         r'for="http.connections_max, and 64 more"')
        daemon.stop()

    def test_the_soft_limit_of_descriptors_is_raised_first(self):
        daemon = self.limited('--nofile=256:5000', config='http: {connections_max: 1000}\n').start()
        self.assertNotIn('RLIMIT_NOFILE', daemon.log())
        with open(f'/proc/{daemon.pid_of("grove-w0")}/limits', encoding='utf-8') as file:
            soft = int(re.search(r'^Max open files\s+(\d+)', file.read(), re.M).group(1))
        self.assertEqual(soft, 5000)
        daemon.stop()

    def dies_of(self, option, limit):
        daemon = self.limited(option).launch()
        eventually('it says of what', lambda: re.search(
            rf'error groved "a limit that is too low may be why: raise it" '
            rf'name=grove-\w+ limit="{limit}" is=\d+ wanted=\d+', daemon.log()))
        self.assertRegex(daemon.log(), rf'warning groved "a limit is low" limit="{limit}"')
        # Which call fails first is chance: a port's may be it.
        self.assertIn(daemon.process.wait(DEADLINE_S), (3, 4))
        self.assertEqual(daemon.processes(), {})
        self.assertEqual(daemon.log().count('may be why'), 1)

    def test_processes_that_abort_for_lack_of_address_space_are_explained(self):
        self.dies_of(f'--as={250 << 20}', r'RLIMIT_AS \(ulimit -v\)')

    def test_a_supervisor_without_address_space_says_what_it_wanted(self):
        daemon = self.limited(f'--as={100 << 20}').launch()
        self.assertEqual(daemon.process.wait(DEADLINE_S), 1)
        self.assertRegex(daemon.log(), r'error groved "scoreboard: mmap of \d+ MiB: Cannot '
                         r'allocate memory; is RLIMIT_AS \(ulimit -v\) low\?"')

    def test_processes_that_abort_for_lack_of_data_are_explained(self):
        self.dies_of(f'--data={60 << 20}', r'RLIMIT_DATA \(ulimit -d\)')

    def test_processes_that_abort_for_lack_of_descriptors_are_explained(self):
        self.dies_of('--nofile=20:20', r'RLIMIT_NOFILE \(ulimit -n\)')


if __name__ == '__main__':
    unittest.main()
