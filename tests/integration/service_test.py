"""What the daemon tells a service manager: a stand-in for systemd that speaks sd_notify(3)."""

import os
import signal
import socket
import tempfile
import unittest

from grove_harness import DEADLINE_S, OwnDaemonTest, eventually

WATCHDOG_S = 1


class Manager:
    """The manager's end: datagrams of KEY=VALUE lines."""

    def __init__(self, name):
        self.name = name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind('\0' + name[1:] if name.startswith('@') else name)
        self.socket.settimeout(DEADLINE_S)

    def close(self):
        self.socket.close()

    def next(self, key):
        """The next datagram that has the key, as a dict; the ones before are passed over."""
        while True:
            said = dict(line.split('=', 1) for line in self.socket.recv(4096).decode().split('\n'))
            if key in said:
                return said


class ServiceTest(OwnDaemonTest):

    def manage(self, name, **options):
        manager = Manager(name)
        self.addCleanup(manager.close)
        self.start(env={'NOTIFY_SOCKET': name, 'WATCHDOG_USEC': str(WATCHDOG_S * 1000000)},
                   **options)
        return manager

    def test_it_says_when_it_serves_and_stops(self):
        folder = tempfile.mkdtemp(prefix='grove-', dir='/tmp')
        path = os.path.join(folder, 'notify')
        manager = self.manage(path, workers=1)
        self.addCleanup(os.rmdir, folder)
        self.addCleanup(os.unlink, path)
        self.assertIn('EXTEND_TIMEOUT_USEC', manager.next('EXTEND_TIMEOUT_USEC'))
        ready = manager.next('READY')
        self.assertEqual(ready, {'READY': '1', 'MAINPID': str(self.daemon.process.pid),
                                 'STATUS': 'serving with 1 workers'})
        self.daemon.terminate()
        self.assertEqual(manager.next('STOPPING')['STOPPING'], '1')
        self.daemon.ended()

    def test_the_watchdog_hears_of_a_supervisor_that_goes_round(self):
        manager = self.manage(f'@grove-service-{os.getpid()}', workers=1)
        manager.next('READY')
        for _ in range(3):
            self.assertEqual(manager.next('WATCHDOG'), {'WATCHDOG': '1'})
        self.daemon.stop()

    def test_a_supervisor_that_stands_still_is_not_heard_of(self):
        manager = self.manage(f'@grove-service-{os.getpid()}', workers=1)
        manager.next('READY')
        supervisor = self.daemon.process.pid
        os.kill(supervisor, signal.SIGSTOP)
        eventually('it stands', lambda: state_of(supervisor) == 'T')
        manager.socket.settimeout(2 * WATCHDOG_S)
        with self.assertRaises(TimeoutError):
            while True:
                manager.next('WATCHDOG')
        os.kill(supervisor, signal.SIGCONT)
        self.assertEqual(manager.next('WATCHDOG'), {'WATCHDOG': '1'})
        self.daemon.stop()

    def test_children_do_not_speak_for_it(self):
        manager = self.manage(f'@grove-service-{os.getpid()}', workers=1)
        manager.next('READY')
        with open(f'/proc/{self.daemon.pid_of("grove-control")}/environ', 'rb') as file:
            environment = file.read()
        self.assertNotIn(b'NOTIFY_SOCKET', environment)
        self.assertNotIn(b'WATCHDOG', environment)
        self.daemon.stop()


def state_of(pid):
    with open(f'/proc/{pid}/stat', encoding='utf-8') as file:
        return file.read().rpartition(')')[2].split()[0]


if __name__ == '__main__':
    unittest.main()
