"""A WebSocket server that can do wrong: the streams of websocket_client.py, from the other end."""

import base64
import hashlib
import random
import socket

from websocket_client import DEADLINE_S, GUID, Broken, Client, Inflate, Reader, masked

_MASKS = random.Random(6455)


def take_head(stream, at):
    """(length of the head without its mask, whether it has one, length of the payload) at `at`."""
    short = stream[at + 1] & 0x7f
    end = at + 2 + {126: 2, 127: 8}.get(short, 0)
    length = int.from_bytes(stream[at + 2:end], 'big') if short > 125 else short
    return end - at, bool(stream[at + 1] & 0x80), length


def other_ends(stream):
    """A client's frames as a server would send them: without a mask; and where a client leaves one
    out, which it must not, with one."""
    converted, at = [], 0
    while at < len(stream):
        head_bytes, is_masked, length = take_head(stream, at)
        head = bytearray(stream[at:at + head_bytes])
        head[1] ^= 0x80
        at += head_bytes + (4 if is_masked else 0)
        payload = stream[at:at + length]
        at += len(payload)
        if is_masked:
            key = stream[at - len(payload) - 4:at - len(payload)]
            converted += [bytes(head), masked(payload, key)]
        else:
            key = _MASKS.randbytes(4)
            converted += [bytes(head), key, masked(payload, key)]
    return b''.join(converted)


class MaskedReader(Reader):
    """What a client's stream says."""

    def __init__(self, connection):
        super().__init__()
        self._connection = connection
        self._masked = b''

    def feed(self, stream):
        self._masked += stream
        while (end := self._frame_end()) <= len(self._masked):
            if not self._masked[1] & 0x80:
                raise Broken('a client masks everything')
            super().feed(other_ends(self._masked[:end]))
            self._masked = self._masked[end:]
        if self.close is not None:
            self._hang_up()
        return self

    def end(self):
        if self._masked:
            raise Broken(f'its stream ends amid a frame: {self._masked[:80]}')
        return super().end()

    def _frame_end(self):
        """Where the frame that comes first ends, or more than there is."""
        if len(self._masked) < 14:
            padded = self._masked + bytes(14 - len(self._masked))
        else:
            padded = self._masked[:14]
        head_bytes, is_masked, length = take_head(padded, 0)
        return max(2, head_bytes + (4 if is_masked else 0) + length)

    def _hang_up(self):
        # The server does first (RFC 6455, 7.1.1).
        try:
            self._connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class ServedClient(Client):
    """A client's connection, accepted. A context."""

    def __init__(self, connection):
        super().__init__(connection)
        self.reader = MaskedReader(connection)
        self.socket.settimeout(DEADLINE_S)

    def read_head(self):
        head = b''
        while not head.endswith(b'\r\n\r\n'):
            chunk = self.socket.recv(1)
            if not chunk:
                raise Broken(f'the end amid a handshake: {head}')
            head += chunk
        lines = head.decode().split('\r\n')[1:-2]
        return {name.lower(): value for name, _, value in (line.partition(': ') for line in lines)}

    def accept(self, extension=None):
        """Grants what it asks for; the fields of its handshake."""
        fields = self.read_head()
        accept = base64.b64encode(
            hashlib.sha1(fields['sec-websocket-key'].encode() + GUID).digest()).decode()
        answer = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade',
                  f'Sec-WebSocket-Accept: {accept}']
        if extension:
            answer.append(f'Sec-WebSocket-Extensions: {extension}')
            self.reader.inflate = Inflate()
        self.send('\r\n'.join(answer).encode() + b'\r\n\r\n')
        return fields

    def refuse(self, status):
        self.read_head()
        self.send(f'HTTP/1.1 {status} \r\nContent-Length: 0\r\n\r\n'.encode())
