"""A program on a terminal of its own, as a person meets it: what it shows, and the keys for it."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from grove_harness import DEADLINE_S, die_with_parent

CTRL_A = '\x01'
CTRL_C = '\x03'
CTRL_D = '\x04'
ENTER = '\r'
UP = '\x1b[A'


class Terminal:
    """The process, its terminal's other end, and all that was shown on it."""

    def __init__(self, command, environment=None, columns=100):
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 24, columns, 0, 0))

        def take_terminal():
            die_with_parent()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        self._master = master
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave,
                                        env=environment, start_new_session=True,
                                        preexec_fn=take_terminal)
        os.close(slave)
        self.shown = ''
        self._seen = 0

    def type(self, keys):
        os.write(self._master, keys.encode())

    def _read(self, seconds):
        """False: nothing more comes, or not in time."""
        if not select.select([self._master], [], [], max(0, seconds))[0]:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:
            return False
        self.shown += data.decode(errors='replace')
        return bool(data)

    def expect(self, pattern):
        """The next match of `pattern` in what is shown after the last one."""
        end = time.monotonic() + DEADLINE_S
        while True:
            match = re.compile(pattern).search(self.shown, self._seen)
            if match:
                self._seen = match.end()
                return match
            if not self._read(end - time.monotonic()):
                raise AssertionError(f'{pattern!r} is not in {self.shown[self._seen:]!r}, '
                                     f'after {self.shown[:self._seen]!r}')

    def end(self):
        """Its exit code, once it has ended; all that it showed is in `shown`."""
        deadline = time.monotonic() + DEADLINE_S
        while self._read(deadline - time.monotonic()):
            pass
        return self.process.wait(DEADLINE_S)

    def close(self):
        """For the test's cleaning up."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        os.close(self._master)
