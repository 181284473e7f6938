"""The program of docs/control_plane.md does what it says; its other snippets: snippets_test."""

import subprocess
import unittest

from grove_harness import DEADLINE_S, GroveTest, program

THUMBNAILS = 'client/examples/thumbnails'


class ControlPlaneTest(GroveTest):

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
