"""The daemon's own log: a reader that stops reading it stops nothing else."""

import fcntl
import os
import subprocess
import threading
import unittest

from grove_harness import Daemon, OwnDaemonTest, die_with_parent, eventually, http_get

F_SETPIPE_SZ = 1031
CONFIG = '''http:
  routes:
    - path: /hello
      function: hello
    - path: /fail/{rest...}
      function: fail
'''


class PipedDaemon(Daemon):
    """One whose log goes into a pipe that holds little and that only read() empties."""

    def launch(self):
        self.reader, writer = os.pipe()
        fcntl.fcntl(writer, F_SETPIPE_SZ, 4096)
        self.process = subprocess.Popen(
            self.command(), stdin=subprocess.DEVNULL, stdout=writer, stderr=writer, cwd='/',
            start_new_session=True, preexec_fn=die_with_parent)
        os.close(writer)
        self.read_until(b'"serving"')
        with open(os.path.join(self.run_dir, 'http.address'), encoding='utf-8') as file:
            self.http_address = file.read().split()[0]
        return self

    def read_until(self, text):
        """What comes up to and including the piece with `text`, or the end."""
        all_read = b''
        while text not in all_read and (piece := os.read(self.reader, 65536)):
            all_read += piece
        return all_read

    def kill(self):
        os.close(self.reader)
        super().kill()

    def evidence(self):
        return '--- the log went into a pipe'


class LogTest(OwnDaemonTest):

    def setUp(self):
        self.daemon = PipedDaemon(config=CONFIG, workers=2)
        self.addCleanup(self.daemon.kill)
        self.daemon.launch()

    def fail_often(self, times):
        for _ in range(times):
            self.assertEqual(http_get(self.daemon.http_address, '/fail/')[0], 500)

    def test_a_reader_that_stopped_stops_nothing_else(self):
        self.fail_often(100)  # several times what the pipe holds
        self.assertEqual(self.daemon.get('/hello')[0], 200)
        self.assertEqual(self.daemon.admin('/readyz')[0], 200)
        # The supervisor has more to say than fits, too, and goes on replacing workers.
        for _ in range(5):
            worker = self.daemon.pid_of('grove-w0')
            os.kill(worker, 9)
            eventually('a new worker', lambda: self.daemon.pid_of('grove-w0') not in (None, worker))
        eventually('it serves', lambda: self.daemon.get('/hello')[0] == 200)
        self.daemon.stop()

    def test_lines_that_were_dropped_are_counted(self):
        # More than the queue of each worker holds, 1 MiB.
        long_path = '/fail/' + 'x' * 4000
        for _ in range(1200):
            self.assertEqual(http_get(self.daemon.http_address, long_path)[0], 500)
        dropped = {name: value for name, value in self.daemon.metrics().items()
                   if name.startswith('grove_log_lines_dropped_total')}
        self.assertEqual(len(dropped), 4, 'the supervisor, control and both workers')
        self.assertGreater(sum(dropped.values()), 0)
        self.assertEqual(dropped['grove_log_lines_dropped_total{process="control"}'], 0)
        found = []
        reader = threading.Thread(
            target=lambda: found.append(self.daemon.read_until(b'log lines were dropped')))
        reader.start()
        reader.join(30)
        self.assertIn(b'log lines were dropped: whoever reads them is too slow', found[0])
        self.daemon.process.terminate()
        self.daemon.read_until(b'never said')
        self.daemon.ended()


if __name__ == '__main__':
    unittest.main()
