"""Webhooks: a real receiver is told of a task's end, whoever dies meanwhile."""

import base64
import hashlib
import hmac
import http.server
import json
import os
import shutil
import tempfile
import threading
import unittest

import grpc

from grove_api import FAILED, SUCCEEDED, error_details, spec, tasks
from grove_harness import KilledTest, eventually, free_port

SPAWNING = 'tests/integration/spawning'
KEY = bytes(range(32))
SECRET = 'whsec_' + base64.b64encode(KEY).decode()


class Receiver(http.server.ThreadingHTTPServer):
    """Notes what it is told, and answers with the next of `answers`, then with 204."""

    def __init__(self):
        super().__init__(('127.0.0.1', 0), Handler)
        self.told = []
        self.answers = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path='/hook'):
        return f'http://127.0.0.1:{self.server_address[1]}{path}'


class Handler(http.server.BaseHTTPRequestHandler):

    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        self.server.told.append((self.path, dict(self.headers.items()), body))
        answers = self.server.answers
        self.send_response(answers.pop(0) if answers else 204)
        # Soon enough for a test.
        self.send_header('Retry-After', '1')
        self.send_header('Content-Length', '0')
        self.end_headers()

    def log_message(self, *arguments):
        pass


def signature(headers, body):
    """As a receiver computes it."""
    signed = b'.'.join([headers['webhook-id'].encode(), headers['webhook-timestamp'].encode(),
                        body])
    return 'v1,' + base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()


class WebhookTest(KilledTest):

    def start_with(self, more='', allow='127.0.0.0/8'):
        self.receiver = Receiver()
        self.addCleanup(self.receiver.server_close)
        self.addCleanup(self.receiver.shutdown)
        # Where the program looks what it is told.
        told = tempfile.mkdtemp(prefix='grove-told-')
        self.addCleanup(shutil.rmtree, told)
        self.secret = os.path.join(told, 'secret')
        with open(os.open(self.secret, os.O_WRONLY | os.O_CREAT, 0o600), 'w',
                  encoding='utf-8') as file:
            file.write(SECRET + '\n')
        self.start(binary=SPAWNING, config=f'fetch: {{allow: ["{allow}"]}}\n' + more.format(
            secret=self.secret), env={'GROVE_TEST_FOLDER': told},
            flags=[f'--control=127.0.0.1:{free_port()}'])
        self.api = self.daemon.api()

    def spawn(self, function='echo', path='/hook', **fields):
        return self.api.spawn_spec(spec(
            function, 'x', webhook=tasks.Webhook(url=self.receiver.url(path)), **fields))

    def refused(self, **webhook):
        with self.assertRaises(grpc.RpcError) as refused:
            self.api.spawn('echo', webhook=tasks.Webhook(**webhook))
        return error_details(refused.exception)['ErrorInfo'].reason

    def test_a_receiver_that_fails_twice_is_told_over_a_death(self):
        self.start_with('tasks: {{webhook_secret_file: "{secret}"}}')
        self.receiver.answers = [500, 503]
        task = self.spawn()
        self.assertEqual(self.api.wait(task.name).state, SUCCEEDED)
        eventually('it was told once', lambda: self.receiver.told)
        self.again()
        hook = self.api.wait(task.webhook_task)
        self.assertEqual(hook.state, SUCCEEDED, hook)
        # An attempt that a death has cut short is repeated.
        self.assertGreaterEqual(len(self.receiver.told), 3)
        for path, headers, body in self.receiver.told:
            self.assertEqual((path, headers['webhook-id']),
                             ('/hook', hook.name.rsplit('/', 1)[1]))
            self.assertEqual(headers['webhook-signature'], signature(headers, body))
            self.assertEqual(headers['Content-Type'], 'application/json')
            self.assertEqual(body, self.receiver.told[0][2], 'each says the same')
        told = json.loads(self.receiver.told[0][2])
        self.assertEqual((told['name'], told['state']), (task.name, 'TASK_STATE_SUCCEEDED'))
        self.assertEqual(told['spec']['function'], 'echo')
        self.assertNotIn('output', told)
        self.assertIn('task.webhook', self.ctl('get', task.webhook_task))
        self.assertIn(task.webhook_task, self.ctl('get', task.name))
        self.daemon.stop()

    def test_a_failure_is_told_and_nothing_is_signed_without_a_secret(self):
        self.start_with()
        name = self.ctl('spawn', 'fail', '1', '--webhook', self.receiver.url('/x?y=1')).strip()
        hook = self.api.get(name).webhook_task
        self.assertEqual(self.api.wait(hook).state, SUCCEEDED)
        [(path, headers, body)] = self.receiver.told
        self.assertEqual(path, '/x?y=1')
        self.assertNotIn('webhook-signature', headers)
        told = json.loads(body)
        self.assertEqual((told['state'], told['error']['message']),
                         ('TASK_STATE_FAILED', 'told to'))
        self.daemon.stop()

    def test_who_is_gone_is_told_no_more(self):
        self.start_with()
        self.receiver.answers = [410]
        hook = self.api.wait(self.spawn().webhook_task)
        self.assertEqual((hook.state, len(hook.attempts)), (FAILED, 1))
        self.assertIn('410 Gone', hook.error.message)
        self.assertEqual(len(self.receiver.told), 1)
        self.daemon.stop()

    def test_what_is_not_allowed_is_not_reached(self):
        self.start_with(allow='10.9.9.9/32')
        hook = self.api.wait(self.spawn().webhook_task)
        self.assertEqual((hook.state, hook.error.code), (FAILED, 7), hook)
        self.assertEqual(self.receiver.told, [])
        self.assertEqual(self.refused(url='ftp://example.com'), 'WEBHOOK_URL_INVALID')
        self.assertEqual(self.refused(url='http://a/' + 'x' * 2048), 'WEBHOOK_URL_INVALID')
        self.daemon.stop()


if __name__ == '__main__':
    unittest.main()
