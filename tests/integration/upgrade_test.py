"""The daemon goes on as another program: in its process, and without losing what runs.

Programs that cannot take over are found out before anything of theirs counts, and the old one goes
on.
"""

import http.client
import os
import re
import shutil
import signal
import unittest

from grove_api import tasks
from grove_harness import (CONTROL, DEADLINE_S, GROVED, HELLO_AND_SLEEP, Background, Daemon,
                           OwnDaemonTest, eventually, http_get, program)

HANGING = 'tests/integration/hanging'
UPGRADES = int(os.environ.get('GROVE_UPGRADES', '3'))
# With a value that is never to be shown.
REFERENCE = '${GROVE_TEST_UNSET:-10.20.0.0/16}'
CONFIG = HELLO_AND_SLEEP + f'fetch: {{allow: ["{REFERENCE}"]}}\n'
# Passes its trial, and nothing after it.
DYING_CONTROL = '''#!/bin/sh
[ "$1" = --version ] && echo "grove-control (grove 0.1.0)" && exit 0
exit 1
'''


class Installed(Daemon):
    """A daemon of programs in a folder of its own, where they can be replaced."""

    def __init__(self, source=GROVED, config=CONFIG, **options):
        super().__init__(config=config, **options)
        self.source = source
        self.bin = os.path.join(self.folder, 'bin')
        os.mkdir(self.bin)
        self.groved = os.path.join(self.bin, 'groved')
        self.control = os.path.join(self.bin, 'grove-control')
        self.install()

    def install(self):
        """Both programs, anew: files of other inodes under the same names."""
        for source, target in ((self.source, self.groved), (CONTROL, self.control)):
            shutil.copy(program(source), target + '.new')
            os.rename(target + '.new', target)

    def write(self, path, text, mode=0o755):
        with open(path + '.new', 'w', encoding='utf-8') as file:
            file.write(text)
        os.chmod(path + '.new', mode)
        os.rename(path + '.new', path)

    def command(self):
        command = super().command()
        return [self.groved] + [each for each in command[1:]
                                if not each.startswith('--control_binary=')]

    def executable(self, pid):
        return os.stat(f'/proc/{pid}/exe').st_ino

    def upgrade(self):
        """Asks for one, and waits until it has ended; its line in the log."""
        before = self.log().count(' kind=upgrade requested_by=')
        self.process.send_signal(signal.SIGUSR2)
        return eventually('the upgrade has ended', lambda: self.ended_upgrade(before),
                          2 * DEADLINE_S)

    def ended_upgrade(self, before):
        lines = [line for line in self.log().splitlines() if ' kind=upgrade requested_by=' in line]
        ends = [line for line in lines[before:] if '"operation ended"' in line]
        return ends and ends[-1]

    def descriptors(self):
        return len(os.listdir(f'/proc/{self.process.pid}/fd'))

    def children(self):
        """How many it has, those that have ended and are not reaped yet among them."""
        pid = self.process.pid
        with open(f'/proc/{pid}/task/{pid}/children', encoding='utf-8') as file:
            return len(file.read().split())


class Clients(Background):
    """Requests on connections of their own and on kept ones, until the end."""

    def __init__(self, daemon):
        super().__init__(self.ask, self.ask, self.keep)
        self.daemon = daemon
        self.answered = 0
        self.failed = []

    def ask(self):
        while not self.stop.is_set():
            try:
                status, _ = http_get(self.daemon.http_address, '/hello')
                if status != 200:
                    self.failed.append(str(status))
                self.answered += 1
            except OSError as error:
                self.failed.append(repr(error))

    def keep(self):
        host, _, port = self.daemon.http_address.rpartition(':')
        while not self.stop.is_set():
            connection = http.client.HTTPConnection(host, int(port), timeout=DEADLINE_S)
            try:
                closes = False
                while not closes and not self.stop.is_set():
                    connection.request('GET', '/hello')
                    response = connection.getresponse()
                    response.read()
                    closes = response.getheader('Connection') == 'close'
                    if response.status != 200:
                        self.failed.append(str(response.status))
                    self.answered += 1
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(f'kept: {error!r}')
            finally:
                connection.close()


class UpgradeTest(OwnDaemonTest):

    def start(self, workers=2):
        self.daemon = Installed(workers=workers)
        self.addCleanup(self.daemon.kill)
        return self.daemon.start()

    def assert_failed(self, line, why, before):
        """The old program goes on with all it had."""
        self.assertIn('outcome=failed', line)
        self.assertIn(why, line)
        self.assertEqual(self.daemon.processes(), before)
        self.assertEqual(self.daemon.get('/hello')[0], 200)

    def test_every_process_is_of_the_new_program_and_the_supervisor_keeps_its_pid(self):
        daemon = self.start()
        before = daemon.processes()
        daemon.install()
        line = daemon.upgrade()
        self.assertIn('outcome=succeeded', line, daemon.evidence())
        eventually('nobody stands in', lambda: len(daemon.processes()) == len(before))
        after = daemon.processes()
        self.assertEqual(sorted(after.values()), sorted(before.values()))
        self.assertEqual(set(after) & set(before), {daemon.process.pid})
        for pid, name in after.items():
            wanted = daemon.control if name == 'grove-control' else daemon.groved
            self.assertEqual(daemon.executable(pid), os.stat(wanted).st_ino, name)
        self.assertEqual(daemon.get('/hello')[0], 200)
        daemon.stop()

    def test_no_request_and_no_task_is_lost_under_load(self):
        daemon = self.start()
        api = daemon.api()
        durable = [api.spawn('sleep', {'seconds': 3}, durability=tasks.DURABILITY_DURABLE).name
                   for _ in range(3)]
        volatile = [api.spawn('sleep', {'seconds': 3}, durability=tasks.DURABILITY_VOLATILE).name
                    for _ in range(3)]
        with Clients(daemon) as clients:
            for _ in range(UPGRADES):
                daemon.install()
                self.assertIn('outcome=succeeded', daemon.upgrade())
            seen = clients.answered
            eventually('it is served on', lambda: clients.answered > seen)
        self.assertEqual(clients.failed, [])
        for name in durable + volatile:
            done = daemon.grovectl('wait', name)
            self.assertEqual(done.returncode, 0, done.stderr + daemon.evidence())
        daemon.stop()

    def test_descriptors_of_the_supervisor_stay_as_many(self):
        daemon = self.start(workers=1)
        self.assertIn('outcome=succeeded', daemon.upgrade())
        eventually('nobody stands in', lambda: daemon.children() == 2)
        before = daemon.descriptors()
        for _ in range(UPGRADES):
            self.assertIn('outcome=succeeded', daemon.upgrade())
        eventually('nobody stands in', lambda: daemon.children() == 2)
        eventually('all are closed', lambda: daemon.descriptors() == before)
        daemon.stop()

    def test_a_program_that_is_none_changes_nothing(self):
        daemon = self.start()
        before = daemon.processes()
        for text, mode, why in (('#!/bin/sh\nexit 1\n', 0o755, 'exit code 1'),
                                ('#!/bin/sh\nexit 0\n', 0o755, 'it checked nothing'),
                                ('#!/bin/sh\nexit 0\n', 0o644, 'not an executable file'),
                                ('no program', 0o755, 'Exec format error')):
            with self.subTest(why=why):
                daemon.write(daemon.groved, text, mode)
                self.assert_failed(daemon.upgrade(), why, before)
        os.unlink(daemon.groved)
        self.assert_failed(daemon.upgrade(), 'No such file', before)
        daemon.stop()

    def test_a_config_that_is_wrong_by_now_changes_nothing(self):
        daemon = self.start()
        before = daemon.processes()
        with open(os.path.join(daemon.folder, 'config.yaml'), 'a', encoding='utf-8') as file:
            file.write('no_such_key: 1\n')
        self.assert_failed(daemon.upgrade(), 'no_such_key', before)
        daemon.stop()

    def test_a_control_that_is_missing_or_of_another_build_changes_nothing(self):
        daemon = self.start()
        before = daemon.processes()
        daemon.write(daemon.control, '#!/bin/sh\necho "grove-control (grove 9)"\n')
        self.assert_failed(daemon.upgrade(), 'install both of one build', before)
        daemon.stop()

    def test_a_control_that_does_not_come_up_brings_the_old_programs_back(self):
        daemon = self.start()
        before = daemon.processes()
        old_control = os.stat(daemon.control).st_ino
        name = daemon.api().spawn('sleep', {'seconds': 2},
                                  durability=tasks.DURABILITY_VOLATILE).name
        daemon.install()
        daemon.write(daemon.control, DYING_CONTROL)
        with Clients(daemon) as clients:
            line = daemon.upgrade()
        self.assertIn('outcome=failed', line)
        self.assertIn('grove-control did not come up', line)
        self.assertEqual(clients.failed, [])
        control = eventually('control is back', lambda: daemon.pid_of('grove-control'))
        self.assertEqual(daemon.executable(control), old_control)
        eventually('nobody stands in', lambda: len(daemon.processes()) == len(before))
        for pid, title in before.items():
            if title != 'grove-control':
                self.assertEqual(daemon.processes().get(pid), title, daemon.evidence())
        eventually('control serves', lambda: daemon.grovectl('workers').returncode == 0)
        self.assertEqual(daemon.grovectl('wait', name).returncode, 0, daemon.evidence())
        self.assertIn(REFERENCE, daemon.grovectl('config').stdout)
        # The next one may be whole.
        daemon.install()
        self.assertIn('outcome=succeeded', daemon.upgrade())
        daemon.stop()

    def test_it_waits_for_a_reload_that_is_under_way(self):
        daemon = self.start()
        daemon.process.send_signal(signal.SIGHUP)
        self.assertIn('outcome=succeeded', daemon.upgrade())
        self.assertIn('kind=reload', daemon.log())
        self.assertNotIn('outcome=failed', daemon.log())
        daemon.stop()

    def test_children_that_are_killed_meanwhile_are_replaced(self):
        for name in ('grove-w0', 'grove-control'):
            with self.subTest(name=name):
                daemon = self.start()
                pid = daemon.pid_of(name)
                daemon.process.send_signal(signal.SIGUSR2)
                os.kill(pid, signal.SIGKILL)
                eventually('it has ended', lambda daemon=daemon: daemon.ended_upgrade(0))
                self.assertIn('outcome=succeeded', daemon.ended_upgrade(0), daemon.evidence())
                self.assertEqual(daemon.get('/hello')[0], 200)
                daemon.stop()


class BackOffTest(OwnDaemonTest):
    """A worker dies at each of its starts, and the pauses between them go on growing."""

    PAUSES = ['100ms', '200ms', '400ms', '800ms', '1.6s', '3.2s', '6.4s']

    def pauses(self):
        return re.findall(r'"restarts later, since it keeps dying" name=grove-w0 in=(\S+)',
                          self.daemon.log())

    def start(self):
        """A daemon whose worker 0 keeps dying; the file that has it so."""
        self.daemon = Installed(source=HANGING, config=None)
        self.addCleanup(self.daemon.kill)
        flag = os.path.join(self.daemon.folder, 'die')
        self.daemon.env['GROVE_TEST_DIE'] = flag
        self.daemon.start()
        with open(flag, 'w', encoding='utf-8') as file:
            file.write('grove-w0')
        os.kill(self.daemon.pid_of('grove-w0'), signal.SIGKILL)
        eventually('it keeps dying', lambda: '200ms' in self.pauses())
        return flag

    def ends(self, flag, upgrade, outcome):
        self.assertIn(f'outcome={outcome}', upgrade, self.daemon.evidence())
        so_far = len(self.pauses())
        eventually('it dies once more', lambda: len(self.pauses()) > so_far)
        self.assertEqual(self.pauses(), self.PAUSES[:len(self.pauses())], self.daemon.evidence())
        os.unlink(flag)
        eventually('it is back', lambda: self.daemon.pid_of('grove-w0'))
        self.daemon.stop()

    def test_the_new_program_waits_on(self):
        flag = self.start()
        self.ends(flag, self.daemon.upgrade(), 'succeeded')

    def test_so_does_the_old_one_that_comes_back(self):
        flag = self.start()
        self.daemon.write(self.daemon.control, DYING_CONTROL)
        self.ends(flag, self.daemon.upgrade(), 'failed')


if __name__ == '__main__':
    unittest.main()
