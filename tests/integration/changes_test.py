"""What is done to tasks and queues that are there: by call, by grovectl, and over a restart."""

import json
import unittest

import grpc
from google.protobuf import field_mask_pb2

from grove_api import (CANCELLED, FAILED, QUEUE, QUEUED, RUNNING, SCHEDULED, SUCCEEDED,
                       error_details, queue_service_pb2 as queues, spec, tasks)
from grove_harness import GroveTest, OwnDaemonTest, eventually

Why = tasks.WaitExplanation
PLAIN = tasks.BatchChangeTasksRequest.Plain()


class ChangesTest(GroveTest):
    config = '''
tenants:
  - name: default
    pools:
      - {name: default}
      - {name: none}
      - {name: one, size: 1}
    queues:
      - {name: default}
      - {name: held, pool: none}
      - {name: single, pool: one}
      - {name: urgent, pool: none, order: priority}
      - {name: mail, pool: none}
      - {name: other}
  - name: acme
    queues:
      - {name: default}
'''

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.api = cls.daemon.api()
        cls.api.resize(0, 'tenants/default/pools/none')

    def ask(self, method, request):
        return self.api.call(getattr(self.api.tasks, method), request)

    def refused(self, code, reason, call):
        with self.assertRaises(grpc.RpcError) as caught:
            call()
        self.assertEqual(caught.exception.code(), code, caught.exception.details())
        details = error_details(caught.exception)
        self.assertEqual(details['ErrorInfo'].reason, reason)
        return details

    def failed(self):
        task = self.api.run('fail', {'message': 'no such thing'})
        self.assertEqual(task.state, FAILED)
        return task

    def test_a_paused_task_waits_until_it_is_resumed(self):
        task = self.api.spawn('echo', {}, delay=600)
        paused = self.ask('PauseTask', tasks.PauseTaskRequest(name=task.name, reason='look'))
        self.assertTrue(paused.task.paused)
        self.assertEqual(paused.task.pause_reason, 'look')
        started = self.ask('RetryTask', tasks.RetryTaskRequest(name=task.name)).task
        self.assertEqual(started.state, QUEUED)
        self.assertEqual(started.wait.cause, Why.CAUSE_TASK_PAUSED)
        self.assertIn('look', started.waiting_reason)
        self.ask('ResumeTask', tasks.ResumeTaskRequest(name=task.name))
        self.assertEqual(self.api.wait(task.name).state, SUCCEEDED)
        self.refused(grpc.StatusCode.FAILED_PRECONDITION, 'TASK_ENDED',
                     lambda: self.ask('PauseTask', tasks.PauseTaskRequest(name=task.name)))

    def test_retry_and_delete_of_what_has_just_ended(self):
        task = self.failed()
        # Its end may still be on its way to the disk.
        self.ask('RetryTask', tasks.RetryTaskRequest(name=task.name))
        ended = self.api.wait(task.name)
        self.assertEqual([each.number for each in ended.attempts], [1, 2])
        self.refused(grpc.StatusCode.NOT_FOUND, 'TASK_NOT_FOUND',
                     lambda: self.ask('RetryTask', tasks.RetryTaskRequest(name=task.name + 'X')))
        self.ask('DeleteTask', tasks.DeleteTaskRequest(name=task.name))
        self.refused(grpc.StatusCode.NOT_FOUND, 'TASK_NOT_FOUND',
                     lambda: self.api.get(task.name))

    def test_force_cancel_gives_the_room_back(self):
        stuck = self.api.spawn('sleep', {'seconds': 600}, queue='single')
        eventually('it runs', lambda: self.api.get(stuck.name).state == RUNNING)
        waiting = self.api.spawn('echo', {}, queue='single')
        why = eventually('it waits for the pool', lambda: [
            each for each in self.explain(waiting.name).all
            if each.cause == Why.CAUSE_POOL_FULL])[0]
        self.assertEqual((why.used, why.limit), (1, 1))
        self.assertEqual(why.subject, 'tenants/default/pools/one')
        cancelled = self.ask('ForceCancelTask', tasks.ForceCancelTaskRequest(name=stuck.name))
        self.assertEqual(cancelled.task.state, CANCELLED)
        self.assertEqual(self.api.wait(waiting.name).state, SUCCEEDED)

    def explain(self, name):
        return self.ask('ExplainTask', tasks.ExplainTaskRequest(name=name))

    def test_update_changes_the_order_and_the_labels(self):
        low, high = [self.api.spawn('echo', {}, queue='urgent').name for _ in range(2)]
        eventually('both wait', lambda: all(self.api.get(name).wait.cause == Why.CAUSE_POOL_FULL
                                            for name in (low, high)))
        self.assertEqual(self.explain(high).all[1].ahead, 1)
        changed = self.update(high, tasks.TaskSpec(priority=9, labels={'a': 'b'}),
                              'spec.priority', 'spec.labels')
        self.assertEqual(dict(changed.spec.labels), {'a': 'b'})
        self.assertEqual(self.explain(low).all[1].ahead, 1)
        later = self.update(low, spec('', delay=600), 'spec.delay')
        self.assertEqual(later.state, SCHEDULED)
        self.assertEqual(self.explain(low).wait.expected_start_time, later.schedule_time)
        self.refused(grpc.StatusCode.INVALID_ARGUMENT, 'FIELD_MASK_INVALID',
                     lambda: self.update(low, tasks.TaskSpec(), 'spec.function'))

    def update(self, name, changed, *paths):
        request = tasks.UpdateTaskRequest(task=tasks.Task(name=name, spec=changed),
                                          update_mask=field_mask_pb2.FieldMask(paths=paths))
        return self.ask('UpdateTask', request).task

    def batch(self, **fields):
        return self.ask('BatchChangeTasks', tasks.BatchChangeTasksRequest(**fields))

    def test_a_batch_counts_first_and_then_does_what_it_counted(self):
        labels = {'batch': 'one'}
        names = [result.name for result in self.api.spawn_batch(
            [spec('echo', {}, queue='held', labels=labels) for _ in range(300)])]
        chosen = {'parent': 'tenants/default',
                  'filter': tasks.TaskFilter(labels=labels)}
        counted = self.batch(cancel=PLAIN, validate_only=True, **chosen)
        self.assertEqual((counted.matched, counted.changed, len(counted.sample)), (300, 0, 20))
        self.assertEqual(list(counted.sample), names[:20])
        some = self.batch(cancel=PLAIN, limit=100, reason='too many', **chosen)
        self.assertEqual((some.matched, some.changed, some.more), (100, 100, True))
        rest = self.batch(cancel=PLAIN, **chosen)
        self.assertEqual((rest.matched, rest.changed, rest.more), (200, 200, False))
        self.assertIn('too many', self.api.get(names[0]).error.message)
        count = self.ask('CountTasks', tasks.CountTasksRequest(filter=chosen['filter']))
        self.assertEqual((count.total, dict(count.by_state)), (300, {'CANCELLED': 300}))
        self.assertEqual(self.batch(delete=PLAIN, **chosen).changed, 300)
        self.assertEqual(self.ask('CountTasks', tasks.CountTasksRequest(
            filter=chosen['filter'])).total, 0)

    def test_a_batch_says_what_it_is_to_do_and_to_what(self):
        for reason, fields in [('ACTION_REQUIRED', {'filter': tasks.TaskFilter()}),
                               ('FILTER_REQUIRED', {'cancel': PLAIN}),
                               ('LIMIT_NEGATIVE', {'cancel': PLAIN, 'limit': -1,
                                                   'filter': tasks.TaskFilter()})]:
            details = self.refused(grpc.StatusCode.INVALID_ARGUMENT, reason,
                                   lambda fields=fields: self.batch(**fields))
            self.assertIn('BadRequest', details)

    def test_purge_cancels_what_waits_there_and_nothing_else(self):
        mail = 'tenants/default/queues/mail'
        names = [self.api.spawn('echo', {}, queue='mail').name for _ in range(3)]
        later = self.api.spawn('echo', {}, queue='mail', delay=600).name
        other = self.api.spawn('echo', {}, queue='held').name
        for dry in (True, False):
            answer = self.api.call(self.api.queues.PurgeQueue, queues.PurgeQueueRequest(
                name=mail, validate_only=dry, reason='wrong list'))
            self.assertEqual((answer.matched, answer.purged), (4, 0 if dry else 4))
        for name in (*names, later):
            task = self.api.get(name)
            self.assertEqual(task.state, CANCELLED)
            self.assertIn('wrong list', task.error.message)
        self.assertEqual(self.api.get(other).state, QUEUED)
        self.api.cancel(other)

    def test_a_list_of_one_tenant_says_nothing_of_another(self):
        for _ in range(3):
            self.api.spawn_batch([spec('echo', {}, queue='held')])
            self.api.call(self.api.tasks.SpawnTask, tasks.SpawnTaskRequest(
                parent='tenants/acme', spec=spec('echo', {})))
        acme = {task.name for task in self.api.list(parent='tenants/acme').tasks}
        token = ''
        while True:
            page = self.api.list(page_size=1, page_token=token)
            token = page.next_page_token
            for name in acme:
                self.assertNotIn(name.rpartition('/')[2], token)
            if not token:
                break
        self.assertTrue(acme <= {task.name for task in self.api.list(
            parent='tenants/-', page_size=1000).tasks})


class GrovectlChangesTest(GroveTest):

    def run_ok(self, *arguments):
        done = self.daemon.grovectl(*arguments)
        self.assertEqual((done.returncode, done.stderr), (0, ''), arguments)
        return done.stdout

    def run_json(self, *arguments):
        return json.loads(self.run_ok(*arguments, '-o', 'json'))

    def test_from_a_paused_queue_to_its_purge(self):
        queue = self.run_json('queues', 'pause', 'default', '--reason', 'deploy')
        self.assertEqual((queue['state'], queue['pause_reason']), ('PAUSED', 'deploy'))
        names = [self.run_ok('spawn', 'echo', '{}', '--label', f'n={i}').strip()
                 for i in range(3)]
        explained = eventually('it is on disk', lambda: (lambda answer: answer if answer['wait'][
            'cause'] == 'QUEUE_PAUSED' else None)(
                self.run_json('tasks', 'explain', names[0])))
        self.assertIn('deploy', explained['wait']['text'])
        self.assertEqual(len(self.run_json('tasks', 'list', '--label', 'n=1')['tasks']), 1)
        self.assertEqual(self.run_json('tasks', 'count', '--state', 'queued')['total'], '3')
        dry = self.run_ok('tasks', 'cancel', '--label', 'n=0', '--dry-run')
        self.assertIn('would cancel: 1 task', dry)
        refused = self.daemon.grovectl('tasks', 'cancel', '--label', 'n=0')
        self.assertEqual(refused.returncode, 2)
        self.assertIn('--yes', refused.stderr)
        done = self.run_json('tasks', 'cancel', '--label', 'n=0', '--yes')
        self.assertEqual(done['changed'], '1')
        self.assertEqual(self.run_json('tasks', 'pause', names[1])['paused'], True)
        self.assertEqual(self.run_json('queues', 'purge', 'default', '--yes')['purged'], '2')
        self.assertEqual(self.run_json('queues', 'resume', 'default')['state'], 'ACTIVE')
        retried = self.run_json('tasks', 'retry', names[0], names[2])
        self.assertEqual(len(retried['tasks']), 2)
        self.assertEqual(self.daemon.grovectl('wait', names[0], names[2]).returncode, 0)
        self.run_ok('tasks', 'delete', '--ended_since', '10m', '--yes')
        self.assertEqual(self.run_json('tasks', 'count').get('total', '0'), '0')


class RestartTest(OwnDaemonTest):

    def test_what_was_said_outlasts_the_death_of_the_daemon(self):
        daemon = self.start()
        api = daemon.api()
        paused = api.spawn('echo', {}, delay=600).name
        api.call(api.tasks.PauseTask, tasks.PauseTaskRequest(name=paused, reason='by hand'))
        changed = api.spawn('echo', {}, delay=600).name
        request = tasks.UpdateTaskRequest(
            task=tasks.Task(name=changed, spec=tasks.TaskSpec(priority=4, labels={'k': 'v'})),
            update_mask=field_mask_pb2.FieldMask(paths=['spec.priority', 'spec.labels']))
        api.call(api.tasks.UpdateTask, request)
        retried = api.run('fail', {'message': 'x'}).name
        deleted = api.run('echo', {}).name
        api.call(api.queues.PauseQueue, queues.PauseQueueRequest(name=QUEUE, reason='night'))
        api.call(api.tasks.RetryTask, tasks.RetryTaskRequest(name=retried))
        api.call(api.tasks.DeleteTask, tasks.DeleteTaskRequest(name=deleted))
        # Each was answered once it was on disk: nobody gets the time to write it now.
        daemon.kill_all()
        daemon.start()
        api = daemon.api()
        self.assertEqual(api.get(paused).pause_reason, 'by hand')
        task = api.get(changed)
        self.assertEqual((task.spec.priority, dict(task.spec.labels)), (4, {'k': 'v'}))
        queue = api.queue()
        self.assertEqual((queue.state, queue.pause_reason), (queues.Queue.STATE_PAUSED, 'night'))
        self.assertEqual(api.get(retried).state, QUEUED)
        with self.assertRaises(grpc.RpcError) as caught:
            api.get(deleted)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.NOT_FOUND)
        api.call(api.queues.ResumeQueue, queues.ResumeQueueRequest(name=QUEUE))
        self.assertEqual(api.wait(retried).state, FAILED)
        daemon.stop()


if __name__ == '__main__':
    unittest.main()
