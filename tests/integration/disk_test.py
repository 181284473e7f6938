"""At least once on bad disks: syncs that take seconds, and a volume that is full at random moments.

What is accepted is on disk by then; who has to wait is told how long; what needs no disk goes on.
A few rounds by default; `./dev soak` asks for more.
"""

import ctypes
import errno
import os
import unittest

import grpc

from delivery_harness import DeliveryTest
from delivery_oracle import ASIDE
from grove_api import (CANCELLED, QUEUED, RUNNING, SCHEDULED, SUCCEEDED, duration, error_details,
                       tasks)
from grove_harness import eventually

ROUNDS = int(os.environ.get('GROVE_DISK_ROUNDS', '3'))
HELD = -1  # until it is told another time

VOLUME = b'size=40m'
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
MS_REC, MS_PRIVATE, MNT_DETACH = 0x4000, 1 << 18, 2


def enter_own_mounts():
    """Mounts of this process and its children alone; false if that is not permitted."""
    uid = os.geteuid()
    if LIBC.unshare(CLONE_NEWNS if uid == 0 else CLONE_NEWNS | CLONE_NEWUSER) != 0:
        return False
    if uid != 0:
        with open('/proc/self/uid_map', 'w', encoding='ascii') as file:
            file.write(f'0 {uid} 1')
    return LIBC.mount(None, b'/', None, MS_REC | MS_PRIVATE, None) == 0


# Before there is another thread, which would stay outside.
MAY_MOUNT = enter_own_mounts()


def aside(durability, **fields):
    return tasks.TaskSpec(function='note', input=f'{ASIDE} 0 done'.encode(),
                          content_type='text/plain', durability=durability, **fields)


DURABLE = aside(tasks.DURABILITY_DURABLE)
VOLATILE = aside(tasks.DURABILITY_VOLATILE)


class DiskTest(DeliveryTest):

    def others_go_on(self):
        """What needs no disk."""
        api = self.daemon.api()
        self.assertEqual(api.wait(api.spawn_spec(VOLATILE).name).state, SUCCEEDED)
        self.assertEqual(len(api.list(page_size=1).tasks), 1)
        self.assertTrue(api.list_workers())
        self.assertEqual(api.queue().name, 'tenants/default/queues/default')
        self.assertEqual(self.daemon.admin('/livez')[0], 200)


class SlowDiskTest(DiskTest):

    def test_only_durable_spawns_wait_for_it(self):
        api = self.start().api()
        self.syncs_take(HELD)
        spawning = api.tasks.SpawnTask.future(tasks.SpawnTaskRequest(spec=DURABLE), timeout=60)
        [name] = eventually('it is there', lambda: [task.name for task in api.list().tasks])
        self.others_go_on()
        task = api.get(name)
        self.assertEqual((task.state, task.waiting_reason, task.attempts[:]),
                         (QUEUED, 'it is being written to disk', []))
        self.assertFalse(spawning.done())
        self.syncs_take(0)
        self.assertEqual(spawning.result().task.name, name)
        self.assertEqual(api.wait(name).state, SUCCEEDED)
        self.daemon.stop()

    def test_no_end_is_told_before_it_is_on_disk(self):
        api = self.start().api()
        api.resize(0)
        name = api.spawn_spec(DURABLE).name
        delayed = api.spawn_spec(aside(tasks.DURABILITY_DURABLE, delay=duration(3600))).name
        self.syncs_take(HELD)
        api.resize(10)
        cancelling = api.tasks.CancelTask.future(tasks.CancelTaskRequest(name=delayed), timeout=60)
        for each, state in ((name, RUNNING), (delayed, SCHEDULED)):
            eventually('it has ended', lambda: (
                api.get(each).waiting_reason == 'its end is being written to disk'))
            self.assertEqual(api.get(each).state, state)
            self.assertEqual(api.wait(each, 0.1).state, state)
        self.assertEqual(api.wait_batch([name, delayed], 0.1)[0].task.output, b'')
        self.assertEqual(api.list(states=[SUCCEEDED, CANCELLED]).tasks[:], [])
        self.assertFalse(cancelling.done())
        self.syncs_take(0)
        self.assertEqual(cancelling.result().task.state, CANCELLED)
        self.assertEqual(api.wait(name).state, SUCCEEDED)
        self.daemon.stop()

    def test_nothing_accepted_is_lost(self):
        self.start()
        seconds = self.rounds(ROUNDS, self.in_turn([
            self.slow_down, self.hold, self.hold_in_mid_write, self.slow_down_and_kill_control,
            self.hold_and_kill_all]))
        self.account(f'{ROUNDS} times a slow disk', seconds)
        self.daemon.stop()

    def slow_down(self, meanwhile=lambda: None):
        self.syncs_take(self.chance.choice((50, 500, 2000)))
        self.pass_time(1)
        meanwhile()
        self.pass_time(1)
        self.syncs_take(0)

    def slow_down_and_kill_control(self):
        self.slow_down(self.kill_control)

    def hold(self):
        self.syncs_take(HELD)
        self.pass_time(0.5)
        self.others_go_on()
        self.syncs_take(0)

    def hold_in_mid_write(self):
        self.in_mid_write(self.hold)

    def hold_and_kill_all(self):
        self.syncs_take(HELD)
        self.pass_time(0.5)
        self.end_all()
        self.syncs_take(0)
        self.daemon.start()


class FullDiskTest(DiskTest):

    # Time for durable tasks to come, too.
    rest_s = 1

    def start(self):
        state_dir = os.path.join(self.folder, 'state').encode()
        os.mkdir(state_dir, 0o700)
        if not MAY_MOUNT or LIBC.mount(b'tmpfs', state_dir, b'tmpfs', 0, VOLUME) != 0:
            self.skipTest('no tmpfs can be mounted here')
        self.filler = os.path.join(self.folder, 'state', 'filler')
        daemon = super().start()
        # Before the daemon's end, which removes the folder.
        self.addCleanup(LIBC.umount2, state_dir, MNT_DETACH)
        return daemon

    def fill(self):
        with open(self.filler, 'ab', buffering=0) as file:
            try:
                while file.write(bytes(1 << 16)):
                    pass
            except OSError as error:
                self.assertEqual(error.errno, errno.ENOSPC)

    def free(self):
        os.unlink(self.filler)

    def test_nothing_accepted_is_lost(self):
        self.start()
        seconds = self.rounds(ROUNDS, self.in_turn([
            self.fill_up, self.fill_up_in_mid_write, self.fill_up_again,
            self.fill_up_and_kill_control, self.fill_up_and_kill_all]))
        self.account(f'{ROUNDS} times a full disk', seconds)
        self.daemon.stop()

    def fill_up(self, meanwhile=lambda: None):
        self.fill()
        self.pass_time(0.2)
        meanwhile()
        eventually('it is seen', lambda: self.daemon.metrics()['grove_store_full'] == 1)
        with self.assertRaises(grpc.RpcError) as caught:
            self.daemon.api().spawn_spec(DURABLE)
        details = error_details(caught.exception)
        # The latter while nothing at all can be written.
        self.assertIn(details['ErrorInfo'].reason, ('STORE_FULL', 'STORE_UNAVAILABLE'))
        self.assertGreater(details['RetryInfo'].retry_delay.ToMilliseconds(), 0)
        self.others_go_on()
        self.pass_time(0.5)
        self.free()

    def fill_up_in_mid_write(self):
        self.in_mid_write(self.fill_up)

    def fill_up_again(self):
        """Others take what it has freed."""
        self.fill_up(self.fill)

    def fill_up_and_kill_control(self):
        def kill():
            self.kill_control()
            eventually('another control serves', lambda: self.answers('/livez'))
        self.fill_up(kill)

    def fill_up_and_kill_all(self):
        self.fill_up(self.kill_all)


if __name__ == '__main__':
    unittest.main()
