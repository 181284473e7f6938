"""What stands in front of the program: its pages, or, while there is none to show, why."""

import html
import json
import socket
import socketserver
import threading

# The front answers it itself, always: pages ask it whether they are out of date.
STATE_PATH = '/.well-known/grove-watch'
HEAD_BYTES_MAX = 64 << 10
HEAD_TIMEOUT_S = 60
CHUNK = 64 << 10

_PAGE = '''<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title><link rel="icon" href="data:,">
<noscript><meta http-equiv="refresh" content="2"></noscript>
<style>body {{ font-family: sans-serif; margin: 2em }}
pre {{ background: #222; color: #eee; padding: 1em; white-space: pre-wrap }}</style></head>
<body>
<h1>{title}</h1>
<pre>{text}</pre>
<p>This page goes by itself once that is mended.</p>
<script>
const shown = {generation};
setInterval(async () => {{
  try {{
    const state = await (await fetch('{state_path}', {{cache: 'no-store'}})).json();
    if (state.generation !== shown) location.replace(location.href);
  }} catch (error) {{ /* It is being started anew. */ }}
}}, 300);
</script>
</body>
</html>
'''


class State:
    """What is to be shown. Any thread."""

    def __init__(self):
        self._lock = threading.Lock()
        self._shown = None  # (title, text); None: the program
        self._generation = 0

    def show(self, title, text):
        with self._lock:
            self._shown = (title, text)
            self._generation += 1

    def show_program(self):
        with self._lock:
            if self._shown is not None:
                self._shown = None
                self._generation += 1

    def read(self):
        """(title and text, or None; which of its states this is)."""
        with self._lock:
            return self._shown, self._generation


def _split(head):
    """The request line, and the fields as (lower-case name, line)."""
    lines = head.split(b'\r\n')
    return lines[0], [(line.partition(b':')[0].strip().lower(), line) for line in lines[1:]]


def _value(fields, name):
    found = [line.partition(b':')[2].strip() for known, line in fields if known == name]
    return b', '.join(found).decode('latin-1').lower()


def one_request(head):
    """The head, changed so that the program closes the connection after its answer.

    Each request then meets the state of its own moment. What becomes another protocol stays.
    """
    line, fields = _split(head)
    if line.startswith(b'PRI ') or 'upgrade' in _value(fields, b'connection'):
        return head
    kept = [text for name, text in fields if name not in (b'connection', b'keep-alive')]
    return b'\r\n'.join([line, *kept, b'Connection: close'])


def answer(status, content_type, body, head_only):
    data = body.encode('utf-8', 'replace')
    head = (f'HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(data)}\r\n'
            'Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n'
            'Connection: close\r\n\r\n').encode('ascii')
    return head if head_only else head + data


def failure(shown, generation, head):
    """The answer instead of the program's, in the form that the client takes."""
    title, text = shown
    line, fields = _split(head)
    accept = _value(fields, b'accept')
    head_only = line.startswith(b'HEAD ')
    status = '503 Service Unavailable'
    if 'text/html' in accept:
        page = _PAGE.format(title=html.escape(title), text=html.escape(text),
                            generation=generation, state_path=STATE_PATH)
        return answer(status, 'text/html; charset=utf-8', page, head_only)
    if 'application/json' in accept:
        page = json.dumps({'error': title, 'output': text}) + '\n'
        return answer(status, 'application/json', page, head_only)
    return answer(status, 'text/plain; charset=utf-8', f'{title}\n\n{text}\n', head_only)


class _Connection(socketserver.BaseRequestHandler):

    def _read_head(self):
        """The head and what came behind it; None: the client has gone, or sends none."""
        self.request.settimeout(HEAD_TIMEOUT_S)
        data = b''
        while b'\r\n\r\n' not in data:
            if len(data) > HEAD_BYTES_MAX:
                self._send(answer('431 Request Header Fields Too Large',
                                  'text/plain; charset=utf-8', 'the head is too long\n', False))
                return None
            more = self.request.recv(CHUNK)
            if not more:
                return None
            data += more
        self.request.settimeout(None)
        return data.split(b'\r\n\r\n', 1)

    def _send(self, data):
        """Sends the last of it, and takes what the client still sends, lest a reset drop it."""
        self.request.sendall(data)
        self.request.shutdown(socket.SHUT_WR)
        self.request.settimeout(1)
        while self.request.recv(CHUNK):
            pass

    def handle(self):
        try:
            read = self._read_head()
            if read:
                self._serve(*read)
        except OSError:
            # Either side has gone, which the other sees by the end of its connection.
            pass

    def _serve(self, head, rest):
        shown, generation = self.server.state.read()
        line = _split(head)[0]
        if line.split(b' ')[1:2] == [STATE_PATH.encode()]:
            body = json.dumps({'broken': shown is not None, 'generation': generation}) + '\n'
            self._send(answer('200 OK', 'application/json', body, line.startswith(b'HEAD ')))
            return
        if shown is None:
            with socket.socket(socket.AF_UNIX) as program:
                try:
                    program.connect(self.server.program_path)
                except OSError as error:
                    shown = ('The program takes no connections', str(error))
                else:
                    self._splice(program, one_request(head) + b'\r\n\r\n' + rest)
                    return
        self._send(failure(shown, generation, head))

    def _splice(self, program, begin):
        program.sendall(begin)
        upwards = threading.Thread(target=_copy, args=(self.request, program), daemon=True)
        upwards.start()
        _copy(program, self.request)
        # The program has said all: who goes on sending has nobody to send to.
        _shut(self.request, socket.SHUT_RDWR)
        upwards.join()


def _shut(end, how):
    try:
        end.shutdown(how)
    except OSError:
        pass


def _copy(source, sink):
    try:
        while data := source.recv(CHUNK):
            sink.sendall(data)
    except OSError:
        pass
    _shut(sink, socket.SHUT_WR)


class Front(socketserver.ThreadingTCPServer):
    """Listens at HOST:PORT, for the program at a UNIX socket."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, program_path, state):
        host, _, port = address.rpartition(':')
        host = host.strip('[]')
        if ':' in host:
            self.address_family = socket.AF_INET6
        self.program_path = program_path
        self.state = state
        super().__init__((host, int(port)), _Connection)

    def url(self):
        host, port = self.server_address[:2]
        return f'http://[{host}]:{port}' if ':' in host else f'http://{host}:{port}'
