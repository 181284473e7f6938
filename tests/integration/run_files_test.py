"""What a cleaner of temporary files removes from the run directory is made anew."""

import os
import shutil
import signal
import unittest

from grove_api import SUCCEEDED
from grove_harness import Daemon, OwnDaemonTest, eventually

READY = (200, 'ok\n')


class RemovedFilesTest(OwnDaemonTest):

    def path(self, name):
        return os.path.join(self.daemon.run_dir, name)

    def all_linked(self, api, generations):
        return [(each.generation, each.linked) for each in api.list_workers()] == [
            (each, True) for each in generations]

    def kill_control(self):
        """And wait until its successor answers."""
        old = self.daemon.pid_of('grove-control')
        os.kill(old, signal.SIGKILL)
        eventually('control is back', lambda: self.daemon.pid_of('grove-control')
                   not in (None, old))

        def ready():
            try:
                return self.daemon.admin('/readyz') == READY
            except OSError:
                return False
        eventually('it is ready', ready)
        return self.daemon.api()

    def test_a_link_is_bound_anew_and_its_worker_replaced(self):
        daemon = self.start()
        api = daemon.api()
        os.unlink(self.path('worker-0.link'))
        eventually('the worker has another', lambda: self.all_linked(api, [2, 1]))
        self.assertIn('"files of the daemon were removed: made anew"', daemon.log())
        api = self.kill_control()
        eventually('both are linked again', lambda: self.all_linked(api, [2, 1]))
        daemon.stop()

    def test_the_only_worker_is_replaced_behind_a_stand_in(self):
        daemon = self.start(workers=1)
        api = daemon.api()
        os.unlink(self.path('worker-0.backdoor'))
        eventually('the worker is another', lambda: self.all_linked(api, [2]))
        self.assertIn('name=grove-stand-in', daemon.log())
        self.assertTrue(os.path.exists(self.path('worker-0.backdoor')))
        daemon.stop()

    def test_a_removed_directory_is_made_anew_with_all_that_was_in_it(self):
        daemon = self.start()
        api = daemon.api()
        before = set(os.listdir(daemon.run_dir))
        shutil.rmtree(daemon.run_dir)
        eventually('all is there', lambda: os.path.isdir(daemon.run_dir)
                   and set(os.listdir(daemon.run_dir)) == before)
        eventually('both workers are new', lambda: self.all_linked(api, [2, 2]))
        api = self.kill_control()
        self.assertEqual(api.run('echo', {}).state, SUCCEEDED)
        self.assertEqual(daemon.get('/'), (200, 'Hello, World!\n'))
        daemon.stop()

    def test_a_daemon_whose_directory_another_took_ends_and_says_so(self):
        daemon = self.start()
        os.kill(daemon.process.pid, signal.SIGSTOP)
        shutil.rmtree(daemon.run_dir)
        other = Daemon(flags=[f'--run_dir={daemon.run_dir}'])
        self.addCleanup(other.kill)
        other.start()
        os.kill(daemon.process.pid, signal.SIGCONT)
        daemon.ended(2)
        self.assertIn('another daemon runs in', daemon.log())
        self.assertEqual(other.get('/'), (200, 'Hello, World!\n'))
        self.assertIn('worker-0.link', os.listdir(daemon.run_dir))
        self.assertNotIn('made anew', other.log())
        other.stop()


if __name__ == '__main__':
    unittest.main()
