"""What a client may send to an echoing WebSocket, what it may not, and how a server ends either.

By RFC 6455 and 7692, and after what the usual suites try: framing, pings, reserved bits, opcodes,
fragmentation, UTF-8, closing, limits, compression. Where the RFCs leave a choice, the strict one
of these suites is meant: a server echoes all that was sound, and fails at the first wrong byte.
"""

import collections
import random
import struct

from websocket_client import (BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Deflate, binary, close,
                              fragments, frame, ping, text, unmasked)

# `frames` are sent one after the other, and then nothing more. `events`: what the server sends.
# `end`: the payload of its close frame, or its code alone. `offer`: an extension asked for.
Case = collections.namedtuple('Case', 'name frames events end offer')

CASES = []
DEFLATE = 'permessage-deflate'
# Of websocket.echo.
MESSAGE_BYTES_MAX = 16 << 20
FRAGMENTS_MAX = 128 * 1024
# A byte each is a segment each: for what a person would write.
BYTEWISE_BYTES_MAX = 1000
SPLIT_SEED = 20261127


# How a stream of frames may come.
def whole(stream):
    yield stream


def byte_by_byte(stream):
    for index in range(len(stream)):
        yield stream[index:index + 1]


def in_pieces(stream):
    chance = random.Random(SPLIT_SEED + len(stream))
    at = 0
    while at < len(stream):
        size = chance.choice((1, 2, 3, 5, 14, 100, 4000, 1 << 20))
        yield stream[at:at + size]
        at += size


def code(number, reason=b''):
    return struct.pack('!H', number) + reason


def case(name, frames, events, end, offer=None):
    CASES.append(Case(name, b''.join(frames) if isinstance(frames, (list, tuple)) else frames,
                      events, end, offer))


def ok(name, *frames, echo, offer=None):
    """The client closes, normally, behind them."""
    case(name, [*frames, close(1000)], echo, code(1000), offer)


def bad(name, *frames, echo=(), end=1002, offer=None):
    """The server fails the connection. What stood before the fault was echoed."""
    case(name, frames, list(echo), end, offer)


# --- Framing

for size in (0, 1, 124, 125, 126, 127, 128, 1000, 65534, 65535, 65536, 65537, 200_000):
    ok(f'text of {size}', text(b'*' * size), echo=[('text', b'*' * size)])
    ok(f'binary of {size}', binary(b'\xfe' * size), echo=[('binary', b'\xfe' * size)])
for size, form in ((0, 2), (125, 2), (0, 8), (125, 8), (126, 8), (65535, 8)):
    bad(f'length {size} in {form} bytes', text(b'*' * size, form=form))
for key in (bytes(4), b'\xff' * 4, b'\0\0\0\1', b'\x80\0\0\0'):
    ok(f'mask {key.hex()}', text(b'masked', key=key), binary(bytes(range(256)), key=key),
       echo=[('text', b'masked'), ('binary', bytes(range(256)))])
ok('no two masks alike', *[binary(b'm' * size) for size in range(100)],
   echo=[('binary', b'm' * size) for size in range(100)])
for opcode in (TEXT, BINARY, CLOSE, PING, PONG):
    bad(f'opcode {opcode} unmasked', text(b'first'), unmasked(opcode, b''),
        echo=[('text', b'first')])
bad('a later frame unmasked', text(b'a', final=False), unmasked(CONTINUATION, b'b'))
for size in (1 << 63, (1 << 64) - 1):
    bad(f'a negative length {size:x}', binary(b'', length=size, form=8))
for size in ((1 << 63) - 1, 1 << 40, MESSAGE_BYTES_MAX + 1):
    bad(f'a length of {size}', binary(b'', length=size), end=1009)

# --- Pings and pongs

for payload in (b'', b'Hello', b'\0\xff\xfe\xfd', bytes(range(125)), b'\xfe' * 125):
    ok(f'ping of {payload[:5]}', ping(payload), echo=[('pong', payload)])
ok('ten pings', *[ping(b'payload %d' % each) for each in range(10)],
   echo=[('pong', b'payload %d' % each) for each in range(10)])
ok('a thousand pings', *[ping(b'%d' % each) for each in range(1000)],
   echo=[('pong', b'%d' % each) for each in range(1000)])
ok('pongs that nobody asked for', frame(PONG), frame(PONG, b'unasked'), ping(b'?'),
   echo=[('pong', b'?')])
for opcode in (PING, PONG, CLOSE):
    bad(f'opcode {opcode} of 126 bytes', frame(opcode, b'\xfe' * 126))
    bad(f'opcode {opcode} of 65536 bytes', frame(opcode, b'\xfe' * 65536))
    bad(f'opcode {opcode} with an extended length', frame(opcode, b'', form=2))
    bad(f'opcode {opcode} fragmented', frame(opcode, b'', final=False), frame(CONTINUATION, b''))
    bad(f'opcode {opcode} fragmented amid a message', text(b'a', final=False),
        frame(opcode, b'', final=False))

# --- Reserved bits and opcodes

for rsv in range(1, 8):
    for opcode in (TEXT, BINARY, PING, PONG, CLOSE):
        bad(f'RSV {rsv} opcode {opcode}', text(b'first'), frame(opcode, b'', rsv=rsv), ping(),
            echo=[('text', b'first')])
    bad(f'RSV {rsv} in a continuation', text(b'a', final=False), frame(CONTINUATION, b'b', rsv=rsv))
    if rsv != 4:
        bad(f'RSV {rsv} with compression', text(b'first'), text(b'', rsv=rsv), ping(),
            echo=[('text', b'first')], offer=DEFLATE)
for opcode in (PING, PONG, CLOSE):
    bad(f'opcode {opcode} compressed', frame(opcode, b'', rsv=4), offer=DEFLATE)
bad('a continuation compressed', text(b'\xf2', rsv=4, final=False),
    frame(CONTINUATION, b'\x48', rsv=4), offer=DEFLATE)
for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
    bad(f'opcode {opcode}', frame(opcode))
    bad(f'opcode {opcode} with a payload', frame(opcode, b'reserved'), ping())
    bad(f'opcode {opcode} behind a message', text(b'first'), frame(opcode, b'reserved'), ping(),
        echo=[('text', b'first')])
    bad(f'opcode {opcode} amid a message', text(b'a', final=False), frame(opcode),
        frame(CONTINUATION, b'b'))

# --- Fragmentation

for opcode, kind in ((TEXT, 'text'), (BINARY, 'binary')):
    ok(f'{kind} in 2', fragments(opcode, [b'frag', b'ment']), echo=[(kind, b'fragment')])
    ok(f'{kind} in 1000', fragments(opcode, [b'x'] * 1000), echo=[(kind, b'x' * 1000)])
    ok(f'{kind}, some empty', fragments(opcode, [b'', b'a', b'', b'b', b'']), echo=[(kind, b'ab')])
    ok(f'{kind}, all empty', fragments(opcode, [b'', b'', b'']), echo=[(kind, b'')])
    ok(f'{kind} with pings between', fragments(opcode, [b'a', b'b', b'c'],
                                               between=ping(b'?') + frame(PONG)),
       echo=[('pong', b'?'), ('pong', b'?'), (kind, b'abc')])
    ok(f'{kind} twice', fragments(opcode, [b'a', b'b']), fragments(opcode, [b'c', b'd']),
       echo=[(kind, b'ab'), (kind, b'cd')])
    bad(f'{kind} within another', text(b'a', final=False), frame(opcode, b'b'))
    bad(f'the start of {kind} within another', text(b'a', final=False),
        frame(opcode, b'b', final=False))
for final in (True, False):
    bad(f'a continuation of nothing, final={final}', frame(CONTINUATION, b'a', final=final),
        text(b'b'))
    bad(f'a continuation behind a message, final={final}', text(b'first'),
        frame(CONTINUATION, b'a', final=final), text(b'b'), echo=[('text', b'first')])
    bad(f'a continuation behind a fragmented message, final={final}', fragments(TEXT, [b'a', b'b']),
        frame(CONTINUATION, b'c', final=final), text(b'd'), echo=[('text', b'ab')])
ok('as many fragments as may be', fragments(BINARY, [b''] * FRAGMENTS_MAX), echo=[('binary', b'')])
bad('a fragment too many', fragments(BINARY, [b''] * (FRAGMENTS_MAX + 1)), end=1009)

# --- UTF-8. Python's own decoder says where a text goes wrong.

GREEK = 'κόσμε'.encode()
VALID = ['hello$world', 'hello¢world', 'hello€world', 'hello𤭢world', 'κόσμε', '\0', '\x7f', '\x80',
         '߿', 'ࠀ', '\ud7ff', '\ue000', '�', '￾', '\uffff', '𐀀', '\U0010ffff', '\ufeffBOM',
         '\ufff9\ufffa\ufffb\ufffc']
VALID += [chr(plane << 16 | low) for plane in range(1, 16) for low in (0xfffe, 0xffff)]
INVALID = [
    # Of five and six bytes, and beyond the last code point.
    b'\xf8\x88\x80\x80\x80', b'\xfc\x84\x80\x80\x80\x80', b'\xf7\xbf\xbf\xbf',
    b'\xfb\xbf\xbf\xbf\xbf', b'\xfd\xbf\xbf\xbf\xbf\xbf', b'\xf4\x90\x80\x80', b'\xf5\x80\x80\x80',
    # Continuations of nothing, and starts without any.
    b'\x80', b'\xbf', b'\x80\xbf', b'\x80\xbf\x80', bytes(range(0x80, 0xc0)),
    *[bytes([start, 0x20]) for start in range(0xc0, 0x100)],
    # The last continuation is missing.
    b'\xdf', b'\xef\xbf', b'\xf0\x90\x80', b'\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce',
    b'\xc0', b'\xe0\x80', b'\xf0\x80\x80', b'\xf7\xbf\xbf', b'\xdf\xef\xbf\xf7\xbf\xbf',
    # What no text holds.
    b'\xfe', b'\xff', b'\xfe\xfe\xff\xff',
    # Longer than need be.
    b'\xc0\xaf', b'\xe0\x80\xaf', b'\xf0\x80\x80\xaf', b'\xc1\xbf', b'\xe0\x9f\xbf',
    b'\xf0\x8f\xbf\xbf', b'\xc0\x80', b'\xe0\x80\x80', b'\xf0\x80\x80\x80',
    # Surrogates, alone and in pairs.
    b'\xed\xa0\x80', b'\xed\xad\xbf', b'\xed\xae\x80', b'\xed\xaf\xbf', b'\xed\xb0\x80',
    b'\xed\xbe\x80', b'\xed\xbf\xbf', b'\xed\xa0\x80\xed\xb0\x80', b'\xed\xaf\xbf\xed\xbf\xbf',
]


def up_to_the_fault(payload):
    """Its bytes up to the first that nothing can make good; None if only its end is wrong."""
    for size in range(1, len(payload) + 1):
        try:
            payload[:size].decode()
        except UnicodeDecodeError as error:
            if error.reason != 'unexpected end of data':
                return payload[:size]
    return None


for valid in VALID:
    payload = valid.encode()
    ok(f'UTF-8 {payload.hex()}', text(payload), echo=[('text', payload)])
    ok(f'UTF-8 {payload.hex()}, a byte a fragment',
       fragments(TEXT, [payload[i:i + 1] for i in range(len(payload))],
                 between=ping()),
       echo=[('pong', b'')] * (len(payload) - 1) + [('text', payload)])
for end in range(1, len(GREEK)):
    try:
        GREEK[:end].decode()
        ok(f'a text cut behind a character {end}', text(GREEK[:end]), echo=[('text', GREEK[:end])])
    except UnicodeDecodeError:
        bad(f'a text cut amid a character {end}', text(GREEK[:end]), end=1007)
for wrong in INVALID:
    name = f'not UTF-8 {wrong.hex()}'
    bad(name, text(wrong), end=1007)
    bad(f'{name}, behind a ping and a message', ping(b'?'), text(b'first'),
        text(GREEK + wrong + b'edited'), echo=[('pong', b'?'), ('text', b'first')], end=1007)
    ok(f'{name}, which a binary may be', binary(wrong), echo=[('binary', wrong)])
    fault = up_to_the_fault(wrong)
    if fault is not None:
        # The server waits for nothing that the client never sends.
        bad(f'{name}, no byte behind', text(GREEK + fault, length=100), end=1007)
        bad(f'{name}, no frame behind', text(GREEK, final=False), ping(b'?'),
            frame(CONTINUATION, fault, final=False), echo=[('pong', b'?')], end=1007)

# --- Closing

case('close without a code', close(), [], b'')
case('close behind a message', text(b'Hello') + close(), [('text', b'Hello')], b'')
for number in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999,
               4000, 4999):
    case(f'close {number}', close(number), [], code(number))
    case(f'close {number} with a reason', close(number, b'Bye'), [], code(number, b'Bye'))
for number in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 32768, 65535):
    bad(f'close {number}', close(number))
    bad(f'close {number} with a reason', close(number, b'Bye'))
bad('close with one byte', frame(CLOSE, b'\x03'))
case('close with the longest reason', close(1000, b'*' * 123), [], code(1000, b'*' * 123))
bad('close with a longer reason', close(1000, b'*' * 124))
case('close with a reason in Greek', close(1000, GREEK), [], code(1000, GREEK))
for wrong in (b'\xff', GREEK + b'\xed\xa0\x80', GREEK[:-1]):
    bad(f'close with a reason that is not UTF-8 {wrong.hex()}', close(1000, wrong), end=1007)
for late in (text(b'late'), ping(b'late'), close(1001), frame(CONTINUATION, b'late'), b'\xff' * 100,
             unmasked(TEXT, b'late')):
    case(f'close with more behind it {late[:2].hex()}', close(1000) + late, [], code(1000))
case('close amid a fragmented message',
     text(b'a', final=False) + close(1000) + frame(CONTINUATION, b'b'), [], code(1000))
case('close amid a text that ends amid a character', text(GREEK[:1], final=False) + close(1000), [],
     code(1000))
case('close behind a long message',
     text(b'*' * (256 << 10)) + text(b'Hello') + close(1000) + ping(),
     [('text', b'*' * (256 << 10)), ('text', b'Hello')], code(1000))
case('close behind many messages', [text(b'%d' % each) for each in range(1000)] + [close(3000)],
     [('text', b'%d' % each) for each in range(1000)], code(3000))

# --- Limits

LONG = random.Random(1).randbytes(MESSAGE_BYTES_MAX)
ok('the longest message', binary(LONG), echo=[('binary', LONG)])
ok('the longest message in fragments', fragments(BINARY, [LONG[i:i + 65536]
                                                          for i in range(0, len(LONG), 65536)]),
   echo=[('binary', LONG)])
bad('a longer message in fragments', binary(b'*' * MESSAGE_BYTES_MAX, final=False),
    frame(CONTINUATION, b'*'), end=1009)
ok('4 MiB of text in fragments of 64', fragments(TEXT, [b'*' * 64] * 65536),
   echo=[('text', b'*' * (4 << 20))])
ok('64 KiB in fragments of 1300', fragments(TEXT, [b'*' * 1300] * 50 + [b'*' * 536]),
   echo=[('text', b'*' * 65536)])

# --- Compression. "Hello" in all forms of RFC 7692, 7.2.3.

HELLO = bytes.fromhex('f248cdc9c90700')
for name, frames, count in (
        ('one block', text(HELLO, rsv=4), 1),
        ('in fragments', fragments(TEXT, [HELLO[:3], HELLO[3:]], rsv=4), 1),
        ('a byte a fragment, with pings', fragments(TEXT, [HELLO[i:i + 1] for i in range(7)], rsv=4,
                                                    between=frame(PONG)), 1),
        ('from what the last message left', text(HELLO, rsv=4) + text(bytes.fromhex('f200110000'),
                                                                      rsv=4), 2),
        ('not compressed', text(bytes.fromhex('000500faff48656c6c6f00'), rsv=4), 1),
        ('the last block marked as such', text(bytes.fromhex('f348cdc9c9070000'), rsv=4), 1),
        ('two blocks', text(bytes.fromhex('f24805000000ffffcac9c90700'), rsv=4), 1),
        ('as it is', text(b'Hello'), 1),
        ('as it is and compressed in turn', (text(b'Hello') + text(HELLO, rsv=4)) * 3, 6)):
    ok(f'compressed: {name}', frames, echo=[('text', b'Hello')] * count, offer=DEFLATE)
for name, payload in (('one byte', b'\0'), ('an empty block', b'\x02\0')):
    ok(f'compressed: an empty message of {name}', text(payload, rsv=4),
       text(b'', rsv=4, final=False) + frame(CONTINUATION, payload), echo=[('text', b'')] * 2,
       offer=DEFLATE)
for name, payload in (('a block of no type', b'\xff' * 8),
                      ('a length without its complement', b'\0\5\0\0\0Hello'),
                      ('not even an empty block', b''),
                      ('the flush\'s end left in', HELLO + b'\0\0\xff\xff'),
                      ('cut short', HELLO[:4]),
                      ('cut amid a stored block', bytes.fromhex('000500faff4865'))):
    bad(f'compressed: {name}', text(HELLO, rsv=4), binary(payload, rsv=4),
        echo=[('text', b'Hello')], end=1007, offer=DEFLATE)
bad('compressed: a distance before the start', binary(bytes.fromhex('f200110000'), rsv=4), end=1007,
    offer=DEFLATE)
bad('compressed: from what a client that promised to forget remembers', text(HELLO, rsv=4),
    text(bytes.fromhex('f200110000'), rsv=4), echo=[('text', b'Hello')], end=1007,
    offer=f'{DEFLATE}; client_no_context_takeover')
bad('compressed: not UTF-8', text(Deflate()(GREEK + b'\xed\xa0\x80'), rsv=4), end=1007,
    offer=DEFLATE)
bad('compressed: not UTF-8, no byte behind', text(Deflate()(GREEK + b'\xff'), rsv=4, length=1000),
    end=1007, offer=DEFLATE)
bad('compressed: ends amid a character', text(Deflate()(GREEK[:-1]), rsv=4), end=1007,
    offer=DEFLATE)
ZEROS = b'\0' * MESSAGE_BYTES_MAX
ok('compressed: the longest message', binary(Deflate()(ZEROS), rsv=4), echo=[('binary', ZEROS)],
   offer=DEFLATE)
bad('compressed: a byte more', binary(Deflate()(ZEROS + b'\0'), rsv=4), end=1009, offer=DEFLATE)
bad('compressed: a bomb', binary(Deflate()(bytes(128 << 20)), rsv=4), end=1009, offer=DEFLATE)
bad('compressed: a bomb that never ends', binary(Deflate()(bytes(32 << 20)), rsv=4, final=False),
    end=1009, offer=DEFLATE)
bad('compressed: a bomb in fragments of a byte',
    fragments(BINARY, [bytes([each]) for each in Deflate()(bytes(32 << 20))], rsv=4), end=1009,
    offer=DEFLATE)
