"""Processes of others that run tasks: by a real daemon, and workers in Python."""

import unittest

import grpc
from google.rpc import status_pb2

from gateway_worker import Worker, function, gateway, result
from grove_api import (CANCELLED, FAILED, QUEUED, RUNNING, SUCCEEDED, duration, error_details,
                       inspect_service_pb2 as inspect, status_details, tasks, worker_service_pb2)
from grove_harness import DEADLINE_S, GroveTest, KilledTest, OwnDaemonTest, eventually
from tenants_test import Operator

OTHER = 't' * 16
ONCE = tasks.RetryPolicy(max_attempts=1)
DRAINING = worker_service_pb2.Worker.STATE_DRAINING


def reason(error):
    return error_details(error)['ErrorInfo'].reason


class WorkerGatewayTest(GroveTest):

    def setUp(self):
        self.api = self.daemon.api()

    def worker(self, *functions, **fields):
        worker = Worker(self.api, functions or ('job',), **fields)
        self.addCleanup(worker.call.cancel)
        return worker

    def test_a_task_runs_in_it(self):
        worker = self.worker(host='here', pid=77, runtime='python test')
        self.assertGreater(worker.welcome.silence_max.seconds, 0)
        task = self.api.spawn('job', [1], labels={'a': 'b'}, timeout=60).name
        start = worker.next()
        self.assertEqual((start.task, start.function, start.input, start.number),
                         (task, 'job', b'[1]', 1))
        self.assertEqual((dict(start.labels), start.timeout.seconds), ({'a': 'b'}, 60))
        worker.report(start.attempt, progress=0.5, message='half')
        eventually('it is half done', lambda: self.api.get(task).progress == 0.5)
        shown = [each for each in self.api.list_workers() if each.name == worker.welcome.worker]
        self.assertEqual([(each.host, each.pid, each.runtime, each.tenant, each.tasks_running)
                          for each in shown],
                         [('here', 77, 'python test', 'tenants/default', 1)])
        worker.done(start, b'{"ok": true}')
        ended = self.api.wait(task)
        self.assertEqual((ended.state, ended.output, ended.spec.function),
                         (SUCCEEDED, b'{"ok": true}', 'default/job'))
        self.assertEqual([each.worker for each in self.api.get(task).attempts],
                         [worker.welcome.worker])
        worker.leave()
        self.assertNotIn(worker.welcome.worker,
                         [each.name for each in self.api.list_workers()])

    def test_its_functions_have_names_of_the_tenants_own(self):
        self.worker(function('functions/its.own', description='as told', queue='default'))
        functions = self.api.call(self.api.inspect.ListFunctions,
                                  inspect.ListFunctionsRequest(page_size=1000)).functions
        self.assertIn(('functions/default/its.own', 'as told'),
                      [(each.name, each.description) for each in functions])
        for name in ('its.own', 'default/its.own'):
            self.assertEqual(self.api.get(self.api.spawn(name).name).spec.function,
                             'default/its.own')
        for name in ('other/its.own', '/its.own', 'default/'):
            with self.assertRaises(grpc.RpcError) as refused:
                self.api.spawn(name)
            self.assertEqual(reason(refused.exception), 'UNKNOWN_FUNCTION')

    def test_it_gets_as_many_at_once_as_it_takes_and_others_go_on(self):
        worker = self.worker('slow', session='u' * 16, capacity=2)
        names = [self.api.spawn('slow', [i]).name for i in range(4)]
        first = [worker.next() for _ in range(2)]
        # Behind them in the same queue.
        self.assertEqual(self.api.run('echo', 5).state, SUCCEEDED)
        why = self.api.call(self.api.tasks.ExplainTask,
                            tasks.ExplainTaskRequest(name=names[3])).all
        self.assertIn(tasks.WaitExplanation.CAUSE_WORKERS_FULL, [each.cause for each in why])
        self.assertTrue(worker.starts.empty())
        worker.done(first[0])
        third = worker.next()
        self.assertEqual(third.task, names[2])
        worker.send(capacity=3)
        fourth = worker.next()
        self.assertEqual(fourth.task, names[3])
        for start in (first[1], third, fourth):
            worker.done(start)
        self.assertEqual([each.task.state for each in self.api.wait_batch(names)],
                         [SUCCEEDED] * 4)

    def test_what_failures_say_counts(self):
        worker = self.worker('fails', session='v' * 16)
        task = self.api.spawn('fails', retry_policy=tasks.RetryPolicy(max_attempts=5)).name
        start = worker.next()
        worker.tell(start.attempt, checkpoint=b'so far', failure=gateway.AttemptFailure(
            error=status_pb2.Status(code=14, message='not yet'), retry_after=duration(0.01)))
        again = worker.next()
        self.assertEqual((again.task, again.number, again.checkpoint), (task, 2, b'so far'))
        worker.tell(again.attempt, failure=gateway.AttemptFailure(
            error=status_pb2.Status(code=9, message='never'), never_again=True))
        ended = self.api.wait(task)
        self.assertEqual((ended.state, ended.error.code, ended.error.message),
                         (FAILED, 9, 'never'))
        self.assertEqual([each.error.message for each in self.api.get(task).attempts],
                         ['not yet', 'never'])

    def test_results_that_are_none_fail_the_attempt(self):
        worker = self.worker('odd', session='w' * 16)
        for said, code, why in (
                ({}, 13, 'RESULT_INVALID'),
                ({'output': gateway.AttemptOutput(
                    data=b'x' * (worker.welcome.output_max_bytes + 1))}, 8, 'OUTPUT_TOO_LARGE'),
                ({'suspension': gateway.AttemptSuspension(tasks=['tenants/x/queues/y/tasks/z'])},
                 5, 'TASK_NOT_FOUND')):
            task = self.api.spawn('odd', retry_policy=ONCE).name
            worker.tell(worker.next().attempt, **said)
            error = self.api.wait(task).error
            self.assertEqual((error.code, status_details(error)['ErrorInfo'].reason),
                             (code, why))

    def test_a_suspended_task_goes_on(self):
        worker = self.worker('waits', session='x' * 16, capacity=1)
        task = self.api.spawn('waits').name
        other = self.api.spawn('sleep', {'seconds': 0}).name
        start = worker.next()
        worker.tell(start.attempt, checkpoint=b'1',
                    suspension=gateway.AttemptSuspension(tasks=[other]))
        again = worker.next()
        self.assertEqual((again.task, again.checkpoint), (task, b'1'))
        worker.done(again)
        self.assertEqual(self.api.wait(task).state, SUCCEEDED)

    def test_a_cancelled_task_is_told_to_stop(self):
        worker = self.worker('stops', session='y' * 16)
        task = self.api.spawn('stops').name
        start = worker.next()
        self.api.cancel(task, 'enough')
        cancel = worker.cancels.get(timeout=DEADLINE_S)
        self.assertEqual((cancel.attempt, cancel.reason), (start.attempt, 'cancelled: enough'))
        worker.tell(start.attempt, cancelled=gateway.AttemptCancelled())
        self.assertEqual(self.api.wait(task).state, CANCELLED)
        self.assertEqual(worker.acknowledged.get(timeout=DEADLINE_S), start.attempt)

    def test_what_a_dead_worker_ran_runs_elsewhere_at_once(self):
        first = self.worker('moves', session='z' * 16)
        task = self.api.spawn('moves').name
        start = first.next()
        second = self.worker('moves', session='2' * 16)
        first.drop()
        moved = second.next()
        self.assertEqual((moved.task, moved.number), (task, 2))
        # It lives after all, and is told that it is no use.
        back = self.worker('moves', session='z' * 16, worker=first.welcome.worker, running=[
            gateway.RunningAttempt(attempt=start.attempt, task=task, number=1)])
        self.assertEqual(back.cancels.get(timeout=DEADLINE_S).attempt, start.attempt)
        back.done(start, b'"late"')
        second.done(moved, b'"right"')
        ended = self.api.wait(task)
        self.assertEqual((ended.state, ended.output), (SUCCEEDED, b'"right"'))
        attempts = self.api.get(task).attempts
        self.assertEqual([each.state for each in attempts],
                         [tasks.Attempt.STATE_INTERRUPTED, tasks.Attempt.STATE_SUCCEEDED])

    def test_a_new_stream_of_the_same_session_takes_over(self):
        first = self.worker('stays', session='3' * 16)
        task = self.api.spawn('stays').name
        start = first.next()
        second = self.worker('stays', session='3' * 16, running=[
            gateway.RunningAttempt(attempt=start.attempt, task=task, number=1)])
        self.assertTrue(first.ended.wait(DEADLINE_S))
        self.assertEqual(reason(first.error), 'WORKER_REPLACED')
        self.assertEqual(second.welcome.worker, first.welcome.worker)
        second.done(start)
        self.assertEqual(len(self.api.get(task).attempts), 1)

    def test_one_that_drains_gets_nothing_more(self):
        first = self.worker('drains', session='4' * 16)
        self.api.spawn('drains')
        start = first.next()
        first.send(draining=True)
        eventually('it drains', lambda: any(
            each.name == first.welcome.worker and each.state == DRAINING
            for each in self.api.list_workers()))
        later = self.api.spawn('drains').name
        second = self.worker('drains', session='5' * 16)
        self.assertEqual(second.next().task, later)
        self.assertTrue(first.starts.empty())
        first.done(start)
        first.leave()

    def test_given_back_it_is_an_interruption(self):
        worker = self.worker('returns', session='6' * 16)
        task = self.api.spawn('returns', retry_policy=ONCE).name
        worker.tell(worker.next().attempt, returned=gateway.AttemptReturned())
        start = worker.next()
        self.assertEqual((start.task, start.number), (task, 2))
        worker.done(start)
        self.assertEqual(self.api.wait(task).state, SUCCEEDED)

    def test_registrations_that_are_none(self):
        good = {'session': '7' * 16, 'capacity': 1}
        for fields, text in (
                ({'session': 'short'}, 'registration.session'),
                ({'session': 'not random!!!!!!'}, 'registration.session'),
                ({'capacity': 0}, 'registration.capacity'),
                ({'capacity': 10001}, 'registration.capacity'),
                ({'host': 'a\nb'}, 'registration.host'),
                ({'functions': ()}, 'registration.functions'),
                ({'functions': ['a b']}, 'registration.functions.name'),
                ({'functions': ['x' * 255]}, 'registration.functions.name'),
                ({'functions': [function('f', slot_cost=-1)]}, 'registration.functions.f'),
                ({'functions': [function('f', default_timeout=duration(-1))]},
                 'registration.functions.f'),
                ({'functions': [function('f', queue='no such name')]},
                 'registration.functions.f')):
            with self.assertRaises(grpc.RpcError) as refused:
                Worker(self.api, **(good | fields))
            self.assertEqual(refused.exception.code(), grpc.StatusCode.INVALID_ARGUMENT, fields)
            self.assertEqual(reason(refused.exception), 'REGISTRATION_INVALID')
            self.assertIn(text, refused.exception.details())
        with self.assertRaises(grpc.RpcError) as refused:
            Worker(self.api, parent='tenants/nobody', **good)
        self.assertEqual(refused.exception.code(), grpc.StatusCode.NOT_FOUND)
        worker = self.worker(**good)
        worker.send(registration=gateway.WorkerRegistration())
        self.assertTrue(worker.ended.wait(DEADLINE_S))
        self.assertEqual(reason(worker.error), 'REGISTRATION_REQUIRED')


class GatewayRestartTest(KilledTest):

    def test_what_runs_goes_on_over_a_restart_of_the_daemon(self):
        self.start()
        api = self.daemon.api()
        first = Worker(api)
        told, runs = (api.spawn('job', [i], retry_policy=ONCE).name for i in range(2))
        starts = {start.task: start for start in (first.next(), first.next())}
        # What is on disk is so in order: their starts are, too.
        api.run('echo', 1, durability=tasks.DURABILITY_DURABLE)
        self.again()
        api = self.daemon.api()
        self.assertEqual(api.get(runs).state, RUNNING)
        # One has ended while nobody listened, the other one runs on.
        second = Worker(api, worker=first.welcome.worker, running=[gateway.RunningAttempt(
            attempt=starts[runs].attempt, task=runs, number=1)], results=[result(
                starts[told].attempt, output=gateway.AttemptOutput(data=b'"kept"'))])
        self.assertEqual(second.acknowledged.get(timeout=DEADLINE_S), starts[told].attempt)
        self.assertEqual(api.wait(told).output, b'"kept"')
        second.done(starts[runs])
        self.assertEqual([len(api.get(name).attempts) for name in (told, runs)], [1, 1])
        second.leave()

    def test_its_tasks_wait_for_it_after_a_restart(self):
        self.start()
        api = self.daemon.api()
        worker = Worker(api, session=OTHER)
        worker.leave()
        waits = api.spawn('job').name
        self.again()
        api = self.daemon.api()
        # The function is known still.
        later = api.spawn('job').name
        self.assertEqual([api.get(name).state for name in (waits, later)], [QUEUED, QUEUED])
        worker = Worker(api, session=OTHER)
        for _ in range(2):
            worker.done(worker.next())
        self.assertEqual([each.task.state for each in api.wait_batch([waits, later])],
                         [SUCCEEDED, SUCCEEDED])
        worker.leave()


class GatewayTenantsTest(OwnDaemonTest):

    def test_a_tenants_functions_are_its_own(self):
        self.start()
        operator = Operator(self.daemon)
        amber, borage = (self.daemon.api(operator.tenant(name)) for name in ('amber', 'borage'))
        worker = Worker(amber)
        for name in ('job', 'amber/job'):
            with self.assertRaises(grpc.RpcError) as refused:
                borage.spawn(name)
            self.assertEqual(reason(refused.exception), 'UNKNOWN_FUNCTION')
        listed = borage.call(borage.inspect.ListFunctions, inspect.ListFunctionsRequest())
        self.assertNotIn('amber', str(listed))
        with self.assertRaises(grpc.RpcError) as refused:
            Worker(borage, parent='tenants/amber')
        self.assertEqual(refused.exception.code(), grpc.StatusCode.NOT_FOUND)
        # Not even by its session and place.
        other = Worker(borage, session=worker.session, worker=worker.welcome.worker)
        self.assertNotEqual(other.welcome.worker, worker.welcome.worker)
        task = amber.spawn('job').name
        start = worker.next()
        other.tell(start.attempt, output=gateway.AttemptOutput(data=b'"stolen"'))
        self.assertEqual(other.acknowledged.get(timeout=DEADLINE_S), start.attempt)
        worker.done(start)
        self.assertEqual(amber.wait(task).output, b'"done"')
        # Nor without its token, from the moment of which it is revoked.
        operator.output('tokens', 'revoke', 'tenants/amber/tokens/ci')
        self.assertTrue(worker.ended.wait(DEADLINE_S))
        self.assertEqual(worker.error.code(), grpc.StatusCode.UNAUTHENTICATED)
        # What has gone with the tenant is not there for the next one of that name.
        operator.output('tenants', 'delete', 'amber')
        eventually('it is gone', lambda: not operator.has('amber'))
        again = self.daemon.api(operator.tenant('amber'))
        with self.assertRaises(grpc.RpcError) as refused:
            again.spawn('job')
        self.assertEqual(reason(refused.exception), 'UNKNOWN_FUNCTION')


if __name__ == '__main__':
    unittest.main()
