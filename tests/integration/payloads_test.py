"""Payloads: inputs and outputs of any size, streamed to and from the disk."""

import hashlib
import json
import os
import queue
import subprocess
import threading
import unittest

import grpc
from grove_api import CANCELLED, FAILED, SUCCEEDED, error_details, payloads, spec, tasks, tenants
from grove_harness import GROVECTL, GroveTest, KilledTest, OwnDaemonTest, eventually, program

MB = 1_000_000
PIECE = 1 << 20
LARGE = 200 * MB
# What a process that held the 200 MB would have more.
BOUND = 80 * MB


def pieces(size, piece=PIECE):
    """Bytes that differ everywhere, without holding them all."""
    for at in range(0, size, piece):
        block = hashlib.sha256(str(at).encode()).digest() * (piece // 32)
        yield block[:min(piece, size - at)]


def sha256(parts):
    digest = hashlib.sha256()
    size = 0
    for part in parts:
        digest.update(part)
        size += len(part)
    return digest.hexdigest(), size


def resident(pid):
    with open(f'/proc/{pid}/status', encoding='utf-8') as file:
        [line] = [line for line in file if line.startswith('VmHWM:')]
    return int(line.split()[1]) * 1024


def files_of(daemon):
    return sorted(os.listdir(os.path.join(daemon.state_dir, 'payloads')))


class PayloadsTest(GroveTest):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.api = cls.daemon.api()

    def refused(self, code, reason, call, *arguments, **fields):
        with self.assertRaises(grpc.RpcError) as caught:
            result = call(*arguments, **fields)
            list(result)
        self.assertEqual(caught.exception.code().name, code, caught.exception.details())
        details = error_details(caught.exception)
        self.assertEqual(details['ErrorInfo'].reason, reason)
        return details

    def test_what_was_written_is_read_whole_and_from_anywhere(self):
        payload = self.api.write_payload([b'abc', b'def'], content_type='text/plain')
        self.assertRegex(payload.name, r'\Atenants/default/payloads/[0-9A-Z]{26}\Z')
        self.assertEqual((payload.size_bytes, payload.content_type, payload.state),
                         (6, 'text/plain', payloads.Payload.STATE_UNUSED))
        self.assertEqual(payload.sha256, hashlib.sha256(b'abcdef').hexdigest())
        self.assertEqual(self.api.get_payload(payload.name), payload)
        for offset, limit, expected in ((0, 0, b'abcdef'), (2, 0, b'cdef'), (2, 3, b'cde'),
                                        (6, 0, b''), (0, 99, b'abcdef')):
            self.assertEqual(b''.join(self.api.read_payload(payload.name, offset, limit)),
                             expected)
        self.refused('OUT_OF_RANGE', 'PAYLOAD_RANGE_INVALID',
                     self.api.read_payload, payload.name, offset=7)

    def test_an_empty_one_is_a_payload_too(self):
        payload = self.api.write_payload([])
        self.assertEqual(payload.size_bytes, 0)
        self.assertEqual(b''.join(self.api.read_payload(payload.name)), b'')

    def test_what_is_not_what_it_was_said_to_be_is_nowhere(self):
        before = len(self.api.list_payloads())
        for wanted in ({'sha256': hashlib.sha256(b'abd').hexdigest()}, {'size_bytes': 4},
                       {'size_bytes': 2}, {'sha256': 'ABC'}):
            self.refused('INVALID_ARGUMENT', 'PAYLOAD_MISMATCH',
                         self.api.write_payload, [b'abc'], **wanted)
        self.assertEqual(len(self.api.list_payloads()), before)
        eventually('nothing of it is left', lambda: not [
            name for name in files_of(self.daemon) if name.endswith('.part')])
        self.api.write_payload([b'abc'], sha256=hashlib.sha256(b'abc').hexdigest(), size_bytes=3)

    def test_a_stream_begins_with_its_parent_and_has_it_once(self):
        def twice():
            yield payloads.WritePayloadRequest(data=b'1')
            yield payloads.WritePayloadRequest(parent='tenants/default', data=b'2')
        self.refused('INVALID_ARGUMENT', 'PAYLOAD_STREAM_INVALID',
                     lambda: [self.api.call(self.api.payloads.WritePayload, twice())])
        self.refused('INVALID_ARGUMENT', 'PAYLOAD_STREAM_INVALID',
                     lambda: [self.api.call(self.api.payloads.WritePayload, iter([]))])

    def test_names_of_nothing(self):
        never = 'tenants/default/payloads/01ARZ3NDEKTSV4RRFFQ69G5FAV'
        for call in (self.api.get_payload, self.api.delete_payload):
            self.refused('NOT_FOUND', 'PAYLOAD_NOT_FOUND', call, never)
            self.refused('INVALID_ARGUMENT', 'NAME_INVALID', call, 'nonsense')
        self.refused('NOT_FOUND', 'PAYLOAD_NOT_FOUND', self.api.read_payload, never)
        self.refused('NOT_FOUND', 'TENANT_NOT_FOUND', self.api.write_payload, [],
                     parent='tenants/never')
        self.refused('NOT_FOUND', 'PAYLOAD_NOT_FOUND', self.api.spawn, 'echo',
                     input_payload=never)

    def test_a_task_reads_one_and_holds_it(self):
        payload = self.api.write_payload([b'{"any": ', b'"thing"}'],
                                         content_type='application/json')
        task = self.api.run('echo', input_payload=payload.name)
        self.assertEqual((task.state, task.output, task.output_content_type),
                         (SUCCEEDED, b'{"any": "thing"}', 'application/json'))
        self.assertEqual(self.api.get_payload(payload.name).state, payloads.Payload.STATE_USED)
        self.refused('FAILED_PRECONDITION', 'PAYLOAD_IN_USE', self.api.delete_payload,
                     payload.name)
        self.api.call(self.api.tasks.DeleteTask, tasks.DeleteTaskRequest(name=task.name))
        eventually('it goes with its task', lambda: payload.name not in {
            each.name for each in self.api.list_payloads()})
        eventually('and its file', lambda: payload.name.rpartition('/')[2] + '.payload'
                   not in files_of(self.daemon))

    def test_a_function_that_takes_no_stream_gets_it_whole(self):
        payload = self.api.write_payload([b'{"code": "ABORTED", ', b'"message": "as told"}'])
        task = self.api.run('fail', input_payload=payload.name)
        self.assertEqual((task.state, task.error.message), (FAILED, 'as told'))
        large = self.api.write_payload(pieces(3 * MB))
        self.refused('INVALID_ARGUMENT', 'INPUT_TOO_LARGE', self.api.spawn, 'fail',
                     input_payload=large.name)

    def test_outputs_up_to_the_bound_stay_in_the_task(self):
        for size, is_large in ((2 << 20, False), ((2 << 20) + 1, True)):
            payload = self.api.write_payload(pieces(size))
            task = self.api.run('echo', input_payload=payload.name)
            self.assertEqual(bool(task.output_payload), is_large, size)
            self.assertEqual(task.output_size_bytes, size)
            output = task.output or b''.join(self.api.read_payload(task.output_payload))
            self.assertEqual(sha256([output]), sha256(pieces(size)))

    def test_an_output_is_an_input_again(self):
        payload = self.api.write_payload(pieces(3 * MB))
        first = self.api.run('echo', input_payload=payload.name)
        second = self.api.run('checksum', input_payload=first.output_payload)
        expected, size = sha256(pieces(3 * MB))
        self.assertEqual(json.loads(second.output), {'sha256': expected, 'size_bytes': size})

    def test_a_lost_file_fails_its_task(self):
        payload = self.api.write_payload([b'1'])
        os.unlink(os.path.join(self.daemon.state_dir, 'payloads',
                               payload.name.rpartition('/')[2] + '.payload'))
        task = self.api.run('echo', input_payload=payload.name)
        self.assertEqual(task.state, FAILED)
        self.assertIn('PAYLOAD_LOST', str(task.error))

    def test_checksum_works_the_same_for_what_is_in_the_task(self):
        task = self.api.run('checksum', 'abc')
        self.assertEqual(json.loads(task.output), {
            'sha256': hashlib.sha256(b'"abc"').hexdigest(), 'size_bytes': 5})


class LargePayloadTest(OwnDaemonTest):

    def test_two_hundred_megabytes_in_and_out_with_bounded_memory(self):
        daemon = self.start(workers=1)
        api = daemon.api()
        pids = [daemon.pid_of('grove-control'), daemon.pid_of('grove-w0')]
        before = [resident(pid) for pid in pids]
        payload = api.write_payload(pieces(LARGE), size_bytes=LARGE)
        self.assertEqual((payload.sha256, payload.size_bytes), sha256(pieces(LARGE)))
        task = api.wait(api.spawn('echo', input_payload=payload.name).name, seconds=300)
        self.assertEqual(task.state, SUCCEEDED, task)
        self.assertEqual(task.output_size_bytes, LARGE)
        self.assertEqual(sha256(api.read_payload(task.output_payload)),
                         (payload.sha256, LARGE))
        after = [resident(pid) for pid in pids]
        for begun, ended in zip(before, after):
            self.assertLess(ended - begun, BOUND)
        daemon.stop()


class FaultsTest(KilledTest):

    def test_control_is_killed_in_the_middle_of_an_upload(self):
        daemon = self.start()
        api = daemon.api()
        kept = api.write_payload(pieces(MB))
        sent, going = queue.Queue(), threading.Event()
        self.addCleanup(sent.put, None)

        def messages():
            yield payloads.WritePayloadRequest(data=b'x' * MB)
            going.set()
            while (message := sent.get()) is not None:
                yield message

        call = api.payloads.WritePayload.future(messages(), timeout=60)
        going.wait(60)
        eventually('a part is there', lambda: [
            name for name in files_of(daemon) if name.endswith('.part')])
        self.kill_control()
        self.assertIsNotNone(call.exception())
        api = self.api
        self.assertEqual([each.name for each in api.list_payloads()], [kept.name])
        eventually('the part is swept', lambda: not [
            name for name in files_of(daemon) if name.endswith('.part')])
        self.assertEqual(sha256(api.read_payload(kept.name)), sha256(pieces(MB)))
        daemon.stop()

    def test_payloads_of_ended_tasks_outlive_a_restart_and_their_own_time(self):
        daemon = self.start(config='tasks: {payload_retention_ms: 1000}')
        api = daemon.api()
        payload = api.write_payload(pieces(3 * MB))
        task = api.run('echo', input_payload=payload.name)
        unused = api.write_payload([b'1'])
        daemon.stop()
        daemon.start()
        api = daemon.api()
        eventually('what no task names is gone', lambda: unused.name not in {
            each.name for each in api.list_payloads()})
        self.assertEqual({each.name for each in api.list_payloads()},
                         {payload.name, task.output_payload})
        again = api.get(task.name)
        self.assertEqual(again.output_payload, task.output_payload)
        self.assertEqual(sha256(api.read_payload(again.output_payload)), sha256(pieces(3 * MB)))
        daemon.stop()

    def test_an_attempt_that_is_cancelled_leaves_nothing(self):
        daemon = self.start(workers=1)
        api = daemon.api()
        payload = api.write_payload(pieces(50 * MB))
        task = api.spawn('echo', input_payload=payload.name)
        eventually('it writes', lambda: [
            name for name in files_of(daemon) if name.endswith('.part')] or
            api.get(task.name).state == SUCCEEDED)
        self.assertIn(api.cancel(task.name).state, (CANCELLED, SUCCEEDED))
        ended = api.wait(task.name)
        whole = {payload.name, ended.output_payload} - {''}
        eventually('nothing else is left', lambda: files_of(daemon) == sorted(
            name.rpartition('/')[2] + '.payload' for name in whole))
        daemon.stop()

    def test_quotas_and_bounds(self):
        daemon = self.start(config='''
tasks: {payload_max_bytes: 3000000, payloads_max_bytes: 9000000}
tenants: [{name: small, quotas: {payload_bytes_max: 4000000}}]
''')
        api = daemon.api()

        def reason(size, **fields):
            with self.assertRaises(grpc.RpcError) as caught:
                api.write_payload(pieces(size, 100_000), **fields)
            self.assertEqual(caught.exception.code().name, 'RESOURCE_EXHAUSTED')
            details = error_details(caught.exception)
            return details['ErrorInfo'].reason, 'RetryInfo' in details

        self.assertEqual(reason(3_000_001), ('PAYLOAD_TOO_LARGE', False))
        self.assertEqual(reason(1, size_bytes=3_000_001), ('PAYLOAD_TOO_LARGE', False))
        own = api.write_payload(pieces(2_500_000, 100_000), parent='tenants/small')
        for fields in ({}, {'size_bytes': 1_500_001}):
            self.assertEqual(reason(1_500_001, parent='tenants/small', **fields),
                             ('QUOTA_PAYLOAD_BYTES', True))
        request = tenants.GetTenantRequest(name='tenants/small')
        self.assertEqual(api.call(api.tenants.GetTenant, request).tenant.payload_bytes,
                         2_500_000)
        # An output is held to it as well.
        request = tasks.SpawnTaskRequest(parent='tenants/small',
                                         spec=spec('echo', input_payload=own.name))
        task = api.wait(api.call(api.tasks.SpawnTask, request).task.name)
        self.assertEqual(task.state, FAILED)
        self.assertIn('QUOTA_PAYLOAD_BYTES', str(task.error))
        for _ in range(2):
            api.write_payload(pieces(3_000_000, 100_000))
        self.assertEqual(reason(1_200_000), ('PAYLOADS_FULL', True))
        api.delete_payload(api.list_payloads()[0].name)
        api.write_payload(pieces(1_200_000, 100_000))
        daemon.stop()


class GrovectlTest(OwnDaemonTest):

    def ctl(self, daemon, *arguments, **options):
        """Its standard output, as bytes."""
        done = subprocess.run([program(GROVECTL), '--address', daemon.address('grpc'),
                               *arguments], capture_output=True, check=False, timeout=120,
                              **options)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done.stdout

    def test_put_get_and_spawn(self):
        daemon = self.start()
        data = b''.join(pieces(3 * MB))
        path = os.path.join(daemon.folder, 'large')
        with open(path, 'wb') as file:
            file.write(data)
        name = self.ctl(daemon, 'payloads', 'put', path).decode().strip()
        short = name.rpartition('/')[2]
        piped = self.ctl(daemon, 'payloads', 'put', '-', input=b'abc').decode().strip()
        shown = json.loads(self.ctl(daemon, 'payloads', 'show', short, '-o', 'json'))
        self.assertEqual((int(shown['size_bytes']), shown['sha256']),
                         (3 * MB, hashlib.sha256(data).hexdigest()))
        self.assertEqual(self.ctl(daemon, 'payloads', '-o', 'name').decode().split(),
                         sorted([name, piped]))
        self.assertEqual(self.ctl(daemon, 'payloads', 'get', short), data)
        self.download(daemon, short, data)
        # A large file goes by itself; the output comes whole.
        self.assertEqual(self.ctl(daemon, 'spawn', 'echo', f'@{path}', '--content_type',
                                  'text/plain', '--wait'), data)
        self.assertEqual(self.ctl(daemon, 'spawn', 'echo', '-', '--content_type', 'text/plain',
                                  '--wait', input=data), data)
        self.assertEqual(self.ctl(daemon, 'spawn', 'echo', '--input_payload', short, '--wait'),
                         data)
        self.ctl(daemon, 'payloads', 'delete', piped)
        self.assertNotIn(piped, self.ctl(daemon, 'payloads', '-o', 'name').decode())
        self.counted(daemon, data)
        daemon.stop()

    def counted(self, daemon, data):
        """Of the tenant: two uploads by hand, two by spawn, as many downloads or more, an output
        of each of three tasks."""
        eventually('the deleted one is removed',
                   lambda: daemon.metrics()['grove_payload_removed_total'] == 1)
        metrics = daemon.metrics()
        of = {name: metrics[f'grove_payload{name}{{tenant="default"}}'] for name in (
            '_uploads_total', '_outputs_total', '_received_bytes_total', '_bytes', 's',
            '_refused_total')}
        self.assertEqual(of, {'_uploads_total': 4, '_outputs_total': 3,
                              '_received_bytes_total': 3 * len(data) + 3,
                              '_bytes': 6 * len(data), 's': 6, '_refused_total': 0})
        self.assertGreaterEqual(metrics['grove_payload_downloads_total{tenant="default"}'], 4)
        self.assertGreaterEqual(metrics['grove_payload_sent_bytes_total{tenant="default"}'],
                                4 * len(data))

    def download(self, daemon, name, data):
        """Goes on where a broken one ended, and begins anew where that was of something else."""
        to = os.path.join(daemon.folder, 'copy')
        for left in (data[:1_000_000], data + b'more'):
            with open(to + '.part', 'wb') as file:
                file.write(left)
            self.ctl(daemon, 'payloads', 'get', name, '--to', to)
            with open(to, 'rb') as file:
                self.assertEqual(file.read(), data)
            self.assertFalse(os.path.exists(to + '.part'))
        with open(to + '.part', 'wb') as file:
            file.write(b'x' * 1000)
        done = daemon.grovectl('payloads', 'get', name, '--to', to)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn('begins anew', done.stderr)
        self.ctl(daemon, 'payloads', 'get', name, '--to', to)


if __name__ == '__main__':
    unittest.main()
