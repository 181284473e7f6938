"""The runner of the Python tests says what went wrong, with its exit code and in its XML."""

import os
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as tree

RUNNER = os.path.abspath('tests/run_python_tests.py')


class RunnerTest(unittest.TestCase):

    def run_module(self, body):
        """(exit code, {test: what went wrong, or None}) of a module with this class body."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'some_test.py')
            with open(path, 'w', encoding='utf-8') as file:
                file.write('import unittest\nclass Some(unittest.TestCase):\n'
                           '  def evidence(self):\n    return "the log \\x1b says"\n' + body)
            report = os.path.join(folder, 'report.xml')
            done = subprocess.run([sys.executable, '-B', RUNNER, path], capture_output=True,
                                  env=dict(os.environ, XML_OUTPUT_FILE=report), check=False)
            self.reported = tree.parse(report)
            cases = {case.get('name'): case.findtext('failure')
                     for case in self.reported.iter('testcase')}
            return done.returncode, cases

    def skipped(self):
        """{test: why} of the cases that the last report calls skipped."""
        return {case.get('name'): case.findtext('skipped')
                for case in self.reported.iter('testcase') if case.find('skipped') is not None}

    def test_success(self):
        self.assertEqual(self.run_module('  def test_a(self): pass\n  def test_b(self): pass\n'),
                         (0, {'test_a': None, 'test_b': None}))

    def test_failures_and_errors_carry_their_text_and_the_evidence(self):
        code, cases = self.run_module('  def test_a(self): self.assertEqual(1, 2)\n'
                                      '  def test_b(self): raise KeyError("gone")\n'
                                      '  def test_c(self): pass\n')
        self.assertEqual(code, 1)
        self.assertIn('1 != 2', cases['test_a'])
        self.assertIn('the log ? says', cases['test_a'])
        self.assertIn('KeyError: \'gone\'', cases['test_b'])
        self.assertIsNone(cases['test_c'])

    def test_a_failed_subtest_fails_the_test(self):
        code, cases = self.run_module('  def test_a(self):\n'
                                      '    with self.subTest("x"): self.fail("no")\n')
        self.assertEqual(code, 1)
        self.assertIn('no', cases['test_a'])

    def test_a_class_that_cannot_start_fails(self):
        code, cases = self.run_module('  @classmethod\n  def setUpClass(cls): raise OSError("x")\n'
                                      '  def test_a(self): pass\n')
        self.assertEqual((code, len(cases)), (1, 1))
        self.assertIn('OSError: x', list(cases.values())[0])

    def test_a_skipped_test_is_reported_as_skipped(self):
        code, cases = self.run_module('  @unittest.skip("later")\n  def test_a(self): pass\n'
                                      '  def test_b(self): self.skipTest("no")\n'
                                      '  def test_c(self): pass\n')
        self.assertEqual((code, cases), (0, {'test_a': None, 'test_b': None, 'test_c': None}))
        self.assertEqual(self.skipped(), {'test_a': 'later', 'test_b': 'no'})

    def test_a_module_that_skips_all_its_tests_fails(self):
        for body in ('  @unittest.skip("later")\n  def test_a(self): pass\n',
                     '  @classmethod\n  def setUpClass(cls): raise unittest.SkipTest("later")\n'
                     '  def test_a(self): pass\n'):
            self.assertEqual(self.run_module(body)[0], 1, body)
            self.assertEqual(list(self.skipped().values()), ['later'])

    def test_expected_failures_fail(self):
        for body in ('  @unittest.expectedFailure\n  def test_a(self): self.fail()\n',
                     '  @unittest.expectedFailure\n  def test_a(self): pass\n'):
            code, cases = self.run_module(body)
            self.assertEqual(code, 1, body)
            self.assertTrue(cases['test_a'], body)

    def test_a_module_without_tests_fails(self):
        self.assertEqual(self.run_module('  pass\n'), (1, {}))


if __name__ == '__main__':
    unittest.main()
