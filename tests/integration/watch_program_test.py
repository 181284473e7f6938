"""tools/watch with a real compiler and a real daemon, whose config the compiled program writes."""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

from browser import Browser
from grove_harness import (CONTROL, DEADLINE_S, GROVED, die_with_parent, eventually,
                           processes_of_session, program)

SOURCE = '''#include <cstdio>
int main() {
  std::puts("http: {routes: [{path: /%s, function: hello}, {path: /slow, function: sleep}]}");
}
'''
BROKEN = 'int main() { return "<nothing>"; }\n'
BUILD = '''
g++ -o {folder}/build/config main.cc && {folder}/build/config > {folder}/build/config.yaml &&
cp {groved} {folder}/build/new && mv {folder}/build/new {folder}/build/groved'''


class WatchProgramTest(unittest.TestCase):

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='grove-watched-', dir='/tmp')
        self.addCleanup(shutil.rmtree, self.folder)
        os.mkdir(f'{self.folder}/build')
        self.write(SOURCE % 'one')
        self.log_path = f'{self.folder}/build/log'
        command = ['/usr/bin/python3', '-B', program('tools/watch/watch.py'), '--build',
                   BUILD.format(folder=self.folder, groved=program(GROVED)), 'build/groved', '--',
                   '--http=127.0.0.1:0', '--control=127.0.0.1:0', '--admin=127.0.0.1:0',
                   '--workers=1', f'--control_binary={program(CONTROL)}',
                   f'--config={self.folder}/build/config.yaml',
                   f'--state_dir={self.folder}/build/state', f'--run_dir={self.folder}/build/run']
        with open(self.log_path, 'wb') as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                start_new_session=True, preexec_fn=die_with_parent)
        self.addCleanup(self.end)
        self.address = eventually('the front listens', lambda: re.search(
            r'http://(127\.0\.0\.1:\d+) shows', self.log())).group(1)

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(2 * DEADLINE_S)

    def log(self):
        with open(self.log_path, encoding='utf-8', errors='replace') as file:
            return file.read()

    def write(self, text):
        with open(f'{self.folder}/main.cc', 'w', encoding='utf-8') as file:
            file.write(text)

    def get(self, path, accept='text/plain'):
        connection = http.client.HTTPConnection(self.address, timeout=DEADLINE_S)
        try:
            connection.request('GET', path, headers={'Accept': accept})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def await_status(self, path, status):
        try:
            return eventually(f'{path} is answered with {status}', lambda: next(
                (body for got, body in [self.get(path)] if got == status), None), 2 * DEADLINE_S)
        except AssertionError as error:
            raise AssertionError(f'{error}\n{self.log()}') from None

    def test_good_broken_and_good_again(self):
        self.await_status('/one', 200)
        daemon = self.daemon()
        self.write(BROKEN)
        eventually('the compiler has spoken', lambda: 'The build is broken' in self.get('/one')[1])
        status, text = self.get('/one')
        self.assertEqual(status, 503)
        self.assertRegex(text, r'main\.cc:1:\d+: error: invalid conversion')
        self.assertIn('error: invalid conversion',
                      json.loads(self.get('/', 'application/json')[1])['output'])
        page = self.get('/one', 'text/html')[1]
        self.assertIn('&lt;nothing&gt;', page)
        self.assertNotIn('<nothing>', page)
        self.write(SOURCE % 'three')
        self.await_status('/three', 200)
        self.assertEqual(self.get('/one')[0], 404)
        self.assertEqual(self.daemon(), daemon, 'it was started anew instead of replaced')

    def test_a_request_goes_on_while_the_program_is_replaced(self):
        self.await_status('/one', 200)
        slow = http.client.HTTPConnection(self.address, timeout=DEADLINE_S)
        self.addCleanup(slow.close)
        slow.request('GET', '/slow?seconds=3')
        self.write(SOURCE % 'two')
        self.await_status('/two', 200)
        self.assertEqual(slow.getresponse().status, 200)

    def test_a_program_that_does_not_start_is_said_and_mended(self):
        self.await_status('/one', 200)
        self.write(SOURCE.replace('function: sleep', 'function: slumber') % 'bad')
        eventually('the upgrade is refused', lambda: 'cannot go on' in self.get('/one')[1])
        self.assertIn('slumber', self.get('/one')[1])
        self.write(SOURCE % 'three')
        self.await_status('/three', 200)

    def test_ctrl_c_ends_all_of_it(self):
        self.await_status('/one', 200)
        daemon = self.daemon()
        self.process.send_signal(signal.SIGINT)
        self.assertEqual(self.process.wait(2 * DEADLINE_S), 0, self.log())
        self.assertEqual(processes_of_session(daemon), {})
        self.assertEqual(processes_of_session(self.process.pid), {})

    def test_a_browser_sees_the_error_go_by_itself(self):
        self.await_status('/one', 200)
        with Browser() as browser:
            self.write(BROKEN)
            eventually('it is broken', lambda: 'The build is broken' in self.get('/one')[1])
            browser.open(f'http://{self.address}/one')
            self.assertEqual(browser.title(), 'The build is broken')
            self.write(SOURCE % 'one')
            eventually('the page is the program\'s', lambda: browser.title() != 'The build is '
                       'broken', 2 * DEADLINE_S)

    def daemon(self):
        """The supervisor's id, which leads its session."""
        with open(f'/proc/{self.process.pid}/task/{self.process.pid}/children',
                  encoding='ascii') as file:
            children = file.read().split()
        self.assertEqual(len(children), 1, self.log())
        return int(children[0])


if __name__ == '__main__':
    unittest.main()
