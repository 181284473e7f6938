"""Requests for a WebSocket and how a server answers each: refused, or with which compression.

By RFC 6455, 4.2.1, and RFC 7692, 7.1.
"""

import collections

from websocket_client import KEY

Refusal = collections.namedtuple('Refusal', 'name request status fields')
# `offers`: values of Sec-WebSocket-Extensions, a field each. `answer`: the one of the response.
Negotiation = collections.namedtuple('Negotiation', 'offers answer')

REFUSALS = []
NEGOTIATIONS = []
ACCEPTED = []
SOUND = {'Host': 'a', 'Upgrade': 'websocket', 'Connection': 'Upgrade',
         'Sec-WebSocket-Key': KEY.decode(), 'Sec-WebSocket-Version': '13'}


def request(line='GET /ws HTTP/1.1', more=(), **changes):
    """A sound one, but for the changes; None leaves a field out. Names' "-" are "_" here."""
    fields = {**SOUND, **{name.replace('_', '-'): value for name, value in changes.items()}}
    lines = [line, *(f'{name}: {value}' for name, value in fields.items() if value is not None),
             *more]
    return '\r\n'.join(lines).encode() + b'\r\n\r\n'


def refused(name, status, *args, fields=(), **changes):
    REFUSALS.append(Refusal(name, request(*args, **changes), status, dict(fields)))


def accepted(name, *args, **changes):
    ACCEPTED.append((name, request(*args, **changes)))


# --- The form

for method in ('POST', 'PUT', 'HEAD', 'DELETE'):
    refused(f'method {method}', 405, f'{method} /ws HTTP/1.1', fields={'allow': 'GET'})
refused('HTTP/1.0', 400, 'GET /ws HTTP/1.0')
for upgrade in (None, '', 'h2c', 'web socket', 'websockets', 'websocket2', 'h2c, websockets'):
    refused(f'Upgrade {upgrade}', 400, Upgrade=upgrade)
for connection in (None, '', 'keep-alive', 'close', 'upgrades', 'keep-alive, x-upgrade'):
    refused(f'Connection {connection}', 400, Connection=connection)
for version in ('0', '7', '8', '12', '14', '130', '013', '13, 8', '-13', 'x', ''):
    refused(f'version {version!r}', 426, Sec_WebSocket_Version=version,
            fields={'sec-websocket-version': '13', 'upgrade': 'websocket',
                    'connection': 'close, Upgrade'})
refused('no version', 400, Sec_WebSocket_Version=None)
refused('two versions', 426, more=['Sec-WebSocket-Version: 13'])
for key in (None, '', 'x', 'dGhlIHNhbXBsZSBub25jZQ', 'dGhlIHNhbXBsZSBub25jZQ=',
            'dGhlIHNhbXBsZSBub25j', 'dGhlIHNhbXBsZSBub25jZSE=',
            'dGhlIHNhbXBsZSBub25jZSEh', 'dGhlIHNhbXBsZSBub25jZSEhMjM=', '!GhlIHNhbXBsZSBub25jZQ==',
            'dGhl HNhbXBsZSBub25jZQ==', 'dGhlIHNhbXBsZSBub25jZQ===', 'dGhl-HNhbXBsZSBub25jZQ==',
            '========================', 'A' * 24, 'A' * 4000):
    refused(f'key {str(key)[:30]}', 400, Sec_WebSocket_Key=key)
refused('two keys', 400, more=[f'Sec-WebSocket-Key: {KEY.decode()}'])
for protocol in ('chat room', 'chat, b@d', '"chat"', 'chat; q=1'):
    refused(f'subprotocol {protocol}', 400, more=[f'Sec-WebSocket-Protocol: {protocol}'])
for extensions in ('@', 'a b', 'a; b c', 'a; b=', 'a; =b', 'a; b="', 'a; b="c', 'a; b="c d"', 'a;',
                   'a; ;b', '"a"', 'a=b', ', '.join(['a'] * 40)):
    refused(f'extensions {extensions[:20]}', 400, more=[f'Sec-WebSocket-Extensions: {extensions}'])
refused('a body', 400, more=['Content-Length: 3', '', 'abc'])

for upgrade in ('WebSocket', 'WEBSOCKET', 'h2c, websocket', ' websocket ,', 'websocket, websocket'):
    accepted(f'Upgrade {upgrade}', Upgrade=upgrade)
for connection in ('upgrade', 'UPGRADE', 'keep-alive, Upgrade', 'keep-alive,upgrade', ',Upgrade',
                   'Upgrade\t', 'close, Upgrade'):
    accepted(f'Connection {connection!r}', Connection=connection)
accepted('Connection in two fields', Connection='keep-alive', more=['connection: upgrade'])
accepted('any Origin', more=['Origin: https://example.com'])
accepted('Origin null', more=['Origin: null'])
accepted('a query', 'GET /ws?a=b HTTP/1.1')
accepted('an absolute target', 'GET http://a/ws HTTP/1.1')
accepted('a later minor version', 'GET /ws HTTP/1.2')
accepted('a key that ends in spare bits', Sec_WebSocket_Key='AQIDBAUGBwgJCgsMDQ4PEC==')
accepted('subprotocols that nobody knows', more=['Sec-WebSocket-Protocol: chat, superchat',
                                                 'Sec-WebSocket-Protocol: v2'])
accepted('other extensions', more=['Sec-WebSocket-Extensions: mux, a; b; c=d; e="f"',
                                   'Sec-WebSocket-Extensions: x-webkit-deflate-frame'])
accepted('empty extensions', more=['Sec-WebSocket-Extensions: , ,'])
accepted('an empty body', more=['Content-Length: 0'])

# --- Compression. The server's own window is of 12 bits at most.

PLAIN = 'permessage-deflate'
for offer, answer in (
        ('', ''), ('; client_max_window_bits', '; client_max_window_bits=15'),
        ('; server_no_context_takeover', '; server_no_context_takeover'),
        ('; client_no_context_takeover', '; client_no_context_takeover'),
        ('; client_no_context_takeover; server_no_context_takeover',
         '; server_no_context_takeover; client_no_context_takeover'),
        ('; SERVER_no_CONTEXT_takeover', '; server_no_context_takeover'),
        (' ;\tclient_max_window_bits = "10" ', '; client_max_window_bits=10'),
        *[(f'; server_max_window_bits={bits}', f'; server_max_window_bits={min(bits, 12)}')
          for bits in range(8, 16)],
        *[(f'; client_max_window_bits={bits}', f'; client_max_window_bits={bits}')
          for bits in range(8, 16)]):
    NEGOTIATIONS.append(Negotiation([PLAIN + offer], PLAIN + answer))
NEGOTIATIONS.append(Negotiation(['Permessage-DEFLATE'], PLAIN))
# Declined: without compression, as if it had not been offered.
for offer in ('x', 'server_no_context_takeover=true', 'client_no_context_takeover=1',
              'server_max_window_bits',
              *[f'{side}_max_window_bits={bits}' for side in ('server', 'client')
                for bits in ('7', '16', '0', '08', '010', '15x', '1', '100', '-8', 'a')],
              *[f'{each}; {each}' for each in ('server_no_context_takeover',
                                               'client_no_context_takeover',
                                               'server_max_window_bits=10',
                                               'client_max_window_bits',
                                               'client_max_window_bits=10')],
              'client_max_window_bits; client_max_window_bits=10', 'client_max_window_bits; x'):
    NEGOTIATIONS.append(Negotiation([f'{PLAIN}; {offer}'], None))
    # The next offer counts, in the same field or another.
    for offers in ([f'{PLAIN}; {offer}, {PLAIN}'], [f'{PLAIN}; {offer}', f'mux, {PLAIN}']):
        NEGOTIATIONS.append(Negotiation(offers, PLAIN))
for name in ('permessage-deflat', 'permessage-deflate2', 'x-webkit-deflate-frame', 'deflate-frame',
             'permessage-bzip2'):
    NEGOTIATIONS.append(Negotiation([name], None))
# The first that can be met, not the best.
NEGOTIATIONS.append(Negotiation(
    [f'{PLAIN}; server_no_context_takeover; server_max_window_bits=8, '
     f'{PLAIN}; server_no_context_takeover, {PLAIN}'],
    f'{PLAIN}; server_no_context_takeover; server_max_window_bits=8'))
