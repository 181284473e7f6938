"""The client for Python, blocking and asyncio, against a real daemon."""

import asyncio
import os
import sys
import threading

sys.path.insert(0, os.path.abspath('python'))

import grove
import grove.aio
from grove_harness import GroveTest, KilledTest


class ClientTest(GroveTest):

    def setUp(self):
        self.client = grove.Client(self.daemon.address('grpc'), retry_for=0)
        self.addCleanup(self.client.close)

    def test_a_task_comes_back_as_objects(self):
        task = self.client.spawn('echo', {'n': [1, None]}, labels={'of': 'test'})
        self.assertEqual(self.client.wait(task.name, 30).output, {'n': [1, None]})
        self.assertEqual(self.client.get(task.name).message.spec.labels['of'], 'test')

    def test_a_request_id_gives_the_same_task(self):
        names = {self.client.spawn('echo', 1, request_id='one').name for _ in range(2)}
        self.assertEqual(len(names), 1)

    def test_a_batch_with_a_refusal_and_a_completion(self):
        batch = self.client.spawn_many([{'function': 'echo', 'input': n} for n in range(3)],
                                       completion={'function': 'echo', 'input': 'all'})
        self.assertEqual([each.error for each in batch], [None] * 3)
        self.assertEqual(self.client.wait(batch.completion.name, 30).output, 'all')
        bad = self.client.spawn_many([{'function': 'echo', 'priority': 10}])[0]
        self.assertEqual(bad.error.reason, 'PRIORITY_OUT_OF_RANGE')

    def test_errors_say_why(self):
        with self.assertRaises(grove.InvalidArgument) as caught:
            self.client.spawn('echo', 1, priority=10)
        self.assertEqual(caught.exception.reason, 'PRIORITY_OUT_OF_RANGE')
        self.assertEqual(caught.exception.violations[0].subject, 'spec.priority')
        with self.assertRaises(TypeError):
            self.client.spawn('echo', 1, no_such_field=1)

    def test_waits_end_in_time_and_with_what_failed(self):
        task = self.client.spawn('sleep', {'seconds': 600})
        with self.assertRaises(grove.WaitTimeout):
            self.client.wait(task.name, 0)
        self.client.cancel(task.name, 'enough')
        with self.assertRaises(grove.TaskFailed) as caught:
            self.client.wait(task.name, 30)
        self.assertEqual(caught.exception.task.state, 'CANCELLED')

    def test_asyncio_has_the_same(self):
        async def run():
            async with grove.aio.Client(self.daemon.address('grpc')) as client:
                task = await client.spawn('echo', 'x')
                self.assertEqual((await client.wait(task.name, 30)).output, 'x')
                with self.assertRaises(grove.NotFound):
                    await client.get(task.name[:-4] + '0000')
                self.assertEqual(len(await client.spawn_many([{'function': 'echo'}])), 1)
        asyncio.run(run())


class RestartTest(KilledTest):

    def test_a_wait_outlasts_the_control(self):
        self.start(flags=['--control=unix:/tmp/grove-pyclient-%d.sock' % os.getpid()])
        with grove.Client(self.daemon.address('grpc')) as client:
            task = client.spawn('sleep', {'seconds': 600})
            ended = []

            def wait():
                try:
                    client.wait(task.name, 60)
                except grove.TaskFailed as error:
                    ended.append(error.task.state)
            thread = threading.Thread(target=wait)
            thread.start()
            self.kill_control()
            client.cancel(task.name)
            thread.join(60)
            self.assertEqual(ended, ['CANCELLED'])
        self.daemon.stop()


if __name__ == '__main__':
    import unittest
    unittest.main()
