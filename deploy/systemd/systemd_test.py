"""The systemd unit does what its comments say, and systemd understands it."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import repository

UNIT = 'deploy/systemd/groved.service'
DROP_IN = 'deploy/systemd/notify-reload.conf'
# supervisor.cc's kKillGrace.
KILL_GRACE_S = 5
# systemd-analyze security's exposure, in tenths; what is left is that it is on the network.
EXPOSURE_MAX = 20


def settings(file=UNIT):
    """Section.key -> values, in order."""
    found, section = {}, None
    for line in repository.read(file).splitlines():
        if line.startswith('['):
            section = line.strip('[]')
        elif line and not line.startswith('#'):
            key, value = line.split('=', 1)
            found.setdefault(f'{section}.{key}', []).append(value)
    return found


class SystemdTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.settings = settings()

    def one(self, key):
        value, = self.settings[f'Service.{key}']
        return value

    def test_signals_are_those_that_the_supervisor_understands(self):
        self.assertEqual(self.one('Type'), 'notify')
        self.assertEqual(self.one('NotifyAccess'), 'main')
        self.assertEqual(self.one('KillMode'), 'mixed')
        self.assertEqual(self.one('ExecReload'), '/bin/kill -HUP $MAINPID')
        self.assertNotIn('Service.KillSignal', self.settings)

    def test_the_watchdog_leaves_time_for_a_slow_look_at_files(self):
        self.assertEqual(self.one('WatchdogSec'), '30')

    def test_the_drop_in_lets_systemd_send_the_signal(self):
        # ReloadSignal= is SIGHUP by default.
        self.assertEqual(settings(DROP_IN), {'Service.Type': ['notify-reload'],
                                             'Service.ExecReload': ['']})

    def test_stop_takes_longer_than_the_default_drain(self):
        out = subprocess.run([repository.binary('server/groved'), '--help_config'], check=True,
                             capture_output=True, text=True).stdout
        drain_ms, = re.findall(r'drain_timeout_ms .*\n.*\n +default: (\d+)', out)
        self.assertGreater(int(self.one('TimeoutStopSec')), int(drain_ms) / 1000 + KILL_GRACE_S)

    def test_daemon_takes_the_command_lines(self):
        with tempfile.TemporaryDirectory() as folder:
            config = os.path.join(folder, 'groved.yaml')
            shutil.copy(repository.path('deploy/examples/groved.yaml'), config)
            for key in ('ExecStartPre', 'ExecStart'):
                line = self.one(key).replace('/etc/grove/groved.yaml', config)
                line = line.replace('${STATE_DIRECTORY}', '/var/lib/grove')
                line = line.replace('${RUNTIME_DIRECTORY}', '/run/grove')
                program, *arguments = line.split()
                self.assertEqual(program, '/usr/local/bin/groved')
                done = subprocess.run([repository.binary('server/groved'), *arguments, '--check'],
                                      capture_output=True, text=True, env={})
                self.assertEqual(done.returncode, 0, f'{key}: {done.stderr}')
        self.assertIn('--check', self.one('ExecStartPre').split())
        self.assertNotIn('--check', self.one('ExecStart').split())

    def test_directories_are_the_daemons_own(self):
        for key in ('StateDirectory', 'RuntimeDirectory'):
            self.assertEqual(self.one(key), 'grove')
            self.assertEqual(self.one(key + 'Mode'), '0700')
        self.assertEqual(self.one('DynamicUser'), 'yes')

    def test_bad_config_is_not_tried_again_and_a_killed_worker_stops_nothing(self):
        self.assertEqual(self.one('RestartPreventExitStatus'), '2')
        self.assertEqual(self.one('OOMPolicy'), 'continue')

    def test_hardening_stands(self):
        for key in ('NoNewPrivileges', 'PrivateTmp', 'PrivateDevices', 'ProtectHome',
                    'ProtectKernelModules', 'ProtectKernelTunables', 'ProtectControlGroups',
                    'RestrictNamespaces', 'LockPersonality', 'MemoryDenyWriteExecute'):
            self.assertEqual(self.one(key), 'yes', key)
        self.assertEqual(self.one('ProtectSystem'), 'strict')
        self.assertEqual(self.one('CapabilityBoundingSet'), '')

    def test_the_socket_unit_names_a_listener_and_its_service(self):
        unit = repository.read('deploy/systemd/groved.socket')
        for line in ('FileDescriptorName=http', 'Service=groved.service'):
            self.assertIn(line + '\n', unit)
        # The daemon takes listening sockets, never connections.
        self.assertNotIn('Accept=yes', unit)

    # On machines without systemd, as containers are, this test isn't there at all: the ones above
    # stand on their own.
    if shutil.which('systemd-analyze'):

        def test_systemd_understands_it_and_rates_it_safe(self):
            with tempfile.TemporaryDirectory() as folder:
                unit = os.path.join(folder, 'groved.service')
                with open(unit, 'w') as file:
                    file.write(repository.read(UNIT).replace('/usr/local/bin/groved',
                                                             repository.binary('server/groved')))
                for arguments in (['verify', '--man=no', unit],
                                  ['security', '--offline=true', f'--threshold={EXPOSURE_MAX}',
                                   unit]):
                    done = subprocess.run(['systemd-analyze', *arguments], capture_output=True,
                                          text=True)
                    self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                    # verify says "Unknown key name" and succeeds.
                    self.assertNotIn('groved.service', done.stderr)


if __name__ == '__main__':
    unittest.main()
