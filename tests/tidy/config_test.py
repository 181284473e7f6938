"""The defaults that the comments of config.proto state are those of the schema."""

import os
import re
import subprocess
import unittest

import checkout

GROVED = os.path.abspath('server/groved')
PROTO = 'proto/grove/config/v1/config.proto'
# A comment's last words, such as "…; 30,000." or "1,024.": it may say more behind it.
STATED = re.compile(r'(?:^|; )(\d[\d,]*)(?=[.,;])')


def defaults():
    """{key: its default} of every integer that has one."""
    said = subprocess.check_output([GROVED, '--help_config'], text=True)
    found = re.findall(r'^  (\S+)  \(integer.*\)\n.*\n      default: (\d+)$', said, re.M)
    return {key: int(default) for key, default in found}


def messages():
    """{message: {field: (its type, its comment)}} of the config's proto."""
    found, fields, comment = {}, None, []
    depth = 0
    for line in checkout.read(PROTO).splitlines():
        line = line.strip()
        opened = re.match(r'(message|enum|oneof) (\w+) {', line)
        field = re.match(r'(?:repeated |optional )?(\w+) (\w+) = \d+;', line)
        if opened:
            depth += 1
            if depth == 1:
                fields = found.setdefault(opened.group(2), {})
        elif line == '}':
            depth -= 1
        elif field:
            fields[field.group(2)] = field.group(1), ' '.join(comment)
        comment = comment + [line.removeprefix('// ')] if line.startswith('//') else []
    return found


def comment_of(key, found):
    """The comment above the field that a key of the config file sets."""
    kind = 'Config'
    for name in key.replace('[]', '').split('.'):
        kind, comment = found[kind][name]
    return comment


def effect_in(manual, key):
    """What the manual's table of prefixes says that a change of the key takes."""
    section = manual.split('### What a change of a key takes')[1].split('###')[0]
    rows = re.findall(r'^\| `(\S+)` \| (.+) \|$', section, re.M)
    held = [row for row in rows
            if key == row[0] or row[0].endswith('.') and key.startswith(row[0])]
    return max(held, key=lambda row: len(row[0]))[1] if held else None


class ConfigTest(unittest.TestCase):

    def test_the_manual_says_what_a_change_of_each_key_takes(self):
        said = subprocess.check_output([GROVED, '--help_config'], text=True)
        effects = re.findall(r'^  (\S+)  \(.*\n.*\n.*\n      a change: (.+)$', said, re.M)
        self.assertGreater(len(effects), 100)
        manual = checkout.read('docs/operations.md')
        for key, effect in effects:
            self.assertEqual(effect_in(manual, key), effect, key)

    def test_comments_state_the_defaults_of_the_schema(self):
        found, numbers = messages(), defaults()
        self.assertGreater(len(numbers), 30, 'groved has told no defaults')
        for key, default in numbers.items():
            self.assertEqual(STATED.findall(comment_of(key, found))[-1:], [f'{default:,}'],
                             f'{key}: {comment_of(key, found)}')

    def test_the_comment_states_the_most_workers(self):
        said = subprocess.check_output([GROVED, '--help_config'], text=True)
        most = re.search(r'^  workers  \(integer, 1 to (\d+)\)$', said, re.M).group(1)
        self.assertIn(f'At most {int(most):,}.', comment_of('workers', messages()))


if __name__ == '__main__':
    unittest.main()
