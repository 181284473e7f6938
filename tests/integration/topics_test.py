"""Topics: what one worker's client says reaches the clients of all workers."""

import asyncio
import os
import signal
import unittest

import websockets

from grove_harness import DEADLINE_S, OperationsTest, eventually

ROOM = 'server/examples/room'


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, timeout=DEADLINE_S))


class TopicsTest(OperationsTest):

    def start_room(self, workers=2):
        daemon = self.start(binary=ROOM, workers=workers, config='runtime: {offload_threads: 2}\n')
        self.address = daemon.url('/room').replace('http', 'ws', 1)
        return daemon

    async def attend(self, *workers):
        """A client of each of these workers; the kernel says who gets whom."""
        clients = {}
        while not all(worker in clients for worker in workers):
            client = await websockets.connect(self.address)
            worker = int((await client.recv()).removeprefix('at worker '))
            if worker in clients:
                await client.close()
            else:
                clients[worker] = client
        return [clients[worker] for worker in workers]

    async def all_hear_each(self, *workers):
        clients = await self.attend(*workers)
        for worker, speaker in zip(workers, clients):
            for number in range(3):
                await speaker.send(f'{number}')
            for listener in clients:
                for number in range(3):
                    self.assertEqual(await listener.recv(), f'from worker {worker}: {number}')
        for client in clients:
            await client.close()

    def test_all_workers_clients_hear_it_in_order(self):
        daemon = self.start_room()
        run(self.all_hear_each(0, 1))
        daemon.stop()

    def test_a_worker_that_was_killed_is_back(self):
        daemon = self.start_room()
        run(self.all_hear_each(0, 1))
        before = daemon.pid_of('grove-w1')
        os.kill(before, signal.SIGKILL)
        eventually('another worker 1', lambda: daemon.pid_of('grove-w1') not in (None, before))
        run(self.all_hear_each(0, 1))
        daemon.stop()
        self.assertEqual([name for name in os.listdir(daemon.run_dir) if 'topics' in name], [])

    def test_workers_that_are_replaced_hear_each_other(self):
        daemon = self.start_room()
        before = [daemon.pid_of(f'grove-w{worker}') for worker in range(2)]
        with open(os.path.join(daemon.folder, 'config.yaml'), 'w', encoding='utf-8') as file:
            file.write('runtime: {offload_threads: 3}\n')
        self.tell(signal.SIGHUP)
        self.ended('reload')
        for worker in range(2):
            self.assertNotEqual(daemon.pid_of(f'grove-w{worker}'), before[worker])
        run(self.all_hear_each(0, 1))
        daemon.stop()


if __name__ == '__main__':
    unittest.main()
