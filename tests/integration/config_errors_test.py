"""Everything that is wrong with a config reaches whoever asks control about it."""

import os
import subprocess
import unittest

import grpc

from grove.v1 import operation_service_pb2 as operations
from grove.v1.operation_service_pb2_grpc import OperationServiceStub
from grove_api import error_details, status_details
from grove_harness import GROVED, HELLO_AND_SLEEP, OwnDaemonTest, program

WRONG = '''worker: 2
drain_timeout_ms: soon
log: {level: loud}
fetch: {allow: [10.0.0.0/33]}
recycle: {jitter_percent: 101, max_age_ms: 1}
http:
  routes:
    - {path: hello, function: hello}
    - {path: /a, function: no_such_handler}
tenants:
  - {name: Acme}
  - name: b
    queues: [{name: mail, pool: none}, {name: mail, pool: default}]
    pools: 7
'''
# In the order of the file.
KEYS = ['worker', 'drain_timeout_ms', 'log.level', 'fetch.allow[0]', 'recycle.jitter_percent',
        'recycle.max_age_ms', 'http.routes[0].path', 'http.routes[1].function', 'tenants[0].name',
        'tenants[1].queues[0].pool', 'tenants[1].queues[1].name', 'tenants[1].pools']
# More than is shown, and than gRPC's clients take of an error by default.
VERY_WRONG = 'http:\n  routes:\n' + ''.join(
    f'    - {{path: /{number}, function: {"no" * 60}_{number}}}\n' for number in range(70))
SHOWN_MAX = 50
TRAILERS = 128 << 10


class ConfigErrorsTest(OwnDaemonTest):

    def setUp(self):
        super().setUp()
        self.start(config=HELLO_AND_SLEEP, workers=1)
        self.path = os.path.join(self.daemon.folder, 'config.yaml')

    def write(self, text):
        with open(self.path, 'w', encoding='utf-8') as file:
            file.write(text)

    def checked(self):
        """The lines of `groved --check`."""
        command = [program(GROVED), '--check', f'--config={self.path}',
                   f'--state_dir={self.daemon.state_dir}']
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2, done.stdout)
        return [line.removeprefix('groved: ') for line in done.stderr.splitlines()]

    def diff(self, channel=None, **fields):
        """The error of DiffConfig."""
        stub = OperationServiceStub(channel or self.daemon.api().channel)
        with self.assertRaises(grpc.RpcError) as caught:
            stub.DiffConfig(operations.DiffConfigRequest(file=self.path, **fields), timeout=60)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT,
                         caught.exception.details())
        self.assertEqual(error_details(caught.exception)['ErrorInfo'].reason, 'CONFIG_INVALID')
        return caught.exception

    def check_grovectl(self, lines):
        indented = [f'  {line}' for line in lines]
        diff = self.daemon.grovectl('config', '--diff', self.path)
        self.assertEqual((diff.returncode, diff.stdout), (2, ''))
        self.assertEqual(diff.stderr.splitlines(), indented + [
            'grovectl: config: see the lines above (INVALID_ARGUMENT, CONFIG_INVALID)'])
        reload = self.daemon.grovectl('reload')
        self.assertEqual((reload.returncode, reload.stdout), (1, ''))
        self.assertEqual(reload.stderr.splitlines()[:-1], indented)
        self.assertRegex(reload.stderr.splitlines()[-1],
                         r'^grovectl: reload: operations/\d+ FAILED: see the lines above')

    def test_twelve_errors_in_lines_and_by_key(self):
        self.write(WRONG)
        lines = self.checked()
        self.assertEqual(len(lines), 13)
        self.assertEqual(lines[-1], '12 errors')
        self.check_grovectl(lines)
        # Whatever the client is.
        error = self.diff()
        self.assertEqual(error.details().splitlines(), lines)
        violations = error_details(error)['BadRequest'].field_violations
        self.assertEqual([each.field for each in violations], KEYS)
        self.assertEqual([each.description for each in violations], lines[:-1])
        stub = OperationServiceStub(self.daemon.api().channel)
        failed = stub.GetOperation(operations.GetOperationRequest(name='operations/1')).error
        self.assertEqual(failed.message.splitlines(), lines)
        details = status_details(failed)
        self.assertEqual(details['ErrorInfo'].reason, 'CONFIG_INVALID')
        self.assertEqual([each.field for each in details['BadRequest'].field_violations], KEYS)
        self.daemon.stop()

    def test_more_errors_than_a_client_takes_are_cut_for_that_client_alone(self):
        self.write(VERY_WRONG)
        lines = self.checked()
        self.assertEqual(lines[SHOWN_MAX:], ['and 20 more', '70 errors'])
        self.assertGreater(sum(map(len, lines)), 8 << 10)
        self.check_grovectl(lines)
        error = self.diff()
        self.assertLess(len(error.details()), 600)
        self.assertTrue(error.details().endswith('\n70 errors'), error.details())
        few = error_details(error)['BadRequest'].field_violations
        self.assertGreater(len(few), 5)
        self.assertLess(len(few), SHOWN_MAX)
        options = [('grpc.enable_http_proxy', 0), ('grpc.max_metadata_size', 2 * TRAILERS)]
        with grpc.insecure_channel(self.daemon.address('grpc'), options) as channel:
            error = self.diff(channel, error_bytes_max=TRAILERS)
        self.assertEqual(error.details().splitlines(), lines)
        self.assertEqual(len(error_details(error)['BadRequest'].field_violations), SHOWN_MAX)
        self.daemon.stop()

    def test_refusals_of_the_supervisor_have_reasons(self):
        def failing(*arguments):
            done = self.daemon.grovectl(*arguments)
            self.assertEqual(done.returncode, 1, done.stdout)
            return done.stderr
        self.assertIn('(INVALID_ARGUMENT, WORKERS_OUT_OF_RANGE)', failing('scale', '-1'))
        self.assertIn('(NOT_FOUND, WORKER_NOT_FOUND)', failing('restart', '7'))
        self.assertIn('(INVALID_ARGUMENT, LOG_LEVEL_UNKNOWN)', failing('loglevel', 'loud'))
        self.assertIn('(FAILED_PRECONDITION, NOTHING_TO_REPLACE)',
                      failing('drain', '--old_generation'))
        self.write('log: {format: json}\n' + HELLO_AND_SLEEP)
        self.assertIn('needs a restart: log.format', failing('reload'))
        stub = OperationServiceStub(self.daemon.api().channel)
        failed = stub.GetOperation(operations.GetOperationRequest(name='operations/1')).error
        details = status_details(failed)
        self.assertEqual(details['ErrorInfo'].reason, 'NEEDS_RESTART')
        self.assertEqual([each.field for each in details['BadRequest'].field_violations],
                         ['log.format'])
        self.daemon.stop()


if __name__ == '__main__':
    unittest.main()
