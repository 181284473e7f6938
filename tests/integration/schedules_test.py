"""Schedules: tasks are spawned when the wall clock says so, once, whatever dies meanwhile."""

import json
import os
import shutil
import signal
import tempfile

import grpc

from grove_api import RUNNING, SUCCEEDED, duration, error_details, schedules, spec
from grove_harness import HELLO_AND_SLEEP, GroveTest, OwnDaemonTest, eventually
from tenants_test import Operator

# With the C and C++ libraries' heap before jemalloc's, which asks for the time as it starts, while
# libfaketime asks it for memory: each would wait for the other.
FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1 libc.so.6 libstdc++.so.6'
DAY_S = 86400


class Schedules:
    """ScheduleService of one tenant."""

    def __init__(self, api, tenant='default'):
        self.api = api
        self.parent = f'tenants/{tenant}'

    def name(self, schedule_id):
        return f'{self.parent}/schedules/{schedule_id}'

    def create(self, schedule_id, function='echo', value=1, task=None, **fields):
        request = schedules.CreateScheduleRequest(
            parent=self.parent, schedule_id=schedule_id,
            schedule=schedules.Schedule(spec=spec(function, value, **(task or {})), **fields))
        return self.api.call(self.api.schedules.CreateSchedule, request).schedule

    def get(self, schedule_id):
        request = schedules.GetScheduleRequest(name=self.name(schedule_id))
        return self.api.call(self.api.schedules.GetSchedule, request).schedule

    def pause(self, schedule_id):
        request = schedules.PauseScheduleRequest(name=self.name(schedule_id))
        return self.api.call(self.api.schedules.PauseSchedule, request).schedule

    def tasks(self, schedule_id):
        """Those that it spawned, the oldest first."""
        listed = self.api.list(parent=self.parent, page_size=1000, order_by='create_time',
                               filter={'labels': {'grove.schedule': schedule_id}})
        return list(listed.tasks)


def every(seconds):
    return schedules.ScheduleInterval(every=duration(seconds))


def due_of(task):
    """The time in its request_id."""
    return task.spec.request_id.partition(':')[2].partition(':')[2]


def account_for(test, of, schedule_id):
    """Each time has one task, and the schedule knows of all of them."""
    of.pause(schedule_id)
    # One may have been on its way to the disk.
    eventually('all are counted', lambda: (
        of.get(schedule_id).spawned_total == len(of.tasks(schedule_id))))
    tasks = of.tasks(schedule_id)
    test.assertEqual(len({due_of(task) for task in tasks}), len(tasks))


class SchedulesTest(GroveTest):
    """One daemon, and the calls as grovectl makes them."""

    config = HELLO_AND_SLEEP

    def test_a_task_comes_with_each_time(self):
        of = Schedules(self.daemon.api())
        of.create('seconds', interval=every(1))
        eventually('three have come', lambda: of.get('seconds').spawned_total >= 3)
        account_for(self, of, 'seconds')
        tasks = of.tasks('seconds')
        self.assertEqual(self.daemon.api().wait(tasks[0].name).state, SUCCEEDED)
        metrics = self.daemon.metrics()
        self.assertGreaterEqual(
            metrics['grove_schedule_runs_total{tenant="default",outcome="spawned"}'], 3)
        self.assertGreaterEqual(metrics['grove_schedule_lateness_seconds_count'], 3)

    def test_what_cannot_be_is_refused_with_its_field(self):
        of = Schedules(self.daemon.api())
        for reason, field, fields in (
                ('CRON_INVALID', 'cron_expressions[0]', {'cron_expressions': ['* * * *']}),
                ('SCHEDULE_NEVER_RUNS', 'cron_expressions[0]',
                 {'cron_expressions': ['0 0 30 2 *']}),
                ('TIME_ZONE_UNKNOWN', 'time_zone',
                 {'cron_expressions': ['@daily'], 'time_zone': 'Mars/Base'}),
                ('SCHEDULE_TIMES_REQUIRED', 'cron_expressions', {})):
            with self.subTest(reason), self.assertRaises(grpc.RpcError) as caught:
                of.create('wrong', **fields)
            details = error_details(caught.exception)
            self.assertEqual(details['ErrorInfo'].reason, reason)
            self.assertEqual(details['BadRequest'].field_violations[0].field,
                             f'schedule.{field}')

    def test_grovectl_makes_shows_changes_and_deletes_them(self):
        run = self.daemon.grovectl
        made = self.daemon.grovectl_json(
            'schedules', 'create', 'nightly', 'echo', '{"n": 1}', '--cron', '30 3 * * *',
            '--zone', 'Europe/Berlin')
        self.assertEqual(len(made['next_run_times']), 5)
        listed = run('schedules')
        self.assertIn('nightly', listed.stdout)
        self.assertIn('30 3 * * *', listed.stdout)
        changed = self.daemon.grovectl_json('schedules', 'update', 'nightly', '--every', '1h')
        self.assertEqual(changed['cron_expressions'], ['30 3 * * *'])
        task = run('schedules', 'run', 'nightly').stdout.strip()
        self.assertEqual(self.daemon.api().wait(task).state, SUCCEEDED)
        self.assertEqual(run('tasks', '--schedule', 'nightly', '-o', 'name').stdout.strip(), task)
        shown = eventually('its end is known', lambda: [
            line for line in run('schedules', 'get', 'nightly').stdout.splitlines()
            if 'SPAWNED' in line and 'SUCCEEDED' in line])
        self.assertIn('hand', shown[0])
        paused = self.daemon.grovectl_json('schedules', 'pause', 'nightly', '--reason', 'upkeep')
        self.assertEqual((paused['state'], paused['pause_reason']), ('PAUSED', 'upkeep'))
        self.assertEqual(self.daemon.grovectl_json('schedules', 'resume', 'nightly')['state'],
                         'ACTIVE')
        self.assertEqual(run('schedules', 'delete', 'nightly').returncode, 0)
        self.assertEqual(run('schedules', 'get', 'nightly').returncode, 1)

    def test_what_is_done_to_them_is_audited(self):
        of = Schedules(self.daemon.api())
        of.create('audited', value='the-input', cron_expressions=['@yearly'])
        self.daemon.grovectl('schedules', 'run', 'audited')
        of.pause('audited')
        lines = eventually('all lines are there', lambda: (
            lambda found: found if len(found) >= 3 else None)(
                [line for line in self.daemon.audit() if 'audited' in json.dumps(line)]))
        self.assertEqual([line['method'].rpartition('/')[2] for line in lines],
                         ['CreateSchedule', 'RunSchedule', 'PauseSchedule'])
        self.assertIn('@yearly', lines[0]['asked'])
        self.assertNotIn('the-input', json.dumps(lines))
        self.assertIn('/tasks/', lines[1]['answer'])

    def test_a_scheduled_spawn_is_audited_too(self):
        of = Schedules(self.daemon.api())
        of.create('watched', interval=every(1), remaining_runs=1)
        lines = eventually('its line is there', lambda: [
            line for line in self.daemon.audit() if line.get('who') == of.name('watched')])
        self.assertEqual(lines[0]['method'], '/grove.v1.TaskService/SpawnTask')
        self.assertEqual(lines[0]['answer'], of.tasks('watched')[0].name)


class DeathTest(OwnDaemonTest):
    """Control, or all of it, dies between runs and in the middle of them."""

    def test_no_time_is_run_twice_and_the_last_missed_is_made_up_for(self):
        daemon = self.start()
        of = Schedules(daemon.api())
        of.create('seconds', interval=every(1),
                  overlap_policy=schedules.Schedule.OVERLAP_POLICY_ALLOW)
        for _ in range(3):
            before = of.get('seconds').spawned_total
            eventually('it runs', lambda: of.get('seconds').spawned_total > before)
            os.kill(daemon.pid_of('grove-control'), signal.SIGKILL)
            eventually('another control serves', lambda: self.serves(daemon))
            of = Schedules(daemon.api())
        before = of.get('seconds').spawned_total
        eventually('it runs on', lambda: of.get('seconds').spawned_total > before)
        account_for(self, of, 'seconds')

    def test_schedules_survive_the_death_of_all(self):
        daemon = self.start()
        of = Schedules(daemon.api())
        of.create('seconds', interval=every(1),
                  overlap_policy=schedules.Schedule.OVERLAP_POLICY_ALLOW)
        of.create('resting', cron_expressions=['@yearly'])
        of.pause('resting')
        before = eventually('it has run', lambda: of.get('seconds').spawned_total)
        daemon.kill_all()
        daemon.start()
        of = Schedules(daemon.api())
        self.assertEqual(of.get('resting').state, schedules.Schedule.STATE_PAUSED)
        eventually('it runs on', lambda: of.get('seconds').spawned_total > before)
        account_for(self, of, 'seconds')

    def test_a_control_that_takes_over_goes_on_with_them(self):
        daemon = self.start()
        of = Schedules(daemon.api())
        of.create('seconds', interval=every(1),
                  overlap_policy=schedules.Schedule.OVERLAP_POLICY_ALLOW)
        for _ in range(3):
            before = eventually('it runs', lambda: of.get('seconds').spawned_total)
            pid = daemon.pid_of('grove-control')
            # Without a wait, which would look for the next one at the old one's port.
            done = daemon.grovectl('restart', '--control', '--no_wait')
            self.assertEqual(done.returncode, 0, done.stderr)
            eventually('another control serves', lambda pid=pid: (
                daemon.pid_of('grove-control') not in (None, pid) and self.serves(daemon)))
            of = Schedules(daemon.api())
            eventually('it runs on', lambda: of.get('seconds').spawned_total > before)
        account_for(self, of, 'seconds')

    def test_what_ran_at_the_death_still_holds_the_next_run(self):
        daemon = self.start()
        of = Schedules(daemon.api())
        of.create('long', 'sleep', {'seconds': 600}, interval=every(1))
        eventually('it runs', lambda: of.get('long').running_tasks)
        os.kill(daemon.pid_of('grove-control'), signal.SIGKILL)
        eventually('another control serves', lambda: self.serves(daemon))
        of = Schedules(daemon.api())
        skipped = of.get('long').skipped_total
        eventually('more are skipped', lambda: of.get('long').skipped_total > skipped)
        self.assertEqual(len(of.tasks('long')), 1)
        api = daemon.api()
        eventually('its worker has it', lambda: api.get(of.tasks('long')[0].name).state == RUNNING)
        api.cancel(of.tasks('long')[0].name)
        eventually('the next one runs', lambda: len(of.tasks('long')) == 2)
        of.pause('long')
        for task in of.tasks('long'):
            api.cancel(task.name)

    def test_a_payload_lives_as_long_as_its_schedule_whoever_dies(self):
        # Shorter than any of what follows: nothing but the schedule keeps it.
        daemon = self.start(config='tasks: {payload_retention_ms: 1000, retention_ms: 1000}')
        api = daemon.api()
        payload = api.write_payload([b'{"n": 1}'], content_type='application/json').name
        of = Schedules(api)
        of.create('seconds', value=None, task={'input_payload': payload}, interval=every(1),
                  overlap_policy=schedules.Schedule.OVERLAP_POLICY_ALLOW)
        of.create('resting', value=None, task={'input_payload': payload},
                  cron_expressions=['@yearly'])
        first = eventually('it has run', lambda: of.tasks('seconds'))[0].name
        self.assertEqual(api.wait(first).output, b'{"n": 1}')
        eventually('its first task is forgotten', lambda: first not in {
            task.name for task in of.tasks('seconds')})
        daemon.kill_all()
        daemon.start()
        api = daemon.api()
        of = Schedules(api)
        self.assertEqual(api.get_payload(payload).schedule_count, 2)
        before = of.get('seconds').spawned_total
        shown = eventually('it runs on', lambda: (
            lambda schedule: schedule.spawned_total > before and schedule)(of.get('seconds')))
        self.assertEqual({run.outcome for run in shown.recent_runs},
                         {schedules.ScheduleRun.OUTCOME_SPAWNED})
        self.delete(api, of.name('seconds'))
        eventually('its tasks are forgotten', lambda: not of.tasks('seconds'))
        self.assertEqual(api.get_payload(payload).schedule_count, 1)
        with self.assertRaises(grpc.RpcError) as caught:
            api.delete_payload(payload)
        self.assertEqual(error_details(caught.exception)['ErrorInfo'].reason, 'PAYLOAD_IN_USE')
        self.delete(api, of.name('resting'))
        eventually('it goes with the last of them', lambda: not api.list_payloads())

    @staticmethod
    def delete(api, name):
        api.call(api.schedules.DeleteSchedule, schedules.DeleteScheduleRequest(name=name))

    @staticmethod
    def serves(daemon):
        try:
            return daemon.api().health() == 1
        except (grpc.RpcError, OSError):
            return False


class ClockTest(OwnDaemonTest):
    """On a wall clock that the test sets."""

    def setUp(self):
        super().setUp()
        folder = tempfile.mkdtemp(prefix='grove-clock-', dir='/tmp')
        self.addCleanup(shutil.rmtree, folder)
        self.clock = os.path.join(folder, 'clock')
        self.set_clock(0)
        self.daemon = self.start(env={
            'LD_PRELOAD': FAKETIME, 'DONT_FAKE_MONOTONIC': '1',
            'FAKETIME_TIMESTAMP_FILE': self.clock, 'FAKETIME_NO_CACHE': '1'})
        self.of = Schedules(self.daemon.api())

    def set_clock(self, offset):
        with open(self.clock + '.new', 'w', encoding='utf-8') as file:
            file.write(f'{offset:+d}\n')
        os.rename(self.clock + '.new', self.clock)

    def test_a_jump_ahead_runs_the_last_missed_time_alone(self):
        self.of.create('daily', cron_expressions=['@daily'],
                       overlap_policy=schedules.Schedule.OVERLAP_POLICY_ALLOW)
        self.set_clock(10 * DAY_S)
        shown = eventually('it has run', lambda: self.ran('daily'))
        self.assertEqual((shown.spawned_total, shown.missed_total), (1, 9))
        # Back again: nothing is due that has been.
        self.set_clock(0)
        self.of.create('second', interval=every(1), remaining_runs=2)
        eventually('the clock goes on', lambda: self.of.get('second').remaining_runs == 0)
        self.assertEqual(self.of.get('daily').spawned_total, 1)

    def test_what_is_too_late_is_left_out(self):
        self.of.create('weekly', cron_expressions=['@weekly'], catchup_window=duration(60))
        # Whatever day it is, the last Sunday's midnight is at least a minute ago then.
        next_s = self.of.get('weekly').next_run_times[0].seconds
        made_s = self.of.get('weekly').create_time.seconds
        self.set_clock(next_s - made_s + 3600)
        shown = eventually('it has been missed', lambda: (
            lambda schedule: schedule.missed_total and schedule)(self.of.get('weekly')))
        self.assertEqual((shown.spawned_total, shown.missed_total), (0, 1))

    def test_all_that_was_missed_is_made_up_for_if_asked_to(self):
        self.of.create('daily', cron_expressions=['@daily'],
                       catchup_policy=schedules.Schedule.CATCHUP_POLICY_ALL,
                       catchup_window=duration(30 * DAY_S),
                       overlap_policy=schedules.Schedule.OVERLAP_POLICY_ALLOW)
        self.set_clock(3 * DAY_S)
        eventually('all have run', lambda: self.of.get('daily').spawned_total == 3)
        self.assertEqual(len({due_of(task) for task in self.of.tasks('daily')}), 3)

    def ran(self, schedule_id):
        schedule = self.of.get(schedule_id)
        return schedule if schedule.spawned_total else None


class TenantTest(OwnDaemonTest):

    def test_a_deleted_tenants_schedules_go_with_it(self):
        daemon = self.start(config=HELLO_AND_SLEEP)
        operator = Operator(daemon)
        operator.tenant('acme')
        of = Schedules(daemon.api(), 'acme')
        of.create('seconds', interval=every(1))
        eventually('it runs', lambda: of.get('seconds').spawned_total)
        operator.output('tenants', 'delete', 'acme', '--wait')
        operator.tenant('acme')
        with self.assertRaises(grpc.RpcError) as caught:
            of.get('seconds')
        self.assertEqual(caught.exception.code(), grpc.StatusCode.NOT_FOUND)
        self.assertEqual(of.tasks('seconds'), [])

    def test_roles_are_kept_to(self):
        daemon = self.start(config=HELLO_AND_SLEEP)
        operator = Operator(daemon)
        operator.tenant('acme')
        viewer = operator.secret('create', 'viewer', '--tenant', 'acme', '--role', 'viewer')
        of = Schedules(daemon.api(token=viewer), 'acme')
        with self.assertRaises(grpc.RpcError) as caught:
            of.create('mine', interval=every(1))
        self.assertEqual(error_details(caught.exception)['ErrorInfo'].reason, 'ROLE_INSUFFICIENT')
        listed = operator.run('schedules', 'list', '--tenant', 'acme', token=viewer)
        self.assertEqual(listed.returncode, 0, listed.stderr)
