"""nginx as a proxy in front: what it makes of our connections, and we of its."""

import asyncio
import base64
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

import websockets

from grove_harness import DEADLINE_S, GroveTest, curl, die_with_parent, eventually, free_port

# Of the file itself: a link among the test's data may lead out of the folder, which is not served.
EXAMPLES = os.path.dirname(os.path.realpath(os.path.join(
    os.path.dirname(os.path.abspath(__file__)), '../../deploy/examples/fixture.yaml')))
STREAM_MODULE = '/usr/lib/nginx/modules/ngx_stream_module.so'

GROVE = '''
http:
  body_max_bytes: 50000000
  middleware:
  - real_client: {{trusted: [127.0.0.0/8, "unix:"]}}
  access_log: {{file: {folder}/access.log, format: "%(client_ip)s %(path)s"}}
  listeners:
  - {{address: "127.0.0.1:0", proxy_protocol: {{trusted: [127.0.0.1/32]}}}}
  routes:
  - {{path: /hello, function: hello}}
  - {{path: /reflect, function: reflect}}
  - {{path: /echo, function: echo}}
  - {{path: /ignore, function: ignore}}
  - {{path: /stream, function: stream}}
  - {{path: /status, function: status}}
  - {{path: /fail, function: fail}}
  - {{path: "/files/{{path...}}", function: file, folder: {examples}/files}}
  - {{path: /ws, function: websocket.echo}}
'''

# One process, none of it root's more than the test is. Its sockets lie in the folder; the one on
# TCP is there since a PROXY header names no client that comes over a UNIX socket.
NGINX = '''
load_module {module};
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{}}
stream {{
  server {{
    listen unix:{folder}/stream.sock;
    listen 127.0.0.1:{port};
    proxy_pass {proxied};
    proxy_protocol on;
  }}
}}
http {{
  access_log off;
  client_max_body_size 0;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream grove {{ server {plain}; keepalive 4; }}
  map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
  server {{
    listen unix:{folder}/http.sock;
    location / {{
      proxy_pass http://grove;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header Upgrade $http_upgrade;
      proxy_request_buffering off;
      proxy_buffering off;
    }}
    location /buffered/ {{
      proxy_pass http://grove/;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }}
    location /old/ {{
      proxy_pass http://grove/;
    }}
  }}
}}
'''


class NginxTest(GroveTest):

    workers = 1

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix='grove-nginx-', dir='/tmp')
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.config = GROVE.format(folder=cls.folder, examples=EXAMPLES)
        super().setUpClass()
        plain, proxied = cls.daemon.http_address.split(',')
        cls.port = free_port()
        config = os.path.join(cls.folder, 'nginx.conf')
        with open(config, 'w', encoding='utf-8') as file:
            file.write(NGINX.format(module=STREAM_MODULE, folder=cls.folder, port=cls.port,
                                    plain=plain, proxied=proxied))
        # Until the config has its own log, it would write to one that may be root's.
        cls.nginx = subprocess.Popen(
            ['/usr/sbin/nginx', '-p', cls.folder, '-e', 'stderr', '-c', config],
            stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=die_with_parent)
        cls.addClassCleanup(cls.end_nginx)
        eventually('nginx listens', cls.nginx_listens)

    @classmethod
    def nginx_listens(cls):
        if cls.nginx.poll() is not None:
            raise AssertionError(f'nginx ended with {cls.nginx.returncode}')
        return os.path.exists(os.path.join(cls.folder, 'nginx.pid'))

    @classmethod
    def end_nginx(cls):
        if cls.nginx.poll() is None:
            cls.nginx.send_signal(signal.SIGTERM)
            cls.nginx.wait(DEADLINE_S)

    def ask(self, path, *arguments, stdin=None):
        return curl('--unix-socket', f'{self.folder}/http.sock', *arguments, f'http://a{path}',
                    stdin=stdin)

    def status(self, path, *arguments):
        return self.ask(path, '-o', '/dev/null', '-w', '%{http_code}', *arguments).decode()

    def reflect(self, *arguments, path='/reflect', stdin=None):
        return json.loads(self.ask(path, *arguments, stdin=stdin))

    def is_logged(self, line):
        """Whether the access log has it, or soon will."""
        def read():
            with open(f'{self.folder}/access.log', encoding='utf-8') as file:
                return line + '\n' in file.readlines()
        return eventually(f'{line} is logged', read)

    def test_one_connection_carries_all_that_is_asked_in_turn(self):
        """Whatever the answers are: one misread costs the connection, or the next answer."""
        peers = set()
        for _ in range(3):
            peers.add(self.reflect()['peer'])
            for code in ('200', '204', '205', '304', '404', '500', '503'):
                self.assertEqual(self.status(f'/status?code={code}'), code)
                peers.add(self.reflect()['peer'])
            self.assertEqual(self.status('/files/hello.txt', '-I'), '200')
            self.assertEqual(self.status('/stream?chunks=3&bytes=1000', '-I'), '200')
            self.assertEqual(len(self.ask('/stream?chunks=3&bytes=1000')), 3000)
            self.assertEqual(self.ask('/echo', '-T', '-', stdin=b'x' * 100_000), b'x' * 100_000)
            self.assertEqual(self.ask('/ignore', '--data-binary', 'x' * 1000), b'ignored\n')
            self.assertEqual(self.status('/none', '--data-binary', 'x' * 1000), '404')
            peers.add(self.reflect()['peer'])
        self.assertEqual(len(peers), 1, peers)

    def test_many_at_once(self):
        urls = [f'http://a/reflect?{number}' for number in range(300)]
        answers = curl('--unix-socket', f'{self.folder}/http.sock', '--parallel', '--parallel-max',
                       '20', *urls)
        seen = [json.loads(line)['query'] for line in answers.splitlines()]
        self.assertEqual(sorted(seen, key=int), [str(number) for number in range(300)])

    def test_an_upload_streams_through(self):
        # Answered once all of it is there: nginx 1.22 may forget to read on where an answer comes
        # meanwhile, with both its ends idle and the client's bytes waiting.
        body = os.urandom(5 << 20)
        self.assertEqual(base64.b64decode(self.reflect('-T', '-', stdin=body)['body']), body)
        seen = self.reflect('-T', '-', stdin=b'abc')
        self.assertIn(['Transfer-Encoding', 'chunked'], seen['headers'])
        self.assertEqual(seen['body'], 'YWJj')
        seen = self.reflect('-T', '-', path='/buffered/reflect', stdin=b'abc')
        self.assertIn(['Content-Length', '3'], seen['headers'])

    def test_an_answer_before_the_body_arrives(self):
        # nginx that still sends when it is reset makes a 502 of the answer.
        for _ in range(20):
            self.assertEqual(self.ask('/ignore', '--data-binary', '@-', stdin=b'x' * (1 << 20)),
                             b'ignored\n')
        self.assertEqual(self.ask('/hello'), b'Hello, World!\n')

    def test_an_early_answer_to_a_long_upload_arrives(self):
        """nginx that has all of it sends all of it before it looks at the answer."""
        for path, code, size in (('/echo', '413', 100 << 20), ('/none', '404', 40 << 20),
                                 ('/ignore', '200', 40 << 20)):
            with self.subTest(path), tempfile.NamedTemporaryFile(dir=self.folder) as upload:
                upload.truncate(size)
                self.assertEqual(self.status(path, '-T', upload.name), code)
                self.assertEqual(self.status(f'/buffered{path}', '-T', upload.name), code)

    def test_a_failed_answer_is_seen_to_be_cut(self):
        self.assertEqual(self.status('/fail'), '500')
        for prefix in ('', '/old'):
            with self.assertRaisesRegex(AssertionError, r': (18|56): '):
                self.ask(f'{prefix}/fail?after_bytes=1000')
        self.assertEqual(self.ask('/hello'), b'Hello, World!\n')

    def test_what_nginx_does_unasked_is_http_1_0(self):
        seen = self.reflect('-T', '-', path='/old/reflect', stdin=b'abc')
        self.assertEqual((seen['version'], seen['body']), ('1.0', 'YWJj'))
        self.assertEqual(len(self.ask('/old/stream?chunks=9&bytes=1000')), 9000)

    def test_conditions_and_ranges(self):
        head = self.ask('/files/hello.txt', '-I').decode()
        tag = re.search(r'ETag: (\S+)', head).group(1)
        self.assertEqual(self.status('/files/hello.txt', '-H', f'If-None-Match: {tag}'), '304')
        self.assertEqual(self.status('/files/hello.txt', '-H', f'If-Match: {tag}'), '200')
        self.assertEqual(self.status('/files/hello.txt', '-r', '0-3'), '206')
        self.assertEqual(self.status('/files/hello.txt', '-r', '999999-'), '416')

    def test_the_client_is_the_one_that_nginx_forwards(self):
        self.ask('/files/1', '-H', 'X-Forwarded-For: 203.0.113.9')
        self.is_logged('203.0.113.9 /files/1')
        # The nearest one that is no proxy, whatever it claims to be.
        self.ask('/files/2', '-H', 'X-Forwarded-For: 192.0.2.1, 203.0.113.9, 127.0.0.1')
        self.is_logged('203.0.113.9 /files/2')
        self.ask('/files/3')
        self.is_logged('unix /files/3')

    def test_the_proxy_protocol_names_the_client(self):
        self.assertEqual(curl('--interface', '127.0.0.2', f'http://127.0.0.1:{self.port}/files/4'),
                         b'Not Found\r\n')
        self.is_logged('127.0.0.2 /files/4')
        # Over a UNIX socket it says that it knows nobody, and is itself the client.
        self.assertEqual(curl('--unix-socket', f'{self.folder}/stream.sock', 'http://a/files/5'),
                         b'Not Found\r\n')
        self.is_logged('127.0.0.1 /files/5')

    def test_a_websocket(self):
        async def talk():
            async with websockets.unix_connect(f'{self.folder}/http.sock', 'ws://a/ws',
                                               max_size=None) as socket:
                for message in ('', 'κόσμε', os.urandom(300_000)):
                    await socket.send(message)
                    self.assertEqual(await socket.recv(), message)
                await socket.close(3001, 'bye')
                return socket.close_code

        self.assertEqual(asyncio.run(asyncio.wait_for(talk(), timeout=DEADLINE_S)), 3001)


if __name__ == '__main__':
    unittest.main()
