"""Schedules that stand in an application's code: made, changed in place, withdrawn and back."""

import os
import signal
import unittest

import grpc

from google.protobuf import field_mask_pb2

from grove_api import error_details, schedules
from grove_harness import KilledTest, eventually, free_port
from schedules_test import Schedules, due_of

DECLARING = 'tests/integration/declaring'
ACTIVE = schedules.Schedule.STATE_ACTIVE
PAUSED = schedules.Schedule.STATE_PAUSED


class DeclaredTest(KilledTest):

    def begin(self, text):
        """A daemon whose code has the schedules of `text`."""
        self.path = f'/tmp/grove-declared-{os.getpid()}-{self.id().rpartition(".")[2]}'
        self.addCleanup(lambda: os.path.exists(self.path) and os.remove(self.path))
        self.declare(text)
        # Whoever waits for an upgrade asks the next control, too.
        self.start(binary=DECLARING, env={'DECLARED': self.path},
                   flags=[f'--control=127.0.0.1:{free_port()}'])
        self.api = self.daemon.api()

    def declare(self, text):
        with open(self.path, 'w', encoding='utf-8') as file:
            file.write(text)

    def get(self, schedule_id):
        try:
            return Schedules(self.api).get(schedule_id)
        except grpc.RpcError as error:
            self.assertEqual(error.code(), grpc.StatusCode.NOT_FOUND)
            return None

    def eventually_is(self, schedule_id, seconds, state=ACTIVE):
        def probe():
            there = self.get(schedule_id)
            return (there is not None and there.interval.every.seconds == seconds
                    and there.state == state and there)
        return eventually(f'{schedule_id} is each {seconds} s', probe)

    def audited(self):
        """What the program has changed, sorted."""
        return sorted((line['method'].rpartition('/')[2], line['resource'].rpartition('/')[2])
                      for line in self.daemon.audit() if line['who'] == 'program declaring')

    def upgrade(self):
        self.ctl('upgrade')
        self.api = self.daemon.api()

    def refused(self, call, request):
        with self.assertRaises(grpc.RpcError) as caught:
            self.api.call(call, request)
        return error_details(caught.exception)['ErrorInfo'].reason

    def test_each_time_has_one_task_whoever_dies(self):
        self.begin('often 1\n')
        made = self.eventually_is('often', 1)
        self.assertEqual((made.declaration.program, made.etag), ('declaring', '1'))
        eventually('it runs', lambda: self.get('often').spawned_total >= 2)
        worker = self.daemon.pid_of('grove-w0')
        os.kill(worker, signal.SIGKILL)
        eventually('another worker', lambda: self.daemon.pid_of('grove-w0') not in (None, worker))
        self.kill_control()
        count = self.get('often').spawned_total
        eventually('it goes on', lambda: self.get('often').spawned_total >= count + 2)
        self.assertEqual(self.get('often').etag, '1')
        of = Schedules(self.api)
        of.pause('often')
        eventually('all are counted', lambda: (
            of.get('often').spawned_total == len(of.tasks('often'))))
        tasks = of.tasks('often')
        self.assertEqual(len({due_of(task) for task in tasks}), len(tasks))
        self.daemon.stop()

    def test_a_restart_with_other_code_changes_it_in_place(self):
        self.begin('often 1\nseldom 3600\n')
        self.eventually_is('seldom', 3600)
        eventually('it runs', lambda: self.get('often').spawned_total >= 1)
        self.declare('often 7200\nnew 3600\n')
        self.daemon.stop()
        self.daemon.start()
        self.api = self.daemon.api()
        changed = self.eventually_is('often', 7200)
        self.assertGreaterEqual(changed.spawned_total, 1)
        self.assertEqual(changed.etag, '2')
        self.eventually_is('new', 3600)
        gone = self.eventually_is('seldom', 3600, PAUSED)
        self.assertEqual(gone.pause_reason, 'the code of declaring has it no more')
        self.assertTrue(gone.declaration.HasField('withdraw_time'))
        changes = [('CreateSchedule', 'new'), ('CreateSchedule', 'often'),
                   ('CreateSchedule', 'seldom'), ('PauseSchedule', 'seldom'),
                   ('UpdateSchedule', 'often')]
        eventually('all is in the audit log', lambda: self.audited() == changes)
        self.again()
        self.assertEqual(self.eventually_is('often', 7200).etag, '2')
        self.ctl('schedules', 'delete', 'seldom')
        self.assertIsNone(self.get('seldom'))
        self.assertEqual(self.audited(), changes)
        self.daemon.stop()

    def test_an_upgrade_and_its_roll_back(self):
        self.begin('often 3600\nold 3600\nheld 3600\n')
        for schedule_id in ('often', 'old', 'held'):
            self.eventually_is(schedule_id, 3600)
        Schedules(self.api).pause('held')
        self.declare('often 1800\nheld 1800\n')
        self.upgrade()
        self.eventually_is('often', 1800)
        self.eventually_is('old', 3600, PAUSED)
        self.eventually_is('held', 1800, PAUSED)
        self.declare('often 3600\nold 3600\nheld 3600\n')
        self.upgrade()
        self.eventually_is('often', 3600)
        self.assertFalse(self.eventually_is('old', 3600).declaration.HasField('withdraw_time'))
        self.eventually_is('held', 3600, PAUSED)
        self.daemon.stop()

    def test_calls_may_pause_it_and_not_change_it(self):
        self.begin('often 3600\n')
        self.eventually_is('often', 3600)
        name = Schedules(self.api).name('often')
        update = schedules.UpdateScheduleRequest(
            schedule=schedules.Schedule(name=name, pause_on_failure=True),
            update_mask=field_mask_pb2.FieldMask(paths=['pause_on_failure']))
        self.assertEqual(self.refused(self.api.schedules.UpdateSchedule, update),
                         'SCHEDULE_FROM_CODE')
        self.assertEqual(self.refused(self.api.schedules.DeleteSchedule,
                                      schedules.DeleteScheduleRequest(name=name)),
                         'SCHEDULE_FROM_CODE')
        self.ctl('schedules', 'pause', 'often', '--reason', 'upkeep')
        self.ctl('schedules', 'run', 'often')
        shown = self.ctl('schedules', 'get', 'often')
        self.assertRegex(shown, r'from_code: +declaring\n')
        self.assertEqual(self.get('often').pause_reason, 'upkeep')
        self.daemon.stop()


if __name__ == '__main__':
    unittest.main()
