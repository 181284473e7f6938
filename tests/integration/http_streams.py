"""Streams of bytes and how an HTTP/1.1 server answers them, by RFC 9110, 9112 and 3986.

Written after what parsers' fixtures, request smugglers and proxies' tests try. Where the RFCs leave
a choice, this server's is: 400 for whatever two recipients could read differently.
"""

import collections

# `answers`: the status codes, interim ones included, and then the server ends the connection.
# `seen`: what /reflect said of the first request, or a part of it.
Case = collections.namedtuple('Case', 'name stream answers seen')

CASES = []
# Answered like this only if all of it is there at once.
AT_ONCE = []
# Stands behind every stream: whether it is answered shows what the server made of the end before.
NEXT = b'GET /hello HTTP/1.1\r\nHost: next\r\n\r\n'


def case(name, stream, answers, **seen):
    CASES.append(Case(name, stream, answers, seen))


def ok(name, stream, **seen):
    """A request that is served, and leaves the connection in step."""
    case(name, stream + NEXT, [200, 200], **seen)


def last(name, stream, status=200, **seen):
    """A request that is answered, and ends the connection."""
    case(name, stream + NEXT, [status], **seen)


def bad(name, stream, status=400):
    last(name, stream, status)


def bad_at_once(name, stream):
    """A request that is refused if what is wrong with it is there when its handler would begin."""
    AT_ONCE.append(Case(name, stream + NEXT, [400], {}))


def unfinished(name, stream):
    """A client that ends its stream amid a request that nobody was told of."""
    case(name, stream, [])


def request(*fields, line='GET /reflect HTTP/1.1', host='Host: a', body=b''):
    """The bytes of a request; fields are texts, or bytes where text would not do."""
    lines = [line, *([host] if host else []), *fields]
    head = b'\r\n'.join(each if isinstance(each, bytes) else each.encode() for each in lines)
    return head + b'\r\n\r\n' + body


def get(target, version='HTTP/1.1', host='Host: a'):
    return request(line=f'GET {target} {version}', host=host)


def post(*fields, body=b'', version='HTTP/1.1', path='/reflect'):
    return request(*fields, line=f'POST {path} {version}', body=body)


def chunked(body):
    return post('Transfer-Encoding: chunked', body=body)


def field_of(size):
    """A field whose line has so many bytes before its CRLF."""
    return 'X: ' + 'v' * (size - 3)


# --- Request line

for method in ('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'M-SEARCH', 'PROPFIND', 'get',
               "!#$%&'*+-.^_`|~09", 'X' * 200):
    ok(f'method {method[:20]}', request(line=f'{method} /reflect HTTP/1.1'), method=method)
for method in ('G ET', 'G\tET', 'GET:', 'G(ET', 'G\u00e9T', 'G"ET"', '{GET}', 'GET,', '', 'GET\x00',
               'GET\x0b', '\tGET', ' GET', '\ufeffGET', 'GET@', '[GET]', 'GET/'):
    bad(f'method {method!r}', request(line=f'{method} /reflect HTTP/1.1'))

for line in ('GET  /reflect HTTP/1.1', 'GET /reflect  HTTP/1.1', 'GET\t/reflect HTTP/1.1',
             'GET /reflect\tHTTP/1.1', 'GET /reflect HTTP/1.1 ', 'GET /reflect HTTP/1.1\t',
             'GET /reflect HTTP/1.1 x', 'GET /re flect HTTP/1.1', 'GET /reflect', 'GET',
             'GET HTTP/1.1', 'GET  HTTP/1.1', 'GET /reflect\x0bHTTP/1.1',
             'GET /reflect\x0cHTTP/1.1', 'GET\x0b/reflect HTTP/1.1', 'GET /reflect\u00a0HTTP/1.1',
             'GET /reflect\rHTTP/1.1', 'GET /reflect HTTP/1.1\r', 'GET /reflect \rHTTP/1.1',
             'GET /\x00 HTTP/1.1', 'GET /\x01 HTTP/1.1', 'GET /\x7f HTTP/1.1', 'GET /\x1f HTTP/1.1',
             '/reflect HTTP/1.1', 'HTTP/1.1 200 OK'):
    bad(f'request line {line!r}', request(line=line))
bad('request line ended by LF', b'GET /reflect HTTP/1.1\nHost: a\r\n\r\n')
bad('request line ended by CR', b'GET /reflect HTTP/1.1\rHost: a\r\n\r\n')
bad('request line ended by CR CR LF', b'GET /reflect HTTP/1.1\r\r\nHost: a\r\n\r\n')
bad('request line ended by LF CR', b'GET /reflect HTTP/1.1\n\rHost: a\r\n\r\n')
bad('all lines ended by LF', b'GET /reflect HTTP/1.1\nHost: a\n\n')
bad('a TLS client', b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + b'\x00' * 20)
bad('the method of HTTP/2 clients', b'PRI * HTTP/1.1\r\nHost: a\r\n\r\n')
bad('an HTTP/2 client that comes too late', b'\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505)
bad('a SOCKS client', b'\x05\x01\x00')
bad('an SSH client', b'SSH-2.0-OpenSSH_9.2\r\n')
ok('an empty line before', b'\r\n' + get('/reflect'))
ok('some empty lines before', b'\r\n' * 4 + get('/reflect'))
bad('empty lines without end', b'\r\n' * 100 + get('/reflect'))
bad('a line of LF before', b'\n' + get('/reflect'))
bad('a line of CR before', b'\r' + get('/reflect'))
bad('a blank before', b' ' + get('/reflect'))
ok('an empty line after a body', post('Content-Length: 1', body=b'x\r\n'))

for version in ('HTTP/2.0', 'HTTP/3.0', 'HTTP/0.9', 'HTTP/9.9', 'HTTP/0.0', 'HTTP/2.1'):
    bad(f'version {version}', get('/reflect', version), 505)
for version in ('http/1.1', 'Http/1.1', 'HTTP/1', 'HTTP/1.', 'HTTP/1.10', 'HTTP/1.01', 'HTTP/01.1',
                'HTTP/11.1', 'HTTP/.1', 'HTTP/1,1', 'HTTP/1.x', 'HTTP/x.1', 'HTTP 1.1', 'HTTP/ 1.1',
                'HTTP/1 .1', 'HTTP/1.1.1', 'HTTP//1.1', 'HTTP/-1.1', 'HTTP/+1.1', 'HTTP/1.-1',
                'HTTPS/1.1', 'XTTP/1.1', 'ICY/1.1', 'HTTP', 'HTTP/1.1,', 'HTTP/\uff11.1', '1.1',
                'RTSP/1.0'):
    bad(f'version {version}', get('/reflect', version))
last('version 1.0', get('/reflect', 'HTTP/1.0'), version='1.0')
last('version 1.0 without Host', get('/reflect', 'HTTP/1.0', None), version='1.0')
# RFC 9110, 6.2: a higher minor version is served as the highest one known.
ok('version 1.2', get('/reflect', 'HTTP/1.2'))
ok('version 1.9', get('/reflect', 'HTTP/1.9'))
bad('version 1.2 without Host', get('/reflect', 'HTTP/1.2', None))

# --- Request target

for target, path, query in (
        ('/reflect', '/reflect', ''), ('/reflect?', '/reflect', ''),
        ('/reflect?a=b&c', '/reflect', 'a=b&c'), ('/reflect?a?b?c', '/reflect', 'a?b?c'),
        ('/reflect?/../x', '/reflect', '/../x'), ('/reflect?%00%fF', '/reflect', '%00%fF'),
        ("/reflect?-._~:/?[]@!$&'()*+,;=", '/reflect', "-._~:/?[]@!$&'()*+,;="),
        ('/./reflect', '/./reflect', ''), ('/x/../reflect', '/x/../reflect', ''),
        ('/%72eflect', '/%72eflect', ''), ('http://b/reflect?q', '/reflect', 'q'),
        ('HTTP://B:80/reflect', '/reflect', ''), ('http://[::1]:80/reflect', '/reflect', ''),
        ('http://b:/reflect', '/reflect', ''), ('http://u:p%40@b/reflect?@', '/reflect', '@'),
        ('http://@b/reflect', '/reflect', '')):
    ok(f'target {target!r}', get(target), target=target, path=path, query=query)
for target in ('reflect', '*', '?a', '#a', 'a:80', 'ftp://b/reflect', 'http:/reflect',
               'http:reflect', 'http://', 'http:///reflect', 'http://b c/', 'http://b:x/',
               'http://b:123456/', 'http://[::1/', 'http://:80/', 'http://b\\c/',
               'file:///etc/passwd', 'urn:a', '\\reflect', '..', './reflect', 'http://b%zz/',
               'http://[::1]x/', 'http://[zz]/', 'http://b<c/', '://b/', '\u00e9',
               'http://a@b@c/reflect', 'http://a\\@b/reflect',
               'http://%zz@b/reflect', 'http://a@/reflect', 'http://b:65536/reflect',
               'http:\\\\b/reflect', 'ws://b/reflect', '/reflect?a#b', '/reflect#a?b',
               'http://b/reflect#f', '/#', '/reflect?%zz', '/reflect?%', '/reflect?%2', '/\u00e9',
               '/reflect?\u00e9', *(f'/{each}' for each in '"<>\\^`{|}'),
               *(f'/reflect?{each}' for each in '"<>\\^`{|}')):
    bad(f'target {target!r}', get(target))
for target in ('/%00', '/%zz', '/%', '/%2', '/..', '/../reflect', '/%2e%2e/reflect',
               '/a/../../reflect'):
    bad(f'path {target}', get(target))
for target in ('//', '/reflect/', '//reflect', '/REFLECT', '/a%2freflect', '/reflect%2f',
               '/reflect%20', '/reflect;a=b', 'http://b', 'http://b?reflect',
               '/reflect%3f'):
    case(f'path {target}', get(target) + NEXT, [404, 200])
ok('bytes that are no UTF-8', request(b'X: \xe9', line='GET /reflect HTTP/1.1'),
   headers=[['Host', 'a'], ['X', '\xe9']])
bad('bytes that are no UTF-8 in a target', request(line=b'GET /reflect?\xff HTTP/1.1'))
# RFC 9110, 7.4: what is named by https is asked for over TLS.
bad('an https target without TLS', get('https://b/reflect'), 421)
bad('an HTTPS target of nothing without TLS', get('HTTPS://b'), 421)
case('OPTIONS *', request(line='OPTIONS * HTTP/1.1') + NEXT, [204, 200])
case('OPTIONS of an authority alone', request(line='OPTIONS http://b HTTP/1.1') + NEXT, [204, 200])
case('OPTIONS of a path that is not', request(line='OPTIONS http://b/ HTTP/1.1') + NEXT, [404, 200])
bad('CONNECT', request(line='CONNECT a:443 HTTP/1.1'), 501)
for target in ('a', '/', 'http://a/', 'a:', ':80', 'a:x', '*', 'u@a:1'):
    bad(f'CONNECT {target}', request(line=f'CONNECT {target} HTTP/1.1'))
bad('OPTIONS of an authority', request(line='OPTIONS a:80 HTTP/1.1'))

# --- Host

for host in ('a', 'A.B.C', 'a:80', 'a:', '127.0.0.1:8080', '[::1]', '[::1]:80', '[2001:db8::1]',
             '[::ffff:1.2.3.4]', '[v1.a:b]', 'xn--bcher-kva.example', 'a_b', 'a.b.', '%41', 'a:0',
             'a:65535', "!$&'()*+;=", ''):
    ok(f'Host {host!r}', request(host=f'Host: {host}'))
for host in ('a b', 'a/b', 'a/', 'http://a', 'u@a', 'u:p@a', 'a?b', 'a#b', 'a:x', 'a:80x', 'a:-1',
             'a:80:80', 'a::80', '[::1', '::1', '[]', '[::1]x', '[::1]80', '[::1]:x', '[a]',
             '[::1::2]', '[1.2.3.4]', '[12345::]', '[v.a]', 'a\\b', 'a"b',
             'a<b', 'a^b', 'a`b', 'a{b}', 'a|b', '\u00e9', 'a, b', 'a\tb', '%', '%4', '%zz', 'a%2',
             'a\x00', 'a\x7f', '[::1%zz]'):
    bad(f'Host {host!r}', request(host=f'Host: {host}'))
bad('no Host', request(host=None))
bad('Host twice, equal', request('Host: a'))
bad('Host twice, differing', request('host: b'))
bad('Host twice, one empty', request('Host:'))
bad('Host twice in 1.0', request('Host: b', line='GET /reflect HTTP/1.0'))
bad('Host with a blank before the colon', request(host='Host : a'))
bad('Host amid blanks', request(host=' Host: a'))
bad('an absolute target without Host', get('http://b/reflect', host=None))
bad('an absolute target with two Hosts', request('Host: b', line='GET http://b/reflect HTTP/1.1'))
ok('Host in another case', request(host='hOsT:a'))
last('a malformed Host in 1.0', request(host='Host: a b', line='GET /reflect HTTP/1.0'), 400)

# --- Fields

ok('fields as sent, in order', request('X-B:1', 'X-A: \t2 \t', 'X-B:  3  4', 'X:', 'x-c:a:b'),
   headers=[['Host', 'a'], ['X-B', '1'], ['X-A', '2'], ['X-B', '3  4'], ['X', ''], ['x-c', 'a:b']])
ok('all characters of a name', request("!#$%&'*+-.^_`|~azAZ09: v"))
ok('all characters of a value', request(bytes([*b'X: ', 9, *range(32, 127), *range(128, 256)])))
for byte in [*range(0, 9), 11, 12, *range(14, 32), 127]:
    bad(f'byte {byte:#x} in a value', request(b'X: a' + bytes([byte]) + b'b'))
    bad(f'byte {byte:#x} at the start of a value', request(b'X: ' + bytes([byte]) + b'b'))
    bad(f'byte {byte:#x} at the end of a value', request(b'X: a' + bytes([byte])))
for byte in [*range(0, 10), 11, 12, *range(14, 33), *b'"(),/;<=>?@[\\]{}', *range(127, 256, 16)]:
    bad(f'byte {byte:#x} in a name', request(b'X' + bytes([byte]) + b'Y: v'))
    bad(f'byte {byte:#x} before the colon', request(b'X' + bytes([byte]) + b': v'))
    bad(f'byte {byte:#x} at the start of a name', request(bytes([byte]) + b'X: v'))
bad('no colon', request('X'))
bad('no name', request(': v'))
bad('an empty field line of blanks', request(' '))
bad('folded by a blank', request('X: a', ' b'))
bad('folded by a tab', request('X: a', '\tb'))
bad('folded, first', b'GET /reflect HTTP/1.1\r\n Host: a\r\n\r\n')
bad('folded Transfer-Encoding', post('Transfer-Encoding:', ' chunked', body=b'0\r\n\r\n'))
bad('folded Content-Length', post('Content-Length:', ' 1', body=b'x'))
for name, end in (('LF', b'\n'), ('CR', b'\r'), ('CR CR LF', b'\r\r\n'), ('LF CR', b'\n\r'),
                  ('LF LF', b'\n\n'), ('NUL CR LF', b'\x00\r\n'), ('CR NUL LF', b'\r\x00\n'),
                  ('CR blank LF', b'\r \n')):
    bad(f'a field ended by {name}', b'GET /reflect HTTP/1.1\r\nHost: a\r\nX: y' + end
        + b'Z: z\r\n\r\n')
    bad(f'a head ended by CR LF {name}' if end != b'\n' else 'a head ended by LF',
        b'GET /reflect HTTP/1.1\r\nHost: a\r\n' + (b'x' if end == b'\r\n' else b'') + end + b'\r\n')

# --- Content-Length

for length in ('', ' ', '+1', '-1', '0x1', '1_0', '1 0', '1,1', '1, 1', '1,', ',1', '1;', '1.0',
               '1e0', 'one', '"1"', "'1'", '1a',
               'a1', '\u00b9', '\u0661', '\uff11', '1\x00', '\x0b1', '1\x0c', '--1', '1+', '0b1',
               '0o1', '1L', '1\t1', '*', '%31'):
    bad(f'Content-Length {length!r}', post(f'Content-Length: {length}', body=b'x'))
for length in ('18446744073709551616', '99999999999999999999999', '9' * 400, '18446744073709551615',
               '9223372036854775808', '4294967297000'):
    bad(f'Content-Length {length[:24]}', post(f'Content-Length: {length}', body=b'x'), 413)
ok('Content-Length 1', post('Content-Length: 1', body=b'x'), body='eA==')
ok('Content-Length amid blanks', post('Content-Length: \t 1 \t ', body=b'x'), body='eA==')
ok('Content-Length without blank', post('Content-Length:1', body=b'x'), body='eA==')
ok('Content-Length 0001', post('Content-Length: 0001', body=b'x'), body='eA==')
ok('Content-Length 0', post('Content-Length: 0'), body='')
ok('cOnTeNt-LeNgTh', post('cOnTeNt-LeNgTh: 1', body=b'x'), body='eA==')
ok('a GET with a body', request('Content-Length: 1', body=b'x'), body='eA==')
ok('a body that looks like a request', post(f'Content-Length: {len(NEXT)}', body=NEXT))
ok('Content_Length is another field', post('Content_Length: 5'), body='')
ok('a field of a similar name', post('X-Content-Length: 5', 'Content-Length2: 5'), body='')
bad('Content-Length twice, equal', post('Content-Length: 1', 'Content-Length: 1', body=b'x'))
bad('Content-Length twice, differing', post('Content-Length: 1', 'Content-Length: 0', body=b'x'))
bad('Content-Length twice, one empty', post('Content-Length: 1', 'Content-Length:', body=b'x'))
bad('Content-Length with a blank before the colon', post('Content-Length : 1', body=b'x'))
bad('Content-Length with a tab before the colon', post('Content-Length\t: 1', body=b'x'))
bad('Content-Length with a NUL in its name', post('Content-\x00Length: 1', body=b'x'))
ok('no length, no body', post(), body='')
unfinished('a head cut short', b'GET /reflect HTTP/1.1\r\nHost: a\r\n')
unfinished('a request line cut short', b'GET /refl')
unfinished('a body cut short', post('Content-Length: 3', body=b'xy'))
unfinished('an empty line and no more', b'\r\n')

# --- Transfer-Encoding

END = b'1\r\nx\r\n0\r\n\r\n'
for name in ('Transfer-Encoding: chunked', 'transfer-encoding:CHUNKED',
             'TRANSFER-ENCODING: \t chUnked \t'):
    ok(name, post(name, body=END), body='eA==')
for coding in ('gzip', 'gzip, chunked', 'identity', 'identity, chunked', 'chunked, gzip',
               'chunked, identity', 'xchunked', 'chunkedx',
               'chunke', 'cow', 'x-chunked', 'deflate', 'compress, chunked', 'chunked-', 'chunked.',
               'chunke\u0064d', 'null', 'none', 'br;q=1', 'gzip;a=b, chunked'):
    bad(f'Transfer-Encoding {coding}', post(f'Transfer-Encoding: {coding}', body=END), 501)
for coding in ('', ',', 'chunked,', ',chunked', 'chunked, ', 'chunked,,', 'chunked, chunked',
               'chunked,chunked', 'chunked;', 'chunked;a=b',
               'chunked ;a', '"chunked"', "chunked\x0b", '\x0bchunked', 'chunked\x0c',
               '\x00chunked', 'chunked\x00', 'chunked\x7f', '(x)chunked',
               '[chunked]', 'chunked chunked', 'chunked gzip', 'chunked\tx', 'chunked:',
               '\u00a0chunked', 'chunked\u00a0', 'chunked/', 'ch\u00fcnked',
               'chunked\x85', '\ufeffchunked', '=chunked', '@', 'chunked ,chunked', '{chunked}',
               '\x1fchunked'):
    bad(f'Transfer-Encoding {coding!r}', post(f'Transfer-Encoding: {coding}', body=END))
for name in ('Transfer-Encoding : chunked', 'Transfer-Encoding\t: chunked',
             ' Transfer-Encoding: chunked', '\tTransfer-Encoding: chunked',
             'Transfer-Encoding\x0b: chunked', 'Transfer-Encoding\x00: chunked',
             'Transfer-Encoding\x0c: chunked', 'Transfer\x00-Encoding: chunked',
             'Transfer-Encoding', 'Transfer-Encoding chunked', 'Transfer-Encoding=chunked',
             'Transfer Encoding: chunked', 'Transfer-Encoding;: chunked',
             '"Transfer-Encoding": chunked', 'Transfer-Encoding\u00a0: chunked',
             'Transfer-Encoding\r: chunked', '\x0bTransfer-Encoding: chunked',
             'X: y\rTransfer-Encoding: chunked', 'X: y\nTransfer-Encoding: chunked',
             'X: y\n Transfer-Encoding: chunked',
             'Transfer-Encoding:\n chunked', 'Transfer-Encoding:\r\n\tchunked',
             'Transfer-Encoding: chunked\r', 'Transfer-Encoding: \rchunked',
             'Transfer-Encoding: chunked\nX: y', 'Transfer-Encoding: x\nchunked',
             'Transfer-Encoding: chunked\r\n , identity'):
    bad(f'field {name!r}', post(name, body=END))
for byte in [*range(1, 33), *range(127, 256, 8), 255]:
    put = ok if byte in b'\t ' else bad
    put(f'byte {byte:#x} before chunked', post(b'Transfer-Encoding:' + bytes([byte]) + b'chunked',
                                               body=END))
    put(f'byte {byte:#x} behind chunked', post(b'Transfer-Encoding: chunked' + bytes([byte]),
                                               body=END))
    for name in (b'Transfer-Encoding' + bytes([byte]), bytes([byte]) + b'Transfer-Encoding',
                 b'Transfer' + bytes([byte]) + b'Encoding'):
        bad(f'Transfer-Encoding with {byte:#x} in its name {name}',
            post(name + b': chunked', 'Content-Length: 6', body=END))
ok('Transfer_Encoding is another field', post('Transfer_Encoding: chunked', 'Content-Length: 1',
                                              body=b'x'), body='eA==')
for name, first, second in (('CL.TE', 'Content-Length: 6', 'Transfer-Encoding: chunked'),
                            ('TE.CL', 'Transfer-Encoding: chunked', 'Content-Length: 6'),
                            ('TE.0', 'Content-Length: 0', 'Transfer-Encoding: chunked'),
                            ('CL in another case', 'content-length:3',
                             'TRANSFER-ENCODING:chunked')):
    bad(name, post(first, second, body=b'0\r\n\r\nG'))
bad('TE.TE, unknown first', post('Transfer-Encoding: cow', 'Transfer-Encoding: chunked', body=END),
    501)
bad('TE.TE, unknown last', post('Transfer-Encoding: chunked', 'Transfer-encoding: cow', body=END),
    501)
bad('TE.TE, equal', post('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked', body=END))
bad('TE.TE, identity', post('Transfer-Encoding: identity', 'Transfer-Encoding: chunked', body=END),
    501)
bad('TE.TE, one empty', post('Transfer-Encoding: chunked', 'Transfer-Encoding:', body=END))
bad('TE and an unknown coding with a length',
    post('Transfer-Encoding: xchunked', 'Content-Length: 11', body=END))
bad('TE in 1.0', post('Transfer-Encoding: chunked', body=END, version='HTTP/1.0'))
bad('TE in 1.0 with keep-alive', post('Transfer-Encoding: chunked', 'Connection: keep-alive',
                                      body=END, version='HTTP/1.0'))
bad('TE and CL in 1.0', post('Transfer-Encoding: chunked', 'Content-Length: 1', body=END,
                             version='HTTP/1.0'))
ok('TE is a field of its own', post('TE: trailers, chunked', 'Connection: TE'), body='')
ok('a GET with chunks', request('Transfer-Encoding: chunked', body=END), body='eA==')

# --- Chunks

for name, body, text in (
        ('none', b'0\r\n\r\n', ''), ('one', b'3\r\nabc\r\n0\r\n\r\n', 'YWJj'),
        ('two', b'1\r\na\r\n2\r\nbc\r\n0\r\n\r\n', 'YWJj'),
        ('hex in both cases', b'a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n',
         'MDEyMzQ1Njc4OTAxMjM0NTY3ODk='),
        ('leading zeros', b'000000000000003\r\nabc\r\n0000\r\n\r\n', 'YWJj'),
        ('40 leading zeros', b'0' * 40 + b'3\r\nabc\r\n0\r\n\r\n', 'YWJj'),
        ('an extension', b'3;a\r\nabc\r\n0;b\r\n\r\n', 'YWJj'),
        ('an extension with a value', b'3;a=b\r\nabc\r\n0\r\n\r\n', 'YWJj'),
        ('a quoted extension', b'3;a="b;\\"\xe9 \t"\r\nabc\r\n0\r\n\r\n', 'YWJj'),
        ('extensions', b'3;a;b=c;d="e"\r\nabc\r\n0\r\n\r\n', 'YWJj'),
        ('blanks in extensions', b'3; a = b ; c\r\nabc\r\n0\r\n\r\n', 'YWJj'),
        ('data with CR LF', b'4\r\n\r\n\r\n\r\n0\r\n\r\n', 'DQoNCg=='),
        ('data like an end', b'5\r\n0\r\n\r\n\r\n0\r\n\r\n', 'MA0KDQo=')):
    ok(f'chunks: {name}', chunked(body), body=text)
for size in ('', ' ', ' 3', '3 ', '\t3', '3\t', '+3', '-3', '0x3', '0X3', 'x3', '3h', '3_', '0_3',
             '3.', '3,', '3 3', '3\x00', '\x003', '3\x0b', '3\x0c', '#3',
             '3:', '3 ;a', '3\t;a', '"3"', '\uff13', '3;', '3; ', '3;;a', '3;=b', '3;a=', '3;a="',
             '3;a="b', '3;a="b\\"', '3;a b', '3;a=b c', '3;a=b"c"',
             '3;a\x00', '3;a\x7f', '3;a="\x00"', '3;\x0ba', '3;a=b=c', '3;a,b', '3;(a)', '3;a="b"c',
             '3;\u00e9', '3\r', '3;a\r', '3;a\rb', '3;a="\r"', '10000000000000003',
             'ffffffffffffffff3', '1' * 17, 'f' * 100, 'g', 'G', '-0', '0x', '-1'):
    bad(f'chunk size {size[:24]!r}', chunked(f'{size}\r\nabc\r\n0\r\n\r\n'.encode()))
for size in ('ffffffffffffffff', 'FFFFFFFF00000002', '900000', '8000000000000000',
             '7fffffffffffffff'):
    bad(f'chunk size {size}', chunked(f'{size}\r\n'.encode() + b'x' * (8 << 20) + b'x'), 413)
for name, body in (('size ended by LF', b'3\nabc\r\n0\r\n\r\n'),
                   ('size ended by CR', b'3\rabc\r\n0\r\n\r\n'),
                   ('size ended by CR CR LF', b'3\r\r\nabc\r\n0\r\n\r\n'),
                   ('data ended by LF', b'3\r\nabc\n0\r\n\r\n'),
                   ('data ended by CR', b'3\r\nabc\r0\r\n\r\n'),
                   ('data not ended', b'3\r\nabc0\r\n\r\n'),
                   ('data too long', b'3\r\nabcd\r\n0\r\n\r\n'),
                   ('data too short', b'5\r\nabc\r\n0\r\n\r\n'),
                   ('data ended by other bytes', b'3\r\nabcXX0\r\n\r\n'),
                   ('data ended by CR LF LF', b'3\r\nabc\r\n\n0\r\n\r\n'),
                   ('an empty line between', b'3\r\nabc\r\n\r\n0\r\n\r\n'),
                   ('end by LF', b'0\n\n'), ('end by CR LF LF', b'0\r\n\n'),
                   ('end by LF CR LF', b'0\n\r\n'), ('end by CR CR', b'0\r\r'),
                   ('extension ended by LF', b'3;a\nabc\r\n0\r\n\r\n'),
                   ('extension hides a chunk', b'3;a\n5\r\nabc\r\n0\r\n\r\n'),
                   ('end of 00 by LF', b'00\n\r\n'),
                   ('a last chunk with data', b'0\r\nabc\r\n\r\n'),
                   ('a length line over its limit', b'3;' + b'a' * 1100 + b'\r\nabc\r\n0\r\n\r\n'),
                   ('a size without end', b'0' * 2000)):
    bad(f'chunks: {name}', chunked(body))
case('chunks cut short', chunked(b'3\r\nab'), [])
case('chunks without an end', chunked(b'3\r\nabc\r\n'), [])
case('chunks without a last line', chunked(b'0\r\n'), [])

# --- Trailers

ok('a trailer', chunked(b'0\r\nX-T: 1\r\nx-t:2 \r\n\r\n'), trailers=[['X-T', '1'], ['x-t', '2']],
   headers=[['Host', 'a'], ['Transfer-Encoding', 'chunked']])
for name in ('Connection: close', 'Expect: x', 'Content-Type: a', 'Trailer: X'):
    ok(f'trailer {name}', chunked(f'0\r\n{name}\r\n\r\n'.encode()), trailers=[name.split(': ')])
for line in ('Content-Length: 1', 'content-length: 0', 'Transfer-Encoding: chunked', 'Host: b',
             'X : y', ' X: y', 'X', ': y', 'X: a\x00', 'X\x00: a', 'X: a\rb', 'X: a\nY: b',
             'X: a\r\n b', 'X: a\x0b', '\u00e9: a', 'GET / HTTP/1.1'):
    bad(f'trailer {line!r}', chunked(f'0\r\n{line}\r\n\r\n'.encode()))
ok('64 trailers', chunked(b'0\r\n' + b'X: y\r\n' * 64 + b'\r\n'))
bad('65 trailers', chunked(b'0\r\n' + b'X: y\r\n' * 65 + b'\r\n'))
bad('trailers over 16 KiB', chunked(b'0\r\n' + b'X: ' + b'y' * 16384 + b'\r\n\r\n'))

# --- Limits, both sides of each

ok('a request line of 8 KiB', get('/reflect?' + 'x' * (8192 - len('GET /reflect? HTTP/1.1'))))
bad('a request line over 8 KiB', get('/reflect?' + 'x' * (8193 - len('GET /reflect? HTTP/1.1'))),
    414)
bad('a target over any limit', get('/' + 'x' * 100000), 414)
bad('a method over any limit', request(line='X' * 9000 + ' / HTTP/1.1'), 414)
ok('a field line of 8 KiB', request(field_of(8192)))
bad('a field line over 8 KiB', request(field_of(8193)), 431)
bad('a field name over 8 KiB', request('X' * 9000 + ': y'), 431)
bad('a field value over any limit', request(field_of(200000)), 431)
ok('100 fields', request(*['X: y'] * 99))
bad('101 fields', request(*['X: y'] * 100), 431)
bad('10,000 fields', request(*['X: y'] * 9999), 431)
ok('fields of 64 KiB', request(*[field_of(8190)] * 7,
                               field_of(65536 - 7 * 8192 - len('Host: a\r\n') - 4)))
bad('fields over 64 KiB', request(*[field_of(8190)] * 8), 431)
ok('a body at its limit', post(f'Content-Length: {8 << 20}', body=b'x' * (8 << 20)))
bad('a body over its limit', post(f'Content-Length: {(8 << 20) + 1}', body=b''), 413)

# --- Connection

for option in ('close', 'Close', 'CLOSE', 'x, close', 'close, x', 'keep-alive, close',
               'close, keep-alive', ',close', 'close,', 'x,\t close \t,y', 'close , te'):
    last(f'Connection {option}', request(f'Connection: {option}'))
for option in ('', 'keep-alive', 'Keep-Alive', 'closed', 'xclose', 'close-x', '"close"', 'x', 'TE',
               'upgrade', 'close x', 'Host', 'close;q=1', 'x=close'):
    ok(f'Connection {option}', request(f'Connection: {option}'))
last('Connection on two lines', request('Connection: keep-alive', 'Connection: close'))
last('Connection in 1.0: close', request('Connection: close', line='GET /reflect HTTP/1.0'))
last('Connection in 1.0: both', request('Connection: keep-alive, close',
                                        line='GET /reflect HTTP/1.0'))
ok('Connection in 1.0: keep-alive', request('Connection: Keep-Alive', line='GET /reflect HTTP/1.0'),
   version='1.0')
last('Connection in 1.0: another', request('Connection: x', line='GET /reflect HTTP/1.0'))
ok('Upgrade to what nobody knows', request('Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c',
                                           'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA'))
ok('Upgrade without Connection', request('Upgrade: websocket'))
ok('Keep-Alive', request('Keep-Alive: timeout=5, max=1'))
ok('hop-by-hop fields that Connection lists stay', request('X-A: 1', 'Connection: X-A'))
last('a body, then the end', post('Connection: close', 'Content-Length: 1', body=b'x'), body='eA==')

# --- Expect

case('Expect 100-continue', post('Expect: 100-continue', 'Content-Length: 0') + NEXT, [200, 200])
case('Expect in another case, with the body',
     post('Expect: 100-CONTINUE', 'Content-Length: 1', body=b'x') + NEXT, [200, 200])
for value in ('', '200-ok', '100-continue, x', '100', '100-continue;a', '"100-continue"', 'x',
              '100-continue x'):
    bad(f'Expect {value!r}', post(f'Expect: {value}', 'Content-Length: 1', body=b'x'), 417)
last('Expect in 1.0', post('Expect: x', 'Content-Length: 1', body=b'x', version='HTTP/1.0'),
     body='eA==')

# --- Pipelines

case('three in a row', get('/hello') + post('Content-Length: 1', body=b'x') + get('/none') + NEXT,
     [200, 200, 404, 200])
case('chunks between', get('/hello') + chunked(END) + get('/status?code=503') + NEXT,
     [200, 200, 503, 200])
case('a malformed one amid others',
     get('/hello') + get('/hello') + b'GET / HTTP/1.1\r\nHost : a\r\n\r\n' + NEXT, [200, 200, 400])
case('an ambiguous one amid others',
     get('/hello') + post('Content-Length: 4', 'Transfer-Encoding: chunked', body=b'0\r\n\r\n')
     + NEXT, [200, 400])
case('a broken chunk amid others', get('/hello') + chunked(b'zz\r\n') + NEXT, [200, 400])
case('an unknown coding amid others', get('/hello') + post('Transfer-Encoding: gzip') + NEXT,
     [200, 501])
case('a body that is not read', post('Content-Length: 5', body=b'GET /', path='/ignore') + NEXT,
     [200, 200])
case('chunks that are not read', request('Transfer-Encoding: chunked', line='POST /ignore HTTP/1.1',
                                         body=END) + NEXT, [200, 200])
for name, body in (('data', b'1\r\nxx\r\n'), ('a size', b'zz\r\n'), ('a size without an end', b'z'),
                   ('an extension', b'1;\r\nx\r\n0\r\n\r\n'),
                   ('a trailer', b'0\r\nX : y\r\n\r\n'),
                   ('a trailer that frames', b'0\r\nContent-Length: 5\r\n\r\n'),
                   ('the end', b'0\r\n\n')):
    for path in ('/ignore', '/hello', '/none'):
        bad_at_once(f'{name} is broken, for {path}',
                    request('Transfer-Encoding: chunked', line=f'POST {path} HTTP/1.1', body=body))
last('long chunks that are not read', request('Transfer-Encoding: chunked',
                                              line='POST /ignore HTTP/1.1',
                                              body=b'20000\r\n' + b'x' * 0x20000
                                              + b'\r\n0\r\n\r\n'))
last('a long body that is not read', request('Content-Length: 131072', line='POST /ignore HTTP/1.1',
                                             body=b'x' * 131072))
last('a body that was promised and is not asked for',
     request('Expect: 100-continue', 'Content-Length: 1', line='POST /ignore HTTP/1.1', body=b'x'))
case('a WebSocket that brings a body', request('Connection: Upgrade', 'Upgrade: websocket',
                                               'Sec-WebSocket-Version: 13',
                                               'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
                                               'Content-Length: 5', line='GET /ws HTTP/1.1',
                                               body=b'GET /') + NEXT, [400, 200])
case('a body for a path that is not', post('Content-Length: 5', body=b'GET /', path='/none') + NEXT,
     [404, 200])
case('a body for a method that is not',
     request('Content-Length: 5', line='DELETE /files/x HTTP/1.1', body=b'GET /') + NEXT,
     [405, 200])
case('CR LF CR LF within a body', post('Content-Length: 4', body=b'\r\n\r\n') + NEXT, [200, 200])
case('a hundred', get('/hello') * 100, [200] * 100)
case('statuses without bodies',
     get('/status?code=204') + get('/status?code=304') + get('/status?code=205') + NEXT,
     [204, 304, 205, 200])
case('an early error, then more', get('/fail') + NEXT, [500, 200])
case('streams', get('/stream?chunks=3&bytes=5') + get('/stream?chunks=0') + NEXT, [200, 200, 200])
case('streams in 1.0', get('/stream?chunks=3&bytes=5', 'HTTP/1.0') + NEXT, [200])
