"""Traces: from a client's request to a handler, its task's attempts, and what these ask."""

import http.server
import json
import os
import re
import tempfile
import threading
import unittest

import grpc

from grove_api import SUCCEEDED, error_details, spec, tasks
from grove_harness import KilledTest, curl, eventually

TRACING = 'tests/integration/tracing'
TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
SPAN = '00f067aa0ba902b7'
SAMPLED = f'00-{TRACE}-{SPAN}-01'
NOT_SAMPLED = f'00-{TRACE}-{SPAN}-00'
SERVER, CLIENT, CONSUMER, INTERNAL = 2, 3, 5, 1


class Server(http.server.ThreadingHTTPServer):
    """A collector, and what tasks ask: keeps spans, and the headers that it was asked with."""

    daemon_threads = True

    def __init__(self):
        super().__init__(('127.0.0.1', 0), Handler)
        self.spans = []
        self.resources = []
        self.asked = []
        # Of the collector, before 200.
        self.answers = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path):
        return f'http://127.0.0.1:{self.server_address[1]}{path}'

    def keep(self, body, headers):
        told = json.loads(body)
        for each in told['resourceSpans']:
            self.resources.append((attributes(each['resource']), headers))
            for scope in each['scopeSpans']:
                self.spans.extend(scope['spans'])


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def answer(self, status, body=b''):
        self.send_response(status)
        self.send_header('Content-Length', str(len(body)))
        self.send_header('Retry-After', '0')
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        status = self.server.answers.pop(0) if self.server.answers else 200
        if status == 200:
            self.server.keep(body, self.headers)
        self.answer(status, b'{}')

    def do_GET(self):
        self.server.asked.append(self.headers)
        self.answer(200, b'answered')

    def log_message(self, *arguments):
        pass


def attributes(of):
    """{key: value} of a resource or a span."""
    return {each['key']: next(iter(each['value'].values())) for each in of['attributes']}


class TracingTest(KilledTest):

    def start_tracing(self, more='batch_delay_ms: 10', config=''):
        self.server = Server()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        endpoint = self.server.url('/v1/traces')
        tracing = f'tracing: {{endpoint: "{endpoint}", {more}}}\n' if more else ''
        self.start(binary=TRACING, workers=1, config=tracing + config)
        self.api = self.daemon.api()

    def request(self, how='done', query='', traceparent=SAMPLED, *headers):
        named = [f'traceparent: {traceparent}'] if traceparent else []
        options = [word for header in [*named, *headers] for word in ('-H', header)]
        return curl(*options, '--data', f'{self.server.url("/asked")} {how}',
                    self.daemon.url('/spawn' + query)).decode()

    def spans_of(self, count):
        """So many spans, which are all there are."""
        eventually(f'{count} spans, not {self.server.spans}',
                   lambda: len(self.server.spans) >= count)
        self.assertEqual(len(self.server.spans), count, self.server.spans)
        return self.server.spans

    def test_one_trace_from_a_request_over_its_tasks_attempts_to_what_they_ask(self):
        self.start_tracing()
        name = self.request('twice', '', SAMPLED, 'tracestate: a=1', 'tracestate: b=2')
        self.assertEqual(self.api.wait(name).state, SUCCEEDED)
        spans = self.spans_of(7)
        self.assertEqual({span['traceId'] for span in spans}, {TRACE})
        self.assertEqual({span['traceState'] for span in spans}, {'a=1,b=2'})
        request, = (span for span in spans if span['kind'] == SERVER)
        self.assertEqual(request['parentSpanId'], SPAN)
        self.assertEqual(request['name'], 'POST /spawn')
        about = attributes(request)
        self.assertEqual((about['http.request.method'], about['url.path'], about['http.route'],
                          about['http.response.status_code']), ('POST', '/spawn', '/spawn', '200'))
        attempts = sorted((span for span in spans if span['kind'] == CONSUMER),
                          key=lambda span: attributes(span)['grove.attempt'])
        self.assertEqual([attributes(span)['grove.attempt'] for span in attempts], ['1', '2'])
        for attempt in attempts:
            self.assertEqual(attempt['parentSpanId'], request['spanId'])
            self.assertEqual(attempt['name'], 'ask')
            self.assertEqual(attributes(attempt)['grove.task'], name)
        self.assertEqual(attempts[0]['status'], {'code': 2, 'message': 'not yet'})
        self.assertNotIn('status', attempts[1])
        inner = [span for span in spans if span['kind'] == INTERNAL]
        self.assertEqual({span['parentSpanId'] for span in inner},
                         {span['spanId'] for span in attempts})
        calls = [span for span in spans if span['kind'] == CLIENT]
        self.assertEqual({span['parentSpanId'] for span in calls},
                         {span['spanId'] for span in inner})
        self.assertEqual({attributes(span)['url.full'] for span in calls},
                         {self.server.url('/asked')})
        self.assertEqual({asked['traceparent'] for asked in self.server.asked},
                         {f'00-{TRACE}-{span["spanId"]}-01' for span in calls})
        self.assertEqual({asked['tracestate'] for asked in self.server.asked}, {'a=1,b=2'})
        for span in spans:
            self.assertRegex(span['spanId'], '^[0-9a-f]{16}$')
            self.assertLessEqual(int(span['startTimeUnixNano']), int(span['endTimeUnixNano']))
        resource, _ = self.server.resources[0]
        self.assertEqual(resource['service.name'], 'tracing')
        self.assertEqual(resource['process.pid'], str(self.daemon.pid_of('grove-w0')))
        eventually('all are counted', lambda: self.daemon.metrics().get(
            'grove_spans_total{end="told"}') == 7)
        self.daemon.stop()

    def test_a_trace_outlasts_the_death_of_all(self):
        self.start_tracing()
        name = self.request(query='?delay')
        request, = self.spans_of(1)
        self.again()
        spec_of = self.api.get(name).spec
        self.assertEqual(spec_of.traceparent, f'00-{TRACE}-{request["spanId"]}-01')
        self.api.call(self.api.tasks.RetryTask, tasks.RetryTaskRequest(name=name))
        self.assertEqual(self.api.wait(name).state, SUCCEEDED)
        spans = self.spans_of(4)
        attempt, = (span for span in spans if span['kind'] == CONSUMER)
        self.assertEqual((attempt['traceId'], attempt['parentSpanId']),
                         (TRACE, request['spanId']))
        self.daemon.stop()

    def test_what_the_caller_did_not_sample_is_passed_on_and_not_told(self):
        self.start_tracing()
        self.assertEqual(self.api.wait(self.request(traceparent=NOT_SAMPLED)).state, SUCCEEDED)
        asked, = self.server.asked
        self.assertRegex(asked['traceparent'], f'^00-{TRACE}-(?!{SPAN})[0-9a-f]{{16}}-00$')
        self.assertEqual(self.api.wait(self.request()).state, SUCCEEDED)
        self.assertEqual({span['traceId'] for span in self.spans_of(4)}, {TRACE})
        self.daemon.stop()

    def test_without_a_collector_the_callers_context_goes_all_the_way(self):
        self.start_tracing(more='')
        self.assertEqual(self.api.wait(self.request()).state, SUCCEEDED)
        self.assertEqual(self.api.wait(self.request(traceparent='')).state, SUCCEEDED)
        first, second = self.server.asked
        self.assertEqual(first['traceparent'], SAMPLED)
        self.assertIsNone(second['traceparent'])
        self.assertEqual(self.server.spans, [])
        self.daemon.stop()

    def test_a_malformed_traceparent_begins_a_trace(self):
        self.start_tracing()
        for bad in (SAMPLED.upper(), SAMPLED + '-more', 'none', f'00-{"0" * 32}-{SPAN}-01'):
            self.assertEqual(self.api.wait(self.request(traceparent=bad)).state, SUCCEEDED)
        spans = self.spans_of(16)
        requests = [span for span in spans if span['kind'] == SERVER]
        self.assertEqual(len({span['traceId'] for span in requests} | {TRACE}), 5)
        self.assertFalse(any('parentSpanId' in span for span in requests))
        self.daemon.stop()

    def test_of_traces_that_begin_here_the_part_asked_for_is_told(self):
        self.start_tracing(more='batch_delay_ms: 10, sampled_per_million: 0')
        self.assertEqual(self.api.wait(self.request(traceparent='')).state, SUCCEEDED)
        self.assertRegex(self.server.asked[0]['traceparent'], '-00$')
        self.assertEqual(self.api.wait(self.request()).state, SUCCEEDED)
        self.assertEqual({span['traceId'] for span in self.spans_of(4)}, {TRACE})
        self.daemon.stop()

    def test_a_task_spawned_over_grpc_is_part_of_its_callers_trace(self):
        self.start_tracing()
        asks = spec('ask', content_type='text/plain')
        asks.input = f'{self.server.url("/asked")} done'.encode()
        task = self.api.tasks.SpawnTask(
            tasks.SpawnTaskRequest(spec=asks), timeout=30,
            metadata=(('traceparent', SAMPLED), ('tracestate', 'a=1'))).task
        self.assertEqual(self.api.wait(task.name).state, SUCCEEDED)
        attempt, = (span for span in self.spans_of(3) if span['kind'] == CONSUMER)
        self.assertEqual((attempt['traceId'], attempt['parentSpanId'], attempt['traceState']),
                         (TRACE, SPAN, 'a=1'))
        del self.server.spans[:]
        # In the spec; one that names none has the task's own, the same for all its attempts.
        asks.traceparent = NOT_SAMPLED
        self.assertEqual(self.api.wait(self.api.spawn_spec(asks).name).state, SUCCEEDED)
        asks.traceparent = ''
        asks.input = f'{self.server.url("/asked")} twice'.encode()
        asks.retry_policy.max_attempts = 2
        self.assertEqual(self.api.wait(self.api.spawn_spec(asks).name).state, SUCCEEDED)
        spans = self.spans_of(6)
        self.assertEqual(len({span['traceId'] for span in spans}), 1)
        self.assertEqual([span.get('parentSpanId') for span in spans
                          if span['kind'] == CONSUMER], [None, None])
        self.daemon.stop()

    def test_a_spec_with_what_is_no_traceparent_is_refused(self):
        self.start_tracing(more='')
        for wrong in ({'traceparent': 'none'}, {'tracestate': 'a=1'}):
            with self.assertRaises(grpc.RpcError) as refused:
                self.api.spawn('ask', **wrong)
            self.assertEqual(refused.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
            info = error_details(refused.exception)['ErrorInfo']
            self.assertEqual(info.reason, 'TRACEPARENT_INVALID')
        self.daemon.stop()

    def test_the_same_request_id_with_another_trace_is_the_same_task(self):
        self.start_tracing(more='')
        first = self.api.spawn('ask', request_id='one', traceparent=SAMPLED)
        again = self.api.spawn('ask', request_id='one', traceparent=SAMPLED.replace('4bf', '5bf'))
        self.assertEqual(first.name, again.name)
        self.daemon.stop()

    def test_an_attempt_that_throws_is_told_as_failed(self):
        self.start_tracing()
        self.api.wait(self.request('throws'))
        attempts = [span for span in self.spans_of(7) if span['kind'] == CONSUMER]
        self.assertEqual({span['status']['code'] for span in attempts}, {2})
        self.assertEqual({attributes(span)['error.type'] for span in attempts}, {'exception'})
        self.daemon.stop()

    def test_a_collector_that_is_busy_gets_them_later_and_each_once(self):
        self.start_tracing()
        self.server.answers = [503, 429, 502]
        self.assertEqual(self.api.wait(self.request()).state, SUCCEEDED)
        spans = self.spans_of(4)
        self.assertEqual(len({span['spanId'] for span in spans}), 4)
        self.daemon.stop()

    def test_a_worker_that_ends_tells_what_is_left(self):
        self.start_tracing(more='batch_delay_ms: 3600000')
        self.assertEqual(self.api.wait(self.request()).state, SUCCEEDED)
        self.daemon.stop()
        self.assertEqual(len(self.server.spans), 4)

    def test_a_collector_that_is_away_holds_nothing_up(self):
        self.start_tracing(more='batch_delay_ms: 10, queue_max: 2')
        self.server.shutdown()
        self.server.server_close()
        for _ in range(10):
            curl('-H', f'traceparent: {SAMPLED}', self.daemon.url('/resolve'))
        eventually('some are dropped', lambda: self.daemon.metrics().get(
            'grove_spans_total{end="dropped"}'))
        self.daemon.stop()

    def test_calls_have_the_headers_of_files(self):
        secret_fd, secret = tempfile.mkstemp(prefix='grove-tracing-')
        self.addCleanup(os.remove, secret)
        with open(secret_fd, 'w', encoding='utf-8') as file:
            file.write('Bearer 0123456789abcdef\n')
        self.start_tracing(more='batch_delay_ms: 10, service_name: shop, headers: '
                                f'[{{name: Authorization, secret_file: {secret}}}]')
        curl(self.daemon.url('/resolve'))
        self.spans_of(1)
        resource, headers = self.server.resources[0]
        self.assertEqual(headers['Authorization'], 'Bearer 0123456789abcdef')
        self.assertEqual(resource['service.name'], 'shop')
        self.assertNotIn('0123456789abcdef', self.daemon.log())
        self.daemon.stop()

    def test_lines_of_the_logs_name_request_task_and_trace(self):
        self.start_tracing(config='http: {middleware: [request_id: {}], '
                                  'access_log: {file: access.log, json: true}}\n')
        name = self.request()
        self.assertEqual(self.api.wait(name).state, SUCCEEDED)
        handler, = re.findall('.*"a handler spawns".*', self.daemon.log())
        self.assertRegex(handler, f'tenant=default request_id=[0-9a-f]{{32}} trace_id={TRACE}$')
        asks, = re.findall('.*"a task asks".*', self.daemon.log())
        self.assertTrue(asks.endswith(f' task={name} trace_id={TRACE}'), asks)
        context, = re.findall('.*"its context does".*', self.daemon.log())
        self.assertTrue(context.endswith(
            f' task={name} function=ask attempt=1 trace_id={TRACE}'), context)
        path = os.path.join(self.daemon.folder, 'access.log')
        line = eventually('a line', lambda: os.path.exists(path) and open(
            path, encoding='utf-8').readline())
        self.assertEqual(json.loads(line)['trace_id'], TRACE)
        self.daemon.stop()

    def test_the_resolver_is_lent(self):
        self.start_tracing(more='')
        status, body = self.daemon.get('/resolve')
        self.assertEqual(status, 200, body)
        self.assertIn(':80', body)
        self.daemon.stop()


if __name__ == '__main__':
    unittest.main()
