"""What the code may not say: banned calls and words, catching everything, TODOs without a kind."""

import re
import unittest

import checkout

FOLDERS = ('runtime', 'http', 'database', 'zeromq', 'server', 'client', 'python', 'examples')

# What it looks like, why not, and what may all the same: paths begin so.
BANNED = [
    (r'\b(usleep|sleep_for|std::this_thread::sleep|gethostbyname)\s*\(',
     'blocks a hub; the runtime has a form that parks', ('runtime/green/',)),
    (r'\babsl::ErrnoToStatus\b', 'ErrnoStatus is the one mapping of errno',
     ('runtime/switch/errno_status.cc',)),
    (r'ended\(\)\) Yield\(\)', 'AwaitEnd() waits for a fiber', ()),
]

# The same, and of tests too.
BANNED_IN_TESTS_TOO = [
    (r'\babsl(::|/strings/)string_view\b',
     'std::string_view everywhere; runtime/switch/abseil_text.h has the adapter',
     ('runtime/switch/abseil_text.h',)),
]

MAY_CATCH_ALL = {
    'runtime/hub/exception_text.cc',
    'runtime/hub/fiber.cc',
    'runtime/hub/scheduled_call.cc',
    'runtime/offload/offload.cc',
    'runtime/process_pool/process_functions.cc',
    'server/http/serving/connection.cc',
    'server/settings.cc',
    'server/worker/guarded.h',
    'server/worker/inspections.cc',
}

TODO = re.compile(r'TODO(?!\((?:perf|security|port|test|cleanup)\): )')


def product():
    return (path for path in checkout.files(FOLDERS, '*.h', '*.cc') if not checkout.is_test(path))


def lines(path):
    """(number, line) of a file, from 1 on."""
    return enumerate(path.read_text(encoding='utf-8').splitlines(), 1)


class WordsTest(unittest.TestCase):

    def no_line_has(self, banned, paths):
        for words, why, allowed in banned:
            for path in paths:
                if checkout.name(path).startswith(allowed):
                    continue
                for number, line in lines(path):
                    self.assertIsNone(re.search(words, line.split('//')[0]),
                                      f'{checkout.name(path)}:{number}: {line.strip()}: {why}')

    def test_no_banned_words(self):
        self.no_line_has(BANNED, list(product()))
        self.no_line_has(BANNED_IN_TESTS_TOO, list(checkout.files(FOLDERS, '*.h', '*.cc')))

    def test_everything_is_caught_only_at_the_entries_of_fibers_calls_and_handlers(self):
        catching = {checkout.name(path) for path in product()
                    if 'catch (...)' in path.read_text(encoding='utf-8')}
        self.assertEqual(catching, MAY_CATCH_ALL)

    def test_a_todo_says_of_which_kind_it_is(self):
        for path in checkout.files((*FOLDERS, 'proto'), '*.h', '*.cc', '*.proto', '*.py'):
            for number, line in lines(path):
                self.assertIsNone(TODO.search(line), f'{checkout.name(path)}:{number}')


if __name__ == '__main__':
    unittest.main()
