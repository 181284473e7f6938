"""A thousand origins in one process: 127.X.KIND.Y, all on one port, that are well, slow, angry or
dead. Notes who asked how often, and how many at once."""

import asyncio
import collections
import threading
import time

WELL, SLOW, ANGRY, DEAD, PACED = range(1, 6)
KINDS = {WELL: 'well', SLOW: 'slow', ANGRY: 'angry', DEAD: 'dead', PACED: 'paced'}
# What an angry one asks for, and for how long it refuses from its first request on.
RETRY_AFTER_S = 1


def address(kind, number):
    return f'127.{number // 250}.{kind}.{number % 250 + 1}'


class Origin:

    def __init__(self):
        self.asked = 0
        self.refused = 0
        self.running = 0
        self.running_most = 0
        self.first = None
        self.last = None


class Origins:
    """`slow_s`: how long slow ones take; None: until release()."""

    def __init__(self, slow_s=None):
        self.origins = collections.defaultdict(Origin)
        self.bodies = collections.Counter()
        self.heads = {}
        self._slow_s = slow_s
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()
        self._ready.wait()

    def url(self, kind, number):
        return f'http://{address(kind, number)}:{self.port}/hook'

    def of(self, kind):
        """The origins of a kind, in a snapshot."""
        return [origin for where, origin in list(self.origins.items())
                if where.split('.')[2] == str(kind)]

    def release(self):
        self._loop.call_soon_threadsafe(self._released.set)

    def close(self):
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._released = asyncio.Event()
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, '0.0.0.0', 0, backlog=4096))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()

    async def _serve(self, reader, writer):
        where = writer.get_extra_info('sockname')[0]
        kind = int(where.split('.')[2])
        try:
            while True:
                head = (await reader.readuntil(b'\r\n\r\n')).decode()
                fields = dict(line.split(': ', 1) for line in head.split('\r\n')[1:] if line)
                body = await reader.readexactly(int(fields.get('Content-Length', 0)))
                if not await self._answer(kind, where, fields, body, writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, kind, where, fields, body, writer):
        origin = self.origins[where]
        now = time.monotonic()
        origin.first = origin.first or now
        origin.last = now
        origin.asked += 1
        origin.running += 1
        origin.running_most = max(origin.running_most, origin.running)
        try:
            if kind == DEAD:
                return False
            if kind == SLOW and self._slow_s is None:
                await self._released.wait()
            elif kind == SLOW:
                await asyncio.sleep(self._slow_s)
        finally:
            origin.running -= 1
        if kind == ANGRY and now < origin.first + RETRY_AFTER_S:
            origin.refused += 1
            writer.write(b'HTTP/1.1 429 Slow down\r\nRetry-After: %d\r\nContent-Length: 0\r\n\r\n'
                         % RETRY_AFTER_S)
            return True
        self.bodies[body] += 1
        self.heads[body] = fields
        writer.write(b'HTTP/1.1 204 Thanks\r\n\r\n')
        return True
