"""The examples of docs/control_plane.md, each run as it stands there."""

import os
import re
import subprocess
import unittest

from grove_harness import DEADLINE_S, GroveTest, program

DOCUMENT = 'docs/control_plane.md'
THUMBNAILS = 'client/examples/thumbnails'
ADDRESS = '127.0.0.1:8091'


def blocks(language):
    with open(DOCUMENT, encoding='utf-8') as file:
        return re.findall(rf'^```{language}\n(.*?)^```$', file.read(), re.MULTILINE | re.DOTALL)


def commands(block):
    """[(command, what it prints)] of a console's block."""
    found = []
    for line in block.splitlines():
        if line.startswith('$ '):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return [(command, '\n'.join(lines)) for command, lines in found]


def pattern(shown):
    """What stands for anything is "…"."""
    return '.*'.join(re.escape(piece) for piece in shown.split('…'))


class ControlPlaneTest(GroveTest):

    def test_the_lines_of_python(self):
        space = {}
        for number, block in enumerate(blocks('python')):
            with self.subTest(block=number):
                code = block.replace(ADDRESS, self.daemon.serving['control'])
                exec(compile(code, f'{DOCUMENT}, block {number}', 'exec'), space)
        space['channel'].close()
        self.assertGreater(len(blocks('python')), 4)

    def test_the_lines_of_a_shell(self):
        path = os.path.dirname(program('client/grovectl'))
        env = os.environ | {'GROVE_ADDRESS': self.daemon.serving['control'],
                            'PATH': f'{path}:{os.environ["PATH"]}'}
        for command, shown in [pair for block in blocks('console') for pair in commands(block)]:
            with self.subTest(command=command):
                done = subprocess.run(['bash', '-c', command], env=env, text=True, check=False,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT, timeout=DEADLINE_S)
                printed = done.stdout.rstrip('\n')
                if done.returncode != 0:
                    printed += f'\n[exit code {done.returncode}]'
                self.assertRegex(printed, re.compile(rf'\A{pattern(shown)}\Z', re.DOTALL))

    def test_the_program(self):
        for _ in range(2):
            done = subprocess.run(
                [program(THUMBNAILS), self.daemon.serving['control'], 'one.png', 'two.png'],
                capture_output=True, text=True, check=False, timeout=DEADLINE_S)
            self.assertEqual((done.returncode, done.stderr), (0, ''))
            self.assertEqual(done.stdout, 'TASK_STATE_SUCCEEDED {"image": "one.png"}\n'
                                          'TASK_STATE_SUCCEEDED {"image": "two.png"}\n')
        # The second run found the tasks of the first.
        self.assertRegex(self.daemon.grovectl('tasks', 'count', '--label',
                                              'job=thumbnails').stdout, r'\nall +2\n')


if __name__ == '__main__':
    unittest.main()
