"""The daemon goes on as another program: in its process, and without losing what runs.

Programs that cannot take over are found out before anything of theirs counts, and the old one goes
on.
"""

import os
import shutil
import signal
import threading
import unittest

from grove_api import tasks
from grove_harness import CONTROL, DEADLINE_S, GROVED, Daemon, eventually, http_get, program

UPGRADES = int(os.environ.get('GROVE_UPGRADES', '3'))
CONFIG = '''http:
  routes:
    - path: /hello
      function: hello
    - path: /sleep
      function: sleep
'''
# Passes its trial, and nothing after it.
DYING_CONTROL = '''#!/bin/sh
[ "$1" = --version ] && echo "grove-control (grove 0.1.0)" && exit 0
exit 1
'''


class Installed(Daemon):
    """A daemon of programs in a folder of its own, where they can be replaced."""

    def __init__(self, **options):
        super().__init__(config=CONFIG, **options)
        self.bin = os.path.join(self.folder, 'bin')
        os.mkdir(self.bin)
        self.groved = os.path.join(self.bin, 'groved')
        self.control = os.path.join(self.bin, 'grove-control')
        self.install()

    def install(self):
        """Both programs, anew: files of other inodes under the same names."""
        for source, target in ((GROVED, self.groved), (CONTROL, self.control)):
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


class Clients:
    """Requests on connections of their own and on kept ones, until the end."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.stop = threading.Event()
        self.answered = 0
        self.failed = []
        self.threads = [threading.Thread(target=self.ask) for _ in range(3)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *unused):
        self.stop.set()
        for thread in self.threads:
            thread.join(DEADLINE_S)

    def ask(self):
        while not self.stop.is_set():
            try:
                status, _ = http_get(self.daemon.http_address, '/hello')
                if status != 200:
                    self.failed.append(str(status))
                self.answered += 1
            except OSError as error:
                self.failed.append(repr(error))


class UpgradeTest(unittest.TestCase):

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
        eventually('nobody stands in', lambda: len(daemon.processes()) == 3)
        before = daemon.descriptors()
        for _ in range(UPGRADES):
            self.assertIn('outcome=succeeded', daemon.upgrade())
        eventually('nobody stands in', lambda: len(daemon.processes()) == 3)
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


if __name__ == '__main__':
    unittest.main()
