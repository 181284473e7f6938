"""groved.8 has the flags and exit codes of groved --help, and is clean for man."""

import os
import re
import subprocess
import unittest

from outside import HERE, run, version

PAGES = ('server/groved.8', 'client/grovectl.1', 'deploy/new/grove-new.1')


def plain(page):
    """A manual's text without its escapes."""
    return (HERE / page).read_text().replace('\\-', '-').replace('\\(dq', '"')


class ManualTest(unittest.TestCase):

    def test_groveds_has_every_flag_with_its_words_and_default(self):
        help_text = run(HERE / 'server/groved', '--help')
        flags = re.findall(r'^  --(\S+)\n      (.*)\n      default: (.*)$', help_text, re.M)
        self.assertGreater(len(flags), 10)
        page = plain('server/groved.8')
        for flag, words, default in flags:
            written = f'.TP\n.B --{flag}\n'
            self.assertIn(written, page)
            entry = page.split(written)[1].split('\n.')[0]
            self.assertEqual(entry.splitlines()[0].lower(), words.lower() + '.')
            if '=' in flag:
                self.assertEqual(entry.splitlines()[1], f'Default: {default}.')
        self.assertEqual(len(re.findall(r'^\.B --', page, re.M)), len(flags))

    def test_groveds_has_every_exit_code(self):
        codes = re.search(r'Exit codes: (.*)\.', run(HERE / 'server/groved', '--help'))[1]
        page = plain('server/groved.8')
        for code, words in re.findall(r'(\d) ([^,]+)', codes):
            self.assertIn(f'.TP\n.B {code}\n{words[0].upper()}{words[1:]}.\n', page)

    def test_all_are_of_this_version_and_clean(self):
        for page in PAGES:
            self.assertIn(f'"Grove {version()}"', (HERE / page).read_text(), page)
            done = subprocess.run(['man', '--warnings', '-l', HERE / page], check=True, text=True,
                                  capture_output=True, env={**os.environ, 'LC_ALL': 'C.UTF-8'})
            self.assertEqual(done.stderr, '', page)
            self.assertIn('SYNOPSIS', done.stdout)


if __name__ == '__main__':
    unittest.main()
