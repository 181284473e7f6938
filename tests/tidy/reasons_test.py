"""The reasons of errors: those that the code says are those of grove.v1.ErrorReason."""

import re
import unittest

import checkout

DOCUMENT = 'proto/grove/v1/error_reason.proto'
MANUAL = 'docs/errors.md'
# Made of two pieces, where one stands for each of several things.
COMPOSED = {
    'server/control/scope_check.cc': {'TENANT_NOT_FOUND', 'QUEUE_NOT_FOUND', 'POOL_NOT_FOUND',
                                      'TASK_NOT_FOUND', 'TOKEN_NOT_FOUND'},
    'server/supervisor/operation_requests.cc': {
        'SCALE_FAILED', 'RESTART_FAILED', 'DRAIN_FAILED', 'RELOAD_FAILED', 'UPGRADE_FAILED',
        'SET_LOG_LEVEL_FAILED', 'RECYCLE_FAILED'},
    'server/tasks/paging.cc': {'QUEUE_NOT_FOUND', 'POOL_NOT_FOUND'},
    'server/tasks/task_spec.cc': {'NEGATIVE_DELAY', 'DELAY_TOO_LONG', 'NEGATIVE_TIMEOUT',
                                  'TIMEOUT_TOO_LONG', 'NEGATIVE_BACKOFF', 'BACKOFF_TOO_LONG'},
}
# Variables of the environment, limits of the kernel, codes: other names of the same form.
OTHERS = re.compile(r'(LISTEN|NOTIFY|WATCHDOG|XDG|RLIMIT|GROVE|TASK_STATE)_.*|NOT_FOUND')


def said():
    """{reason: files} of the server's code."""
    found = {}
    for path in checkout.files(['server'], '*.cc', '*.h'):
        if checkout.is_test(path) or 'fake' in path.name or 'fixture' in path.name:
            continue
        code = re.sub(r'^\s*//.*$', '', path.read_text(encoding='utf-8'), flags=re.M)
        for reason in re.findall(r'"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"', code):
            if not OTHERS.fullmatch(reason):
                found.setdefault(reason, []).append(checkout.name(path))
        if re.search(r'StrCat\([^;]*"_[A-Z_]+"|StrCat\("[A-Z_]+_", ', code):
            composed = COMPOSED.get(checkout.name(path), set())
            for reason in composed:
                found.setdefault(reason, []).append(checkout.name(path))
    return found


def statements():
    """[(reason, the statement that says it)] of the server's code."""
    found = []
    for path in checkout.files(['server'], '*.cc'):
        if checkout.is_test(path) or 'fake' in path.name or 'fixture' in path.name:
            continue
        code = re.sub(r'^\s*//.*$', '', path.read_text(encoding='utf-8'), flags=re.M)
        for match in re.finditer(r'"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"', code):
            begin = max(code.rfind(end, 0, match.start()) for end in (';', '{\n'))
            found.append((match[1], code[begin + 1:code.find(';\n', match.start())]))
    return found


def codes_of(reason, statement):
    """The codes that it gives the reason, as gRPC spells them."""
    # One that chooses between reasons chooses between codes as well.
    if re.search(rf'[?:]\s*"{reason}"', statement):
        return set()
    names = (re.findall(rf'StatusCode::k(\w+)(),\s*"{reason}"', statement)
             or re.findall(r'StatusCode::k(\w+)|absl::(\w+)Error\(', statement))
    found = {re.sub(r'(?<=[a-z])(?=[A-Z])', '_', a or b).upper() for a, b in names}
    return found | ({'INVALID_ARGUMENT'} if 'BadField(' in statement else set())


def rows():
    """{reason: [code, meaning, again, metadata]} of the manual, and all reasons as they stand."""
    lines = re.findall(r'^\| `([A-Z_0-9]+)` \|(.*)\|$', checkout.read(MANUAL), re.M)
    return ({reason: [cell.strip() for cell in cells.split('|')] for reason, cells in lines},
            [reason for reason, _ in lines])


class ReasonsTest(unittest.TestCase):

    def test_what_is_said_is_listed_and_what_is_listed_is_said(self):
        listed = re.findall(r'^  ([A-Z_0-9]+) = \d+;', checkout.read(DOCUMENT), re.M)
        self.assertGreater(len(listed), 100)
        listed.remove('ERROR_REASON_UNSPECIFIED')
        found = said()
        self.assertEqual({reason: files for reason, files in found.items()
                          if reason not in listed}, {}, f'not in {DOCUMENT}')
        self.assertEqual([reason for reason in listed if reason not in found], [],
                         'nothing says so')

    def test_the_manual_has_each_reason_once_and_says_something(self):
        listed = re.findall(r'^  ([A-Z_0-9]+) = \d+;', checkout.read(DOCUMENT), re.M)
        listed.remove('ERROR_REASON_UNSPECIFIED')
        table, order = rows()
        self.assertEqual(sorted(order), sorted(listed))
        for reason, cells in table.items():
            self.assertEqual(len(cells), 4, reason)
            self.assertTrue(all(cells[:3]), reason)

    def test_the_manual_has_the_codes_pauses_and_metadata_of_the_code(self):
        table, _ = rows()
        checked = 0
        for reason, statement in statements():
            if reason not in table:
                continue
            code, _, again, metadata = table[reason]
            for each in codes_of(reason, statement):
                self.assertIn(each, re.split('[,;]? ', code), f'{reason}: {statement}')
                checked += 1
            for key in re.findall(r'\{"([a-z_]+)", ', statement):
                self.assertIn(f'`{key}`', metadata, f'{reason}: {statement}')
            if re.search('WithRetryAfter|TryLater', statement):
                self.assertEqual(again, 'later', f'{reason}: {statement}')
        self.assertGreater(checked, 150)

    def test_files_that_compose_some_still_do(self):
        for file in COMPOSED:
            self.assertRegex(checkout.read(file), r'StrCat\([^;]*_')


if __name__ == '__main__':
    unittest.main()
