"""Counts test cases over the XML reports of the targets that ran: the last line of ./dev test.

argv[1] is Bazel's build event file, one JSON object a line. The exit code is 0 if something passed
and nothing failed; what was skipped has not passed.
"""

import json
import os
import sys
import urllib.parse
import xml.etree.ElementTree as tree


class Count:
    """How many cases went how, and a line for each that failed or was skipped."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.lines = []

    def good(self):
        return self.passed > 0 and self.failed == 0

    def add_target(self, label, status, reports):
        """One run of a target: what Bazel says of it, and its reports as far as they exist."""
        failed = self.failed
        for report in reports:
            for case in report.iter('testcase'):
                self._add_case(label, case)
        if status not in ('PASSED', 'FLAKY') and self.failed == failed:
            # It died, or took too long, before it could write down which case it was.
            self._fail(f'{label}: {status}')

    def summary(self):
        line = f'{self.passed} passed, {self.failed} failed'
        return f'{line}, {self.skipped} skipped' if self.skipped else line

    def _add_case(self, label, case):
        name = f"{label} {case.get('classname', '')}.{case.get('name')}"
        if case.find('failure') is not None or case.find('error') is not None:
            self._fail(name)
        elif is_skipped(case):
            self.skipped += 1
            self.lines.append(f'SKIPPED {name}')
        else:
            self.passed += 1

    def _fail(self, what):
        self.failed += 1
        self.lines.append(f'FAILED {what}')


def is_skipped(case):
    """GoogleTest calls a disabled test "notrun"; what a filter leaves out is not in its report."""
    return (case.find('skipped') is not None or case.get('result') == 'skipped'
            or case.get('status') == 'notrun')


def reports_of(result):
    """The XML reports of one testResult event."""
    for file in result.get('testActionOutput', []):
        if file['name'] == 'test.xml':
            path = urllib.parse.unquote(file['uri'].removeprefix('file://'))
            if os.path.exists(path):
                yield tree.parse(path)


def count(events):
    """The Count over an iterable of the event file's lines."""
    total = Count()
    for line in events:
        event = json.loads(line)
        result = event.get('testResult')
        if result is not None:
            total.add_target(event['id']['testResult']['label'], result['status'],
                             reports_of(result))
    return total


def main():
    with open(sys.argv[1], encoding='utf-8') as events:
        total = count(events)
    for line in total.lines:
        print(line)
    print(total.summary())
    sys.exit(0 if total.good() else 1)


if __name__ == '__main__':
    main()
