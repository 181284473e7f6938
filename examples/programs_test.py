"""The example programs that need no daemon do what their first lines say."""

import http.client
import http.server
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

# What a loaded machine may take for something that takes milliseconds.
DEADLINE_S = 60


def program(name):
    return os.path.abspath(f'examples/{name}')


def run(name, *arguments, stdin=''):
    """What a program that ends says: (exit code, stdout, stderr)."""
    done = subprocess.run([program(name), *arguments], input=stdin, capture_output=True, text=True,
                          timeout=DEADLINE_S, check=False)
    return done.returncode, done.stdout, done.stderr


class Pages(http.server.ThreadingHTTPServer):
    """Answers a page only when `together` of them have been asked for: one after the other would
    never end."""

    def __init__(self, together):
        super().__init__(('127.0.0.1', 0), PageHandler)
        self.barrier = threading.Barrier(together)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, page):
        return f'http://127.0.0.1:{self.server_address[1]}/{page}'


class PageHandler(http.server.BaseHTTPRequestHandler):

    def do_GET(self):
        self.server.barrier.wait(DEADLINE_S)
        body = b'x' * int(self.path[1:])
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if self.command == 'GET':
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *arguments):
        pass


class Started:
    """A program that runs on, and the address it says that it listens on."""

    def __init__(self, test, name, *arguments):
        self.process = subprocess.Popen([program(name), '127.0.0.1:0', *arguments],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        test.addCleanup(self.end)
        host, port = re.fullmatch(r'listening on ([\d.]+):(\d+)\n', self.line()).groups()
        self.address = (host, int(port))

    def line(self):
        return self.process.stdout.readline()

    def connect(self):
        return socket.create_connection(self.address, timeout=DEADLINE_S)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class FibersTest(unittest.TestCase):

    def test_greenlets_print_in_the_order_of_the_original(self):
        self.assertEqual(run('greenlets'), (0, '12\n56\n34\n', ''))

    def test_help_and_wrong_flags_are_answered(self):
        code, said, errors = run('greenlets', '--help')
        self.assertEqual((code, errors), (1, ''))
        self.assertIn('usage: greenlets [--FLAG=VALUE]... [ARGUMENT]...\n', said)
        code, said, errors = run('greenlets', '--halp')
        self.assertEqual((code, said), (1, ''))
        self.assertIn("'halp'", errors)

    def test_coroutines_return_to_who_resumed_them(self):
        back = 'back in the main program, after time %d\n'
        self.assertEqual(run('greenlets_with_parent'),
                         (0, 'one 1 of 2\n' + back % 1 + 'two 1 of 2\n' + back % 1
                          + 'one 2 of 2\n' + back % 2, ''))

    def test_a_green_thread_is_waited_for(self):
        counted = ''.join(f'count {number}\n' for number in range(1, 6))
        self.assertEqual(run('green_thread'), (0, counted + 'the counter has ended\n', ''))


class ClientsTest(unittest.TestCase):

    def pages(self, together):
        pages = Pages(together)
        self.addCleanup(pages.server_close)
        self.addCleanup(pages.shutdown)
        return pages

    def test_the_crawler_asks_at_once_and_tells_in_order(self):
        pages = self.pages(together=3)
        urls = [pages.url(size) for size in (30, 10, 20)]
        code, said, errors = run('crawler', *urls)
        self.assertEqual((code, errors), (0, ''))
        lines = said.splitlines()
        self.assertEqual(lines[:3], [f'opening {url}' for url in urls])
        self.assertEqual(sorted(line for line in lines if line.startswith('done')),
                         sorted(f'done with {url}' for url in urls))
        self.assertEqual([line for line in lines if line.startswith('got')],
                         [f'got body from {url} of length {size}'
                          for url, size in zip(urls, (30, 10, 20))])

    def test_the_crawler_ends_with_the_first_page_that_it_cannot_have(self):
        with socket.socket() as taken:  # bound, and nobody listens
            taken.bind(('127.0.0.1', 0))
            refused = f'http://127.0.0.1:{taken.getsockname()[1]}/'
            code, _, errors = run('crawler', refused, self.pages(together=2).url(1))
        self.assertEqual(code, 1)
        self.assertRegex(errors, r'\Acrawler: .+ \(UNAVAILABLE\)\n\Z')

    def test_a_blocking_library_asks_at_once_on_one_thread(self):
        pages = self.pages(together=2)
        urls = [pages.url(1), pages.url(2)]
        code, said, errors = run('greened_library', *urls)
        self.assertEqual((code, errors), (0, ''))
        lines = said.splitlines()
        self.assertEqual(lines[:2], [f'asking {url}' for url in urls])
        self.assertEqual(sorted(lines[2:]), [f'answered {url}' for url in urls])

    def test_the_database_pool_keeps_what_many_fibers_write(self):
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, 'visits.db')
            self.assertEqual(run('database_pool', file), (0, '100 visits of 100 guests\n', ''))
            self.assertEqual(run('database_pool', file), (0, '200 visits of 100 guests\n', ''))


class ServersTest(unittest.TestCase):

    def test_the_echo_server_and_the_console_client_talk(self):
        server = Started(self, 'echo_server')
        code, said, errors = run('console_client', '%s:%d' % server.address, stdin='one\ntwo\n')
        self.assertEqual((code, said, errors), (0, '> one\n> two\n> ', ''))
        self.assertRegex(server.line(), r'^client connected: 127\.0\.0\.1:\d+\n$')
        self.assertRegex(server.line(), r'^client disconnected: 127\.0\.0\.1:\d+\n$')

    def test_the_echo_server_serves_many_at_once_and_ends_when_told(self):
        server = Started(self, 'echo_server')
        with server.connect() as one, server.connect() as two:
            for client, text in ((two, b'second\n'), (one, b'first\n')):
                client.sendall(text)
                self.assertEqual(client.makefile('rb').readline(), text)
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(server.process.wait(DEADLINE_S), 128 + signal.SIGTERM)
            self.assertEqual(one.recv(1), b'')

    def test_an_address_that_is_taken_is_said_in_one_line(self):
        server = Started(self, 'echo_server')
        taken = '%s:%d' % server.address
        self.assertEqual(run('echo_server', taken)[::2],
                         (1, f'echo_server: bind {taken}: Address already in use '
                          '(FAILED_PRECONDITION)\n'))

    def test_the_console_client_says_that_nobody_listens(self):
        with socket.socket() as taken:
            taken.bind(('127.0.0.1', 0))
            code, _, errors = run('console_client', '127.0.0.1:%d' % taken.getsockname()[1])
        self.assertEqual(code, 1)
        self.assertRegex(errors, r'\Aconsole_client: .+ \(UNAVAILABLE\)\n\Z')

    def test_the_poll_server_echoes_and_sees_the_hang_up(self):
        server = Started(self, 'poll_server')
        with server.connect() as one, server.connect() as two:
            for client, text in ((two, b'second\n'), (one, b'first\n')):
                client.sendall(text)
                self.assertEqual(client.makefile('rb').readline(), text)
        self.assertEqual([server.line() for _ in range(4)], ['accepted\n'] * 2 + ['hang-up\n'] * 2)


class HttpServerTest(unittest.TestCase):

    def get(self, server, path):
        connection = http.client.HTTPConnection(*server.address, timeout=DEADLINE_S)
        self.addCleanup(connection.close)
        connection.request('GET', path)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def test_it_serves_with_an_access_log_and_ends_in_order_when_told(self):
        server = Started(self, 'http_server')
        self.assertEqual(self.get(server, '/'), (200, b'Hello, World!\n'))
        self.assertEqual(self.get(server, '/else')[0], 404)
        self.assertRegex(server.line(), r'^127\.0\.0\.1 - - \[.+\] "GET / HTTP/1\.1" 200 14 ')
        self.assertRegex(server.line(), r'"GET /else HTTP/1\.1" 404 ')
        # A connection that waits for its next request holds nobody up.
        with server.connect() as idle:
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(idle.recv(1), b'')
            self.assertEqual(server.process.wait(DEADLINE_S), 0)

    def test_its_backdoor_shows_the_fibers_to_its_user(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        Started(self, 'http_server', f'unix:{folder}/backdoor')
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(DEADLINE_S)
            client.connect(f'{folder}/backdoor')
            client.sendall(b"for _, f in ipairs(fibers()) do print(f.name) end\nquit()\n")
            said = client.makefile().read()
        self.assertRegex(said, r'\Agrove, pid \d+\. ')
        self.assertIn('\nhttp.accept\n', said)

    def test_a_backdoor_for_other_machines_is_refused(self):
        server = Started(self, 'http_server', '0.0.0.0:0')
        self.assertRegex(server.line(), r'^INVALID_ARGUMENT: the backdoor asks .+ 0\.0\.0\.0:')


class PreforkTest(unittest.TestCase):

    def answer(self, server):
        with server.connect() as client:
            return int(re.fullmatch(r'served by (\d+)\n', client.makefile().read()).group(1))

    def worker(self, server):
        return int(re.fullmatch(r'started worker (\d+)\n', server.line()).group(1))

    def test_workers_serve_are_replaced_and_end_with_their_parent(self):
        server = Started(self, 'prefork_socket')
        workers = {self.worker(server), self.worker(server)}
        for _ in range(2, max(2, os.cpu_count())):
            workers.add(self.worker(server))
        killed = self.answer(server)
        self.assertIn(killed, workers)
        os.kill(killed, signal.SIGKILL)
        workers.add(self.worker(server))
        self.assertIn(self.answer(server), workers - {killed})
        server.process.kill()
        server.process.wait()
        # The pipe ends when the last of them has.
        server.process.stdout.read()
        with self.assertRaises(ConnectionRefusedError):
            server.connect()

    def test_an_address_that_becomes_free_is_taken(self):
        first = Started(self, 'echo_server')
        address = '%s:%d' % first.address
        second = subprocess.Popen([program('prefork_socket'), address], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True)
        self.addCleanup(second.stdout.close)
        self.addCleanup(second.wait)
        self.addCleanup(second.kill)
        taken = f'bind {address}: Address already in use\n'
        self.assertEqual(second.stdout.readline(), taken)
        first.end()
        said = taken
        while said == taken:
            said = second.stdout.readline()
        self.assertEqual(said, f'listening on {address}\n')


if __name__ == '__main__':
    unittest.main()
