"""The Debian packages: clean, whole, and good to install, upgrade, remove and purge."""

import os
import pathlib
import re
import shutil
import tempfile
import unittest

import chroot
from outside import HERE, folder, run, version

# What is in the package of the daemon, beside manuals and documents.
DAEMONS = {
    '/etc/grove/groved.yaml', '/lib/systemd/system/groved.service',
    '/lib/systemd/system/groved.socket', '/usr/bin/grove-control', '/usr/bin/grovectl',
    '/usr/bin/groved', '/usr/share/bash-completion/completions/grovectl',
    '/usr/share/fish/vendor_completions.d/grovectl.fish',
    '/usr/share/grove/grafana/grove-overview.json', '/usr/share/grove/prometheus/rules.yml',
    '/usr/share/man/man1/grovectl.1.gz', '/usr/share/man/man8/groved.8.gz',
    '/usr/share/man/man8/grove-control.8.gz', '/usr/share/zsh/vendor-completions/_grovectl',
    '/usr/share/doc/grove/copyright', '/usr/share/doc/grove/changelog.gz',
    '/usr/share/doc/grove/operations.md', '/usr/share/doc/grove/building_on_grove.md',
}
DEVELOPERS = {
    '/usr/bin/grove-new', '/usr/share/man/man1/grove-new.1.gz',
    '/usr/share/grove/templates/common/main.cc.in', '/usr/share/grove/bazel/installed.bzl',
    '/usr/share/grove/proto/grove/v1/task_service.proto', '/usr/share/grove/watch/watch.py',
    '/usr/include/grove/server/application.h', '/usr/include/grove/server/test_kit/test_daemon.h',
    '/usr/include/grove/grove/v1/task_service.pb.h',
}
PYTHONS = {
    f'/usr/lib/python3/dist-packages/grove/{name}' for name in (
        '__init__.py', 'aio.py', 'py.typed', '_stubs/task_service_pb2.py')
}
PACKAGE = HERE / 'deploy/debian/package.sh'


def field(deb, name):
    return run('dpkg-deb', '--field', deb, name).strip()


class Packages:
    """The .deb files and the wheel, made once for all tests."""

    made = None

    def __init__(self, place):
        run(PACKAGE, place)
        architecture = run('dpkg', '--print-architecture').strip()
        self.grove, self.dev = (place / f'{name}_{version()}-1_{architecture}.deb'
                                for name in ('grove', 'libgrove-dev'))
        self.python = place / f'python3-grove_{version()}-1_all.deb'
        self.wheel = place / f'grove-{version()}-py3-none-any.whl'
        self.all = (self.grove, self.dev, self.python)
        self.place = place


def setUpModule():
    place = pathlib.Path(tempfile.mkdtemp(prefix='grove-outside-', dir='/tmp'))
    unittest.addModuleCleanup(shutil.rmtree, place)
    Packages.made = Packages(place)


class ContentsTest(unittest.TestCase):

    def files(self, deb):
        return {line.split()[5].removeprefix('.')
                for line in run('dpkg-deb', '--contents', deb).splitlines()
                if not line.startswith('d')}

    def test_each_file_is_in_its_package(self):
        grove, dev, python = map(self.files, Packages.made.all)
        self.assertEqual(DAEMONS - grove, set())
        self.assertEqual(DEVELOPERS - dev, set())
        self.assertEqual(PYTHONS - python, set())
        self.assertEqual(grove & dev | grove & python | dev & python, set())
        self.assertTrue(Packages.made.wheel.exists())
        triplet = run('dpkg-architecture', '-qDEB_HOST_MULTIARCH').strip()
        for name in ('libgrove-server.a', 'pkgconfig/grove-server.pc',
                     'cmake/Grove/GroveConfig.cmake'):
            self.assertIn(f'/usr/lib/{triplet}/{name}', dev)
        # A daemon's machine gets no headers, and nothing lies about.
        odd = re.compile(r'/(usr/include|usr/local|tmp)/|\.a$|__pycache__')
        self.assertEqual([name for name in grove if odd.search(name)], [])

    def test_lintian_finds_nothing(self):
        said = run('lintian', '--allow-root', '--fail-on', 'error,warning', *Packages.made.all)
        self.assertNotRegex(said, '(?m)^[EW]:')

    def test_libraries_that_are_loaded_are_depended_on(self):
        depends = field(Packages.made.grove, 'Depends')
        for package in ('libgrpc++1.51', 'libsqlite3-0', 'liblua5.4-0', 'libjemalloc2', 'adduser'):
            self.assertIn(package, depends)
        self.assertIn(f'grove (= {version()}-1)', field(Packages.made.dev, 'Depends'))
        # Whose versions are compiled into the static libraries.
        for package in ('libabsl-dev', 'libgrpc++-dev', 'libprotobuf-dev'):
            self.assertRegex(field(Packages.made.dev, 'Depends'),
                             re.escape(package) + r' \(>= [^)]+\), ' + re.escape(package)
                             + r' \(<< ')

    def test_the_service_runs_as_the_packages_user(self):
        script = 'dpkg-deb --fsys-tarfile "$0" | tar -xO ./lib/systemd/system/groved.service'
        unit = run('bash', '-euo', 'pipefail', '-c', script, Packages.made.grove)
        self.assertIn('\nUser=grove\n', unit)
        self.assertNotIn('DynamicUser', unit)
        self.assertIn('\nExecStart=/usr/bin/groved --config=/etc/grove/groved.yaml ', unit)

    def test_a_wrong_call_makes_nothing(self):
        place = folder(self)
        with self.assertRaisesRegex(AssertionError, 'not a revision: one'):
            run(PACKAGE, place, 'one')
        self.assertEqual(os.listdir(place), [])


# In a Debian of its own, which takes root and mounts. Where these may not be had, as for a user
# without privileges, this test isn't there at all.
if chroot.possible():

    class InstalledTest(unittest.TestCase):
        """As an administrator and as a newcomer, step by step."""

        @classmethod
        def setUpClass(cls):
            wanted = [names[0] for deb in Packages.made.all
                      for name in ('Depends', 'Recommends')
                      for names in chroot.names(f'{name}: {field(deb, name)}', name)
                      if names[0] != 'grove']
            cls.debian = chroot.Chroot(folder(cls), wanted)
            cls.packages = cls.debian.root / 'packages'
            cls.packages.mkdir()
            for deb in Packages.made.all:
                shutil.copy(deb, cls.packages)

        def user(self):
            return 'grove:' in (self.debian.root / 'etc/passwd').read_text()

        def exists(self, path):
            return (self.debian.root / path).exists()

        def dpkg(self, *arguments):
            return self.debian.run('dpkg', *arguments)

        def test_a_life(self):
            self.assertFalse(self.user())
            grove = f'/packages/{Packages.made.grove.name}'
            self.dpkg('--install', grove)
            self.assertTrue(self.user())
            self.check_that_the_daemon_takes_its_config()
            self.dpkg('--install', f'/packages/{Packages.made.dev.name}')
            self.check_a_new_project()
            self.check_the_client_for_python()
            self.check_an_upgrade()
            self.check_removal()

        def check_that_the_daemon_takes_its_config(self):
            said = self.debian.run('groved', '--check', '--config=/etc/grove/groved.yaml')
            self.assertNotIn('error', said)
            # No library is missing: what is not depended on is not in this Debian.
            for program in ('grove-control', 'grovectl'):
                self.assertIn(version(), self.debian.run(program, '--version'))

        def check_a_new_project(self):
            """The documents' first steps, with what the packages recommend and no more."""
            said = self.debian.run('bash', '-euc', '''cd /root && grove-new hello && cd hello
              cmake -S . -B build && cmake --build build && ctest --test-dir build''')
            self.assertIn('100% tests passed, 0 tests failed out of 2', said)
            said = self.debian.run('bash', '-euc', '''cd /root
              echo '#include "runtime/hub/hub.h"' >one.cc
              echo 'int main() { return grove::Hub::Current() != nullptr; }' >>one.cc
              for module in runtime http server client testing; do
                g++ one.cc -o one $(pkg-config --cflags --libs grove-$module) && ./one
              done''')
            self.assertEqual(said, '')

        def check_the_client_for_python(self):
            self.dpkg('--install', f'/packages/{Packages.made.python.name}')
            said = self.debian.run('python3', '-c', '''
import grove, grove.aio
try:
    grove.Client('127.0.0.1:1').spawn('echo')
except grove.Unavailable as error:
    print(error.code.name)
''')
            self.assertEqual(said, 'UNAVAILABLE\n')
            self.dpkg('--remove', 'python3-grove')
            self.assertFalse(self.exists('usr/lib/python3/dist-packages/grove'))

        def check_an_upgrade(self):
            config = self.debian.root / 'etc/grove/groved.yaml'
            config.write_text('workers: 1\n')
            tasks = self.debian.root / 'var/lib/grove'
            tasks.mkdir(parents=True)
            (tasks / 'tasks.db').write_text('kept')
            revised = self.packages / 'revised'
            # The same programs under a later version.
            self.debian.run('bash', '-euc', '''cd /packages && dpkg-deb -R "$0" tree
              sed -i 's/^Version: .*/&.1/' tree/DEBIAN/control
              mkdir revised && dpkg-deb -Znone -b tree revised/grove.deb
              ''', Packages.made.grove.name)
            self.assertEqual(os.listdir(revised), ['grove.deb'])
            self.dpkg('--remove', 'libgrove-dev')
            self.dpkg('--install', '/packages/revised/grove.deb')
            self.assertEqual(config.read_text(), 'workers: 1\n')
            self.assertEqual((tasks / 'tasks.db').read_text(), 'kept')
            self.assertTrue(self.user())

        def check_removal(self):
            self.dpkg('--remove', 'grove')
            self.assertFalse(self.exists('usr/bin/groved'))
            self.assertTrue(self.exists('etc/grove/groved.yaml'))
            self.assertTrue(self.exists('var/lib/grove/tasks.db'))
            self.dpkg('--purge', 'grove')
            for path in ('etc/grove', 'var/lib/grove', 'usr/share/grove', 'usr/include/grove'):
                self.assertFalse(self.exists(path), path)
            self.assertFalse(self.user())


if __name__ == '__main__':
    unittest.main()
