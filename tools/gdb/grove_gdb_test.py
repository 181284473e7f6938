"""grove_gdb.py in a real gdb: a live process, a core of it, and programs it cannot read."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

BUILT = pathlib.Path(os.environ['TEST_SRCDIR'], os.environ['TEST_WORKSPACE'], 'tools/gdb')
SCRIPT = BUILT / 'grove_gdb.py'
PROGRAM = BUILT / 'parked_fibers'
GDB_TIMEOUT_S = 120


def gdb(*commands, program=PROGRAM, core=None):
    arguments = ['gdb', '-nx', '-batch', '-iex', 'set debuginfod enabled off']
    for command in ('source %s' % SCRIPT,) + commands:
        arguments += ['-ex', command]
    arguments += [str(program)] + ([str(core)] if core else [])
    done = subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=GDB_TIMEOUT_S)
    return done.stdout


def section(text, title):
    """The lines from the one with `title` to the next fiber's."""
    found = re.search(r'^fiber [^\n]*%s.*?(?=^fiber |\Z)' % re.escape(title), text, re.S | re.M)
    return found.group(0) if found else ''


class GroveGdbTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        if shutil.which('gdb') is None:
            raise AssertionError('gdb is missing: ./dev setup installs what tests need')
        cls.folder = tempfile.TemporaryDirectory()
        core = pathlib.Path(cls.folder.name, 'core')
        cls.live = gdb('run', 'grove fibers', 'grove all bt', 'grove fiber 0:2 bt',
                       'info registers rip', 'bt', 'grove core %s' % core)
        if 'ptrace' in cls.live and 'not permitted' in cls.live:
            raise unittest.SkipTest('this container forbids ptrace')
        cls.core = gdb('grove fibers', 'grove all bt', core=core)
        plain = pathlib.Path(cls.folder.name, 'without_debug_info')
        subprocess.run(['strip', '--strip-debug', '-o', plain, PROGRAM], check=True)
        cls.without_debug_info = gdb('grove fibers', 'grove all bt', program=plain, core=core)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def check_list(self, text):
        self.assertRegex(text, r'0:1 +main +running +\S+:\d+')
        self.assertRegex(text, r'0:2 +waiting +parked +event 0x[0-9a-f]+ +\S*parked_fibers\.cc:\d+')
        self.assertRegex(text, r'0:3 +sleeping +parked +timer +\S*parked_fibers\.cc:\d+')
        self.assertRegex(text, r'0:4 +joining +parked +join of fiber 2 ')
        self.assertRegex(text, r'0:5 +fresh +runnable +\S*parked_fibers\.cc:\d+')
        self.assertIn('5 fibers\n', text)

    def check_stacks(self, text):
        waiting = section(text, '"waiting"')
        names = re.findall(r'#\d+ +0x\w+ in (.*)', waiting)
        places = [next((i for i, name in enumerate(names) if wanted in name), -1)
                  for wanted in ('Event::Wait', 'WaitForEvent', 'Fiber::Main')]
        self.assertNotIn(-1, places, waiting)
        self.assertEqual(places, sorted(places), waiting)
        self.assertEqual(places[-1], len(names) - 1, waiting)
        self.assertIn('SleepLong', section(text, '"sleeping"'))
        self.assertIn('FiberHandle::Join', section(text, '"joining"'))
        self.assertIn('Context::Start', section(text, '"fresh"'))
        self.assertIn('runs on a thread', section(text, '"main"'))

    def test_lists_the_fibers_of_a_live_process(self):
        self.check_list(self.live)

    def test_unwinds_every_fiber_of_a_live_process(self):
        self.check_stacks(self.live)

    def test_unwinds_the_fiber_that_is_named(self):
        self.assertEqual(self.live.count('"waiting" parked'), 2, self.live)

    def test_leaves_the_thread_as_it_was(self):
        after = self.live[self.live.rindex('rip '):]
        self.assertRegex(after, r'#0 +')
        self.assertIn('abort', after)

    def test_lists_the_fibers_of_a_core(self):
        self.check_list(self.core)

    def test_unwinds_every_fiber_of_a_core(self):
        self.check_stacks(self.core)

    def test_needs_no_debug_info(self):
        self.check_list(self.without_debug_info)
        self.check_stacks(self.without_debug_info)

    def test_says_what_is_wrong(self):
        self.assertIn('no thread', gdb('grove fibers'))
        text = gdb('run', 'grove fiber 77 bt', program=PROGRAM)
        self.assertIn('no live fiber 77', text)
        self.assertIn('usage: grove fiber', gdb('run', 'grove fiber x bt'))
        other = gdb('set breakpoint pending on', 'break exit', 'run', 'grove fibers',
                    program='/bin/true')
        self.assertIn('no symbol grove_gdb_table', other)


if __name__ == '__main__':
    unittest.main()
