"""What is refused, with which code and reason."""

import unittest

import grpc
from google.protobuf import message_factory

from grove_api import (POOL, SERVICES, error_details, pool_service_pb2, spec, status_details, tasks)
from grove_harness import GroveTest

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


def methods():
    """('/grove.v1.TaskService/SpawnTask', its descriptor), … of all services."""
    for module in SERVICES:
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                yield f'/{service.full_name}/{method.name}', method


def text_fields(descriptor):
    """Paths of all texts in a message: ('spec', 'labels', 'key'), …"""
    for field in descriptor.fields:
        if field.type == field.TYPE_STRING:
            yield (field.name,)
        elif field.type == field.TYPE_MESSAGE:
            for rest in text_fields(field.message_type):
                yield (field.name, *rest)


def fill(message, path, text):
    field = message.DESCRIPTOR.fields_by_name[path[0]]
    repeated = field.label == field.LABEL_REPEATED
    if field.type == field.TYPE_STRING:
        if repeated:
            getattr(message, path[0]).append(text)
        else:
            setattr(message, path[0], text)
    elif not repeated:
        fill(getattr(message, path[0]), path[1:], text)
    elif field.message_type.GetOptions().map_entry:
        getattr(message, path[0])[text if path[1] == 'key' else 'key'] = text
    else:
        fill(getattr(message, path[0]).add(), path[1:], text)


class RefusalsTest(GroveTest):
    config = '''
tasks: {input_max_bytes: 1000}
tenants:
  - name: default
    queues:
      - {name: default}
      - {name: small, depth_max: 2, paused: true}
'''

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.api = cls.daemon.api()

    def refused(self, code, reason, call):
        """The details of the refusal."""
        with self.assertRaises(grpc.RpcError) as caught:
            call()
        self.assertEqual(caught.exception.code(), code, caught.exception.details())
        details = error_details(caught.exception)
        self.assertEqual(details['ErrorInfo'].reason, reason)
        self.assertTrue(details['ErrorInfo'].domain)
        return details

    def refused_field(self, field, reason, task_spec):
        details = self.refused(INVALID, reason, lambda: self.api.spawn_spec(task_spec))
        self.assertEqual([each.field for each in details['BadRequest'].field_violations], [field])
        [result] = self.api.spawn_batch([task_spec])
        self.assertEqual(status_details(result.error)['ErrorInfo'].reason, reason)

    def test_specs_that_can_never_work(self):
        backoff = tasks.RetryPolicy(backoff_multiplier=0.5)
        for field, reason, task_spec in [
                ('spec.function', 'FUNCTION_REQUIRED', spec('')),
                ('spec.function', 'UNKNOWN_FUNCTION', spec('nope')),
                ('spec.input', 'INPUT_NOT_JSON', spec('echo', input=b'{"a":')),
                ('spec.input', 'INPUT_NOT_JSON', spec('echo', input=b'\xff\xfe')),
                ('spec.input', 'INPUT_TOO_LARGE', spec('echo', input=b'"' + b'x' * 999 + b'"')),
                ('spec.delay', 'NEGATIVE_DELAY', spec('echo', {}, delay=-1)),
                ('spec.delay', 'DELAY_TOO_LONG', spec('echo', {}, delay=367 * 86400)),
                ('spec.timeout', 'NEGATIVE_TIMEOUT', spec('echo', {}, timeout=-0.5)),
                ('spec.timeout', 'TIMEOUT_TOO_LONG', spec('echo', {}, timeout=86401)),
                ('spec.priority', 'PRIORITY_OUT_OF_RANGE', spec('echo', {}, priority=10)),
                ('spec.request_id', 'REQUEST_ID_INVALID', spec('echo', {}, request_id='ü')),
                ('spec.retry_policy.backoff_multiplier', 'RETRY_POLICY_INVALID',
                 spec('echo', {}, retry_policy=backoff)),
        ]:
            with self.subTest(reason, input=task_spec.input[:20]):
                self.refused_field(field, reason, task_spec)

    def test_an_input_at_the_limit_is_accepted(self):
        task = self.api.spawn('echo', input=b'"' + b'x' * 998 + b'"')
        self.assertEqual(len(self.api.wait(task.name).output), 1000)

    def test_a_message_over_the_transport_limit(self):
        with self.assertRaises(grpc.RpcError) as caught:
            self.api.spawn('echo', input=b'x' * (64 << 20), content_type='x/y')
        self.assertEqual(caught.exception.code(), EXHAUSTED)
        self.assertIn('divide it into several calls', caught.exception.details())
        with self.assertRaises(grpc.RpcError) as caught:
            self.api.spawn('echo', input=b'x' * (80 << 20), content_type='x/y')
        self.assertEqual(caught.exception.code(), EXHAUSTED)
        self.assertEqual(self.api.health(), 1)

    def test_bytes_that_are_no_request(self):
        seen = 0
        for name, method in methods():
            for garbage in (b'\x0a\x7fx', b'\xff' * 11, b'\x07'):
                with self.subTest(name, garbage=garbage):
                    call = self.api.channel.stream_stream(name)
                    details = self.refused(INVALID, 'REQUEST_MALFORMED', lambda: list(
                        call(iter([garbage]), timeout=60)))
                    self.assertEqual(details['ErrorInfo'].domain, 'grove')
            seen += 1
        self.assertGreater(seen, 15)
        self.assertEqual(self.api.health(), 1)

    def test_long_texts_are_cut_in_errors(self):
        seen = 0
        for name, method in methods():
            for path in text_fields(method.input_type):
                for text in ('x' * 3000, 'ü\n"' * 1000, 'workers/0/fibers/' + '1' * 3000):
                    with self.subTest(name, path=path):
                        self.check_long_text(name, method.input_type, path, text)
                        seen += 1
        self.assertGreater(seen, 60)

    def check_long_text(self, name, request_type, path, text):
        request = message_factory.MessageFactory().GetPrototype(request_type)()
        if 'spec' in request_type.fields_by_name:
            request.spec.MergeFrom(spec('echo', {}))
        fill(request, path, text)
        call = self.api.channel.stream_stream(name)
        try:
            answers = call(iter([request.SerializeToString()]), timeout=60)
            # A watch has no end.
            next(answers, None)
            answers.cancel()
        except grpc.RpcError as error:
            self.assertNotIn('metadata', error.details())
            self.assertLess(len(error.details().encode()), 600)
            info = error_details(error)['ErrorInfo']
            self.assertEqual(info.domain, 'grove')
            for value in info.metadata.values():
                self.assertLess(len(value.encode()), 104)

    def test_an_unknown_queue_or_tenant(self):
        self.refused(NOT_FOUND, 'QUEUE_NOT_FOUND', lambda: self.api.spawn('echo', {}, queue='no'))
        request = tasks.SpawnTaskRequest(parent='tenants/nobody', spec=spec('echo', {}))
        self.refused(NOT_FOUND, 'TENANT_NOT_FOUND',
                     lambda: self.api.call(self.api.tasks.SpawnTask, request))

    def test_a_full_queue(self):
        for _ in range(2):
            self.api.spawn('echo', {}, queue='small')
        details = self.refused(EXHAUSTED, 'QUEUE_FULL',
                               lambda: self.api.spawn('echo', {}, queue='small'))
        self.assertIn('small', details['QuotaFailure'].violations[0].subject)
        self.assertGreater(details['RetryInfo'].retry_delay.ToMilliseconds(), 0)
        queue = self.api.queue('tenants/default/queues/small')
        self.assertEqual((queue.queued, queue.rejected_total), (2, 1))
        self.assertIn('paused', queue.waiting_reason)

    def test_a_pool_size_out_of_range(self):
        for size in (-1, 1_000_001):
            with self.subTest(size), self.assertRaises(grpc.RpcError) as caught:
                self.api.resize(size)
            self.assertEqual(caught.exception.code(), INVALID)
            self.assertTrue(error_details(caught.exception)['ErrorInfo'].reason)
        self.assertEqual(self.api.pool().size, 1000)

    def test_an_unknown_pool_worker_or_bad_name(self):
        for code, call in [
                (NOT_FOUND, lambda: self.api.pool('tenants/default/pools/no')),
                (INVALID, lambda: self.api.call(self.api.pools.GetPool,
                                                pool_service_pb2.GetPoolRequest(name='x'))),
                (NOT_FOUND, lambda: self.api.list_fibers(parent='workers/7')),
                (INVALID, lambda: self.api.list_fibers(parent='workers/x')),
                (INVALID, lambda: self.api.list(page_token='not a token')),
                (INVALID, lambda: self.api.list(page_size=-1)),
                (INVALID, lambda: self.api.get(POOL)),
        ]:
            with self.assertRaises(grpc.RpcError) as caught:
                call()
            self.assertEqual(caught.exception.code(), code, caught.exception.details())
            self.assertTrue(error_details(caught.exception)['ErrorInfo'].reason)


if __name__ == '__main__':
    unittest.main()
