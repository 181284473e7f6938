"""grovectl: every verb against a running daemon, its exit codes and its errors."""

import json
import os
import re
import subprocess
import unittest

from grove_harness import GROVECTL, GroveTest, eventually, program


class GrovectlTest(GroveTest):

    def run_ok(self, *arguments, stdin=''):
        done = self.daemon.grovectl(*arguments, stdin=stdin)
        self.assertEqual((done.returncode, done.stderr), (0, ''), arguments)
        return done.stdout

    def run_waited(self, *arguments, stdin=''):
        """The output of `spawn --wait`, which says the task's name beside it."""
        done = self.daemon.grovectl('spawn', *arguments, '--wait', stdin=stdin)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r'\Atenants/default/queues/default/tasks/\w{26}\n\Z')
        return done.stdout

    def run_failing(self, *arguments, exit_code=1):
        """The one line that says why."""
        done = self.daemon.grovectl(*arguments)
        self.assertEqual((done.returncode, done.stdout), (exit_code, ''), done.stderr)
        line = re.sub(r'\Atenants/\S+\n', '', done.stderr) if '--wait' in arguments else done.stderr
        self.assertRegex(line, r'\Agrovectl: [^\n]+\n\Z')
        return line

    def rows(self, *arguments):
        """A table as {column: cell} of each row, for cells without spaces."""
        header, *lines = self.run_ok(*arguments).splitlines()
        return [dict(zip(header.split(), line.split())) for line in lines]

    def spawn(self, *arguments):
        return self.run_ok('spawn', *arguments).strip()

    def test_spawn_prints_the_name_and_get_shows_the_task(self):
        name = self.spawn('echo', '{"a":1}')
        self.assertRegex(name, r'^tenants/default/queues/default/tasks/\w{26}$')
        self.run_ok('wait', name)
        text = self.run_ok('get', name)
        self.assertRegex(text, r'state: +SUCCEEDED')
        self.assertRegex(text, r'output: +\{"a":1\}')
        self.assertRegex(text, r'(?m)^1 +SUCCEEDED +[01] +\d+ ')
        for short in (name.rpartition('/')[2], 'default/' + name.rpartition('/')[2]):
            self.assertIn(name, self.run_ok('get', short))

    def test_spawn_and_wait_prints_the_output(self):
        self.assertEqual(self.run_waited('echo', '{"a":1}'), '{"a":1}')
        self.assertEqual(self.run_waited('echo', '-', stdin='[1,2]'), '[1,2]')
        path = os.path.join(self.daemon.folder, 'input.json')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('{"from":"a file"}')
        self.assertEqual(self.run_waited('echo', f'@{path}'), '{"from":"a file"}')

    def test_outputs_leave_as_they_are(self):
        path = os.path.join(self.daemon.folder, 'bytes')
        every_byte = bytes(range(256))
        for content in (b'abc', b'\n', b'', every_byte):
            with open(path, 'wb') as file:
                file.write(content)
            command = [program(GROVECTL), f'--address={self.daemon.address("grpc")}', 'spawn',
                       'echo', f'@{path}', '--content_type=application/octet-stream']
            done = subprocess.run([*command, '--wait'], capture_output=True, check=True, timeout=60)
            self.assertEqual(done.stdout, content)
        name = done.stderr.decode().strip()
        for verb in ('get', 'wait'):
            done = subprocess.run([*command[:2], verb, name, '--raw'], capture_output=True,
                                  check=True, timeout=60)
            self.assertEqual(done.stdout, every_byte)

    def test_spawn_many(self):
        text = self.run_ok('spawn', 'echo', '{}', '--count', '3000', '--volatile', '--wait')
        self.assertIn('3000', text)
        self.assertIn('SUCCEEDED', text)

    def test_spawn_takes_different_inputs_from_lines(self):
        lines = '\n'.join(f'{{"n":{n}}}' for n in range(2500))
        done = self.daemon.grovectl('spawn', 'echo', '--inputs=-', '--volatile', '--wait', '-o',
                                    'jsonl', stdin=lines)
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        outputs = [json.loads(line)['output_json']['n'] for line in done.stdout.splitlines()]
        self.assertEqual(outputs, list(range(2500)))

    def test_lines_that_are_refused_are_named(self):
        done = self.daemon.grovectl('spawn', 'echo', '--inputs=-', stdin='1\n{"a":\n\n[\n2\n')
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(done.stdout.splitlines()), 2)
        self.assertRegex(done.stderr, r'(?m)^grovectl: spawn: line 2: INPUT: is not JSON')
        self.assertRegex(done.stderr, r'(?m)^grovectl: spawn: line 4: INPUT: is not JSON')
        self.assertRegex(done.stderr, r'(?m)^grovectl: spawn: 2 of 4 were refused; the first: ')

    def test_lines_are_spawned_as_they_come(self):
        process = subprocess.Popen(
            [program(GROVECTL), f'--address={self.daemon.address("grpc")}', 'spawn', 'echo',
             '--inputs=-'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for line in ('1\n', '2\n'):
            process.stdin.write(line)
            process.stdin.flush()
            self.run_ok('wait', process.stdout.readline().strip())
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)

    def test_exit_code_0_only_on_success(self):
        line = self.run_failing('spawn', 'fail', '{"message":"no luck"}', '--wait')
        self.assertRegex(line, r'spawn: task default/\w{26} FAILED: no luck \(INTERNAL\)')
        line = self.run_failing('spawn', 'sleep', '{"seconds":600}', '--task_timeout', '100ms',
                                '--wait')
        self.assertIn('TIMED_OUT', line)
        name = self.spawn('fail')
        self.assertEqual(self.daemon.grovectl('wait', name).returncode, 1)

    def test_refusals_name_field_code_and_reason(self):
        self.assertIn('FUNCTION: no worker has a function "nope"; "grovectl functions" lists them '
                      '(INVALID_ARGUMENT, UNKNOWN_FUNCTION)', self.run_failing('spawn', 'nope'))
        self.assertIn('(INVALID_ARGUMENT, INPUT_NOT_JSON)',
                      self.run_failing('spawn', 'echo', '{"a":'))
        self.assertIn('(INVALID_ARGUMENT, NEGATIVE_DELAY)',
                      self.run_failing('spawn', 'echo', '--delay=-1s'))
        self.assertIn('(NOT_FOUND', self.run_failing('get', '0' * 26))
        self.assertIn('(NOT_FOUND', self.run_failing('pools', 'resize', 'nope', '1'))

    def test_wrong_usage_is_exit_code_2(self):
        for arguments in (['nope'], ['spawn'], ['get'], ['tasks', '--nope'],
                          ['tasks', '--state', 'NOPE'], ['pools', 'resize', 'default', 'many'],
                          ['backdoor'], ['-o', 'xml', 'tasks']):
            with self.subTest(arguments):
                self.run_failing(*arguments, exit_code=2)

    def test_a_daemon_that_is_not_there(self):
        done = subprocess.run([program(GROVECTL), '--address=127.0.0.1:1', 'tasks'],
                              capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (1, ''))
        self.assertEqual(done.stderr, 'grovectl: cannot reach 127.0.0.1:1: connection refused; '
                                      'is groved running?\n')

    def test_tasks_are_listed_and_filtered(self):
        name = self.spawn('sleep', '{"seconds":600}')
        short = 'default/' + name.rpartition('/')[2]
        eventually('it is shown as RUNNING', lambda: [
            row for row in self.rows('tasks', '--state', 'RUNNING') if row['TASK'] == short])
        self.assertEqual({row['STATE'] for row in self.rows('tasks', '--state', 'QUEUED,RUNNING')},
                         {'RUNNING'})
        self.assertEqual(len(self.rows('tasks', '--limit', '1')), 1)
        listed = self.daemon.grovectl_json('tasks', '--function', 'sleep')['tasks']
        self.assertEqual({task['spec']['function'] for task in listed}, {'sleep'})
        text = self.run_ok('get', name)
        self.assertRegex(text, r'(?m)^1 +RUNNING +[01] +\d+ +\d+ ')
        self.run_ok('cancel', name, '--reason', 'enough')
        self.assertRegex(self.run_ok('get', name), r'state: +CANCELLED')
        self.assertIn('enough', self.run_ok('get', name))

    def test_cancelling_what_has_ended_fails(self):
        name = self.spawn('echo')
        self.run_ok('wait', name)
        done = self.daemon.grovectl('cancel', name)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r'\Agrovectl: cancel: [^\n]* had already ended: SUCCEEDED')

    def test_json_and_yaml(self):
        name = self.spawn('echo', '{"a":[1]}')
        task = self.daemon.grovectl_json('wait', name)
        self.assertEqual((task['state'], task['output_json']), ('SUCCEEDED', {'a': [1]}))
        self.assertEqual(task['attempts'][0]['number'], 1)
        self.assertRegex(self.run_ok('get', name, '-o', 'yaml'), r'(?m)^state: "?SUCCEEDED"?$')

    def test_queues(self):
        row = self.rows('queues')[0]
        self.assertEqual((row['QUEUE'], row['STATE'], row['ORDER']),
                         ('default/default', 'ACTIVE', 'FIFO'))
        self.assertEqual(len(self.daemon.grovectl_json('queues')['queues']), 1)

    def test_pools_and_their_resizing(self):
        self.assertEqual(self.rows('pools')[0]['SIZE'], '1000')
        self.addCleanup(self.run_ok, 'pools', 'resize', 'default', '1000')
        self.run_ok('pools', 'resize', 'default', '0')
        self.assertEqual(self.rows('pools')[0]['SIZE'], '0')
        name = self.spawn('echo')
        short = 'default/' + name.rpartition('/')[2]
        eventually('the list says what it waits for', lambda: [
            line for line in self.run_ok('tasks', '--state', 'QUEUED').splitlines()
            if short in line and 'pool default is full: 0 of 0 running' in line])
        done = self.daemon.grovectl('wait', name, '--timeout', '0.2')
        self.assertEqual(done.returncode, 1)
        self.run_ok('pools', 'resize', 'default', '5')
        self.run_ok('wait', name)

    def test_workers_and_fibers(self):
        rows = self.rows('workers')
        self.assertEqual([(row['WORKER'], row['STATE']) for row in rows],
                         [('0', 'READY'), ('1', 'READY')])
        workers = self.daemon.grovectl_json('workers')['workers']
        self.assertEqual([worker['linked'] for worker in workers], [True, True])
        names = {row['NAME'] for row in self.rows('fibers')}
        self.assertLessEqual({'http.accept', 'link', 'heartbeat'}, names)
        self.assertEqual({row['FIBER'][0] for row in self.rows('fibers', '--worker', '1')}, {'1'})
        [listener] = [row['FIBER'] for row in self.rows('fibers', '--worker', '0')
                      if row['NAME'] == 'http.accept']
        shown = self.run_ok('fibers', listener)
        self.assertIn('\n    grove::Listener::Accept()', shown)
        self.assertIn(f' {listener}\n', self.run_ok('fibers', '--worker', '0', '--stacks'))

    def test_functions(self):
        self.assertEqual([row['FUNCTION'] for row in self.rows('functions')],
                         ['checksum', 'echo', 'fail', 'feed.titles', 'http.fetch',
                          'http.request', 'sleep',
                          'task.webhook'])

    def test_version_help_and_completion(self):
        self.assertRegex(self.run_ok('version'), r'^grovectl \d+\.\d+\.\d+\n')
        for verb in ('spawn', 'get', 'wait', 'cancel', 'tasks', 'queues', 'pools', 'workers',
                     'fibers', 'functions', 'backdoor', 'version'):
            self.assertIn(verb, self.run_ok('help'))
            self.assertTrue(self.run_ok('help', verb))
        self.assertEqual(self.run_ok('--version'), self.run_ok('version'))

    def test_forms_for_scripts(self):
        name = self.spawn('echo')
        self.run_ok('wait', name)
        self.assertIn(name, self.run_ok('tasks', '-o', 'name').splitlines())
        states = [json.loads(line)['state'] for line in
                  self.run_ok('tasks', '-o', 'jsonl', '--limit=3').splitlines()]
        self.assertIn('SUCCEEDED', states)
        self.assertIn('PRIORITY', self.run_ok('tasks', '-o', 'wide'))
        self.assertNotIn('WORKER', self.run_ok('workers', '--no-headers'))

    def test_contexts_stand_for_addresses(self):
        path = os.path.join(self.daemon.folder, 'made', 'config.yaml')

        def grovectl(*arguments):
            return subprocess.run([program(GROVECTL), *arguments], env={'GROVECTL_CONFIG': path},
                                  capture_output=True, text=True, check=False, timeout=60)

        done = grovectl('context', 'set', 'here', f'--address={self.daemon.address("grpc")}')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertEqual(grovectl('workers').returncode, 0)
        grovectl('context', 'set', 'away', '--address=127.0.0.1:1')
        self.assertIn('cannot reach 127.0.0.1:1', grovectl('workers', '--context=away').stderr)
        with open(path, 'a', encoding='utf-8') as file:
            file.write('colour: red\n')
        self.assertRegex(grovectl('workers').stderr,
                         rf'\Agrovectl: workers: {re.escape(path)}:\d+: unknown key "colour"')

    def test_addresses_come_from_the_environment_too(self):
        environment = {'GROVE_ADDRESS': self.daemon.address('grpc'), 'PATH': '/usr/bin:/bin'}
        done = subprocess.run([program(GROVECTL), 'spawn', 'echo', '1', '--wait', '-o', 'json'],
                              env=environment, capture_output=True, text=True, check=False,
                              timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)['state'], 'SUCCEEDED')


if __name__ == '__main__':
    unittest.main()
