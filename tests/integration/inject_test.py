"""What is asked of one worker: requests past the network, and the application's values."""

import json
import os
import signal
import tempfile
import unittest

from grove_harness import OwnDaemonTest, eventually

DECLARING = 'tests/integration/declaring'
NEVER_KILLED = 'runtime: {stuck_ms: 1000, stuck_kill_ms: 0}\n'
LIMITED = '''
http:
  body_max_bytes: 10
  middleware:
    - request_id: {}
'''


class InjectTest(OwnDaemonTest):

    def inject(self, *arguments, code=0, stdin='', token=None):
        if token:
            arguments = ('--token_file', token, *arguments)
        done = self.daemon.grovectl('inject', *arguments, stdin=stdin)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def test_each_worker_answers_as_it_answers_the_network(self):
        daemon = self.start(binary=DECLARING, config=LIMITED)
        for worker in ('0', '1'):
            done = self.inject('GET', '/who?x=1', '--worker', worker, '-H', 'X-Said: hello')
            head, _, body = done.stdout.partition('\n\n')
            self.assertEqual(body, 'hello')
            self.assertTrue(head.startswith('HTTP/1.1 200\n'), head)
            self.assertIn(f'X-Worker: {worker}', head)
            # Of the middleware.
            self.assertIn('x-request-id: ', head.lower())
            self.assertRegex(done.stderr, rf'^workers/{worker}: 200, head after [\d.]+ ms')
        self.assertIn('HTTP/1.1 404\n', self.inject('GET', '/none').stdout)
        # The server's own bound.
        answer = json.loads(self.inject('POST', '/who', '-d', '-', '-o', 'json',
                                        stdin='more than ten').stdout)
        self.assertEqual((answer['status'], answer['body_end']), (413, 'COMPLETE'))
        requests = daemon.metrics_sum('grove_http_requests_total')
        self.inject('GET', '/who')
        eventually('it is counted', lambda: (
            daemon.metrics_sum('grove_http_requests_total') == requests + 1))
        daemon.stop()

    def test_an_answer_without_an_end_is_cut(self):
        daemon = self.start(binary=DECLARING, workers=1)
        done = self.inject('GET', '/stream', '--body', '--body_bytes_max', '100')
        self.assertEqual(done.stdout, ('piece ' * 17)[:100])
        self.assertIn('there is more of the body', done.stderr)
        done = self.inject('GET', '/stream', '--timeout', '0.2s', '--body_bytes_max', '1000000')
        self.assertIn('the body had not ended in time', done.stderr)
        done = self.inject('GET', '/who', '-H', 'Upgrade: websocket', code=1)
        self.assertIn('only a connection of its own can go on as a WebSocket', done.stderr)
        # The handlers of the streams saw a client go away.
        daemon.stop()

    def test_a_worker_that_does_not_turn_is_said_so(self):
        daemon = self.start(binary=DECLARING, config=NEVER_KILLED)
        pid = daemon.pid_of('grove-w0')
        os.kill(pid, signal.SIGSTOP)
        done = self.inject('GET', '/who', '--worker', '0', '--timeout', '0.1s', code=1)
        self.assertRegex(done.stderr, 'workers/0 (does not answer|is not asked)')
        self.assertIn('workers/1: 200', eventually('the other one answers', lambda: (
            lambda tried: tried if tried.returncode == 0 else None)(
                daemon.grovectl('inject', 'GET', '/who', '--timeout', '1s'))).stderr)
        os.kill(pid, signal.SIGCONT)
        self.inject('GET', '/who', '--worker', '2', code=1)
        daemon.stop()

    def test_it_is_for_who_may_debug_and_audited(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        tokens = []
        for role in ('viewer', 'operator', 'debug'):
            with open(os.path.join(folder.name, role), 'w', encoding='utf-8') as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(f'{role}-sleep-quartz-feldspar-0123456789\n')
            tokens.append(f'{{name: {role}, role: {role}, '
                          f'secret_file: {os.path.join(folder.name, role)}}}')
        daemon = self.start(binary=DECLARING, config=f'control: {{tokens: [{", ".join(tokens)}]}}')
        for role in ('viewer', 'operator'):
            done = self.inject('GET', '/who', code=1, token=os.path.join(folder.name, role))
            self.assertIn('debug', done.stderr)
        self.inject('GET', '/who?q=1', '-H', 'Authorization: hidden', '-d', 'concealed',
                    '--worker', '1', token=os.path.join(folder.name, 'debug'))
        line = eventually('its line is there', lambda: [
            line for line in daemon.audit() if line['result'] == 'OK'])[0]
        self.assertEqual(
            (line['method'], line['who'], line['resource'], line['asked'], line['answer']),
            ('/grove.v1.WorkerService/InjectHttpRequest', 'token debug', 'workers/1',
             'GET /who?q=1', 'workers/1 answered 200'))
        self.assertNotIn('hidden', str(daemon.audit()))
        self.assertNotIn('concealed', str(daemon.audit()))
        daemon.stop()


class ValuesTest(OwnDaemonTest):

    def page(self, query=''):
        status, text = self.daemon.admin(f'/debug/app?format=json{query}')
        self.assertEqual(status, 200, text)
        return json.loads(text)

    def test_the_page_shows_the_values_of_all_workers(self):
        daemon = self.start(binary=DECLARING)
        for worker, times in (('0', 1), ('1', 2)):
            for _ in range(times):
                daemon.grovectl('inject', 'GET', '/who', '--worker', worker)
        page = self.page()
        self.assertEqual([(row['worker'], row['name'], row['value']) for row in page['values']],
                         [(0, 'requests', '1 requests'), (1, 'requests', '2 requests')])
        self.assertEqual(page['commands'],
                         [{'name': 'forget', 'description': 'begins to count anew'}])
        [one] = self.page('&worker=1&name=requests&argument=hits')['values']
        self.assertEqual(one['value'], '2 hits')
        # A page changes nothing.
        self.assertEqual(self.page('&name=forget')['values'], [])
        [wrong, _] = self.page('&name=request')['values']
        self.assertIn('did you mean "requests"?', wrong['error'])
        self.assertIn('2 requests', daemon.admin('/debug/app')[1])
        self.assertEqual(daemon.admin('/debug/app?argument=x')[0], 400)
        done = daemon.grovectl('backdoor', '--worker', '1', '-c',
                               "print(app('forget')); print(app('requests'))")
        self.assertEqual(done.stdout, 'forgotten\n0 requests\n')
        daemon.stop()

    def test_says_which_worker_does_not_answer(self):
        daemon = self.start(binary=DECLARING, config=NEVER_KILLED)
        pid = daemon.pid_of('grove-w0')
        os.kill(pid, signal.SIGSTOP)
        page = self.page()
        stuck, other = page['processes']
        self.assertTrue(stuck['unreachable'])
        self.assertEqual((other['process'], other['read']), ('worker-1', 'hub'))
        self.assertEqual([row['worker'] for row in page['values']], [1])
        os.kill(pid, signal.SIGCONT)
        daemon.stop()


if __name__ == '__main__':
    unittest.main()
