"""Chromium without a screen, driven by ChromeDriver over WebDriver (plain HTTP and JSON)."""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile

from grove_harness import die_with_parent, eventually, processes_of_session

# For one command: what a loaded machine may take to start a browser.
COMMAND_S = 60
FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-quic',
         '--no-first-run', '--no-proxy-server', '--disable-background-networking',
         '--disable-component-update', '--disable-sync', '--ignore-certificate-errors']
# window[arguments[0]](...arguments[1]), which may be a promise.
CALL = '''
const done = arguments[arguments.length - 1];
Promise.resolve().then(() => eval(arguments[0])(...arguments[1]))
  .then(value => done({value}), error => done({error: `${error}`}));
'''


class Browser:
    """A Chromium with a profile of its own, which ends with it. A context."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix='grove-chromium-', dir='/tmp')
        self.log_path = os.path.join(self.folder, 'log')
        environment = {'PATH': '/usr/bin:/bin', 'HOME': self.folder, 'TMPDIR': self.folder,
                       'LANG': 'C.UTF-8'}
        with open(self.log_path, 'wb') as log:
            self.process = subprocess.Popen(
                ['/usr/bin/chromedriver', '--port=0'], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, cwd=self.folder, env=environment, start_new_session=True,
                preexec_fn=die_with_parent)
        self.session = None

    def __enter__(self):
        try:
            port = eventually('ChromeDriver listens', self._port)
            self.connection = http.client.HTTPConnection('127.0.0.1', port, timeout=COMMAND_S)
            options = {'binary': '/usr/bin/chromium',
                       'args': FLAGS + [f'--user-data-dir={os.path.join(self.folder, "profile")}']}
            self.session = self._command('POST', '/session', {'capabilities': {'alwaysMatch': {
                'goog:chromeOptions': options, 'goog:loggingPrefs': {'browser': 'ALL'},
                'timeouts': {'script': 1000 * COMMAND_S}}}})['sessionId']
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def _port(self):
        if self.process.poll() is not None:
            raise AssertionError(f'ChromeDriver ended with {self.process.returncode}: {self.log()}')
        match = re.search(r'started successfully on port (\d+)', self.log())
        return match and int(match.group(1))

    def log(self):
        with open(self.log_path, encoding='utf-8', errors='replace') as file:
            return file.read()

    def _command(self, method, path, body=None):
        self.connection.request(method, path, json.dumps(body) if body is not None else None,
                                {'Content-Type': 'application/json'})
        response = self.connection.getresponse()
        value = json.loads(response.read())['value']
        if response.status != 200:
            raise AssertionError(f'{method} {path}: {value["error"]}: {value["message"][:1000]}')
        return value

    def _in_session(self, method, path, body=None):
        return self._command(method, f'/session/{self.session}{path}', body)

    def open(self, url):
        """Loads a page, and all that it names."""
        self._in_session('POST', '/url', {'url': url})

    def title(self):
        return self._in_session('GET', '/title')

    def call(self, function, *arguments):
        """What one of the page's functions gives, once its promise is kept."""
        result = self._in_session('POST', '/execute/async',
                                  {'script': CALL, 'args': [function, list(arguments)]})
        if 'error' in result:
            raise AssertionError(f'{function}{arguments}: {result["error"]}')
        return result.get('value')

    def console(self):
        """[(level, message)] since it was last asked."""
        return [(entry['level'], entry['message'])
                for entry in self._in_session('POST', '/se/log', {'type': 'browser'})]

    def close(self):
        """Ends the browser, by force if need be, and removes its folder."""
        try:
            if self.session:
                self._in_session('DELETE', '')
            self.process.terminate()
            # A browser that was asked to end takes a moment more.
            eventually('the browser ended', lambda: not self._processes())
        finally:
            for pid in self._processes():
                os.kill(pid, signal.SIGKILL)
            self.process.wait()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _processes(self):
        """Those that still run, the browser's included."""
        self.process.poll()
        return processes_of_session(self.process.pid)
