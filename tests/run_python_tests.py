"""Runs the unittest module at argv[1]: prints each case, and writes JUnit XML for Bazel.

A skipped test has not passed: it is counted apart, and a module that skips all its tests fails, as
one without tests does. Expected failures fail: whoever reads the count must be able to believe it.
A failure's text carries what the test's `evidence()` returns, if it has that method: logs.
"""

import importlib
import os
import sys
import time
import traceback
import unittest
import xml.etree.ElementTree as tree


class Case:
    """How one test went."""

    def __init__(self, test):
        self.classname, _, self.name = test.id().rpartition('.')
        self.started = time.monotonic()
        self.seconds = 0.0
        self.problems = []
        self.skipped = None

    def verdict(self):
        return 'FAILED' if self.problems else 'SKIPPED' if self.skipped is not None else 'ok'


class Result(unittest.TestResult):
    """Collects the cases, and prints each as it ends."""

    def __init__(self):
        super().__init__()
        self.cases = []
        self.current = None

    def startTest(self, test):
        super().startTest(test)
        self.current = Case(test)

    def stopTest(self, test):
        super().stopTest(test)
        self._close(self.current)
        self.current = None

    def addError(self, test, err):
        super().addError(test, err)
        self._problem(test, self._text(test, err))

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._problem(test, self._text(test, err))

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._problem(test, f'{subtest.id()}\n{self._text(test, err)}')

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        if self.current is not None:
            self.current.skipped = reason
            return
        # A whole class was, in its setUpClass.
        case = Case(test)
        case.skipped = reason
        self._close(case)

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self._problem(test, 'an expected failure is a failure')

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self._problem(test, 'an unexpected success is a failure')

    @staticmethod
    def _text(test, err):
        text = ''.join(traceback.format_exception(*err))
        evidence = getattr(test, 'evidence', None)
        return f'{text}\n{evidence()}' if evidence else text

    def _problem(self, test, text):
        if self.current is not None:
            self.current.problems.append(text)
            return
        # setUpClass and its like: not part of any test.
        case = Case(test)
        case.problems.append(text)
        self._close(case)

    def _close(self, case):
        case.seconds = time.monotonic() - case.started
        self.cases.append(case)
        print(f'{case.verdict():7} {case.classname}.{case.name} ({case.seconds:.2f} s)', flush=True)
        if case.skipped:
            print(f'skipped: {case.skipped}', flush=True)
        for problem in case.problems:
            print(problem, flush=True)


def printable(text):
    """Without control characters, which logs may have and XML may not."""
    return ''.join(c if c.isprintable() or c == '\n' else '?' for c in text)


def count(cases, verdict):
    return sum(1 for case in cases if case.verdict() == verdict)


def write_xml(path, suite_name, cases):
    suites = tree.Element('testsuites')
    suite = tree.SubElement(suites, 'testsuite', name=suite_name, tests=str(len(cases)),
                            failures=str(count(cases, 'FAILED')),
                            skipped=str(count(cases, 'SKIPPED')), errors='0')
    for case in cases:
        element = tree.SubElement(suite, 'testcase', classname=case.classname, name=case.name,
                                  time=f'{case.seconds:.3f}')
        for problem in case.problems:
            tree.SubElement(element, 'failure').text = printable(problem)
        if case.skipped is not None:
            tree.SubElement(element, 'skipped').text = printable(case.skipped)
    tree.ElementTree(suites).write(path, encoding='utf-8', xml_declaration=True)


def main():
    path = os.path.abspath(sys.argv[1])
    # Not the folder behind a symbolic link: generated modules stand in the runfiles.
    sys.path.insert(0, os.path.dirname(path))
    name = os.path.splitext(os.path.basename(path))[0]
    # Before gRPC is imported: it joins its threads before every fork, and hangs there now and then.
    # No child of ours uses it.
    os.environ['GRPC_ENABLE_FORK_SUPPORT'] = '0'
    module = importlib.import_module(name)
    loader = unittest.defaultTestLoader
    names = sys.argv[2:] or os.environ.get('TESTBRIDGE_TEST_ONLY', '').split()
    if names:
        suite = loader.loadTestsFromNames(names, module)
    else:
        suite = loader.loadTestsFromModule(module)
    result = Result()
    suite.run(result)
    if not result.cases:
        print(f'FAILED {name}: no tests')
    if 'XML_OUTPUT_FILE' in os.environ:
        write_xml(os.environ['XML_OUTPUT_FILE'], name, result.cases)
    passed, failed = count(result.cases, 'ok'), count(result.cases, 'FAILED')
    print(f"{passed} passed, {failed} failed, {count(result.cases, 'SKIPPED')} skipped")
    return 0 if passed and not failed else 1


if __name__ == '__main__':
    sys.exit(main())
