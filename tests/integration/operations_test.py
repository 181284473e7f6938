"""What an operator has the daemon do with itself, by signals and by calls."""

import os
import signal
import socket
import threading
import unittest

import grpc

from grove.v1 import operation_service_pb2 as operations
from grove.v1.operation_service_pb2_grpc import OperationServiceStub
from grove_api import SUCCEEDED
from grove_harness import HELLO_AND_SLEEP, OperationsTest, eventually, free_port, http_get


class ScaleTest(OperationsTest):

    def test_one_more_and_one_less(self):
        daemon = self.start(workers=1, config=HELLO_AND_SLEEP)
        api = daemon.api()
        self.tell(signal.SIGTTIN)
        self.assertIn(f'requested_by="SIGTTIN of pid {os.getpid()}"', self.ended('scale'))
        self.assertIsNotNone(daemon.pid_of('grove-w1'))
        eventually('both are linked', lambda: [each.linked for each in api.list_workers()]
                   == [True, True])
        self.assertEqual(api.run('echo', 'a').state, SUCCEEDED)
        self.tell(signal.SIGTTOU)
        self.ended('scale', times=2)
        self.assertIsNone(daemon.pid_of('grove-w1'))
        self.assertFalse(os.path.exists(os.path.join(daemon.run_dir, 'worker-1.link')))
        eventually('control knows one', lambda: len(api.list_workers()) == 1)
        self.tell(signal.SIGTTOU)
        self.assertIn('there would be 0 workers: 1 to 256 are possible', self.refused('scale'))
        self.assertEqual(daemon.get('/hello')[0], 200)
        daemon.stop()

    def test_control_that_comes_later_knows_all(self):
        daemon = self.start(workers=1, config=HELLO_AND_SLEEP)
        self.tell(signal.SIGTTIN)
        self.ended('scale')
        old = daemon.pid_of('grove-control')
        os.kill(old, signal.SIGKILL)
        eventually('control is back', lambda: daemon.pid_of('grove-control') not in (None, old)
                   and daemon.log().count('"tasks restored"') == 2)

        def linked():
            try:
                return [each.linked for each in daemon.api().list_workers()] == [True, True]
            except (OSError, grpc.RpcError):
                return False
        eventually('both are linked', linked)
        daemon.stop()

    def test_a_worker_with_a_socket_of_its_own_takes_nobody_along(self):
        port = free_port()
        daemon = self.start(workers=1, config=HELLO_AND_SLEEP + f'''  listeners:
    - {{name: own, address: "127.0.0.1:{port}", reuse_port: true}}
''')
        for round_ in (1, 2):
            self.tell(signal.SIGTTIN)
            self.ended('scale', times=2 * round_ - 1)
            self.tell(signal.SIGTTOU)
            self.ended('scale', times=2 * round_)
            for _ in range(20):
                self.assertEqual(http_get(f'127.0.0.1:{port}', '/hello')[0], 200)
        daemon.stop()

    def test_requests_go_on_while_their_worker_leaves(self):
        daemon = self.start(workers=2, config=HELLO_AND_SLEEP)
        answers = []
        clients = [threading.Thread(target=lambda: answers.append(
            http_get(daemon.http_address, '/sleep?seconds=1')[0])) for _ in range(8)]
        for client in clients:
            client.start()
        eventually('they run', lambda: daemon.metrics_sum('grove_http_requests_running') == 8)
        self.tell(signal.SIGTTOU)
        self.ended('scale')
        for client in clients:
            client.join()
        self.assertEqual(answers, [200] * 8)
        daemon.stop()


class CallsTest(OperationsTest):

    def setUp(self):
        super().setUp()
        self.api = self.start(workers=1, config=HELLO_AND_SLEEP).api()
        self.stub = OperationServiceStub(self.api.channel)

    def over(self, operation):
        """Follows an operation to its end."""
        seen = list(self.stub.WatchOperation(
            operations.WatchOperationRequest(name=operation.name), timeout=60))
        return seen[-1]

    def test_scale(self):
        begun = self.stub.ScaleWorkers(operations.ScaleWorkersRequest(workers=2), timeout=60)
        self.assertEqual((begun.name, begun.state),
                         ('operations/1', operations.Operation.STATE_RUNNING))
        ended = self.over(begun)
        self.assertEqual((ended.state, ended.message, ended.steps_done),
                         (operations.Operation.STATE_SUCCEEDED, 'from 1 to 2 workers', 1))
        self.assertEqual(ended.requested_by, 'local')
        with self.assertRaises(grpc.RpcError) as refused:
            self.stub.ScaleWorkers(operations.ScaleWorkersRequest(change=-2), timeout=60)
        self.assertEqual(refused.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
        self.daemon.stop()

    def test_restart_of_a_worker_and_of_control(self):
        before = self.daemon.processes()
        ended = self.over(self.stub.RestartWorkers(
            operations.RestartWorkersRequest(names=['workers/0']), timeout=60))
        self.assertEqual(ended.message, 'replaced grove-w0')
        self.assertNotIn(self.daemon.pid_of('grove-w0'), before)
        old = self.daemon.pid_of('grove-control')
        self.stub.RestartWorkers(operations.RestartWorkersRequest(control=True), timeout=60)
        self.ended('restart', times=2)
        self.assertNotEqual(self.daemon.pid_of('grove-control'), old)
        # The new control knows what the old one asked for.
        stub = OperationServiceStub(self.daemon.api().channel)
        listed = stub.ListOperations(operations.ListOperationsRequest(), timeout=60).operations
        self.assertEqual([each.name for each in listed], ['operations/2', 'operations/1'])
        self.daemon.stop()

    def test_the_config_and_what_a_file_would_change(self):
        shown = self.stub.GetConfig(operations.GetConfigRequest(), timeout=60)
        self.assertIn('path: /hello', shown.yaml)
        self.assertEqual(shown.generation, 1)
        other = os.path.join(self.daemon.folder, 'other.yaml')
        with open(other, 'w', encoding='utf-8') as file:
            file.write('tasks: {retained_max: 777}\n' + HELLO_AND_SLEEP)
        changes = self.stub.DiffConfig(operations.DiffConfigRequest(file=other), timeout=60).changes
        self.assertEqual([(each.key, each.new_value, each.effect) for each in changes],
                         [('tasks.retained_max', '777',
                           operations.ConfigChange.EFFECT_REPLACES_CONTROL)])
        with self.assertRaises(grpc.RpcError) as refused:
            self.stub.DiffConfig(operations.DiffConfigRequest(file='/none.yaml'), timeout=60)
        self.assertEqual(refused.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
        self.daemon.stop()

    def test_log_level(self):
        ended = self.over(self.stub.SetLogLevel(
            operations.SetLogLevelRequest(level='debug'), timeout=60))
        self.assertEqual((ended.state, ended.message),
                         (operations.Operation.STATE_SUCCEEDED, 'log level debug'))
        self.daemon.stop()

    def test_a_drain_of_the_daemon_ends_it(self):
        self.stub.Drain(operations.DrainRequest(scope=operations.DrainRequest.SCOPE_DAEMON),
                        timeout=60)
        self.daemon.ended(exit_code=0)


class EndsTest(OperationsTest):

    def test_sigquit_waits_for_nobody(self):
        daemon = self.start(workers=1, config=HELLO_AND_SLEEP)
        with daemon.connect() as client:
            client.sendall(b'GET /sleep?seconds=3600 HTTP/1.1\r\nHost: a\r\n\r\n')
            eventually('it runs', lambda: daemon.metrics_sum('grove_http_requests_running') == 1)
            self.tell(signal.SIGQUIT)
            daemon.ended(exit_code=0)
            with self.assertRaises(OSError):
                socket.create_connection(tuple(daemon.http_address.rsplit(':', 1)), 1)
        self.assertNotIn('"died"', daemon.log())

    def test_nothing_of_an_old_generation_is_refused(self):
        daemon = self.start(workers=1)
        self.tell(signal.SIGWINCH)
        self.assertIn('no worker waits to be replaced', self.refused('drain'))
        daemon.stop()

    def test_the_old_generation_drains_at_once(self):
        daemon = self.start(workers=2, config=HELLO_AND_SLEEP)
        answers = []
        clients = [threading.Thread(target=lambda: answers.append(
            http_get(daemon.http_address, '/sleep?seconds=2')[0])) for _ in range(8)]
        for client in clients:
            client.start()
        eventually('they run', lambda: daemon.metrics_sum('grove_http_requests_running') == 8)
        self.tell(signal.SIGHUP)
        eventually('one drains', lambda: '"draining"' in daemon.log())
        self.tell(signal.SIGWINCH)
        self.ended('drain')
        self.ended('reload')
        for client in clients:
            client.join()
        self.assertEqual(answers, [200] * 8)
        daemon.stop()


if __name__ == '__main__':
    unittest.main()
