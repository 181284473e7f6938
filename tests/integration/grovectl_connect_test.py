"""What grovectl makes of gRPC's word that a connection could not be opened."""

import os
import subprocess
import unittest

from grove_harness import DEADLINE_S, GROVECTL, OwnDaemonTest, free_port, program

CONNECT_ERRNO = 'tests/integration/connect_errno.so'


class ConnectTest(OwnDaemonTest):

    def grovectl(self, address, *arguments, false_errnos=0):
        environment = dict(os.environ, LD_PRELOAD=program(CONNECT_ERRNO),
                           GROVE_TEST_FALSE_ERRNOS=str(false_errnos))
        return subprocess.run([program(GROVECTL), f'--address={address}', *arguments],
                              env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=False, timeout=DEADLINE_S)

    def test_a_connect_that_fails_by_mistake_is_made_again(self):
        daemon = self.start()
        address = daemon.address('grpc')
        task = daemon.api().spawn('fail')
        daemon.api().wait(task.name)
        # A call that may be made once alone, one that may be repeated, and a stream.
        for arguments in (('tasks', 'retry', task.name), ('workers',),
                          ('tasks', 'watch', '--existing', '--count=1')):
            done = self.grovectl(address, *arguments, false_errnos=1)
            self.assertEqual((done.returncode, done.stderr), (0, ''), arguments)
        # Where it is one again and again, it is told.
        for arguments in (('workers', '--timeout=5'), ('tasks', 'watch', '--count=1')):
            done = self.grovectl(address, *arguments, false_errnos=1000)
            self.assertEqual(done.returncode, 1, arguments)
            self.assertEqual(done.stderr, f'grovectl: cannot reach {address}: no such file or '
                             'directory; is groved running?\n', arguments)
        daemon.stop()

    def test_nobody_is_waited_for_who_is_not_there(self):
        port = free_port()
        done = self.grovectl(f'127.0.0.1:{port}', 'workers')
        self.assertEqual(done.stderr, f'grovectl: cannot reach 127.0.0.1:{port}: connection '
                         'refused; is groved running?\n')
        done = self.grovectl('unix:/none/grove.sock', 'workers')
        self.assertEqual(done.stderr, 'grovectl: cannot reach unix:/none/grove.sock: no such '
                         'socket; is groved running?\n')


if __name__ == '__main__':
    unittest.main()
