"""The access log of the real daemon: its file, its lines, its rotation."""

import json
import os
import shutil
import signal
import tempfile
import unittest

from grove_harness import OwnDaemonTest, curl, eventually

CONFIG = 'http: {access_log: {file: %s%s}}\n'


class AccessLogTest(OwnDaemonTest):

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='grove-access-', dir='/tmp')
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = os.path.join(self.folder, 'access.log')

    def start_logging(self, more='', **options):
        return self.start(config=CONFIG % (self.path, more), **options)

    def lines(self, suffix=''):
        try:
            with open(self.path + suffix, encoding='utf-8') as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def test_every_request_of_every_worker_has_a_line_before_the_end(self):
        daemon = self.start_logging()
        for number in range(20):
            daemon.get(f'/x{number}')
        with daemon.connect() as connection:
            connection.sendall(b'nonsense\r\n\r\n')
            connection.recv(4096)
        daemon.stop()
        lines = self.lines()
        self.assertEqual(len(lines), 21)
        for number in range(20):
            self.assertEqual(len([line for line in lines
                                  if f'"GET /x{number} HTTP/1.1" 404 11 ' in line]), 1)
        self.assertRegex('\n'.join(lines),
                         r'127\.0\.0\.1 - - \[[^]]+\] "nonsense" 400 \d+ 0\.\d{6}')

    def test_after_a_rename_and_usr1_lines_go_to_a_new_file(self):
        daemon = self.start_logging(', json: true')
        daemon.get('/before')
        eventually('the line is there', self.lines)
        os.rename(self.path, self.path + '.1')
        pids = daemon.processes()
        daemon.process.send_signal(signal.SIGUSR1)
        eventually('there is a new file', lambda: os.path.exists(self.path))
        daemon.get('/after')
        eventually('the line is there', self.lines)
        self.assertEqual(daemon.processes(), pids, 'nobody was replaced')
        daemon.stop()
        self.assertEqual([json.loads(line)['path'] for line in self.lines('.1')], ['/before'])
        self.assertEqual([json.loads(line)['path'] for line in self.lines()], ['/after'])

    def test_a_rename_alone_is_noticed(self):
        daemon = self.start_logging(workers=1)
        daemon.get('/before')
        eventually('the line is there', self.lines)
        os.rename(self.path, self.path + '.1')
        daemon.get('/after')
        eventually('the line is there', self.lines)
        daemon.stop()
        self.assertEqual((len(self.lines('.1')), len(self.lines())), (1, 1))

    def test_a_pipe_that_nobody_reads_holds_no_request(self):
        os.mkfifo(self.path)
        reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        daemon = self.start_logging(', queue_max_bytes: 4096', workers=1)
        url = daemon.url('/')
        for _ in range(10):
            curl(*[url] * 200)
        eventually('lines are dropped',
                   lambda: daemon.metrics_sum('grove_http_access_log_dropped_total'))
        daemon.stop()

    def test_of_an_answer_that_its_client_cut_it_has_what_was_sent(self):
        with open(os.path.join(self.folder, 'large'), 'wb') as file:
            file.truncate(500 << 20)
        routes = (f'{{routes: [{{path: /large, function: file, folder: {self.folder}}}, '
                  '{path: /stream, function: stream}], access_log: ')
        daemon = self.start(config=f'http: {routes}{{json: true, file: {self.path}}}}}\n')
        paths = ('/large', '/stream?chunks=100&bytes=1000000')
        for path in paths:
            with daemon.connect() as connection:
                connection.sendall(f'GET {path} HTTP/1.1\r\nHost: a\r\n\r\n'.encode())
                self.assertIn(b' 200 ', connection.recv(4096))
        eventually('both have ended', lambda: len(self.lines()) == len(paths))
        for line in map(json.loads, self.lines()):
            with self.subTest(line['path']):
                self.assertFalse(line['complete'])
                self.assertLess(line['response_bytes'], 16_000_000)
                self.assertGreater(line['response_bytes'], line['body_length'])
        sent = daemon.metrics_sum('grove_http_sent_bytes_total')
        self.assertEqual(sum(json.loads(line)['response_bytes'] for line in self.lines()), sent)
        daemon.stop()

    def test_a_format_with_an_unknown_key_is_refused_with_the_nearest(self):
        daemon = self.launch(config=CONFIG % (self.path, ', format: "%(wall_second)s"'))
        self.assertEqual(daemon.process.wait(), 2)
        self.assertIn('http.access_log.format: at byte 1: no key \'wall_second\'; '
                      'did you mean \'wall_seconds\'?',
                      daemon.log())

    def test_a_folder_that_is_not_there_is_refused(self):
        daemon = self.launch(config='http: {access_log: {file: none/access.log}}\n')
        self.assertEqual(daemon.process.wait(), 2)
        self.assertIn('http.access_log.file: ', daemon.log())


if __name__ == '__main__':
    unittest.main()
