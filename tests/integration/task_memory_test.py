"""Large inputs and outputs: what control holds of them, and what its answers carry."""

import json
import os
import signal
import unittest

from grove_api import SUCCEEDED, spec, tasks
from grove_harness import OwnDaemonTest, eventually

MB = 1_000_000
VOLATILE = tasks.DURABILITY_VOLATILE
# gRPC's own bound of what a client takes, which this one has.
GRPC_DEFAULT = 4 << 20


def large(number, size=MB):
    return str(number).ljust(size, '.')


class TaskMemoryTest(OwnDaemonTest):

    def control_bytes(self, daemon):
        with open(f'/proc/{daemon.pid_of("grove-control")}/status', encoding='utf-8') as file:
            [line] = [line for line in file if line.startswith('VmRSS:')]
        return int(line.split()[1]) * 1024

    def spawn_patiently(self, api, specs):
        """Spawns one by one, and again where memory is short."""
        names = []
        for each in specs:
            [result] = eventually('there is room', lambda: (
                lambda results: None if results[0].HasField('error') else results)(
                    api.spawn_batch([each])))
            names.append(result.name)
        return names

    def test_durable_payloads_lie_on_disk_and_survive_control(self):
        daemon = self.start(config='tasks: {memory_max_bytes: 20000000}')
        api = daemon.api()
        before = self.control_bytes(daemon)
        api.resize(0)
        names = self.spawn_patiently(api, [spec('echo', large(i)) for i in range(100)])
        api.resize(10)
        self.assertEqual({result.task.state for result in api.wait_batch(
            names, view=tasks.TASK_VIEW_BASIC)}, {SUCCEEDED})
        self.assertLess(self.control_bytes(daemon) - before, 100 * MB)
        addresses = os.path.join(daemon.run_dir, 'control.addresses')
        written = os.stat(addresses).st_mtime_ns
        os.kill(daemon.pid_of('grove-control'), signal.SIGKILL)
        eventually('control listens again',
                   lambda: os.stat(addresses).st_mtime_ns != written)
        api = daemon.api()
        pages = list(api.wait_pages(names))
        self.assertTrue(all(page.ByteSize() < GRPC_DEFAULT for page in pages))
        results = [result for page in pages for result in page.results]
        self.assertEqual([json.loads(result.task.output) for result in results],
                         [large(i) for i in range(100)])
        self.assertLess(self.control_bytes(daemon) - before, 100 * MB)
        daemon.stop()

    def test_a_waiting_task_gets_its_input_back(self):
        daemon = self.start()
        api = daemon.api()
        api.resize(0)
        names = [result.name for result in api.spawn_batch(
            [spec('echo', large(i)) for i in range(8)])]
        daemon.stop()
        daemon.start()
        results = daemon.api().wait_batch(names)
        self.assertEqual([json.loads(result.task.output) for result in results],
                         [large(i) for i in range(8)])
        daemon.stop()

    def test_spawns_beyond_the_budget_are_refused_and_later_taken(self):
        daemon = self.start(config='tasks: {memory_max_bytes: 20000000}')
        api = daemon.api()
        api.resize(0)
        specs = [spec('echo', large(i), durability=VOLATILE) for i in range(30)]
        results = api.spawn_batch(specs)
        names = [result.name for result in results if result.name]
        refused = [result.error for result in results if result.HasField('error')]
        self.assertTrue(10 < len(names) < 20, len(names))
        self.assertEqual({error.code for error in refused}, {8})
        self.assertIn('tasks.memory_max_bytes', refused[0].message)
        held = daemon.metrics()['grove_task_memory_bytes']
        self.assertTrue(10 * MB < held < 20 * MB, held)
        for name in names:
            api.cancel(name)
        # Ended ones leave before their retention is over.
        api.resize(10)
        [name] = self.spawn_patiently(api, specs[:1])
        self.assertEqual(api.wait(name).state, SUCCEEDED)
        daemon.stop()

    def test_lists_and_waits_carry_no_payload_unless_asked(self):
        daemon = self.start()
        api = daemon.api()
        names = [result.name for result in api.spawn_batch(
            [spec('echo', large(i)) for i in range(40)])]
        waited = list(api.wait_pages(names, view=tasks.TASK_VIEW_UNSPECIFIED))
        self.assertEqual(sum(len(page.results) for page in waited), 40)
        self.assertLess(sum(page.ByteSize() for page in waited), 100_000)
        listed = api.list()
        self.assertEqual(len(listed.tasks), 40)
        self.assertLess(listed.ByteSize(), 100_000)
        self.assertEqual({task.input_size_bytes for task in listed.tasks}, {MB + 2})
        self.assertEqual({task.output_size_bytes for task in listed.tasks}, {MB + 2})
        full = api.list(view=tasks.TASK_VIEW_FULL)
        self.assertLess(full.ByteSize(), GRPC_DEFAULT)
        self.assertEqual(len(full.tasks[0].spec.input), MB + 2)
        self.assertTrue(full.next_page_token)
        daemon.stop()

    def test_grovectl_reads_large_results_page_by_page_and_lists_none(self):
        daemon = self.start()
        path = os.path.join(daemon.folder, 'input')
        with open(path, 'w', encoding='utf-8') as file:
            json.dump(large(0), file)
        done = daemon.grovectl('spawn', 'echo', '@' + path, '--count=12', '--volatile', '--wait')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('12 SUCCEEDED', done.stdout)
        listed = daemon.grovectl('tasks', '-o', 'json')
        self.assertEqual(listed.returncode, 0, listed.stderr)
        self.assertLess(len(listed.stdout), 100_000)
        self.assertEqual(len(json.loads(listed.stdout)['tasks']), 12)
        daemon.stop()

    def test_the_largest_task_fits_into_a_clients_default(self):
        daemon = self.start()
        api = daemon.api()
        value = large(0, (1 << 20) - 2)
        task = api.run('echo', value)
        self.assertEqual(len(api.get(task.name).spec.input), 1 << 20)
        daemon.stop()

    def test_a_name_given_a_thousand_times_costs_one_answer_a_page(self):
        daemon = self.start()
        api = daemon.api()
        task = api.run('echo', large(0))
        request = tasks.BatchWaitTasksRequest(names=[task.name] * 1000,
                                              view=tasks.TASK_VIEW_FULL)
        page = api.call(api.tasks.BatchWaitTasks, request)
        self.assertLess(page.ByteSize(), GRPC_DEFAULT)
        self.assertTrue(page.next_page_token)
        daemon.stop()


if __name__ == '__main__':
    unittest.main()
