"""Streams of spawns, and watches of tasks and queues, by a real daemon and a Python client."""

import itertools
import json
import os
import queue
import signal
import subprocess
import threading
import unittest

import grpc

from grove_api import (
    CALL_TIMEOUT_S, CANCELLED, QUEUE, QUEUED, RUNNING, SUCCEEDED, error_details,
    inspect_service_pb2 as inspect, queue_service_pb2 as queues, spec, status_details, tasks)
from grove_harness import (DEADLINE_S, GroveTest, OwnDaemonTest, eventually, free_port,
                           program)

VOLATILE = tasks.DURABILITY_VOLATILE

Gap = tasks.WatchTasksResponse.Gap

# Tasks that have ended stay, however many.
KEEPS_ALL = 'tasks: {retained_max: 1000000}\n'


class SpawnStream:
    """A stream of spawns that sends what it is given, and reads when it is asked to."""

    def __init__(self, api):
        self._messages = queue.SimpleQueue()
        self.answers = api.tasks.SpawnTasks(
            iter(self._messages.get, None), timeout=CALL_TIMEOUT_S, metadata=api.metadata)

    def send(self, sequence, *specs, parent=''):
        self._messages.put(tasks.SpawnTasksRequest(sequence=sequence, parent=parent, specs=specs))

    def end(self):
        self._messages.put(None)


def watch(api, **fields):
    return api.tasks.WatchTasks(tasks.WatchTasksRequest(**fields), timeout=CALL_TIMEOUT_S,
                                metadata=api.metadata)


def until(stream, found):
    """Events up to the one that `found` is true of, and the last resume token."""
    events, token = [], ''
    for message in stream:
        token = message.resume_token or token
        events += message.events
        if any(found(event) for event in message.events):
            return events, token
    raise AssertionError('the watch ended')


def states(events):
    """{name: the last state that was told}"""
    told = {}
    for event in events:
        kind = event.WhichOneof('event')
        if kind in ('existing', 'changed'):
            task = getattr(event, kind)
            told[task.name] = task.state
    return told


class SpawnTasksTest(GroveTest):

    def setUp(self):
        self.api = self.daemon.api()

    def test_messages_are_answered_in_order_item_by_item(self):
        stream = SpawnStream(self.api)
        for sequence in (5, 3, 9):
            stream.send(sequence, spec('echo', sequence), spec('nobody'),
                        spec('echo', 1, durability=VOLATILE))
        stream.end()
        answers = list(stream.answers)
        self.assertEqual([answer.sequence for answer in answers], [5, 3, 9])
        for answer in answers:
            good, bad, fast = answer.results
            self.assertEqual(self.api.wait(good.name).output, str(answer.sequence).encode())
            self.assertEqual(status_details(bad.error)['ErrorInfo'].reason, 'UNKNOWN_FUNCTION')
            self.assertTrue(fast.name)
        self.assertEqual(stream.answers.code(), grpc.StatusCode.OK)

    def test_a_message_that_is_refused_as_a_whole_ends_nothing(self):
        stream = SpawnStream(self.api)
        stream.send(1, spec('echo', 1), parent='tenants/nobody')
        stream.send(2, spec('echo', 1), parent='?')
        stream.send(3, *[spec('echo')] * 10001)
        stream.send(4, spec('echo', 1))
        stream.end()
        answers = list(stream.answers)
        reasons = [status_details(answer.error)['ErrorInfo'].reason for answer in answers[2:3]]
        self.assertEqual(reasons, ['BATCH_TOO_LARGE'])
        for answer, reason in zip(answers[:2], ('TENANT_NOT_FOUND', 'NAME_INVALID')):
            self.assertEqual(status_details(answer.results[0].error)['ErrorInfo'].reason, reason)
        self.assertTrue(answers[3].results[0].name)

    def test_request_ids_and_unique_keys_are_as_in_batches(self):
        stream = SpawnStream(self.api)
        stream.send(1, spec('echo', 1, request_id='once'), spec('echo', 1, request_id='once'),
                    spec('echo', 2, request_id='once'))
        stream.send(2, spec('sleep', {'seconds': 600}, unique_key={'key': 'k'}),
                    spec('sleep', {'seconds': 600}, unique_key={'key': 'k'}))
        stream.end()
        first, second = stream.answers
        self.assertEqual(first.results[0].name, first.results[1].name)
        self.assertEqual(
            status_details(first.results[2].error)['ErrorInfo'].reason, 'REQUEST_ID_REUSED')
        self.assertEqual(second.results[0].name, second.results[1].name)
        self.assertTrue(second.results[1].attached)
        self.api.cancel(second.results[0].name)

    def test_a_client_that_reads_no_answers_is_not_read_for_ever(self):
        """Most of what it sends stays on its own side until it reads."""
        taken = []

        def messages():
            for sequence in range(2000):
                taken.append(sequence)
                yield tasks.SpawnTasksRequest(sequence=sequence, specs=[
                    spec('echo', 'x' * 100_000, durability=VOLATILE)])

        answers = self.api.tasks.SpawnTasks(messages(), timeout=CALL_TIMEOUT_S)
        first = next(answers)
        self.assertEqual(first.sequence, 0)
        # gRPC in Python reads an answer ahead: the server has at most its window, and what lies
        # between is bounded by the transport's.
        self.assertLess(len(taken), 2000)
        read = [answer.sequence for answer in answers]
        self.assertEqual(read, list(range(1, 2000)))


class SpawnTasksLifeTest(OwnDaemonTest):

    def collect(self, api, sent, answered):
        """Streams messages of durable tasks until the connection breaks."""
        def messages():
            for sequence in itertools.count():
                ids = [f'id-{sequence}-{item}' for item in range(20)]
                sent[sequence] = ids
                yield tasks.SpawnTasksRequest(sequence=sequence, specs=[
                    spec('echo', sequence, request_id=each) for each in ids])

        try:
            for answer in api.tasks.SpawnTasks(messages(), timeout=CALL_TIMEOUT_S):
                answered[answer.sequence] = [result.name for result in answer.results]
        except grpc.RpcError as error:
            return error
        raise AssertionError('the stream ended')

    def test_what_was_answered_outlasts_a_kill_and_what_was_not_is_not_doubled(self):
        daemon = self.start(config=KEEPS_ALL)
        sent, answered = {}, {}
        api = daemon.api()
        thread = threading.Thread(target=self.collect, args=(api, sent, answered))
        thread.start()
        eventually('the stream is under way', lambda: len(answered) > 50)
        os.kill(daemon.pid_of('grove-control'), signal.SIGKILL)
        thread.join()
        api = eventually('control is back', lambda: self.back(daemon))
        names = [name for each in answered.values() for name in each]
        self.assertEqual(len(set(names)), len(names))
        for name in names[-200:] + names[:200]:
            self.assertEqual(api.get(name).name, name)
        # Again, all of it: what was accepted before is found.
        stream = SpawnStream(api)
        last = sorted(set(sent) - set(answered)) + list(answered)[-50:]
        for sequence in last:
            stream.send(sequence, *[spec('echo', sequence, request_id=each)
                                    for each in sent[sequence]])
        stream.end()
        again = {answer.sequence: [result.name for result in answer.results]
                 for answer in stream.answers}
        self.assertEqual(list(again), last)
        for sequence in last:
            if sequence in answered:
                self.assertEqual(again[sequence], answered[sequence])
        total = api.call(api.tasks.CountTasks, tasks.CountTasksRequest()).total
        self.assertEqual(total, 20 * len(set(answered) | set(again)))
        daemon.stop()

    def back(self, daemon):
        """A connection to the next control, once it knows what workers can run."""
        try:
            api = daemon.api()
            known = api.call(api.inspect.ListFunctions, inspect.ListFunctionsRequest())
            return api if known.functions else None
        except grpc.RpcError:
            return None

    def test_a_drain_refuses_what_it_has_not_accepted(self):
        daemon = self.start(config=KEEPS_ALL)
        api = daemon.api()
        sent, answered = {}, {}
        errors = []
        thread = threading.Thread(
            target=lambda: errors.append(self.collect_refusals(api, sent, answered)))
        thread.start()
        eventually('the stream is under way', lambda: len(answered) > 20)
        # Before the client's own end closes its channel.
        daemon.terminate()
        thread.join(DEADLINE_S)
        daemon.ended()
        self.assertEqual(errors[0].code(), grpc.StatusCode.UNAVAILABLE, errors[0])
        self.assertEqual(error_details(errors[0])['ErrorInfo'].reason, 'DRAINING')
        daemon.start()
        api = daemon.api()
        accepted = [name for each in answered.values() for name in each if name]
        self.assertGreater(len(accepted), 20)
        # Nothing that was not answered was accepted.
        total = api.call(api.tasks.CountTasks, tasks.CountTasksRequest()).total
        self.assertEqual(total, len(accepted))
        daemon.stop()

    def collect_refusals(self, api, sent, answered):
        def messages():
            for sequence in itertools.count():
                sent[sequence] = True
                yield tasks.SpawnTasksRequest(sequence=sequence, specs=[spec('echo', 1)])

        try:
            for answer in api.tasks.SpawnTasks(messages(), timeout=CALL_TIMEOUT_S):
                answered[answer.sequence] = [result.name for result in answer.results]
                if answer.HasField('error'):
                    self.assertEqual(
                        status_details(answer.error)['ErrorInfo'].reason, 'DRAINING')
        except grpc.RpcError as error:
            return error
        raise AssertionError('the stream ended')


class GrovectlStreamTest(OwnDaemonTest):

    def test_lines_outlast_a_kill_of_control_and_none_is_doubled(self):
        # The next control has the same port.
        daemon = self.start(config=KEEPS_ALL, flags=[f'--control=127.0.0.1:{free_port()}'])
        lines = 20000
        process = subprocess.Popen(
            [program('client/grovectl'), 'spawn', 'echo', '--inputs=-', '--address',
             daemon.serving['control']],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)

        def feed():
            for line in range(lines):
                process.stdin.write(f'{line}\n')
            process.stdin.close()

        feeder = threading.Thread(target=feed)
        feeder.start()
        names = [process.stdout.readline().strip() for _ in range(500)]
        os.kill(daemon.pid_of('grove-control'), signal.SIGKILL)
        names += process.stdout.read().split()
        said = process.stderr.read()
        feeder.join()
        self.assertEqual(process.wait(), 0, said)
        self.assertEqual(len(set(names)), lines, said)
        api = daemon.api()
        total = api.call(api.tasks.CountTasks, tasks.CountTasksRequest()).total
        self.assertEqual(total, lines)
        daemon.stop()


class WatchTasksTest(GroveTest):

    def setUp(self):
        self.api = self.daemon.api()

    def test_a_task_is_told_to_its_end(self):
        stream = watch(self.api)
        begun = next(stream)
        self.assertTrue(begun.resume_token)
        name = self.api.spawn('echo', {'a': 1}).name
        events, _ = until(stream, lambda event: event.changed.name == name
                          and event.changed.state == SUCCEEDED)
        self.assertFalse(events[-1].changed.output)
        stream.cancel()

    def test_the_existing_come_first_and_a_filter_chooses(self):
        name = self.api.spawn('sleep', {'seconds': 600}, labels={'w': 'existing'}).name
        other = self.api.spawn('sleep', {'seconds': 600}, labels={'w': 'other'}).name
        stream = watch(self.api, with_existing=True,
                       filter=tasks.TaskFilter(labels={'w': 'existing'}))
        events, token = until(stream, lambda event: event.HasField('synced'))
        self.assertEqual(list(states(events)), [name])
        self.assertTrue(token)
        self.api.cancel(other)
        self.api.cancel(name)
        events, _ = until(stream, lambda event: event.changed.state == CANCELLED)
        self.assertEqual(states(events), {name: CANCELLED})
        stream.cancel()

    def test_who_comes_back_with_the_token_misses_nothing(self):
        stream = watch(self.api)
        token = next(stream).resume_token
        stream.cancel()
        names = [result.name for result in self.api.spawn_batch([spec('echo', 1)] * 300)]
        self.api.wait_batch(names)
        stream = watch(self.api, resume_token=token)
        told = {}
        while not all(told.get(name) == SUCCEEDED for name in names):
            told |= states(next(stream).events)
        stream.cancel()

    def test_views_show_what_they_are_to(self):
        stream = watch(self.api, view=tasks.TASK_VIEW_FULL)
        next(stream)
        name = self.api.spawn('echo', 'y' * 50_000).name
        events, _ = until(stream, lambda event: event.changed.name == name
                          and event.changed.state == SUCCEEDED)
        task = [event.changed for event in events if event.changed.name == name][-1]
        self.assertEqual(json.loads(task.output), 'y' * 50_000)
        self.assertEqual(json.loads(task.spec.input), 'y' * 50_000)
        stream.cancel()

    def test_a_slow_reader_gets_the_newest_of_each_task(self):
        """A task that changed while nobody read is told once, as it is."""
        stream = watch(self.api, filter=tasks.TaskFilter(labels={'slow': 'reader'}))
        next(stream)
        # Enough that not all fits into what lies between the two.
        specs = [spec('echo', 'z' * 3000, labels={'slow': 'reader', 'pad': 'p' * 200})] * 1000
        names = [result.name for _ in range(10) for result in self.api.spawn_batch(specs)]
        for first in range(0, len(names), 1000):
            self.api.wait_batch(names[first:first + 1000])
        told, count = {}, 0
        while len(told) < len(names) or set(told.values()) != {SUCCEEDED}:
            message = next(stream)
            self.assertFalse(any(event.HasField('gap') for event in message.events))
            count += len(message.events)
            told |= states(message.events)
        self.assertEqual(set(told), set(names))
        # Each alone has three states.
        self.assertLess(count, 3 * len(names))
        stream.cancel()

    def test_tokens_of_others_are_refused(self):
        stream = watch(self.api)
        token = next(stream).resume_token
        stream.cancel()
        for fields in ({'parent': QUEUE}, {'view': tasks.TASK_VIEW_FULL},
                       {'filter': tasks.TaskFilter(states=[QUEUED])}):
            with self.assertRaises(grpc.RpcError) as caught:
                next(watch(self.api, resume_token=token, **fields))
            self.assertEqual(
                error_details(caught.exception)['ErrorInfo'].reason, 'RESUME_TOKEN_INVALID')


class WatchTasksLifeTest(OwnDaemonTest):

    def test_a_restart_of_control_is_a_gap_and_what_is_there_is_told_again(self):
        daemon = self.start()
        api = daemon.api()
        name = api.spawn('sleep', {'seconds': 600}).name
        eventually('it runs', lambda: api.get(name).state == RUNNING)
        stream = watch(api, with_existing=True)
        _, token = until(stream, lambda event: event.HasField('synced'))
        os.kill(daemon.pid_of('grove-control'), signal.SIGKILL)
        with self.assertRaises(grpc.RpcError):
            until(stream, lambda event: False)

        def again():
            try:
                resumed = watch(daemon.api(), with_existing=True, resume_token=token)
                return until(resumed, lambda event: event.HasField('synced'))[0]
            except grpc.RpcError:
                return None

        events = eventually('control is back', again)
        self.assertEqual(events[0].gap.cause, Gap.CAUSE_CONTROL_RESTARTED)
        self.assertEqual(states(events), {name: RUNNING})
        daemon.api().cancel(name)
        daemon.stop()


class WatchQueueTest(GroveTest):

    def test_counts_and_pauses_are_told(self):
        api = self.daemon.api()
        stream = api.queues.WatchQueue(queues.WatchQueueRequest(
            name=QUEUE, interval={'nanos': 100_000_000}), timeout=CALL_TIMEOUT_S)
        first = next(stream)
        self.assertEqual([each.name for each in first.queues], [QUEUE])
        api.call(api.queues.PauseQueue, queues.PauseQueueRequest(name=QUEUE, reason='rest'))
        paused = next(stream).queues[0]
        self.assertEqual((paused.state, paused.pause_reason), (queues.Queue.STATE_PAUSED, 'rest'))
        api.spawn('echo', 1)
        while next(stream).queues[0].queued != 1:
            pass
        api.call(api.queues.ResumeQueue, queues.ResumeQueueRequest(name=QUEUE))
        while True:
            message = next(stream)
            if message.queues[0].queued == 0 and message.queues[0].running == 0:
                break
        stream.cancel()
        # Nothing has changed since: the first message says so.
        resumed = api.queues.WatchQueue(queues.WatchQueueRequest(
            name=QUEUE, resume_token=message.resume_token), timeout=CALL_TIMEOUT_S)
        self.assertEqual(len(next(resumed).queues), 0)
        resumed.cancel()


if __name__ == '__main__':
    unittest.main()
