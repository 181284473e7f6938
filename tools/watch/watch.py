"""Builds a program upon each change of its sources and has the running one go on as the new one.

    watch.py --build 'cmake --build build' build/hello -- --workers=1

A front listens where the program would (--http, or 127.0.0.1:8090); while the build is broken it
shows the compiler's errors instead of the program's pages. Ctrl-C ends all of it.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

from changes import Changes, WatchError
from front import Front, State
from program import Program, end_group, end_with_parent

ADDRESS = '127.0.0.1:8090'
# Of what a build says, the last of it is shown.
OUTPUT_BYTES_MAX = 64 << 10
BUILD_STOP_S = 10
_COLORS = re.compile(r'\x1b\[[0-9;?]*[A-Za-z]')


def say(text):
    print(f'watch: {text}', file=sys.stderr, flush=True)


def take_address(flags):
    """The address of --http (the last one counts), and the other flags."""
    address, kept, flags = ADDRESS, [], list(flags)
    while flags:
        flag = flags.pop(0)
        name, equals, value = flag.lstrip('-').partition('=')
        if name != 'http' or not flag.startswith('-'):
            kept.append(flag)
        elif equals or flags:
            address = value if equals else flags.pop(0)
        else:
            raise WatchError('--http needs a value')
    if not re.fullmatch(r'(\[[0-9a-fA-F:]+\]|[^:]+):\d{1,5}', address):
        raise WatchError(f'--http={address}: the front listens at HOST:PORT alone')
    return address, kept


class Watch:

    def __init__(self, options, flags):
        address, flags = take_address(flags)
        self._build = options.build
        self._name = os.path.basename(options.program)
        self._file = os.path.abspath(options.program)
        self._changes = Changes(options.sources or ['.'])
        self._state = State()
        self._state.show('The first build is under way', '')
        # Short: the path of a UNIX socket has at most 107 bytes.
        self._folder = tempfile.mkdtemp(prefix='grove-watch-', dir='/tmp')
        path = os.path.join(self._folder, 'http')
        self._program = Program([self._file, f'--http=unix:{path}', *flags], path)
        self._stopping = False
        self._wake, self._waker = os.pipe()
        os.set_blocking(self._waker, False)
        try:
            self._front = Front(address, path, self._state)
        except (OSError, OverflowError) as error:
            shutil.rmtree(self._folder)
            raise WatchError(f'cannot listen at {address}: {error}') from None

    def _on_signal(self, *_):
        self._stopping = True

    def _run_build(self):
        """(whether it succeeded, what it said)."""
        process = subprocess.Popen(
            ['/bin/bash', '-c', self._build], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=end_with_parent)
        said = bytearray()

        def read():
            while data := process.stdout.read1(1 << 16):
                sys.stderr.buffer.write(data)
                sys.stderr.flush()
                said.extend(data)
                del said[:-OUTPUT_BYTES_MAX]

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        while process.poll() is None and not self._stopping:
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                pass
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        # What it left in the background keeps its output open.
        end_group(process, BUILD_STOP_S)
        reader.join(1)
        return process.returncode == 0, _COLORS.sub('', bytes(said).decode('utf-8', 'replace'))

    def _turn(self):
        """One build, and what follows from it."""
        say(f'building: {self._build}')
        good, said = self._run_build()
        if self._stopping:
            return
        if not good:
            say('the build is broken; waiting for a change')
            self._state.show('The build is broken', said)
            return
        if not os.access(self._file, os.X_OK):
            self._fail(f'{self._name} is no program after the build: {self._file}', said)
            return
        why = self._program.bring(lambda: self._stopping)
        if self._stopping:
            return
        if why:
            self._fail(f'{self._name} {why}', self._program.lines())
            return
        self._state.show_program()
        say(f'{self._name} is up to date')

    def _fail(self, title, text):
        say(f'{title}; waiting for a change')
        self._state.show(title, text)

    def _await_change(self):
        was_running = self._program.running()
        while not self._stopping:
            if self._changes.await_readable([self._wake], 0.5) and self._changes.settle():
                return
            if was_running and not self._program.running():
                was_running = False
                self._fail(f'{self._name} {self._program.exit_text()}', self._program.lines())

    def run(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        signal.set_wakeup_fd(self._waker)
        threading.Thread(target=self._front.serve_forever, daemon=True).start()
        say(f'{self._front.url()} shows {self._name}, or why not; Ctrl-C ends it')
        try:
            while not self._stopping:
                self._turn()
                self._await_change()
        finally:
            self._front.shutdown()
            self._front.server_close()
            self._program.stop()
            shutil.rmtree(self._folder, ignore_errors=True)
        say('ended')


def main(arguments):
    flags = []
    if '--' in arguments:
        at = arguments.index('--')
        arguments, flags = arguments[:at], arguments[at + 1:]
    parser = argparse.ArgumentParser(
        prog='watch.py', usage='%(prog)s --build COMMAND [--sources FOLDER ...] PROGRAM '
        '[-- FLAG ...]', description=__doc__.splitlines()[0])
    parser.add_argument('--build', required=True, help='a line for bash that builds PROGRAM')
    parser.add_argument('--sources', action='append', help='a folder to watch (.); again for more')
    parser.add_argument('program', metavar='PROGRAM', help='the file that the build writes')
    options = parser.parse_args(arguments)
    try:
        Watch(options, flags).run()
    except WatchError as error:
        say(str(error))
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
