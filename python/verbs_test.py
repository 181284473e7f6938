"""When calls are made again, and when not: by invented time and a server of this test's."""

import importlib
import inspect
import itertools
import os
import pathlib
import sys
import typing
import unittest

sys.path.insert(0, os.path.abspath('python'))

import grpc
from google.protobuf import any_pb2

import grove
import grove.aio
from grove import _values, _verbs
from grove._stubs import error_details_pb2 as details
from grove._stubs import status_pb2

CODES = {code.name: code.value[0] for code in grpc.StatusCode}


class Failure(grpc.RpcError):
    """What a call raises: with a reason if the server said it, and when to come again."""

    def __init__(self, code, reason='', retry_delay=None):
        super().__init__()
        self._code = code
        self._status = status_pb2.Status(code=CODES[code], message='no')
        parts = [details.ErrorInfo(reason=reason)] if reason else []
        if retry_delay is not None:
            parts.append(details.RetryInfo(retry_delay={'nanos': int(retry_delay * 1e9)}))
        for part in parts:
            self._status.details.append(any_pb2.Any(
                type_url=f'type.googleapis.com/google.rpc.{part.DESCRIPTOR.name}',
                value=part.SerializeToString()))

    def code(self):
        return grpc.StatusCode[self._code]

    def details(self):
        return 'no'

    def trailing_metadata(self):
        return [('grpc-status-details-bin', self._status.SerializeToString())
                ] if self._status.details else []


LOST = Failure('UNAVAILABLE')
FULL = Failure('RESOURCE_EXHAUSTED', 'QUEUE_FULL', 0.5)
DRAINING = Failure('UNAVAILABLE', 'DRAINING', 0.25)


class Server:
    """Answers by a script, whose last line stays; it is the shell, and the clock."""

    def __init__(self, *script):
        self.script = list(script)
        self.now, self.pauses, self.requests = 0.0, [], []
        self.timeouts, self.streams = [], []

    def next(self, request):
        self.requests.append(request)
        line = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        answer = line(request) if callable(line) else line
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def unary(self, method, request, timeout):
        self.now += 0.001
        self.timeouts.append(timeout)
        return self.next(request)

    async def pause(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds

    def open(self, method, timeout):
        self.streams.append([])
        return Stream(self, self.streams[-1])


class Stream:

    def __init__(self, server, written):
        self.server, self.written, self.read_count = server, written, 0
        self.write = written.append

    async def read(self):
        self.read_count += 1
        return self.server.next(self.written[self.read_count - 1])

    def end(self):
        pass


def run(verb):
    try:
        verb.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError('it has suspended')


def told(series):
    found = []
    while True:
        try:
            found.append(run(series.__anext__()))
        except StopAsyncIteration:
            return found


def task(state='SUCCEEDED', method='SpawnTask'):
    """An answer with a task."""
    message = _values.METHODS[method].output_type._concrete_class()
    return _values.fill(message, {'task': {'name': 'a', 'state': state}})


def results(request, *errors):
    """An answer to a message of a stream: the nth spec is refused so."""
    message = _values.METHODS['SpawnTasks'].output_type._concrete_class()
    for spec, error in itertools.zip_longest(request.specs, errors):
        one = message.results.add()
        if error:
            one.error.CopyFrom(error._status)
        else:
            one.name = spec.request_id
    return message


class VerbsTest(unittest.TestCase):

    def verbs(self, *script, **options):
        self.server = Server(*script)
        verbs = _verbs.Verbs(lambda *_: self.server, **options)
        verbs.clock, verbs.draw = lambda: self.server.now, lambda: 0.5
        verbs.heard = True
        return verbs

    def refused(self, kind, verb):
        with self.assertRaises(kind) as caught:
            run(verb)
        return caught.exception

    def test_a_spawn_is_sent_again_with_its_request_id(self):
        run(self.verbs(LOST, DRAINING, FULL, task()).spawn('f'))
        self.assertEqual(len({each.spec.request_id for each in self.server.requests}), 1)
        self.assertEqual(len(self.server.requests), 4)
        # Its own pause grows; the server's is kept, and drawn out by up to a tenth.
        self.assertEqual([round(each, 4) for each in self.server.pauses], [0.075, 0.2625, 0.525])

    def test_a_spawn_without_one_is_sent_again_only_where_nothing_was_done(self):
        verbs = self.verbs(FULL, LOST)
        self.refused(grove.Unavailable, verbs.spawn('f', request_id=''))
        self.assertEqual(len(self.server.requests), 2)

    def test_what_cannot_be_repeated_is_made_once(self):
        for call in (lambda verbs: verbs.retry('a'), lambda verbs: verbs.delete('a'),
                     lambda verbs: verbs.call('PauseQueue', name='q')):
            self.refused(grove.Unavailable, call(self.verbs(LOST)))
            self.assertEqual(len(self.server.requests), 1)

    def test_what_changes_nothing_is_repeated(self):
        for call in (lambda verbs: verbs.get('a'), lambda verbs: verbs.cancel('a'),
                     lambda verbs: verbs.call('GetTask', name='a')):
            run(call(self.verbs(LOST, task())))
            self.assertEqual(len(self.server.requests), 2)

    def test_what_the_server_says_is_final_unless_it_says_when_to_come_again(self):
        for failure in (Failure('UNAVAILABLE', 'WORKER_UNREACHABLE'), Failure('INTERNAL'),
                        Failure('RESOURCE_EXHAUSTED', 'PAYLOAD_TOO_LARGE')):
            self.refused(grove.GroveError, self.verbs(failure).get('a'))
            self.assertEqual(self.server.pauses, [])

    def test_a_deadline_is_final(self):
        self.refused(grove.DeadlineExceeded, self.verbs(Failure('DEADLINE_EXCEEDED')).get('a'))
        self.assertEqual(len(self.server.requests), 1)

    def test_each_call_has_a_deadline_and_a_wait_its_slice_beside(self):
        verbs = self.verbs(task(), call_timeout=7)
        run(verbs.spawn('f'))
        run(verbs.wait('a', 3))
        run(verbs.wait('a'))
        self.assertEqual(self.server.timeouts, [7, 10, 67])

    def test_calls_are_repeated_for_so_long(self):
        error = self.refused(grove.ResourceExhausted, self.verbs(FULL, retry_for=2).spawn('f'))
        self.assertEqual((error.reason, error.retry_delay), ('QUEUE_FULL', 0.5))
        self.assertEqual(len(self.server.pauses), 3)
        self.refused(grove.ResourceExhausted, self.verbs(FULL, retry_for=0).spawn('f'))
        self.assertEqual(self.server.pauses, [])

    def test_a_server_that_never_answered_is_not_waited_for(self):
        verbs = self.verbs(LOST)
        verbs.heard = False
        for call in (verbs.spawn('f'), verbs.wait('a'), verbs.wait_many(['a'])):
            self.refused(grove.Unavailable, call)
        self.assertEqual(self.server.pauses, [])
        verbs = self.verbs(DRAINING, LOST, task())
        verbs.heard = False
        run(verbs.spawn('f'))
        self.assertEqual(len(self.server.requests), 3)

    def test_a_wait_bears_an_outage_of_minutes_and_no_longer(self):
        verbs = self.verbs(LOST)
        self.refused(grove.Unavailable, verbs.wait('a'))
        self.assertGreater(self.server.now, _verbs.OUTAGE_MAX_S - 3)
        self.assertLess(self.server.now, _verbs.OUTAGE_MAX_S)
        self.assertEqual(max(self.server.pauses), 1.5)

    def test_each_outage_is_another(self):
        script = []
        for _ in range(3):
            script += [LOST] * 150 + [task('RUNNING')]
        found = run(self.verbs(*script, task()).wait('a'))
        self.assertEqual(found.state, 'SUCCEEDED')
        self.assertGreater(self.server.now, 2 * _verbs.OUTAGE_MAX_S)

    def test_a_wait_is_asked_for_in_slices(self):
        def ends(request):
            self.server.now += request.timeout.ToTimedelta().total_seconds()
            return task('RUNNING')
        error = self.refused(grove.WaitTimeout, self.verbs(ends).wait('a', 150))
        self.assertEqual(error.task.state, 'RUNNING')
        asked = [each.timeout.seconds for each in self.server.requests]
        self.assertEqual(asked[:2], [60, 60])
        self.assertLess(self.server.now, 151)

    def test_a_wait_for_many_asks_again_for_those_that_have_not_ended(self):
        answer = _values.METHODS['BatchWaitTasks'].output_type._concrete_class

        def first(request):
            """A page of two of four, one of which runs."""
            return _values.fill(answer(), {'results': [
                {'task': {'name': 'a', 'state': 'SUCCEEDED'}},
                {'task': {'name': 'b', 'state': 'RUNNING'}}]})

        def rest(request):
            return _values.fill(answer(), {'results': [
                {'task': {'name': name, 'state': 'FAILED'}} for name in request.names]})
        found = run(self.verbs(first, LOST, rest).wait_many(['a', 'b', 'c', 'd', 'a']))
        self.assertEqual([list(each.names) for each in self.server.requests],
                         [['a', 'b', 'c', 'd'], ['b', 'c', 'd'], ['b', 'c', 'd']])
        self.assertEqual([each.state for each in found],
                         ['SUCCEEDED', 'FAILED', 'FAILED', 'FAILED', 'SUCCEEDED'])

    def test_a_stream_sends_again_what_has_no_answer(self):
        verbs = self.verbs(results, LOST, results)
        found = told(verbs.spawn_stream([{'function': 'f'}] * 8, unanswered=3))
        ids = [each.name.rpartition('-')[2] for each in found]
        self.assertEqual(ids, [str(n) for n in range(8)])
        first, second = ([each.specs[0].request_id.rpartition('-')[2] for each in stream]
                         for stream in self.server.streams)
        self.assertEqual((first, second), (list('0123'), list('1234567')))

    def test_what_may_pass_is_no_result_of_a_stream(self):
        later = Failure('UNAVAILABLE', 'STORE_UNAVAILABLE', 0.25)
        script = (lambda request: results(request, later), results,
                  lambda request: results(request, FULL))
        verbs = self.verbs(*script, retry_for=0)
        one, two = told(verbs.spawn_stream([{'function': 'f'}] * 2, unanswered=1))
        self.assertTrue(one.name)
        self.assertEqual((two.name, two.error.reason), ('', 'QUEUE_FULL'))
        self.assertEqual(len(self.server.streams), 2)

    def test_a_stream_waits_for_room_and_tells_after_a_while_that_there_is_none(self):
        full = [lambda request: results(request, None, FULL)] * 3
        specs = [{'function': 'f'}] * 2
        found = told(self.verbs(*full, results).spawn_stream(specs, unanswered=20))
        self.assertEqual([each.error for each in found], [None, None])
        self.assertGreater(self.server.now, 3 * 0.5)
        found = told(self.verbs(*full, retry_for=5).spawn_stream(specs, unanswered=20))
        self.assertEqual([each.error and each.error.reason for each in found],
                         [None, 'QUEUE_FULL'])
        self.assertGreater(self.server.now, 5)
        self.assertLess(self.server.now, 10)

    def test_an_error_of_who_gives_the_specs_ends_a_stream(self):
        def specs():
            yield {'function': 'f'}
            raise grove.Unavailable(grpc.StatusCode.UNAVAILABLE, 'of the caller')
        with self.assertRaisesRegex(grove.Unavailable, 'of the caller'):
            told(self.verbs(results).spawn_stream(specs()))
        self.assertEqual(self.server.pauses, [])


class MethodsTest(unittest.TestCase):

    def test_every_method_of_the_api_can_be_called_by_its_name(self):
        stubs = pathlib.Path('python/grove/_stubs').glob('*_service_pb2.py')
        modules = [importlib.import_module(f'grove._stubs.{path.stem}') for path in stubs]
        methods = [method.full_name for module in modules
                   for service in module.DESCRIPTOR.services_by_name.values()
                   for method in service.methods if service.name != 'BackdoorService']
        self.assertGreater(len(methods), 60)
        self.assertEqual(sorted(methods),
                         sorted(method.full_name for method in _values.METHODS.values()))


class TypesTest(unittest.TestCase):

    def test_every_name_in_the_types_of_verbs_is_there(self):
        verbs = [name for name in vars(grove.Client) if name[0] != '_']
        self.assertGreater(len(verbs), 12)
        for client, name in itertools.product((grove.Client, grove.aio.Client), verbs):
            hints = typing.get_type_hints(getattr(client, name))
            if name != 'close':
                self.assertLessEqual(set(inspect.signature(getattr(client, name)).parameters),
                                     {'self', *hints}, name)

    def test_both_clients_have_the_same_verbs(self):
        verbs = {name for name in vars(grove.Client) if name[0] != '_'}
        self.assertEqual({name for name in verbs if not hasattr(grove.aio.Client, name)}, set())
        own = {name for name, each in vars(_verbs.Verbs).items() if name[0] != '_' and (
            inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each))}
        self.assertEqual(own - verbs, set())
        for name in own:
            self.assertEqual(inspect.signature(getattr(grove.Client, name)).parameters,
                             inspect.signature(getattr(_verbs.Verbs, name)).parameters)


if __name__ == '__main__':
    unittest.main()
