"""Topics: what one worker's client says reaches the clients of all workers."""

import asyncio
import json
import os
import signal
import unittest

import websockets

from grove_harness import DEADLINE_S, OperationsTest, eventually
from upgrade_test import Installed

ROOM = 'server/examples/room'


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, timeout=DEADLINE_S))


class RoomTest(OperationsTest):

    def start_room(self, workers=2):
        daemon = self.start(binary=ROOM, workers=workers, config='runtime: {offload_threads: 2}\n')
        self.find_room()
        return daemon

    def find_room(self):
        self.address = self.daemon.url('/room').replace('http', 'ws', 1)

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


class TopicsTest(RoomTest):

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

    def test_workers_that_are_added_are_heard_by_all_and_those_that_leave_take_nothing_along(self):
        daemon = self.start_room()

        async def heard_by_those_before():
            clients = await self.attend(0, 1)
            self.tell(signal.SIGTTIN)
            await asyncio.to_thread(self.ended, 'scale')
            speaker, = await self.attend(2)
            await speaker.send('new here')
            for listener in clients + [speaker]:
                self.assertEqual(await listener.recv(), 'from worker 2: new here')
            await speaker.close()
            self.tell(signal.SIGTTOU)
            await asyncio.to_thread(self.ended, 'scale', times=2)
            await clients[0].send('still here')
            for listener in clients:
                self.assertEqual(await listener.recv(), 'from worker 0: still here')
                await listener.close()

        run(heard_by_those_before())
        self.assertEqual(sorted(name for name in os.listdir(daemon.run_dir) if 'topics' in name),
                         ['worker-0.topics', 'worker-1.topics'])
        daemon.stop()

    def test_messages_are_counted_for_each_worker(self):
        daemon = self.start_room()
        run(self.all_hear_each(0, 1))

        def counted():
            numbers = daemon.metrics()
            return [numbers[f'grove_topic_messages_{what}_total{{worker="{worker}"}}']
                    for what in ('published', 'delivered') for worker in range(2)]
        eventually('they are counted', lambda: counted() == [3, 3, 6, 6])
        for what in ('dropped', 'unsent'):
            self.assertEqual(daemon.metrics_sum(f'grove_topic_messages_{what}_total'), 0)
        shown = json.loads(daemon.admin('/debug/shared?format=json')[1])['topics']
        self.assertEqual(shown, [{'process': f'worker-{worker}', 'published': 3, 'delivered': 6,
                                  'dropped': 0, 'unsent': 0} for worker in range(2)])
        daemon.stop()

    def test_a_worker_that_is_killed_last_of_all_leaves_no_name(self):
        daemon = self.start_room()
        last = daemon.pid_of('grove-w1')
        os.kill(last, signal.SIGSTOP)
        daemon.terminate()
        eventually('it stops', lambda: 'told to stop' in daemon.log())
        os.kill(last, signal.SIGKILL)
        # It did not end by itself.
        daemon.ended(exit_code=1)
        self.assertEqual([name for name in os.listdir(daemon.run_dir) if 'topics' in name], [])


class UpgradeTest(RoomTest):

    def test_workers_of_the_next_program_hear_each_other_and_those_before(self):
        daemon = self.daemon = Installed(source=ROOM, config='runtime: {offload_threads: 2}\n')
        self.addCleanup(daemon.kill)
        daemon.start()
        self.find_room()
        run(self.all_hear_each(0, 1))
        daemon.install()

        async def heard_meanwhile():
            upgrade = asyncio.create_task(asyncio.to_thread(daemon.upgrade))
            heard = 0
            # Whoever is at a worker that goes comes back to another one.
            while not upgrade.done():
                heard += await self.hears_itself(heard)
            return heard, await upgrade

        heard, line = asyncio.run(asyncio.wait_for(heard_meanwhile(), timeout=3 * DEADLINE_S))
        self.assertGreater(heard, 0)
        self.assertIn('outcome=succeeded', line)
        run(self.all_hear_each(0, 1))
        daemon.stop()

    async def hears_itself(self, number):
        """Whether a client hears what it says; not, if its worker goes just then."""
        try:
            async with websockets.connect(self.address) as client:
                worker = (await client.recv()).removeprefix('at worker ')
                await client.send(f'{number}')
                while (said := await client.recv()) != f'from worker {worker}: {number}':
                    pass
                return said is not None
        except (OSError, websockets.exceptions.WebSocketException):
            return False


if __name__ == '__main__':
    unittest.main()
