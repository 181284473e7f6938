"""The program that is watched: started, told to go on as the new one, and ended."""

import collections
import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

BOOT_S = 60
UPGRADE_S = 180
# Its own drain_timeout_ms is 30 s unless set.
STOP_S = 40
LINES_KEPT = 60
POLL_S = 0.02

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)
# Text or JSON.
_ENDED = re.compile(r'operation ended.*\bkind"?[=:] ?"?upgrade.*\boutcome"?[=:] ?"?(\w+)')


def end_with_parent():
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Program:
    """Of the main thread, since a child that ends with its parent ends with the thread."""

    def __init__(self, command, path):
        self._command = command
        self._path = path
        self._process = None
        self._lines = collections.deque(maxlen=LINES_KEPT)
        self._outcomes = []
        self._reader = None

    def running(self):
        return self._process is not None and self._process.poll() is None

    def exit_text(self):
        code = self._process.returncode
        if code < 0:
            return f'ended by {signal.Signals(-code).name}'
        return f'ended with exit code {code}'

    def lines(self):
        return ''.join(list(self._lines))

    def bring(self, stopped):
        """Starts it, or has it go on as what is on disk; None, or why not. `stopped()`: give up."""
        self._lines.clear()
        return self._upgrade(stopped) if self.running() else self._start(stopped)

    def _start(self, stopped):
        try:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                start_new_session=True, preexec_fn=end_with_parent)
        except OSError as error:
            return f'cannot be started: {error.strerror}'
        self._reader = threading.Thread(target=self._read, args=(self._process.stderr,),
                                        daemon=True)
        self._reader.start()
        return self._await('did not listen', BOOT_S, self._listens, stopped)

    def _upgrade(self, stopped):
        self._outcomes.clear()
        self._process.send_signal(signal.SIGUSR2)
        why = self._await('was not replaced', UPGRADE_S, lambda: self._outcomes, stopped)
        if why or stopped() or self._outcomes[0] == 'succeeded':
            return why
        return 'cannot go on as the new one; the old one still runs'

    def _await(self, what, seconds, probe, stopped):
        end = time.monotonic() + seconds
        while not probe():
            if stopped():
                return None
            if not self.running():
                self._reader.join(1)
                return self.exit_text()
            if time.monotonic() > end:
                return f'{what} within {seconds} s'
            time.sleep(POLL_S)
        return None

    def _listens(self):
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(self._path) == 0

    def _read(self, stream):
        for line in stream:
            text = line.decode('utf-8', 'replace')
            self._lines.append(text)
            sys.stderr.write(text)
            sys.stderr.flush()
            ended = _ENDED.search(text)
            if ended:
                self._outcomes.append(ended.group(1))

    def stop(self):
        """Ends it, and what it started."""
        if not self.running():
            return
        self._process.terminate()
        end_group(self._process, STOP_S)
        self._reader.join(1)


def end_group(process, seconds):
    """Waits for a process that leads its group; what is left of it after the time is killed."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        pass
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
