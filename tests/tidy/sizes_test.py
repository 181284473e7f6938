"""Files and functions keep within the sizes that CONTRIBUTING.md writes down, for all who check."""

import re
import unittest

import checkout

FOLDERS = ('runtime', 'http', 'database', 'zeromq', 'server', 'client', 'examples', 'python',
           'tests', 'tools')


def limits():
    """{what: lines} of the table of sizes."""
    return {row[0]: int(row[2]) for row in checkout.table('CONTRIBUTING.md', '## Sizes')}


class SizesTest(unittest.TestCase):

    def check_files(self, limit, paths):
        found = list(paths)
        self.assertGreater(len(found), 20, 'the files are not where this test looks')
        for path in found:
            lines = len(path.read_text(encoding='utf-8').splitlines())
            self.assertLessEqual(lines, limits()[limit], checkout.name(path))

    def test_sources(self):
        self.check_files('C++ source', (path for path in checkout.files(FOLDERS, '*.cc')
                                        if not checkout.is_test(path)))

    def test_headers(self):
        self.check_files('header', checkout.files(FOLDERS, '*.h'))

    def test_tests(self):
        self.check_files('C++ test, benchmark', (path for path in checkout.files(FOLDERS, '*.cc')
                                                 if checkout.is_test(path)))

    def test_python(self):
        self.check_files('Python module', checkout.files((*FOLDERS, 'deploy'), '*.py'))

    def test_functions(self):
        functions = [tag for tag in checkout.tags(*FOLDERS) if tag.kind == 'function']
        self.assertGreater(len(functions), 5000, 'ctags did not read the sources')
        self.assertGreater(max(tag.lines for tag in functions), 30, 'ctags finds no ends')
        for tag in functions:
            self.assertLessEqual(tag.lines, limits()['function'],
                                 f'{tag.path}:{tag.line}: {tag.name}')

    def test_clang_tidy_has_the_same_limit_of_a_function(self):
        said = re.search(r'readability-function-size.LineThreshold, value: \'(\d+)\'',
                         checkout.read('.clang-tidy'))
        self.assertEqual(int(said.group(1)), limits()['function'])

    def test_every_language_has_the_same_columns(self):
        columns = limits()['column']
        self.assertIn(f'ColumnLimit: {columns}\n', checkout.read('.clang-format'))
        self.assertIn(f'max-line-length = {columns}\n', checkout.read('.flake8'))


if __name__ == '__main__':
    unittest.main()
