"""The Lua prompt inside a live worker, through grovectl and through its UNIX socket."""

import os
import stat
import subprocess
import unittest

from grove_harness import GroveTest, eventually


class BackdoorTest(GroveTest):

    def run_line(self, line, worker=0):
        return self.daemon.grovectl('backdoor', '--worker', str(worker), '-c', line)

    def eval(self, line, worker=0):
        """What a line prints."""
        done = self.run_line(line, worker)
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        return done.stdout

    def error(self, line):
        """Why a line fails."""
        done = self.run_line(line)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertRegex(done.stderr, r'\Agrovectl: backdoor: [^\n]+\n\Z')
        return done.stderr

    def socat(self, text, worker=0):
        path = os.path.join(self.daemon.run_dir, f'worker-{worker}.backdoor')
        done = subprocess.run(['/usr/bin/socat', '-t', '30', '-', f'UNIX-CONNECT:{path}'],
                              input=text, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        return done.stdout

    def test_help_names_every_function(self):
        text = self.eval('help()')
        for name in ('hub', 'fibers', 'pools', 'timers', 'listeners', 'green', 'worker',
                     'quit'):
            self.assertIn(f'{name}()', text)

    def test_hub_counts(self):
        self.assertGreater(int(self.eval('hub().turns')), 0)
        self.assertIn('fibers_live = ', self.eval('hub()'))

    def test_a_worker_says_which_it_is(self):
        for slot in (0, 1):
            self.assertEqual(self.eval('worker().worker, worker().pid', slot),
                             f'{slot}\t{self.daemon.pid_of(f"grove-w{slot}")}\n')

    def test_fibers_show_what_runs(self):
        api = self.daemon.api()
        task = api.spawn('sleep', {'seconds': 600})
        running = eventually('it runs', lambda: api.get(task.name).attempts)[0]
        slot = int(running.worker.removeprefix('workers/'))
        text = self.eval('for _, f in ipairs(fibers()) do if f.task then print(f.task, f.state, '
                         'f.waiting, f.tenant) end end', slot)
        self.assertIn(f'{task.name}\tparked\ttimer\t', text)
        api.cancel(task.name)
        names = self.eval('for _, f in ipairs(fibers()) do print(f.name) end').split()
        self.assertIn('http.accept', names)

    def test_pools_timers_and_listeners(self):
        self.assertEqual(self.eval('for _, p in ipairs(pools()) do print(p.name, p.running) end'),
                         'offload\t0\nfetch\t0\nattempts\t0\n')
        self.assertGreater(int(self.eval('timers().armed')), 0)
        self.assertIn('http.accept',
                      self.eval('for _, l in ipairs(listeners()) do print(l.reader) end'))

    def test_expressions_and_loops(self):
        self.assertEqual(self.eval('1 + 1, "a"'), '2\ta\n')
        self.assertEqual(self.eval('for i = 1, 3 do print(i) end'), '1\n2\n3\n')

    def test_errors_are_told_and_the_session_goes_on(self):
        output = self.socat('nothing.here\n1 +* 2\nprint("still here")\n')
        self.assertEqual(output.count('error: '), 2)
        self.assertIn('still here\n', output)

    def test_an_endless_loop_comes_back_with_an_error_and_http_goes_on(self):
        self.assertIn('backdoor: the line ', self.error('while true do end'))
        # An endless loop in each worker, over and over, while HTTP is served by them.
        command = 'while true do end\n' * 5
        path = os.path.join(self.daemon.run_dir, 'worker-%d.backdoor')
        loops = [subprocess.Popen(['/usr/bin/socat', '-t', '60', '-',
                                   f'UNIX-CONNECT:{path % slot}'],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                 for slot in (0, 1)]
        for loop in loops:
            loop.stdin.write(command)
            loop.stdin.close()
        answered = 0
        while any(loop.poll() is None for loop in loops):
            self.assertEqual(self.daemon.get('/'), (200, 'Hello, World!\n'))
            answered += 1
        self.assertGreater(answered, 5)
        for loop in loops:
            self.assertEqual(loop.stdout.read().count('error: the line '), 5)
            loop.stdout.close()

    def test_memory_and_output_are_bounded(self):
        self.assertIn('not enough memory', self.error('return #string.rep("x", 1 << 28)'))
        self.assertIn('the output ends here',
                      self.eval('for i = 1, 1e5 do print("xxxxxxxxxxxxxxxxxxxx") end'))
        self.assertEqual(self.daemon.get('/')[0], 200)

    def test_it_is_read_only(self):
        for name in ('os', 'io', 'debug', 'require', 'package', 'load', 'loadfile', 'dofile'):
            self.assertEqual(self.eval(name), 'nil\n', name)
        self.assertIn("a nil value (global 'os')", self.error('os.exit(1)'))
        # What it hands out are copies.
        self.eval('local h = hub() h.turns = -1')
        self.assertGreater(int(self.eval('hub().turns')), 0)

    def test_the_socket_takes_lines_and_keeps_variables(self):
        output = self.socat('x = 20\nx * 2 + 2\nhelp()\nquit()\nprint("never")\n')
        self.assertRegex(output, r'^grove worker 0, pid \d+\.')
        self.assertIn('> 42\n', output)
        self.assertIn('listeners()', output)
        self.assertNotIn('never', output)

    def test_the_sockets_are_this_users_alone(self):
        self.assertEqual(stat.S_IMODE(os.stat(self.daemon.run_dir).st_mode), 0o700)
        for name in ('worker-0.backdoor', 'worker-1.backdoor', 'worker-0.link', 'worker-1.link'):
            status = os.stat(os.path.join(self.daemon.run_dir, name))
            self.assertEqual(stat.S_IMODE(status.st_mode), 0o600, name)

    def test_every_line_is_audited(self):
        self.eval('"audited " .. 4711')
        eventually('the line is in the audit log', lambda: any(
            line['method'] == 'backdoor' and 'audited' in line['asked']
            and line['process'] == 'grove-w0' for line in self.daemon.audit()))

    def test_an_unknown_worker(self):
        done = self.daemon.grovectl('backdoor', '--worker', '9', '-c', 'hub()')
        self.assertEqual((done.returncode, done.stdout), (1, ''))
        self.assertRegex(done.stderr, r'^grovectl: backdoor: no workers/9.*\(NOT_FOUND.*\)\n$')

    def test_lines_from_standard_input(self):
        done = self.daemon.grovectl('backdoor', '--worker', '1', stdin='x = 1\nx + 1\nquit\n')
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, '2\n', ''))

    def test_errors_of_lines_from_standard_input(self):
        done = self.daemon.grovectl('backdoor', '--worker', '1', stdin='nope()\n1 + 1\n')
        self.assertEqual((done.returncode, done.stdout), (1, '2\n'))
        self.assertRegex(done.stderr, r'\Agrovectl: backdoor: line 1: .*\n'
                                      r'grovectl: backdoor: 1 line failed\n\Z')

    def test_a_line_may_end_the_session(self):
        self.assertEqual(self.eval('quit()'), '')

    def test_what_a_line_printed_before_it_failed(self):
        done = self.run_line('print("before") error("no luck")')
        self.assertEqual((done.returncode, done.stdout), (1, 'before\n'))
        self.assertIn('no luck', done.stderr)
        self.assertIn('not complete', self.error('for i = 1, 2 do'))


if __name__ == '__main__':
    unittest.main()
