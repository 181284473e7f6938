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


class ReadingTest(unittest.TestCase):
    """What tests/snippets.py makes of a document."""

    def read(self, text):
        return [(each.line, each.language, each.kind, each.argument, each.text)
                for each in snippets.of('a.md', text)]

    def test_a_snippet_is_fenced_or_indented_and_has_the_mark_in_front_of_it(self):
        self.assertEqual(self.read(
            'Text.\n\n<!-- run -->\n```sh\none\n    two\n```\n\n'
            '<!-- not run: a drawing -->\n\n    x\n\n      y\n\nText.\n'), [
                (4, 'sh', 'run', None, 'one\n    two'),
                (11, '', 'not run', 'a drawing', 'x\n\n  y')])

    def test_one_without_a_mark_of_its_own_has_no_kind(self):
        self.assertEqual(self.read('<!-- run -->\n```\na\n```\n```\nb\n```\n'), [
            (2, '', 'run', None, 'a'), (5, '', None, None, 'b')])
        self.assertEqual(self.read('Text:\n\n    c\n'), [(3, '', None, None, 'c')])

    def test_a_line_that_goes_on_in_a_list_is_no_snippet(self):
        self.assertEqual(self.read('1. one\n    and more\n'), [])

    def test_a_file_is_what_is_shown(self):
        self.assertEqual(self.read('<!-- a/b.cc: part -->\n```cpp\nx\n```\n')[0][2:4],
                         ('shown', ('a/b.cc', 'part')))

    def test_commands_have_what_they_print_behind_them(self):
        self.assertEqual(snippets.commands('$ a \\\n  b\nsaid\nmore\n$ c'),
                         [('a \\\n  b', 'said\nmore'), ('c', None)])
        self.assertEqual(snippets.commands('a\n\nb'), [('a', None), ('b', None)])

    def test_what_differs_from_run_to_run_is_alike_and_nothing_else(self):
        shown = 'tasks/01M8KRV0XZYE44WQB2AJYGA2KD  now   3 of 16  1.5s ago'
        printed = 'tasks/01M8NTTNM66VRXSJ19BF8M37FD  2m3s ago  1 of 2  now'
        self.assertEqual(snippets.alike(shown), snippets.alike(printed))
        self.assertNotEqual(snippets.alike('QUEUED 1'), snippets.alike('RUNNING 1'))
        self.assertRegex('before and after', snippets.pattern('before … after'))
        self.assertNotRegex('before and after, then', snippets.pattern('before … after'))


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
