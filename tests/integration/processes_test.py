"""Processes: killed workers, drains, and what is left when the supervisor dies."""

import os
import signal
import subprocess
import threading
import time
import unittest

from feed_server import FETCH_HERE, serve_feeds
from grove_api import RUNNING, SUCCEEDED, tasks
from grove_harness import (DEADLINE_S, Daemon, OwnDaemonTest, die_with_parent, eventually,
                           free_port)

Attempt = tasks.Attempt
# Longer than any test waits: what ends before was not held up.
LONG_DRAIN = '--drain_timeout_ms=3600000'


def running(api, name):
    def probe():
        task = api.get(name)
        return task if task.state == RUNNING else None
    return eventually('the task runs', probe)


class Visitor:
    """Asks for / on a new connection each time, until told to stop."""

    def __init__(self, daemon):
        self._daemon = daemon
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.answered = 0
        self.refused = []
        self.broken = []

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._thread.join()

    def _run(self):
        while not self._stopping.is_set():
            try:
                connection = self._daemon.connect()
            except OSError as error:
                self.refused.append(error)
                continue
            with connection:
                try:
                    connection.sendall(b'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
                    if connection.recv(64).startswith(b'HTTP/1.1 200 '):
                        self.answered += 1
                    else:
                        self.broken.append('closed')
                except OSError as error:
                    self.broken.append(error)


class WorkerDeathTest(OwnDaemonTest):

    def test_its_task_is_requeued_once_and_http_goes_on(self):
        feeds = serve_feeds(self)
        daemon = self.start(config=FETCH_HERE)
        api = daemon.api()
        name = api.spawn('http.fetch', {'url': feeds.url('held/page.html')}).name
        first = running(api, name).attempts[0]
        slot = int(first.worker.removeprefix('workers/'))
        with Visitor(daemon) as visitor:
            eventually('HTTP is answered', lambda: visitor.answered > 5)
            os.kill(first.worker_pid, signal.SIGKILL)
            eventually('the worker is back', lambda: self.is_back(api, slot, first.worker_pid))
            so_far = visitor.answered
            eventually('HTTP goes on', lambda: visitor.answered > so_far + 20)
            feeds.release()
            task = api.wait(name)
        self.assertEqual(visitor.refused, [])
        # At most what the dead worker was just serving.
        self.assertLessEqual(len(visitor.broken), 1)

        self.assertEqual(task.state, SUCCEEDED)
        self.assertEqual([each.state for each in task.attempts],
                         [Attempt.STATE_INTERRUPTED, Attempt.STATE_SUCCEEDED])
        self.assertNotEqual(task.attempts[1].worker_pid, first.worker_pid)
        self.assertTrue(task.attempts[0].error.message)
        self.assertNotIn('restarts later', daemon.log(), 'its successor was not due at once')
        daemon.stop()

    @staticmethod
    def is_back(api, slot, old_pid):
        worker = api.list_workers()[slot]
        return (worker.generation == 2 and worker.linked and worker.pid not in (0, old_pid)
                and worker.state == 2)

    def test_every_worker_may_die_at_once(self):
        feeds = serve_feeds(self)
        daemon = self.start(config=FETCH_HERE)
        api = daemon.api()
        names = [api.spawn('http.fetch', {'url': feeds.url('held/page.html')}).name
                 for _ in range(6)]
        for name in names:
            running(api, name)
        pids = [worker.pid for worker in api.list_workers()]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        # Connections made while nobody is there wait in the listener.
        self.assertEqual(daemon.get('/'), (200, 'Hello, World!\n'))
        feeds.release()
        for name in names:
            task = api.wait(name)
            *interrupted, last = [each.state for each in task.attempts]
            self.assertEqual(last, Attempt.STATE_SUCCEEDED)
            # Twice, where it was given to the one that died a moment later.
            self.assertIn(len(interrupted), (1, 2))
            self.assertEqual(set(interrupted), {Attempt.STATE_INTERRUPTED})
        self.assertFalse(set(pids) & set(daemon.processes()))
        daemon.stop()

    def test_a_worker_that_is_stuck_is_seen_as_stuck(self):
        daemon = self.start()
        api = daemon.api()
        worker = api.list_workers()[0]
        os.kill(worker.pid, signal.SIGSTOP)
        try:
            eventually('its hub is seen to stand still',
                       lambda: api.list_workers()[0].hub_idle_seconds > 2)
            reply = api.list_fibers()
            # From outside of it.
            self.assertEqual(list(reply.unreachable), [])
            self.assertLessEqual({'0', '1'}, {fiber.name.split('/')[1] for fiber in reply.fibers})
        finally:
            os.kill(worker.pid, signal.SIGCONT)
        eventually('it answers again', lambda: api.list_workers()[0].hub_idle_seconds < 2)
        daemon.stop()


class StartTest(OwnDaemonTest):

    def test_tasks_and_requests_are_taken_as_soon_as_it_serves(self):
        daemon = self.start(workers=4)
        self.assertEqual(daemon.api().run('echo', {}).state, SUCCEEDED)
        self.assertEqual(daemon.get('/'), (200, 'Hello, World!\n'))
        self.assertEqual(daemon.admin('/readyz'), (200, 'ok\n'))
        daemon.stop()


class NamesTest(OwnDaemonTest):

    def test_processes_show_what_they_are(self):
        daemon = self.start()
        done = subprocess.run(['/usr/bin/ps', '-s', str(daemon.process.pid), '-o', 'comm=,args='],
                              capture_output=True, text=True, check=True)
        names = dict(line.split(None, 1) for line in done.stdout.splitlines())
        self.assertEqual(sorted(names), ['grove-control', 'grove-w0', 'grove-w1', 'groved'])
        self.assertEqual(names['grove-w1'].strip(), 'grove-w1')
        self.assertTrue(names['grove-control'].startswith('grove-control '))
        daemon.stop()

    def test_nothing_but_locks_is_left_in_the_run_directory(self):
        daemon = self.start()
        self.assertIn('worker-1.backdoor', os.listdir(daemon.run_dir))
        daemon.stop()
        self.assertEqual(os.listdir(daemon.run_dir), ['groved.lock'])


class DrainTest(OwnDaemonTest):

    def test_sigterm_finishes_requests_and_tasks_in_flight(self):
        feeds = serve_feeds(self)
        daemon = self.start(config=FETCH_HERE)
        api = daemon.api()
        name = api.spawn('http.fetch', {'url': feeds.url('held/page.html')}).name
        running(api, name)
        waiting = api.tasks.WaitTask.future(tasks.WaitTaskRequest(name=name), timeout=DEADLINE_S)
        with daemon.connect() as connection:
            # A request whose body has yet to come.
            connection.sendall(b'POST /titles HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n')
            eventually('the request is being served',
                       lambda: daemon.metrics_sum('grove_http_requests_running') == 1)
            daemon.terminate()
            eventually('it drains', lambda: '"draining"' in daemon.log())
            # A worker may say so before control does.
            eventually('it is not ready', lambda: daemon.admin('/readyz') == (503, 'draining\n'))
            feeds.release()
            connection.sendall(b'not a url!\r\n')
            answer = b''
            while chunk := connection.recv(65536):
                answer += chunk
        self.assertIn(b'HTTP/1.1 200 OK', answer)
        self.assertIn(b'error: ', answer)
        self.assertEqual(waiting.result().task.state, SUCCEEDED)
        daemon.ended()

    def test_the_drain_time_out_ends_what_does_not_end(self):
        daemon = self.start(flags=['--drain_timeout_ms=500'])
        api = daemon.api()
        name = api.spawn('sleep', {'seconds': 600}).name
        running(api, name)
        asked = time.monotonic()
        daemon.stop()
        self.assertGreaterEqual(time.monotonic() - asked, 0.4)
        # A durable task is not lost: it starts anew.
        daemon.start()
        task = running(daemon.api(), name)
        self.assertEqual([each.state for each in task.attempts],
                         [Attempt.STATE_INTERRUPTED, Attempt.STATE_RUNNING])
        daemon.api().cancel(name)
        daemon.stop()

    def test_ctrl_c_stops_it_too(self):
        daemon = self.start()
        # As a terminal does: to every process of the group.
        os.killpg(daemon.process.pid, signal.SIGINT)
        daemon.ended()

    def test_a_second_sigterm_stops_at_once(self):
        daemon = self.start(flags=[LONG_DRAIN])
        api = daemon.api()
        running(api, api.spawn('sleep', {'seconds': 600}).name)
        daemon.terminate()
        eventually('it drains', lambda: '"draining"' in daemon.log())

        def ended():
            daemon.terminate()  # one that comes within a second is taken for a repetition
            return daemon.process.poll() is not None
        eventually('it has ended', ended)
        self.assertEqual(daemon.processes(), {})

    def test_sighup_replaces_every_worker_and_refuses_nothing(self):
        daemon = self.start()
        api = daemon.api()
        before = [worker.pid for worker in api.list_workers()]
        with Visitor(daemon) as visitor:
            daemon.process.send_signal(signal.SIGHUP)
            eventually('both workers are new', lambda: [
                (each.generation, each.state) for each in api.list_workers()] == [(2, 2), (2, 2)])
            so_far = visitor.answered
            eventually('HTTP goes on', lambda: visitor.answered > so_far + 5)
        self.assertEqual((visitor.refused, visitor.broken), ([], []))
        self.assertFalse(set(before) & set(daemon.processes()))
        daemon.stop()


class SupervisorDeathTest(OwnDaemonTest):

    def test_no_process_is_left(self):
        daemon = self.start()
        api = daemon.api()
        running(api, api.spawn('sleep', {'seconds': 600}).name)
        self.assertEqual(sorted(daemon.processes().values()),
                         ['grove-control', 'grove-w0', 'grove-w1', 'groved'])
        daemon.process.kill()
        daemon.process.wait()
        eventually('no process is left', lambda: not daemon.processes())

    def test_a_new_daemon_starts_on_the_same_folders_and_port(self):
        port = free_port()
        daemon = self.start(flags=[f'--http=127.0.0.1:{port}'])
        daemon.process.kill()
        daemon.process.wait()
        eventually('no process is left', lambda: not daemon.processes())
        daemon.start()
        self.assertEqual(daemon.get('/'), (200, 'Hello, World!\n'))
        daemon.stop()


class StopUnderLoadTest(OwnDaemonTest):

    def test_open_idle_connections_do_not_hold_the_drain_up(self):
        daemon = self.start(flags=[LONG_DRAIN])
        connections = [daemon.connect() for _ in range(20)]
        for connection in connections:
            self.addCleanup(connection.close)
        connections[0].sendall(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
        self.assertTrue(connections[0].recv(9).startswith(b'HTTP/1.1'))
        daemon.stop()
        with self.assertRaises(ConnectionRefusedError):
            daemon.connect()


class StandardDescriptorsTest(unittest.TestCase):

    def test_closed_ones_become_no_other_file(self):
        daemon = Daemon(workers=1)
        self.addCleanup(daemon.kill)
        daemon.process = subprocess.Popen(
            ['sh', '-c', 'exec "$@" <&- >&- 2>&-', 'sh', *daemon.command()],
            start_new_session=True, preexec_fn=die_with_parent)
        addresses = os.path.join(daemon.run_dir, 'control.addresses')
        eventually('it serves', lambda: os.path.exists(addresses))
        for pid in daemon.processes():
            for fd in range(3):
                self.assertEqual(os.readlink(f'/proc/{pid}/fd/{fd}'), '/dev/null')
        daemon.process.terminate()
        self.assertEqual(daemon.process.wait(), 0)


if __name__ == '__main__':
    unittest.main()
