"""A WebSocket client that can do wrong: frames as they are told, over a raw connection.

What the server sends is read as strictly as RFC 6455 lets a client be: `Broken` tells what it did
that no server may.
"""

import base64
import collections
import hashlib
import random
import select
import socket
import time
import zlib

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
CONTINUATION = 0

GUID = b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
KEY = b'dGhlIHNhbXBsZSBub25jZQ=='
ACCEPT = base64.b64encode(hashlib.sha1(KEY + GUID).digest())

# What a loaded machine may take for something that takes milliseconds.
DEADLINE_S = 30.0

Frame = collections.namedtuple('Frame', 'final rsv opcode payload')

_MASKS = random.Random(6455)


class Broken(Exception):
    """The server broke the protocol."""


# Out

def masked(payload, key):
    if not payload:
        return b''
    length = len(payload)
    pad = (key * (length // 4 + 1))[:length]
    return (int.from_bytes(payload, 'big') ^ int.from_bytes(pad, 'big')).to_bytes(length, 'big')


def head(opcode, length, final=True, rsv=0, form=None, mask=True):
    """A frame's head without its mask. `form`: bytes of extended length, the shortest if None."""
    if form is None:
        form = 0 if length < 126 else 2 if length < 65536 else 8
    short = {0: length, 2: 126, 8: 127}[form]
    first = (0x80 if final else 0) | rsv << 4 | opcode
    extended = length.to_bytes(form, 'big') if form else b''
    return bytes([first, (0x80 if mask else 0) | short]) + extended


def frame(opcode, payload=b'', final=True, rsv=0, form=None, key=None, length=None):
    """A client's frame. `length`: what its head says, if that is not the payload's."""
    key = _MASKS.randbytes(4) if key is None else key
    size = len(payload) if length is None else length
    return head(opcode, size, final, rsv, form) + key + masked(payload, key)


def unmasked(opcode, payload=b'', final=True):
    return head(opcode, len(payload), final, mask=False) + payload


def text(payload, **options):
    return frame(TEXT, payload, **options)


def binary(payload, **options):
    return frame(BINARY, payload, **options)


def ping(payload=b'', **options):
    return frame(PING, payload, **options)


def close(code=None, reason=b''):
    return frame(CLOSE, b'' if code is None else code.to_bytes(2, 'big') + reason)


def fragments(opcode, pieces, between=b'', rsv=0):
    """A message in so many frames, with something between each two."""
    frames = [frame(opcode if index == 0 else CONTINUATION, piece, rsv=rsv if index == 0 else 0,
                    final=index == len(pieces) - 1) for index, piece in enumerate(pieces)]
    return between.join(frames)


def opening(*fields, path='/ws'):
    """A handshake's request."""
    lines = [f'GET {path} HTTP/1.1', 'Host: a', 'Upgrade: websocket', 'Connection: Upgrade',
             f'Sec-WebSocket-Key: {KEY.decode()}', 'Sec-WebSocket-Version: 13', *fields]
    return '\r\n'.join(lines).encode() + b'\r\n\r\n'


# In

def take_frame(stream, at):
    """(Frame, where it ends) of a server's stream; (None, at) if it isn't whole."""
    if len(stream) < at + 2:
        return None, at
    if stream[at + 1] & 0x80:
        raise Broken('a server masks nothing')
    length, start = stream[at + 1], at + 2
    if length > 125:
        start += 2 if length == 126 else 8
        if len(stream) < start:
            return None, at
        length = int.from_bytes(stream[at + 2:start], 'big')
        if length < (126 if start == at + 4 else 65536):
            raise Broken('a length that is not in its shortest form')
    end = start + length
    if len(stream) < end:
        return None, at
    first = stream[at]
    return Frame(bool(first & 0x80), first >> 4 & 7, first & 15, stream[start:end]), end


def check_frame(found, within, inflate):
    """`within` a fragmented message; `inflate` if compression was agreed on."""
    if found.opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
        raise Broken(f'opcode {found.opcode}')
    if found.rsv and (found.rsv != 4 or inflate is None or found.opcode not in (TEXT, BINARY)):
        raise Broken(f'RSV {found.rsv:03b} in opcode {found.opcode}')
    if found.opcode >= CLOSE:
        if not found.final or len(found.payload) > 125:
            raise Broken('a control frame that is fragmented or too long')
    elif (found.opcode == CONTINUATION) != within:
        raise Broken(f'opcode {found.opcode}{" not" if within else ""} to continue')


class Inflate:
    """The client's half of permessage-deflate: what the server compressed."""

    def __init__(self, window_bits=15, takeover=True):
        self.window_bits = window_bits
        self.takeover = takeover
        self.stream = zlib.decompressobj(-window_bits)

    def __call__(self, payload):
        if payload.endswith(b'\0\0\xff\xff'):
            raise Broken('the flush\'s end is not cut off')
        try:
            whole = self.stream.decompress(payload + b'\0\0\xff\xff')
        except zlib.error as error:
            raise Broken(f'what it compressed: {error}') from error
        if not self.takeover:
            self.stream = zlib.decompressobj(-self.window_bits)
        return whole


class Deflate:
    """A client's compressor."""

    def __init__(self, window_bits=15, takeover=True, level=6):
        self.options = (level, zlib.DEFLATED, -max(window_bits, 9))
        self.takeover = takeover
        self.stream = zlib.compressobj(*self.options)

    def __call__(self, payload):
        flushed = self.stream.compress(payload) + self.stream.flush(zlib.Z_SYNC_FLUSH)
        if not self.takeover:
            self.stream = zlib.compressobj(*self.options)
        return flushed.removesuffix(b'\0\0\xff\xff')


class Reader:
    """What a server's stream says, as it comes."""

    def __init__(self, inflate=None):
        self.inflate = inflate
        # ('text', …), ('binary', …), ('pong', …) and ('ping', …) in order.
        self.events = []
        # The payload of its close frame; None without one.
        self.close = None
        self._rest = b''
        self._message = []

    def feed(self, stream):
        stream, at = self._rest + stream, 0
        while True:
            found, at = take_frame(stream, at)
            if found is None:
                self._rest = stream[at:]
                return self
            if self.close is not None:
                raise Broken(f'a frame after its close frame: {found}')
            check_frame(found, bool(self._message), self.inflate)
            self._take(found)

    def end(self):
        """Its stream ends here."""
        if self._rest or (self._message and self.close is None):
            raise Broken(f'its stream ends amid a message: {self._rest[:80]}')
        return self

    def _take(self, found):
        if found.opcode == CLOSE:
            self.close = found.payload
        elif found.opcode in (PING, PONG):
            self.events.append(('ping' if found.opcode == PING else 'pong', found.payload))
        else:
            self._message.append(found)
            if found.final:
                self._take_message()

    def _take_message(self):
        payload = b''.join(each.payload for each in self._message)
        if self._message[0].rsv:
            payload = self.inflate(payload)
        if self._message[0].opcode == TEXT:
            payload.decode()  # UTF-8
            self.events.append(('text', payload))
        else:
            self.events.append(('binary', payload))
        self._message = []


class Answer:
    """A response's head, and what came with it."""

    def __init__(self, stream):
        lines, _, self.rest = stream.partition(b'\r\n\r\n')
        line, *fields = lines.split(b'\r\n')
        self.status = int(line.split()[1])
        self.fields = [(name.strip().lower().decode(), value.strip().decode())
                       for name, _, value in (each.partition(b':') for each in fields)]

    def field(self, name):
        """Its value; None if it is not there, which it is once at most."""
        values = [value for each, value in self.fields if each == name]
        if len(values) > 1:
            raise Broken(f'{name}: {values}')
        return values[0] if values else None


class Client:
    """A connection, from its handshake on. A context."""

    def __init__(self, connection):
        self.socket = connection
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = Reader()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, request):
        """An Answer; its body, if it has one, is left to be received."""
        self.socket.sendall(request)
        stream = b''
        while b'\r\n\r\n' not in stream:
            chunk = self.socket.recv(65536)
            if not chunk:
                raise Broken(f'no head, but the end: {stream[:80]}')
            stream += chunk
        return Answer(stream)

    def open(self, *fields, path='/ws'):
        """Shakes hands; the Answer."""
        answer = self.ask(opening(*fields, path=path))
        if answer.status != 101:
            raise Broken(f'{answer.status} instead of 101')
        for name, value in (('upgrade', 'websocket'), ('connection', 'upgrade')):
            if (answer.field(name) or '').lower() != value:
                raise Broken(f'{name}: {answer.field(name)}')
        if answer.field('sec-websocket-accept') != ACCEPT.decode():
            raise Broken(f'Sec-WebSocket-Accept: {answer.field("sec-websocket-accept")}')
        self.reader.feed(answer.rest)
        return answer

    def talk(self, pieces):
        """Sends them, reading all the while, until the server ends its stream; the Reader."""
        end = time.monotonic() + DEADLINE_S
        pieces = iter(pieces)
        piece = b''
        self.socket.setblocking(False)
        writing = True
        while True:
            if writing and not piece:
                piece = memoryview(next(pieces, b''))
                writing = bool(piece)
            readable, writable, _ = select.select(
                [self.socket], [self.socket] if writing else [], [], end - time.monotonic())
            if not readable and not writable:
                raise Broken(f'no end of its stream, but {self.reader.events}')
            try:
                if readable:
                    chunk = self.socket.recv(1 << 20)
                    if not chunk:
                        return self.reader.end()
                    self.reader.feed(chunk)
                if writable:
                    piece = piece[self.socket.send(piece):]
            except BlockingIOError:
                continue
            except (ConnectionResetError, BrokenPipeError):
                # It had closed before all was sent; what it said may still be there to be read.
                writing = False
                if not readable:
                    continue
                return self.reader.end()

    def events(self, count):
        """The next so many events, which is all that has come."""
        end = time.monotonic() + DEADLINE_S
        while len(self.reader.events) < count and self.reader.close is None:
            self.socket.settimeout(max(end - time.monotonic(), 0.001))
            chunk = self.socket.recv(1 << 20)
            if not chunk:
                raise Broken(f'the end after {self.reader.events}')
            self.reader.feed(chunk)
        found, self.reader.events = self.reader.events, []
        return found

    def send(self, stream):
        self.socket.settimeout(DEADLINE_S)
        self.socket.sendall(stream)
