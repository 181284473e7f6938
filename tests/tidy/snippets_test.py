"""Every snippet of the documents says what is done with it, and that is what is done."""

import re
import unittest

import checkout
import snippets

LANGUAGES = {
    # What a kind may be written in: '' is none, or an indented block.
    'compiled': {'cpp', ''},
    'config': {'yaml', ''},
    'run': {'console', 'sh', 'python', ''},
}
FRAGMENTS = 'tests/snippets/fragments.cc'
RUNNER = 'tests/integration/snippets_test.py'


def all_snippets():
    documents = [checkout.ROOT / 'README.md', checkout.ROOT / 'CONTRIBUTING.md',
                 checkout.ROOT / 'deploy/README.md',
                 *sorted((checkout.ROOT / 'docs').glob('*.md'))]
    return [snippet for document in documents
            for snippet in snippets.of(checkout.name(document),
                                       document.read_text(encoding='utf-8'))]


class SnippetsTest(unittest.TestCase):

    def test_each_says_what_is_done_with_it(self):
        found = all_snippets()
        self.assertGreater(len(found), 200)
        for each in found:
            where = f'{each.document}:{each.line}'
            self.assertIn(each.kind, ('shown', 'compiled', 'config', 'run', 'not run'),
                          f'{where}: the line in front of a snippet says what is done with it: '
                          'tests/snippets.py')
            if each.kind in LANGUAGES:
                self.assertIn(each.language, LANGUAGES[each.kind], where)
            if each.kind == 'not run':
                self.assertTrue(each.argument, f'{where}: why not?')

    def test_those_that_show_a_file_show_it_as_it_is(self):
        for each in all_snippets():
            if each.kind == 'shown':
                self.assertEqual(each.text, checkout.example(*each.argument),
                                 f'{each.document}:{each.line}')

    def test_those_that_are_compiled_are(self):
        named = [each.argument for each in all_snippets() if each.kind == 'compiled']
        self.assertGreater(len(named), 10)
        self.assertEqual(len(named), len(set(named)), 'a name stands for one snippet')
        included = re.findall(r'^#include "tests/snippets/(\w+)\.inc"', checkout.read(FRAGMENTS),
                              re.M)
        self.assertEqual(sorted(set(included)), sorted(named))

    def test_tests_that_are_named_in_place_of_a_run_exist(self):
        for each in all_snippets():
            for package, name in re.findall(r'//([\w/]+):(\w+)', each.argument or '') \
                    if each.kind == 'not run' else ():
                self.assertTrue(any((checkout.ROOT / package / f'{name}{suffix}').exists()
                                    for suffix in ('.py', '.cc')), f'{each.document}:{each.line}')

    def test_includes_of_those_that_are_compiled_stand_where_they_are(self):
        fragments = checkout.read(FRAGMENTS)
        for each in all_snippets():
            for line in re.findall('^#include .*$', each.text, re.M) \
                    if each.kind == 'compiled' else ():
                self.assertIn(f'\n{line}\n', fragments, f'{each.document}:{each.line}')

    def test_documents_with_those_that_are_run_are_run(self):
        documents = {each.document for each in all_snippets() if each.kind == 'run'}
        listed = set(re.findall(r"'((?:docs/)?\w+\.md)'", checkout.read(RUNNER)))
        self.assertEqual(documents, listed)


if __name__ == '__main__':
    unittest.main()
