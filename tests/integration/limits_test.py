"""Limits of the system that are too low are named, before and when processes die of them."""

import re
import resource
import unittest

from grove_harness import Daemon, OwnDaemonTest, eventually


class LimitsTest(OwnDaemonTest):

    def under(self, kind, soft, hard=None):
        """Limits of this process, which the daemon inherits; the test's own come back after it."""
        before = resource.getrlimit(kind)
        self.addCleanup(resource.setrlimit, kind, before)
        resource.setrlimit(kind, (soft, before[1] if hard is None else hard))

    def test_too_few_descriptors_for_the_connections_are_said_with_both_numbers(self):
        daemon = self.start(config='http: {connections_max: 1000000}\n')
        self.assertRegex(daemon.log(), r'warning groved "a limit is low" '
                         r'limit="RLIMIT_NOFILE \(ulimit -n\)" is=\d+ wanted=1000064 '
                         r'for="http.connections_max, and 64 more"')
        daemon.stop()

    def test_the_soft_limit_of_descriptors_is_raised_first(self):
        self.under(resource.RLIMIT_NOFILE, 256)
        daemon = self.start(config='http: {connections_max: 1000}\n')
        with open(f'/proc/{daemon.pid_of("grove-w0")}/limits', encoding='utf-8') as file:
            soft = int(re.search(r'^Max open files\s+(\d+)', file.read(), re.M).group(1))
        self.assertGreater(soft, 256)
        self.assertNotIn('a limit is low', daemon.log())
        daemon.stop()

    def dies_of(self, limit):
        self.daemon = Daemon()
        self.addCleanup(self.daemon.kill)
        self.daemon.launch()
        eventually('it says of what', lambda: re.search(
            rf'error groved "it may have died of a limit that is too low: raise it" '
            rf'name=grove-control limit="{limit}" is=\d+ wanted=\d+', self.daemon.log()))
        self.assertRegex(self.daemon.log(), rf'warning groved "a limit is low" limit="{limit}"')
        self.daemon.ended(4)
        self.assertEqual(self.daemon.log().count('it may have died'), 1)

    def test_a_control_that_aborts_for_lack_of_address_space_is_explained(self):
        self.under(resource.RLIMIT_AS, 400 << 20)
        self.dies_of(r'RLIMIT_AS \(ulimit -v\)')

    def test_a_control_that_aborts_for_lack_of_data_is_explained(self):
        self.under(resource.RLIMIT_DATA, 120 << 20)
        self.dies_of(r'RLIMIT_DATA \(ulimit -d\)')


if __name__ == '__main__':
    unittest.main()
