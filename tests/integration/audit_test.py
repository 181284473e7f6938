"""The audit log: who changed what, from where and why, in a file of its own."""

import os
import signal
import tempfile
import unittest

import grpc

from grove_api import (error_details, queue_service_pb2 as queues, spec, tasks)
from grove_harness import OwnDaemonTest, eventually

QUEUE = 'tenants/default/queues/default'


class AuditTest(OwnDaemonTest):

    def audited(self, daemon, count):
        return eventually(f'{count} lines are there', lambda: (
            lambda lines: lines if len(lines) >= count else None)(daemon.audit()))

    def test_every_change_is_a_line_and_nothing_else_is(self):
        daemon = self.start()
        api = daemon.api()
        name = api.run('echo', {'secret': 'input'}).name
        api.call(api.queues.PauseQueue, queues.PauseQueueRequest(name=QUEUE, reason='the night'))
        batch = api.spawn_batch([spec('echo', {}), spec('no such', {}), spec('echo', {})])
        with self.assertRaises(grpc.RpcError):
            api.call(api.tasks.CancelTask, tasks.CancelTaskRequest(name=f'{QUEUE}/tasks/x'))
        api.list_workers()
        lines = self.audited(daemon, 4)
        self.assertEqual([line['method'].rpartition('/')[2] for line in lines],
                         ['SpawnTask', 'PauseQueue', 'BatchSpawnTasks', 'CancelTask'])
        spawned, paused, many, refused = lines
        self.assertEqual((spawned['who'], spawned['tenant'], spawned['asked'], spawned['answer']),
                         ('local', '', 'echo', name))
        self.assertRegex(spawned['peer'], r'^ipv4:127\.0\.0\.1:\d+$')
        self.assertNotIn('secret', str(lines))
        self.assertEqual((paused['resource'], paused['reason'], paused['asked'], paused['result']),
                         (QUEUE, 'the night', '', 'OK'))
        accepted = [result.name for result in batch if result.name]
        self.assertEqual((many['asked'], many['answer']), (
            '3 tasks', f'accepted {len(accepted)}: {accepted[0]} to {accepted[-1]}'))
        self.assertEqual(refused['result'], 'NOT_FOUND')
        mode = os.stat(os.path.join(daemon.state_dir, 'audit.log')).st_mode
        self.assertEqual(mode & 0o777 & ~0o640, 0)
        self.assertNotIn('"audit"', daemon.log())
        daemon.stop()

    def test_what_a_signal_began_is_there_when_it_has_ended(self):
        daemon = self.start()
        daemon.process.send_signal(signal.SIGHUP)
        [line] = self.audited(daemon, 1)
        self.assertEqual((line['method'], line['asked'], line['result']),
                         ('operation', 'KIND_RELOAD', 'STATE_SUCCEEDED'))
        self.assertRegex(line['who'], r'^SIGHUP of pid \d+$')
        daemon.stop()

    def test_it_goes_on_where_it_was_and_rotates(self):
        daemon = self.start(config='audit: {file: changes.log, file_max_bytes: 4096, files_max: 3}')
        path = os.path.join(daemon.state_dir, 'changes.log')
        api = daemon.api()
        names = [api.run('echo', {}).name for _ in range(20)]
        daemon.kill_all()
        daemon.start()
        api = daemon.api()
        names += [api.run('echo', {}).name for _ in range(20)]
        daemon.stop()
        found = ''
        for number in ('.3', '.2', '.1', ''):
            if os.path.exists(path + number):
                with open(path + number, encoding='utf-8') as file:
                    found += file.read()
        self.assertTrue(os.path.exists(path + '.1'))
        # Those of the last 5 ms before the kill may be missing, and no others.
        for name in names[:10] + names[20:]:
            self.assertIn(name, found)

    def test_nothing_is_changed_that_cannot_be_written_down(self):
        folder = tempfile.mkdtemp(prefix='grove-', dir='/tmp')
        full = os.path.join(folder, 'full.log')
        os.symlink('/dev/full', full)
        daemon = self.start(config=f'audit: {{file: {full}}}', folder=folder)
        api = daemon.api()

        def refused():
            # Refusals are lines too, of the length of what they name.
            request = tasks.CancelTaskRequest(name='x' * 300, reason='y' * 300)
            calls = [api.tasks.CancelTask.future(request, timeout=60) for _ in range(200)]
            errors = [call.exception() for call in calls]
            return next((error for error in errors
                         if error.code() == grpc.StatusCode.UNAVAILABLE), None)
        error = eventually('there is no room for a line', refused, 60)
        self.assertEqual(error_details(error)['ErrorInfo'].reason, 'AUDIT_LOG_FULL')
        self.assertEqual(len(api.list_workers()), 2)
        self.assertEqual(daemon.metrics()['grove_audit_failing'], 1)
        self.assertGreaterEqual(daemon.metrics()['grove_audit_waiting_bytes'], 4 << 20)
        os.unlink(full)
        eventually('it is written', lambda: daemon.metrics()['grove_audit_waiting_bytes'] == 0)
        self.assertEqual(api.run('echo', 1).output, b'1')
        daemon.stop()

    def test_a_file_that_cannot_be_had_is_said_at_the_start(self):
        daemon = self.launch(config='audit: {file: /none/audit.log}')
        daemon.ended(exit_code=2)
        self.assertIn('audit.file: open /none/audit.log: No such file or directory', daemon.log())

    def test_with_a_dash_it_is_in_the_daemons_log(self):
        daemon = self.start(config='audit: {file: "-"}')
        api = daemon.api()
        api.run('echo', {})
        api.call(api.queues.PauseQueue, queues.PauseQueueRequest(name=QUEUE, reason='the night'))
        eventually('it is there', lambda: '"audit" method=/grove.v1.QueueService/PauseQueue '
                   in daemon.log())
        # Spawns of nobody in particular would hide all others there.
        self.assertNotIn('SpawnTask', daemon.log())
        self.assertFalse(os.path.exists(os.path.join(daemon.state_dir, 'audit.log')))
        daemon.stop()


if __name__ == '__main__':
    unittest.main()
