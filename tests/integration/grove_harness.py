"""A real daemon for a test: its processes, ports, folders and logs.

Every wait polls with a deadline. Processes are ended by their ids, and only those of the daemon's
own session: what a test leaves behind is a failure of that test.
"""

import ctypes
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from grove_api import Api

# What a loaded machine may take for something that takes milliseconds.
DEADLINE_S = 30.0
POLL_S = 0.01

HELLO_AND_SLEEP = '''http:
  routes:
    - path: /hello
      function: hello
    - path: /sleep
      function: sleep
'''

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def program(path):
    """The file of a Bazel target among the test's data."""
    found = os.path.abspath(path)
    if not os.path.exists(found):
        raise AssertionError(f'{path} is not among the test\'s data')
    return found


GROVED = 'server/groved'
CONTROL = 'server/grove-control'
GROVECTL = 'client/grovectl'


def eventually(what, probe, deadline_s=DEADLINE_S):
    """The first true value of probe()."""
    end = time.monotonic() + deadline_s
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f'not within {deadline_s} s: {what}')
        time.sleep(POLL_S)


def die_with_parent():
    """In a child, before exec: it ends if the test itself is killed."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def processes_of_session(session):
    """{pid: name} of the live processes in a session, zombies left out."""
    found = {}
    for entry in os.listdir('/proc'):
        if not entry.isdigit():
            continue
        try:
            with open(f'/proc/{entry}/stat', encoding='utf-8', errors='replace') as file:
                stat = file.read()
        except OSError:
            continue
        name = stat[stat.index('(') + 1:stat.rindex(')')]
        fields = stat[stat.rindex(')') + 2:].split()
        if int(fields[3]) == session and fields[0] not in 'ZX':
            found[int(entry)] = name
    return found


def free_port():
    """A port that was free a moment ago, for programs that cannot say which one they took."""
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        return taken.getsockname()[1]


class Daemon:
    """groved (or another application) with its workers and grove-control."""

    def __init__(self, flags=(), config=None, workers=2, binary=GROVED, folder=None, env=None):
        # Short: the path of a UNIX socket has at most 107 bytes.
        self.folder = folder or tempfile.mkdtemp(prefix='grove-', dir='/tmp')
        self.state_dir = os.path.join(self.folder, 'state')
        self.run_dir = os.path.join(self.folder, 'run')
        self.log_path = os.path.join(self.folder, 'log')
        self.binary = binary
        self.workers = workers
        self.flags = list(flags)
        self.config = config
        # Beside what this process has.
        self.env = env or {}
        self.process = None
        self.token = None
        self.ca_cert = None
        self._log_start = 0
        self._apis = []

    # Life

    def command(self):
        flags = {'http': '127.0.0.1:0', 'control': '127.0.0.1:0', 'admin': '127.0.0.1:0',
                 'workers': str(self.workers), 'state_dir': self.state_dir,
                 'run_dir': self.run_dir, 'control_binary': program(CONTROL)}
        if self.config is not None:
            flags['config'] = os.path.join(self.folder, 'config.yaml')
            with open(flags['config'], 'w', encoding='utf-8') as file:
                file.write(self.config)
        for flag in self.flags:
            name, _, value = flag.removeprefix('--').partition('=')
            flags[name] = value
        return [program(self.binary)] + [
            f'--{name}={value}' if value else f'--{name}' for name, value in flags.items()]

    def launch(self):
        """Starts it, and waits for nothing."""
        with open(self.log_path, 'ab') as log:
            self._log_start = log.tell()
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd='/',
                env=os.environ | self.env, start_new_session=True, preexec_fn=die_with_parent)
        return self

    def start(self):
        """Starts it, and waits until it serves."""
        self.launch()
        try:
            self.serving = eventually('the daemon serves', self._serving_line)
        except AssertionError as error:
            self.kill()
            raise AssertionError(f'{error}\n{self.evidence()}') from None
        self.http_address = self.serving['http']
        return self

    def _serving_line(self):
        if self.process.poll() is not None:
            raise AssertionError(f'the daemon ended with {self.process.returncode}')
        match = re.search(r' "serving" http=(\S+) control=(\S+) admin=(\S+) ', self.log())
        return match and dict(zip(('http', 'control', 'admin'), match.groups()))

    def stop(self, exit_code=0):
        """Ends it as an operator does, and sees that nothing is left."""
        self.terminate()
        self.ended(exit_code)

    def terminate(self):
        """Asks it to end, and waits for nothing."""
        self.process.send_signal(signal.SIGTERM)

    def ended(self, exit_code=0):
        """Waits for the end that it was asked for, and sees that nothing is left."""
        problem = None
        try:
            code = self.process.wait(DEADLINE_S)
            if code != exit_code:
                problem = f'exit code {code} instead of {exit_code}'
        except subprocess.TimeoutExpired:
            problem = f'still runs {DEADLINE_S} s after SIGTERM'
        left = self.processes()
        if left:
            problem = f'{problem or "ended"}, but left behind: {left}'
        evidence = self.evidence()
        self._close_apis()
        if problem:
            raise AssertionError(f'the daemon: {problem}\n{evidence}')

    def kill(self):
        """Ends all that is left of it, and removes its folder. For the test's own cleaning up."""
        self._close_apis()
        if self.process is not None:
            for pid in self.processes():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def kill_all(self):
        """SIGKILL to all of it at once, as a power cut does; back when nothing is left of it."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        eventually('nothing is left', lambda: not self.processes())

    def processes(self):
        """{pid: name} of all its processes, the supervisor included."""
        return processes_of_session(self.process.pid)

    def pid_of(self, name):
        """The process that calls itself so: "grove-w0", "grove-control"; None if there is none."""
        pids = [pid for pid, each in self.processes().items() if each == name]
        return pids[0] if pids else None

    # What it says

    def log(self):
        """What it logged since its last start."""
        with open(self.log_path, encoding='utf-8', errors='replace') as file:
            file.seek(self._log_start)
            return file.read()

    def audit(self):
        """The lines of its audit log, as dicts."""
        with open(os.path.join(self.state_dir, 'audit.log'), encoding='utf-8') as file:
            return [json.loads(line) for line in file]

    def evidence(self):
        if not os.path.exists(self.log_path):
            return '--- no log'
        lines = self.log().splitlines()
        return '\n'.join([f'--- the daemon\'s log, its last {min(len(lines), 60)} lines of '
                          f'{len(lines)}'] + lines[-60:] + ['---'])

    # Its ports

    def address(self, name):
        """"grpc" or "admin": control writes anew where it listens when it is started again."""
        with open(os.path.join(self.run_dir, 'control.addresses'), encoding='utf-8') as file:
            return dict(line.split() for line in file)[name]

    def url(self, path='/'):
        return f'http://{self.http_address}{path}'

    def admin_url(self, path):
        return f'http://{self.address("admin")}{path}'

    def api(self, token=None):
        """A gRPC client. Closed with the daemon."""
        api = Api(self.address('grpc'), token=token or self.token, ca_cert=self.ca_cert)
        self._apis.append(api)
        return api

    def _close_apis(self):
        while self._apis:
            self._apis.pop().close()

    def grovectl(self, *arguments, stdin='', timeout=60):
        """Runs grovectl; its exit code, stdout and stderr."""
        command = [program(GROVECTL), f'--address={self.address("grpc")}']
        return subprocess.run(command + list(arguments), input=stdin, capture_output=True,
                              text=True, timeout=timeout, check=False)

    def grovectl_json(self, *arguments):
        done = self.grovectl(*arguments, '-o', 'json')
        if done.returncode != 0:
            raise AssertionError(f'grovectl {arguments}: {done.returncode}: {done.stderr}')
        return json.loads(done.stdout)

    def connect(self):
        """A raw connection to the HTTP port."""
        host, _, port = self.http_address.rpartition(':')
        return socket.create_connection((host, int(port)), timeout=DEADLINE_S)

    def get(self, path='/'):
        """(status, body) of one request on a connection of its own."""
        return http_get(self.http_address, path)

    def admin(self, path):
        """(status, body) of the admin port."""
        return http_get(self.address('admin'), path)

    def metrics(self):
        """{'name{labels}': value} of /metrics."""
        status, text = self.admin('/metrics')
        assert status == 200, text
        return {name: float(value) for name, value in
                (line.rsplit(' ', 1) for line in text.splitlines() if not line.startswith('#'))}

    def metrics_sum(self, family):
        """Over all labels of a family."""
        return sum(value for name, value in self.metrics().items()
                   if name.partition('{')[0] == family)


def http_get(address, path):
    connection = http.client.HTTPConnection(address, timeout=DEADLINE_S)
    try:
        connection.request('GET', path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def curl(*arguments, stdin=None):
    """curl's stdout; it must succeed."""
    done = subprocess.run(
        ['/usr/bin/curl', '--silent', '--show-error', '--noproxy', '*', '--max-time', '60',
         *arguments], input=stdin, capture_output=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f'curl {arguments}: {done.returncode}: {done.stderr.decode()}')
    return done.stdout


def write_certificate(folder):
    """A key and a certificate for localhost, signed by nobody else."""
    key, certificate = (os.path.join(folder, name) for name in ('key.pem', 'cert.pem'))
    subprocess.run(
        ['/usr/bin/openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
         'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', certificate, '-days',
         '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
        check=True, capture_output=True)
    os.chmod(key, 0o400)
    return key, certificate


class Background:
    """Threads that go on until the block ends, each of whose calls looks at `stop`."""

    def __init__(self, *calls):
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=call) for call in calls]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *unused):
        self.stop.set()
        for thread in self.threads:
            thread.join(DEADLINE_S)


class GroveTest(unittest.TestCase):
    """Tests that share a daemon. Its end is part of the test: exit code 0, no process left."""

    flags = ()
    config = None
    workers = 2
    daemon = None

    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon(flags=cls.flags, config=cls.config, workers=cls.workers).start()
        cls.addClassCleanup(cls.daemon.kill)

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()

    def evidence(self):
        return self.daemon.evidence() if self.daemon else ''


class OwnDaemonTest(unittest.TestCase):
    """Tests that start a daemon each, since they end it."""

    daemon = None

    def start(self, **options):
        self.daemon = Daemon(**options)
        self.addCleanup(self.daemon.kill)
        return self.daemon.start()

    def launch(self, **options):
        self.daemon = Daemon(**options)
        self.addCleanup(self.daemon.kill)
        return self.daemon.launch()

    def evidence(self):
        return self.daemon.evidence() if self.daemon else ''


class KilledTest(OwnDaemonTest):
    """What outlasts the deaths of processes; `api` is a client of the control that serves."""

    api = None

    def again(self):
        """All of it is killed at once, and is back."""
        self.daemon.kill_all()
        self.daemon.start()
        self.api = self.daemon.api()

    def kill_control(self):
        before = self.daemon.pid_of('grove-control')
        os.kill(before, signal.SIGKILL)
        eventually('another control', lambda: self.daemon.pid_of('grove-control') not in
                   (None, before))
        eventually('it serves', self.is_ready)
        self.api = self.daemon.api()

    def is_ready(self):
        try:
            return self.daemon.admin('/readyz')[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def ctl(self, *arguments):
        done = self.daemon.grovectl(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout


class OperationsTest(OwnDaemonTest):
    """What the daemon does with itself, as its log tells it."""

    def tell(self, number):
        self.daemon.process.send_signal(number)

    def ended(self, kind, outcome='succeeded', times=1):
        """Waits until so many of a kind have ended so; the last one's line."""
        line = re.compile(rf'"operation ended" operation=\d+ kind={kind} requested_by=.* '
                          rf'outcome={outcome} .*')
        eventually(f'{times} of {kind} {outcome}',
                   lambda: len(line.findall(self.daemon.log())) >= times)
        return line.findall(self.daemon.log())[-1]

    def refused(self, kind):
        line = re.compile(rf'"operation refused" kind={kind} .*')
        eventually(f'{kind} is refused', lambda: line.search(self.daemon.log()))
        return line.search(self.daemon.log()).group()
