"""The last line of ./dev test counts what passed, failed and was skipped, and nothing else."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
import urllib.parse

REPORT = os.path.abspath('tests/report.py')
PASSED = '<testcase name="A" classname="S" status="run" result="completed"/>'
FAILED = '<testcase name="B" classname="S" status="run"><failure message="no"/></testcase>'
ERROR = '<testcase name="E" classname="S"><error/></testcase>'
SKIPPED = '<testcase name="C" classname="S" status="run" result="skipped"><skipped/></testcase>'
SKIPPED_BY_RESULT = '<testcase name="C" classname="S" status="run" result="skipped"/>'
SKIPPED_IN_PYTHON = '<testcase name="C" classname="S"><skipped>later</skipped></testcase>'
DISABLED = '<testcase name="DISABLED_D" classname="S" status="notrun" result="suppressed"/>'


class ReportTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='a report ')
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def event(self, label, status, *cases):
        """The event of a target whose report has these cases; without any, there is no report."""
        path = os.path.join(self.folder, label.replace('/', '_') + '.xml')
        if cases:
            with open(path, 'w', encoding='utf-8') as file:
                file.write(f'<testsuites><testsuite>{"".join(cases)}</testsuite></testsuites>')
        outputs = [{'name': 'test.log', 'uri': 'file:///none'},
                   {'name': 'test.xml', 'uri': 'file://' + urllib.parse.quote(path)}]
        return {'id': {'testResult': {'label': label}},
                'testResult': {'status': status, 'testActionOutput': outputs}}

    def report(self, *events):
        """(exit code, lines) of the report over these events."""
        path = os.path.join(self.folder, 'events')
        with open(path, 'w', encoding='utf-8') as file:
            for event in ({'id': {'started': {}}}, *events):
                file.write(json.dumps(event) + '\n')
        done = subprocess.run([sys.executable, '-B', REPORT, path], capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.stderr, '')
        return done.returncode, done.stdout.splitlines()

    def test_passed_cases_are_counted_over_all_targets(self):
        self.assertEqual(self.report(self.event('//a:a', 'PASSED', PASSED, PASSED),
                                     self.event('//b:b', 'FLAKY', PASSED)),
                         (0, ['3 passed, 0 failed']))

    def test_failures_and_errors_are_named(self):
        self.assertEqual(self.report(self.event('//a:a', 'FAILED', PASSED, FAILED, ERROR)),
                         (1, ['FAILED //a:a S.B', 'FAILED //a:a S.E', '1 passed, 2 failed']))

    def test_skipped_cases_have_not_passed(self):
        for case in (SKIPPED, SKIPPED_BY_RESULT, SKIPPED_IN_PYTHON):
            self.assertEqual(self.report(self.event('//a:a', 'PASSED', PASSED, case)),
                             (0, ['SKIPPED //a:a S.C', '1 passed, 0 failed, 1 skipped']), case)

    def test_disabled_cases_are_skipped(self):
        self.assertEqual(self.report(self.event('//a:a', 'PASSED', PASSED, DISABLED))[1][-1],
                         '1 passed, 0 failed, 1 skipped')

    def test_a_failure_beside_a_skipped_case_is_a_failure(self):
        code, lines = self.report(self.event('//a:a', 'FAILED', SKIPPED, FAILED))
        self.assertEqual((code, lines[-1]), (1, '0 passed, 1 failed, 1 skipped'))

    def test_a_run_that_skips_all_has_not_passed(self):
        self.assertEqual(self.report(self.event('//a:a', 'PASSED', SKIPPED)),
                         (1, ['SKIPPED //a:a S.C', '0 passed, 0 failed, 1 skipped']))

    def test_a_run_without_tests_has_not_passed(self):
        self.assertEqual(self.report(), (1, ['0 passed, 0 failed']))

    def test_a_target_that_died_without_a_report_has_failed(self):
        self.assertEqual(self.report(self.event('//a:a', 'PASSED', PASSED),
                                     self.event('//b:b', 'TIMEOUT')),
                         (1, ['FAILED //b:b: TIMEOUT', '1 passed, 1 failed']))

    def test_a_target_that_failed_behind_its_passed_cases_has_failed(self):
        self.assertEqual(self.report(self.event('//a:a', 'FAILED', PASSED)),
                         (1, ['FAILED //a:a: FAILED', '1 passed, 1 failed']))


if __name__ == '__main__':
    unittest.main()
