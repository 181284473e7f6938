"""/debug of the admin port: what the daemon does, also while every worker is stuck."""

import json
import os
import re
import signal
import subprocess
import unittest

from grove_api import RUNNING
from grove_harness import GroveTest, OwnDaemonTest, eventually

HANGING = 'tests/integration/hanging'
NEVER_KILLED = 'runtime: {stuck_ms: 1000, stuck_kill_ms: 0}\n'
PAGES = ('fibers', 'stacks', 'stalls', 'green', 'app', 'pools', 'queues', 'shared', 'config',
         'build', 'log')


def debug(daemon, page):
    """The answer in JSON."""
    separator = '&' if '?' in page else '?'
    status, text = daemon.admin(f'/debug/{page}{separator}format=json')
    assert status == 200, text
    return json.loads(text)


class PagesTest(GroveTest):

    def test_each_page_has_text_and_json_and_stands_in_the_index(self):
        index = self.daemon.admin('/')[1]
        for page in PAGES:
            with self.subTest(page=page):
                self.assertIn(f'href="/debug/{page}"', index)
                self.assertEqual(self.daemon.admin(f'/debug/{page}')[0], 200)
                self.assertIsInstance(debug(self.daemon, page), dict)

    def test_fibers_are_those_of_all_workers_and_of_control(self):
        page = debug(self.daemon, 'fibers')
        self.assertEqual([(row['process'], row['read']) for row in page['processes']],
                         [('worker-0', 'hub'), ('worker-1', 'hub'), ('control', 'hub')])
        names = {(row['name'].rpartition('/fibers/')[0], row['display_name'])
                 for row in page['fibers']}
        self.assertLessEqual({('workers/0', 'heartbeat'), ('workers/1', 'http.accept'),
                              ('control', 'engine-driver')}, names)

    def test_fibers_are_filtered_and_bounded(self):
        only = debug(self.daemon, 'fibers?worker=1&state=parked&limit=3')
        self.assertEqual([row['process'] for row in only['processes']], ['worker-1'])
        self.assertEqual(len(only['fibers']), 3)
        self.assertTrue(only['processes'][0]['more'])
        running = debug(self.daemon, 'fibers?state=running')
        self.assertEqual({row['state'] for row in running['fibers']}, {'running'})
        api = self.daemon.api()
        name = api.spawn('sleep', {'seconds': 600}).name
        eventually('it runs', lambda: api.get(name).state == RUNNING)
        mine, = debug(self.daemon, 'fibers?tenant=default')['fibers']
        self.assertEqual(mine['task'], name)
        api.cancel(name)

    def test_a_wrong_parameter_is_named(self):
        for query, said in (('worker=7', 'worker: want control, or 0 to 1'),
                            ('state=asleep', 'state: want'), ('limit=0', 'limit: want 1 to'),
                            ('wrong=1', 'known here: worker, limit, state, tenant, format')):
            status, text = self.daemon.admin(f'/debug/fibers?{query}')
            self.assertEqual(status, 400)
            self.assertIn(said, text)

    def test_stacks_have_the_names_of_functions(self):
        rows = debug(self.daemon, 'stacks')['stacks']
        driver, = [row for row in rows if row['display_name'] == 'engine-driver']
        self.assertIn('grove::control::EngineDriver::Run', '\n'.join(driver['stack']))
        self.assertTrue(any('grove::http::Server::Serve' in '\n'.join(row['stack'])
                            for row in rows))

    def test_queues_and_pools_are_what_grpc_lists(self):
        self.assertEqual(debug(self.daemon, 'queues')['queues'][0]['name'],
                         'tenants/default/queues/default')
        self.assertEqual(debug(self.daemon, 'pools')['pools'][0]['name'],
                         'tenants/default/pools/default')

    def test_the_config_is_the_effective_one(self):
        config = debug(self.daemon, 'config')
        self.assertEqual(config['workers'], 2)
        self.assertEqual(config['run_dir'], self.daemon.run_dir)

    def test_the_build_names_versions_and_processes(self):
        build = debug(self.daemon, 'build')
        self.assertEqual(set(build['libraries']),
                         {'abseil', 'glibc', 'grpc', 'openssl', 'protobuf'})
        self.assertEqual({row['process']: row['pid'] for row in build['processes']},
                         {'supervisor': self.daemon.process.pid,
                          'control': self.daemon.pid_of('grove-control'),
                          'worker-0': self.daemon.pid_of('grove-w0'),
                          'worker-1': self.daemon.pid_of('grove-w1')})

    def test_the_log_is_that_of_all_processes_in_order(self):
        lines = debug(self.daemon, 'log?limit=2000')['lines']
        self.assertLessEqual({'supervisor', 'control'}, {row['process'] for row in lines})
        self.assertTrue(any('"worker linked" worker=0' in row['line'] for row in lines))
        times = [row['line'].split()[0] for row in lines]
        self.assertEqual(times, sorted(times))
        said = self.daemon.log()
        for row in lines:
            self.assertIn(row['line'] + '\n', said)
        only = debug(self.daemon, 'log?process=control&level=warning')['lines']
        self.assertEqual([row for row in only if row['process'] != 'control'], [])


class ReferencesTest(OwnDaemonTest):

    def test_the_config_shows_references_and_not_what_they_hold(self):
        reference = '${GROVE_TEST_UNSET:-10.20.0.0/16}'
        daemon = self.start(config=f'fetch: {{allow: ["{reference}"]}}\n')
        self.assertEqual(debug(daemon, 'config')['fetch']['allow'], [reference])
        self.assertNotIn(' 10.20.', daemon.admin('/debug/config')[1])
        daemon.stop()


class StuckTest(OwnDaemonTest):

    def answered(self, daemon, worker, how):
        for row in debug(daemon, f'fibers?worker={worker}')['processes']:
            if re.fullmatch(how, row['read']):
                return row
        return None

    def test_stopped_workers_are_read_from_outside(self):
        daemon = self.start(config=NEVER_KILLED)
        pids = [daemon.pid_of(f'grove-w{worker}') for worker in (0, 1)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        for worker in (0, 1):
            eventually('it is read from outside', lambda worker=worker: self.answered(
                daemon, worker, r'from outside: its hub has not turned for \d+ s'))
        for page in PAGES:
            self.assertEqual(daemon.admin(f'/debug/{page}')[0], 200, page)
        fibers = debug(daemon, 'fibers?worker=0')['fibers']
        self.assertIn('http.accept', {row['display_name'] for row in fibers})
        accept, = [row for row in debug(daemon, 'stacks?worker=1')['stacks']
                   if row['display_name'] == 'http.accept']
        self.assertIn('grove::http::Server::Serve', '\n'.join(accept['stack']))
        self.assertIn('grove::Fiber::Main(void*)', '\n'.join(accept['stack']))

        done = daemon.grovectl('fibers', '--worker', '0')
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        self.assertIn('http.accept', done.stdout)
        name = [row['name'] for row in fibers if row['display_name'] == 'heartbeat'][0]
        done = daemon.grovectl('fibers', f'0/{name.rpartition("/")[2]}')
        self.assertIn('grove::process::Heartbeat', done.stdout)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        eventually('the hub answers', lambda: self.answered(daemon, 0, 'hub'))
        daemon.stop()

    def test_a_worker_that_loops_shows_where(self):
        daemon = self.start(binary=HANGING, config=NEVER_KILLED, workers=1)
        with daemon.connect() as connection:
            connection.sendall(b'GET /loop HTTP/1.1\r\nHost: a\r\n\r\n')

            def stall():
                rows = debug(daemon, 'stalls')['stalls']
                return rows and rows[-1]
            row = eventually('the stall is told', stall)
            self.assertEqual((row['process'], row['name'], row['ended'], row['call']),
                             ('worker-0', 'http.connection', False, 'computes'))
            self.assertIn('Loop(', '\n'.join(row['stack']))
            eventually('it is read from outside', lambda: self.answered(
                daemon, 0, r'from outside: its hub has not turned for \d+ s'))
            running, = debug(daemon, 'stacks?worker=0&state=running')['stacks']
            self.assertIn('Loop(', '\n'.join(running['stack']))
            self.assertIn('a fiber holds the hub', daemon.admin('/debug/log?process=worker-0')[1])
            daemon.process.send_signal(signal.SIGKILL)
        eventually('all are gone', lambda: not daemon.processes())

    def test_what_a_dead_worker_said_last_stays(self):
        daemon = self.start(workers=1)
        pid = daemon.pid_of('grove-w0')
        os.kill(pid, signal.SIGTERM)
        eventually('it has said so', lambda: '"draining"' in daemon.admin(
            '/debug/log?process=worker-0')[1])
        eventually('there is another', lambda: daemon.pid_of('grove-w0') not in (None, pid))
        self.assertIn('"draining"', daemon.admin('/debug/log?process=worker-0')[1])
        daemon.stop()


class ClientsTest(GroveTest):

    def test_curl_asks_for_json_by_accept(self):
        done = subprocess.run(
            ['/usr/bin/curl', '-s', '-H', 'Accept: application/json',
             self.daemon.admin_url('/debug/build')], capture_output=True, check=True)
        self.assertIn('version', json.loads(done.stdout))


if __name__ == '__main__':
    unittest.main()
