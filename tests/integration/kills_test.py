"""At least once, whoever dies: processes are killed at random moments, and no task is lost.

A dozen kills by default; `./dev soak` asks for 500.
"""

import os
import signal
import unittest

from delivery_harness import DeliveryTest

KILLS = int(os.environ.get('GROVE_KILLS', '12'))


class KillsTest(DeliveryTest):

    hasty = 0.2
    sync_ms = (0, 10, 100)

    def kill_all_workers(self):
        self.signal(self.pids('grove-w'))

    def kill_control_and_a_worker(self):
        self.kill_control()
        self.pass_time(0.02)
        self.kill_a_worker()

    def kill_the_supervisor(self):
        with self.death_of_control():
            self.daemon.process.kill()
            self.await_end()
        self.daemon.start()

    def kill_all_as_they_start(self):
        self.end_all()
        self.daemon.launch()
        self.pass_time(0.2)
        self.kill_all()

    def kill_all_in_mid_write(self):
        self.in_mid_write(self.kill_all)

    def kill_control_in_mid_write(self):
        self.in_mid_write(self.kill_control)

    def stop(self, pids, then):
        self.signal(pids, signal.SIGSTOP)
        self.pass_time(0.8)
        self.signal(pids, then)

    def stop_a_worker(self):
        self.stop(self.a_worker(), signal.SIGCONT)

    def stop_and_kill_a_worker(self):
        self.stop(self.a_worker(), signal.SIGKILL)

    def stop_control(self):
        self.stop(self.pids('grove-control'), signal.SIGCONT)

    def test_nothing_accepted_is_lost(self):
        self.start()
        blows = [self.kill_a_worker, self.kill_all_workers, self.kill_control,
                 self.kill_control_and_a_worker, self.kill_the_supervisor, self.kill_all,
                 self.kill_all_as_they_start, self.kill_all_in_mid_write,
                 self.kill_control_in_mid_write, self.stop_a_worker, self.stop_and_kill_a_worker,
                 self.stop_control]
        seconds = self.rounds(KILLS, self.in_turn(blows))
        self.account(f'{KILLS} kills', seconds)
        self.daemon.stop()


if __name__ == '__main__':
    unittest.main()
