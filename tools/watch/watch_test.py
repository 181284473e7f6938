"""The parts of watch.py without a daemon: changes, the front's answers, and what it refuses."""

import ctypes
import errno
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import changes  # noqa: E402
import front  # noqa: E402
import watch  # noqa: E402

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'watch.py')
BROWSER = b'GET / HTTP/1.1\r\nHost: a\r\nAccept: text/html,*/*'
DEADLINE_S = 30


class FullLibc:
    """A libc whose kernel has no more watches, or instances."""

    def __init__(self, instance_error=0, watch_error=0):
        self._instance_error = instance_error
        self._watch_error = watch_error

    def inotify_init1(self, _):
        ctypes.set_errno(self._instance_error)
        return -1 if self._instance_error else os.open('/dev/null', os.O_RDONLY)

    def inotify_add_watch(self, *_):
        ctypes.set_errno(self._watch_error)
        return -1


class ChangesTest(unittest.TestCase):

    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix='grove-changes-'))
        self.addCleanup(shutil.rmtree, self.root)
        (self.root / 'a').mkdir()
        (self.root / 'build').mkdir()
        self.changes = changes.Changes([self.root])
        self.addCleanup(self.changes.close)

    def changed(self):
        # What is written is with the kernel's queue already: nothing is waited for.
        return self.changes.settle()

    def test_a_file_that_is_written_made_moved_or_removed(self):
        file = self.root / 'a' / 'x.cc'
        file.write_text('1')
        self.assertTrue(self.changed())
        self.assertFalse(self.changed())
        file.rename(self.root / 'y.cc')
        self.assertTrue(self.changed())
        (self.root / 'y.cc').unlink()
        self.assertTrue(self.changed())

    def test_a_folder_that_is_made_later_is_watched_too(self):
        (self.root / 'b' / 'c').mkdir(parents=True)
        self.assertTrue(self.changed())
        (self.root / 'b' / 'c' / 'x.h').write_text('1')
        self.assertTrue(self.changed())

    def test_what_builds_and_editors_write_is_no_change(self):
        (self.root / 'build' / 'x.o').write_text('1')
        (self.root / '.x.cc.swp').write_text('1')
        (self.root / 'x.cc~').write_text('1')
        (self.root / 'bazel-bin').symlink_to('/tmp')
        (self.root / '.git').mkdir()
        self.assertFalse(self.changed())

    def test_no_watches_left_is_told_with_the_remedy(self):
        with self.assertRaisesRegex(changes.WatchError, 'have run out at .*max_user_watches'):
            changes.Changes([self.root], FullLibc(watch_error=errno.ENOSPC))
        with self.assertRaisesRegex(changes.WatchError, 'max_user_instances by sysctl'):
            changes.Changes([self.root], FullLibc(instance_error=errno.EMFILE))


class AnswersTest(unittest.TestCase):

    SHOWN = ('The build is broken', 'x.cc:1: error: no <b> & "c"')

    def body(self, head):
        return front.failure(self.SHOWN, 7, head).partition(b'\r\n\r\n')[2].decode()

    def test_a_browser_gets_an_escaped_page_that_reloads_itself(self):
        page = self.body(BROWSER)
        self.assertIn('x.cc:1: error: no &lt;b&gt; &amp; &quot;c&quot;', page)
        self.assertNotIn('<b>', page)
        self.assertIn('const shown = 7;', page)
        self.assertIn(front.STATE_PATH, page)

    def test_others_get_json_or_text(self):
        said = self.body(b'GET / HTTP/1.1\r\nAccept: application/json')
        self.assertEqual(json.loads(said), {'error': self.SHOWN[0], 'output': self.SHOWN[1]})
        self.assertEqual(self.body(b'GET / HTTP/1.1\r\nHost: a'), '\n\n'.join(self.SHOWN) + '\n')

    def test_the_answer_is_503_and_a_head_has_no_body(self):
        self.assertTrue(front.failure(self.SHOWN, 1, BROWSER).startswith(b'HTTP/1.1 503 '))
        self.assertEqual(self.body(BROWSER.replace(b'GET', b'HEAD')), '')

    def test_each_connection_has_one_request_unless_it_becomes_another_protocol(self):
        self.assertEqual(
            front.one_request(b'GET / HTTP/1.1\r\nConnection: keep-alive\r\nHost: a'),
            b'GET / HTTP/1.1\r\nHost: a\r\nConnection: close')
        upgrade = b'GET / HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket'
        self.assertEqual(front.one_request(upgrade), upgrade)


class FrontTest(unittest.TestCase):

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='grove-front-', dir='/tmp')
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = os.path.join(self.folder, 'http')
        self.state = front.State()
        self.front = front.Front('127.0.0.1:0', self.path, self.state)
        self.addCleanup(self.front.server_close)
        threading.Thread(target=self.front.serve_forever, daemon=True).start()
        self.addCleanup(self.front.shutdown)

    def ask(self, data):
        with socket.create_connection(self.front.server_address, DEADLINE_S) as client:
            client.sendall(data)
            said = b''
            while more := client.recv(1 << 16):
                said += more
            return said

    def test_a_request_reaches_the_program_with_what_follows_its_head(self):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.path)
            listener.listen()
            listener.settimeout(DEADLINE_S)
            got = []

            def serve():
                end, _ = listener.accept()
                with end:
                    while not got or not got[0].endswith(b'body'):
                        got[:] = [b''.join(got) + end.recv(1 << 16)]
                    end.sendall(b'HTTP/1.1 200 OK\r\n\r\nright')

            server = threading.Thread(target=serve)
            server.start()
            said = self.ask(b'POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody')
            server.join()
        self.assertTrue(said.endswith(b'right'))
        self.assertEqual(got[0], b'POST / HTTP/1.1\r\nContent-Length: 4\r\n'
                                 b'Connection: close\r\n\r\nbody')

    def test_a_program_that_is_not_there_is_said(self):
        self.assertIn(b'The program takes no connections', self.ask(BROWSER + b'\r\n\r\n'))

    def test_the_state_can_always_be_asked(self):
        self.state.show('broken', 'x')
        said = self.ask(f'GET {front.STATE_PATH} HTTP/1.1\r\n\r\n'.encode())
        self.assertEqual(json.loads(said.partition(b'\r\n\r\n')[2]),
                         {'broken': True, 'generation': 1})

    def test_a_head_without_end_is_refused(self):
        self.assertTrue(self.ask(b'GET / HTTP/1.1\r\nx: ' + b'a' * (80 << 10))
                        .startswith(b'HTTP/1.1 431 '))


class ArgumentsTest(unittest.TestCase):

    def refusal(self, *arguments):
        done = subprocess.run([sys.executable, '-B', SCRIPT, *arguments], text=True,
                              capture_output=True, timeout=DEADLINE_S, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        return done.stderr

    def test_the_front_takes_the_address_of_the_program(self):
        self.assertEqual(watch.take_address(['--workers=1', '--http=a:1', '-http', '[::1]:2', 'x']),
                         ('[::1]:2', ['--workers=1', 'x']))
        self.assertEqual(watch.take_address(['--https=1']), (watch.ADDRESS, ['--https=1']))

    def test_what_cannot_be_is_one_line(self):
        self.assertEqual(self.refusal('--build', ':', '--sources', '/nowhere', 'x'),
                         'watch: there is no folder /nowhere to watch\n')
        self.assertEqual(self.refusal('--build', ':', '--sources', '/tmp', 'x', '--', '--http=u'),
                         'watch: --http=u: the front listens at HOST:PORT alone\n')


if __name__ == '__main__':
    unittest.main()
