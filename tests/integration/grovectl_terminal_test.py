"""grovectl on a terminal: Ctrl-C, progress, colours, and lines that are edited."""

import os
import re
import stat
import tempfile
import unittest

from grove_harness import GROVECTL, GroveTest, OwnDaemonTest, eventually, program
from terminal import CTRL_A, CTRL_C, CTRL_D, ENTER, UP, Terminal

RUNNING, CANCELLED = 3, 6
CLEARED = r'\r\x1b\[K'


def environment(**variables):
    return {'PATH': '/usr/bin:/bin', 'TERM': 'xterm', 'LC_ALL': 'C.UTF-8', **variables}


class OnTerminal:
    """For tests that have a daemon."""

    def open(self, *arguments, columns=100, **variables):
        command = [program(GROVECTL), f'--address={self.daemon.address("grpc")}', *arguments]
        terminal = Terminal(command, environment(**variables), columns)
        self.addCleanup(terminal.close)
        return terminal


class WaitTest(OnTerminal, GroveTest):

    def check_goes_on(self, terminal, verb, name):
        terminal.type(CTRL_C)
        address = re.escape(f'--address={self.daemon.address("grpc")}')
        terminal.expect(rf'{verb}: interrupted; the task goes on: "grovectl {address} wait {name}" '
                        rf'waits on, "grovectl {address} cancel {name}" ends it')
        self.assertEqual(terminal.end(), 130)
        self.assertEqual(self.daemon.api().get(name).state, RUNNING)

    def test_ctrl_c_ends_the_wait_and_says_how_to_go_on(self):
        terminal = self.open('spawn', 'sleep', '{"seconds":600}', '--wait')
        name = terminal.expect(r'\A(tenants/\S+)\r\n')[1]
        # Once it is shown, the wait is under way.
        terminal.expect(CLEARED + r'default/\w{26} RUNNING')
        self.check_goes_on(terminal, 'spawn', name)
        again = self.open('wait', name)
        again.expect(CLEARED + r'default/\w{26} RUNNING')
        self.check_goes_on(again, 'wait', name)
        self.daemon.api().cancel(name)

    def test_ctrl_c_among_many_says_how_many_go_on(self):
        terminal = self.open('spawn', 'sleep', '{"seconds":600}', '--count=3', '--wait')
        terminal.expect(r'ended: 0 of 3')
        terminal.type(CTRL_C)
        terminal.expect(r'interrupted; 3 tasks go on: "grovectl \S+ tasks --state=\S+" lists them')
        self.assertEqual(terminal.end(), 130)
        for task in self.daemon.api().list(states=[RUNNING]).tasks:
            self.daemon.api().cancel(task.name)

    def test_ctrl_c_while_lines_are_awaited(self):
        terminal = self.open('spawn', 'echo', '--inputs=-')
        terminal.type('1\n')
        terminal.expect(r'tenants/\S+\r\n')
        terminal.type(CTRL_C)
        terminal.expect(r'interrupted; 1 tasks go on')
        self.assertEqual(terminal.end(), 130)

    def test_an_output_gets_the_line_end_that_a_prompt_needs(self):
        terminal = self.open('spawn', 'echo', 'abc', '--content_type=text/plain', '--wait')
        self.assertEqual(terminal.end(), 0)
        self.assertRegex(terminal.shown, r'abc\r\n\Z')


class ProgressTest(OnTerminal, OwnDaemonTest):

    def test_progress_is_drawn_on_one_line(self):
        self.start(binary='server/examples/ticker')
        terminal = self.open('spawn', 'ticker.primes', '1000000000', '--wait')
        name = terminal.expect(r'\A(tenants/\S+)\r\n')[1]
        terminal.expect(CLEARED + r'default/\w{26} RUNNING: \d+% counting')
        self.daemon.api().cancel(name)
        self.assertEqual(terminal.end(), 1)
        self.assertRegex(terminal.shown, CLEARED + r'\S*grovectl:\S* spawn: task \S+ CANCELLED')
        self.daemon.stop()


class ColorsTest(OnTerminal, GroveTest):

    def shown(self, *arguments, **variables):
        terminal = self.open(*arguments, **variables)
        terminal.end()
        return terminal.shown

    def test_states_and_errors_have_colors(self):
        self.assertIn('\x1b[32mREADY\x1b[0m', self.shown('workers'))
        self.assertIn('\x1b[31mgrovectl:\x1b[0m get: ', self.shown('get', '0' * 26))

    def test_no_color_is_heeded(self):
        self.assertNotIn('\x1b', self.shown('workers', NO_COLOR='1'))
        self.assertNotIn('\x1b', self.shown('workers', TERM='dumb'))
        self.assertNotIn('\x1b', self.shown('workers', '--color=never'))

    def test_a_narrow_terminal_cuts_no_name_or_state(self):
        name = self.daemon.api().run('fail', {'message': 'a long story ' * 20}).name
        short = 'default/' + name.rpartition('/')[2]
        terminal = self.open('tasks', '--color=never', columns=60)
        self.assertEqual(terminal.end(), 0)
        self.assertRegex(terminal.shown, rf'{short}  fail +FAILED .*…')


class BackdoorTest(OnTerminal, GroveTest):

    def setUp(self):
        self.home = tempfile.TemporaryDirectory()
        self.addCleanup(self.home.cleanup)

    def open_backdoor(self):
        terminal = self.open('backdoor', '--worker=0', HOME=self.home.name)
        terminal.expect(r'grove worker 0, pid \d+\. Lua 5\.4.*\r\n')
        terminal.expect('> ')
        return terminal

    def test_lines_are_edited(self):
        terminal = self.open_backdoor()
        terminal.type('1 + 41' + CTRL_A + '100 * ' + ENTER)
        terminal.expect(r'\n141\r\n')
        terminal.expect('> ')
        terminal.type('"né" .. "x"\x7f\x7f\x7f"ü"' + ENTER)
        # Also where it was typed ahead of the prompt.
        terminal.expect(r'\nnéü\r\n')
        terminal.type(CTRL_D)
        self.assertEqual(terminal.end(), 0)

    def test_the_history_outlasts_the_session_and_is_private(self):
        terminal = self.open_backdoor()
        terminal.type('6 * 7' + ENTER)
        terminal.expect(r'\n42\r\n')
        terminal.expect('> ')
        terminal.type('quit' + ENTER)
        self.assertEqual(terminal.end(), 0)
        again = self.open_backdoor()
        again.type(UP + ' + 1' + ENTER)
        again.expect(r'\n43\r\n')
        path = os.path.join(self.home.name, '.local/state/grove/backdoor_history')
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)

    def test_ctrl_c_ends_the_line_and_not_the_session(self):
        terminal = self.open_backdoor()
        terminal.type('this is not(' + CTRL_C)
        terminal.expect(r'\^C\r\n')
        terminal.type('kept = 20' + ENTER)
        terminal.expect('> ')
        terminal.type('for i = 1, 2 do' + ENTER)
        terminal.expect('>> ')
        terminal.type('local x = [==[' + ENTER)
        terminal.expect('>> ')
        terminal.type(CTRL_C)
        terminal.expect(r'\^C\r\n')
        terminal.type('kept + 2' + ENTER)
        terminal.expect(r'\n22\r\n')
        terminal.expect('> ')
        self.assertNotIn('error', terminal.shown)
        terminal.type(CTRL_D)
        self.assertEqual(terminal.end(), 0)

    def test_ctrl_c_does_not_wait_for_a_line_that_runs(self):
        terminal = self.open_backdoor()
        terminal.type('while true do end' + ENTER)
        terminal.expect(r'while true do end\r\n')
        terminal.type(CTRL_C)
        terminal.expect('> ')
        terminal.type('1 + 1' + ENTER)
        terminal.expect(r'\n2\r\n')
        self.assertNotIn('error', terminal.shown)

    def test_the_end_of_the_worker_is_told(self):
        terminal = self.open_backdoor()
        pid = self.daemon.pid_of('grove-w0')
        os.kill(pid, 9)
        terminal.expect(r'backdoor: the (worker ended the session|session of workers/0 broke)')
        self.assertEqual(terminal.end(), 1)
        eventually('its successor is up', lambda: self.daemon.pid_of('grove-w0') not in (None, pid))


if __name__ == '__main__':
    unittest.main()
