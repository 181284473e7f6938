"""The example programs are short, are told of in docs/examples.md, and are run by a test.

A line of code is one that holds more than blanks, comments and closing brackets: Python, in which
the originals are written, ends a block by its indentation. The document shows both counts.
"""

import re
import unittest

import checkout

MANUAL = 'docs/examples.md'
TESTS = ('examples/programs_test.py', 'tests/integration/example_programs_test.py')
MORE_THAN_THEIRS = 1.3

# Lines of code of the programs of eventlet and greenlet.
THEIRS = {
    'hello': 9,
    'greenlets': 12,
    'greenlets_with_parent': 14,
    'green_thread': 9,
    'crawler': 13,
    'echo_server': 20,
    'console_client': 6,
    'feed_titles': 12,
    'periodic_daemon': 33,
    'poll_server': 25,
}

# Longer ones: how many lines they may have, and why.
LONGER = {
    'greenlets': (17, 'the bodies say what they return, and pass on that they were dropped'),
    'green_thread': (13, 'two includes and a main of its own, to nine lines in all'),
    'console_client': (17, 'parks on console and server, ends with either, and says why'),
    'feed_titles': (24, 'theirs are without the server around the handler; ours end in one'),
}


def lines_of(program):
    """(lines of code, lines of closing brackets alone)."""
    lines = [re.sub(r'(^|\s)//.*', '', line).strip()
             for line in checkout.read(f'examples/{program}.cc').splitlines()]
    lines = [line for line in lines if line]
    closing = [line for line in lines if re.fullmatch(r'[])};]+', line)]
    return len(lines) - len(closing), len(closing)


def programs():
    return [path.stem for path in checkout.files(('examples',), '*.cc')]


class ExamplesTest(unittest.TestCase):

    def test_programs_have_at_most_a_third_more_lines_than_the_originals(self):
        for program, theirs in THEIRS.items():
            most = int(MORE_THAN_THEIRS * theirs)
            if program in LONGER:
                allowed, why = LONGER[program]
                self.assertGreater(allowed, most, f'{program} needs no exception')
                self.assertTrue(why)
                most = allowed
            self.assertLessEqual(lines_of(program)[0], most, program)

    def test_the_manual_shows_the_counts(self):
        shown = {row[0].strip('`[]').split('`')[0]: row[1:4]
                 for row in checkout.table(MANUAL, '## How long they are')}
        self.assertEqual(set(shown), set(programs()))
        for program, row in shown.items():
            code, closing = lines_of(program)
            self.assertEqual(row, [str(THEIRS.get(program, '–')), str(code), str(closing)], program)

    def test_the_manual_tells_of_every_program_and_why_some_are_longer(self):
        manual = checkout.read(MANUAL)
        for program in programs():
            self.assertIn(f'(../examples/{program}.cc)', manual)
            self.assertRegex(manual, rf'(?m)^<!-- examples/{program}\.cc -->$')
        for program, (_, why) in LONGER.items():
            self.assertIn(f'`{program}`: {why}', re.sub(r'\s+', ' ', manual))

    def test_every_program_is_run_by_a_test(self):
        tests = ''.join(map(checkout.read, TESTS))
        for program in programs():
            self.assertRegex(tests, rf"'(examples/)?{program}'", program)


if __name__ == '__main__':
    unittest.main()
