"""What `./dev` installs: for a build what that needs, for tests what they need beside it."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import checkout

# A machine where nothing is installed, and nothing can be.
TOOLS = {
    'dpkg-query': '#!/bin/sh\n',
    'apt-get': '#!/bin/sh\n[ "$1" = update ] || { echo "E: no such package" >&2; exit 100; }\n',
    'sudo': '#!/bin/sh\nexec "$@"\n',
}


def dev(*arguments, tools=TOOLS):
    """(Exit code, what it said) of `./dev`, whose installing fails."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in tools.items():
            program = pathlib.Path(folder) / name
            program.write_text(text, encoding='utf-8')
            program.chmod(0o755)
        environment = dict(os.environ, PATH=f'{folder}:{os.environ["PATH"]}')
        done = subprocess.run([checkout.ROOT / 'dev', *arguments], env=environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout


def asked_for(*arguments):
    """The packages that `./dev` would install."""
    code, said = dev(*arguments)
    assert code == 1, said
    return set(re.search(r'setup: installing \d+ packages: (.*)', said)[1].split())


class SetupTest(unittest.TestCase):

    def test_a_build_asks_for_what_it_needs_and_no_more(self):
        needed = asked_for('setup')
        self.assertEqual(asked_for('build'), needed)
        self.assertEqual(asked_for('up'), needed)
        self.assertEqual(asked_for('install', '/opt/grove'), needed)
        self.assertEqual(asked_for('package') - needed, {'debhelper'})
        libraries = checkout.read('bazel/system_libraries.bzl')
        named = set(re.findall(r'"([a-z0-9.+-]+-dev|protobuf-compiler[a-z-]*)"', libraries))
        self.assertGreater(len(named), 10)
        self.assertEqual(named - needed, set(), 'the build names them, `./dev setup` does not')
        self.assertEqual(asked_for('docs', '/tmp/grove-no-site'), {'mkdocs', 'mkdocs-material'})
        for program in ('chromium', 'nginx-light', 'prometheus', 'wrk', 'python3-grpcio', 'gdb',
                        'mkdocs'):
            self.assertNotIn(program, needed)

    def test_tests_ask_for_theirs_too(self):
        needed = asked_for('setup')
        for verb in ('test', 'sanitize', 'boost-switch'):
            more = asked_for(verb) - needed
            self.assertLessEqual({'chromium', 'nginx-light', 'prometheus', 'python3-grpcio'}, more,
                                 verb)
            self.assertLessEqual(needed, asked_for(verb), verb)

    def test_an_installation_names_one_prefix(self):
        for arguments in ((), ('/opt', '/usr')):
            self.assertEqual(dev('install', *arguments),
                             (1, 'dev: install: one prefix, such as /usr/local\n'))
        self.assertEqual(dev('install', 'here'),
                         (1, 'dev: install: the prefix must be an absolute path: here\n'))

    def test_what_fails_is_said_in_one_line(self):
        code, said = dev('setup')
        self.assertEqual(code, 1)
        self.assertIn('dev: setup: apt-get install failed: E: no such package\n', said)
        broken = dict(TOOLS, **{'apt-get': '#!/bin/sh\necho "E: no network" >&2\nexit 100\n'})
        code, said = dev('setup', tools=broken)
        self.assertEqual(code, 1)
        self.assertTrue(said.endswith('dev: setup: apt-get update failed: E: no network\n'), said)


if __name__ == '__main__':
    unittest.main()
