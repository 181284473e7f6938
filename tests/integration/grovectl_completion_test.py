"""Completion of grovectl's words in real shells, with what a live daemon has."""

import os
import subprocess
import tempfile
import unittest

from grove_harness import GROVECTL, GroveTest, eventually, program

# Each answers with a candidate a line: what the shell's own function makes of the words.
BASH = '''
source <(grovectl completion bash)
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_grovectl
printf '%s\\n' "${COMPREPLY[@]}"
'''
ZSH = '''
compdef() { : }
_describe() { print -l -- "${(@P)2}" }
_files() { print -- FILES }
source <(grovectl completion zsh)
words=("$@") CURRENT=$#
_grovectl
'''
FISH = '''
grovectl completion fish | source
complete -C "$argv"
'''


class CompletionTest(GroveTest):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        os.symlink(program(GROVECTL), os.path.join(folder.name, 'grovectl'))
        self.environment = {'PATH': f'{folder.name}:/usr/bin:/bin', 'HOME': folder.name,
                            'LC_ALL': 'C.UTF-8', 'TERM': 'dumb',
                            'GROVE_ADDRESS': self.daemon.address('grpc')}

    def run_shell(self, *command):
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertEqual(done.stderr, '')
        return done.stdout.splitlines()

    def bash(self, *words):
        return self.run_shell('/bin/bash', '--norc', '-c', BASH, 'bash', *words)

    def zsh(self, *words):
        lines = self.run_shell('/usr/bin/zsh', '-f', '-c', ZSH, 'zsh', *words)
        return [line.partition(':')[0] for line in lines]

    def fish(self, *words):
        lines = self.run_shell('/usr/bin/fish', '--no-config', '-c', FISH, ' '.join(words))
        return [line.partition('\t')[0] for line in lines]

    def completes(self, expected, complete, *words):
        """Soon: a call that takes long gives nothing, since nobody waits for a completion."""
        eventually(f'{complete.__name__} completes {words}', lambda: complete(*words) == expected)

    def test_every_shell_completes_verbs_flags_and_live_values(self):
        name = self.daemon.api().run('echo', 1).name
        ident = name.rpartition('/')[2]
        for complete in (self.bash, self.zsh, self.fish):
            with self.subTest(complete.__name__):
                self.completes(['spawn'], complete, 'grovectl', 'sp')
                self.completes(['echo'], complete, 'grovectl', 'spawn', 'ec')
                self.completes([ident], complete, 'grovectl', 'get', ident[:20])
                self.completes(['RUNNING'], complete, 'grovectl', 'tasks', '--state', 'RU')
                self.completes(['--function'], complete, 'grovectl', 'tasks', '--fu')
                self.completes(['0', '1'], complete, 'grovectl', 'backdoor', '--worker', '')
                self.completes(['default'], complete, 'grovectl', 'queues', 'd')
                self.completes(['retry'], complete, 'grovectl', 'tasks', 'ret')
                self.completes([ident], complete, 'grovectl', 'tasks', 'retry', ident[:20])

    def test_values_behind_an_equals_sign(self):
        # Bash has made three words of it.
        self.assertEqual(self.bash('grovectl', 'tasks', '--state', '=', 'RU'), ['RUNNING'])
        self.assertEqual(self.zsh('grovectl', 'tasks', '--state=RU'), ['--state=RUNNING'])
        self.assertEqual(self.fish('grovectl', 'tasks', '--state=RU'), ['--state=RUNNING'])

    def test_files(self):
        self.assertEqual(self.zsh('grovectl', '--token_file', ''), ['FILES'])
        with open(os.path.join(self.environment['HOME'], 'the.token'), 'w', encoding='utf-8'):
            pass
        self.assertIn('~/the.token', self.fish('grovectl', '--token_file', '~/the'))

    def test_a_daemon_that_is_away_costs_a_moment_and_no_message(self):
        self.environment['GROVE_ADDRESS'] = '127.0.0.1:1'
        self.assertEqual(self.zsh('grovectl', 'spawn', ''), [''][1:])
        self.assertEqual(self.bash('grovectl', 'sp'), ['spawn'])


if __name__ == '__main__':
    unittest.main()
