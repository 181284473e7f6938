"""The container recipe names files that exist, and packages that hold what the binaries load."""

import functools
import os
import re
import shlex
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import repository

BINARIES = ('server/groved', 'server/grove-control', 'client/grovectl')
# In every Debian image: apt itself needs them.
BASE_PACKAGES = {'libc6', 'libgcc-s1', 'libstdc++6'}
# Loaded by no binary, read by one: the certificates that https is checked against.
DATA_PACKAGES = {'ca-certificates'}


def instructions():
    """Of the Dockerfile: (name, rest), continuation lines joined."""
    text = repository.read('deploy/container/Dockerfile')
    text = re.sub(r'^\s*#.*\n', '', text, flags=re.M).replace('\\\n', ' ')
    return [(name, rest.strip()) for name, rest in re.findall(r'^([A-Z]+)\s+(.*)$', text, re.M)]


def stages():
    """The instructions by stage, in order."""
    found = []
    for name, rest in instructions():
        if name == 'FROM':
            found.append([])
        found[-1].append((name, rest))
    return found


def runtime_packages():
    packages = set()
    for name, rest in stages()[-1]:
        if name == 'RUN' and 'apt-get install' in rest:
            command = rest.split('apt-get install', 1)[1].split('&&')[0]
            packages |= {word for word in shlex.split(command) if not word.startswith('-')}
    return packages


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True,
                          env={**os.environ, 'LC_ALL': 'C'}).stdout


@functools.lru_cache(maxsize=None)
def loaded_libraries(binary):
    """By ldd, soname -> path."""
    out = run('ldd', repository.binary(binary))
    missing = re.findall(r'(\S+) => not found', out)
    if missing:
        raise AssertionError(f'{binary}: {missing} are missing here')
    return dict(re.findall(r'^\s*(\S+) => (/\S+)', out, re.M))


@functools.lru_cache(maxsize=None)
def packages_by_library():
    """Of all that the binaries load, soname -> package. One call, since each reads dpkg's lists."""
    paths = {}
    for binary in BINARIES:
        paths.update(loaded_libraries(binary))
    # dpkg knows a file by its path before /usr was merged, or after.
    real = {name: os.path.realpath(path) for name, path in paths.items()}
    unmerged = {name: path.replace('/usr/lib/', '/lib/', 1) for name, path in real.items()}
    out = subprocess.run(['dpkg', '-S', *real.values(), *unmerged.values()], text=True,
                         capture_output=True).stdout  # fails for the paths that it does not know
    owners = {path: owner for owner, path in re.findall(r'^([^:]+):\S* (.*)$', out, re.M)}
    return {name: owners.get(real[name]) or owners[unmerged[name]] for name in paths}


def needed_packages(binary):
    """Of the libraries that the binary itself names."""
    names = re.findall(r'\(NEEDED\).*\[(.*)\]', run('readelf', '-d', repository.binary(binary)))
    return {packages_by_library()[name] for name in names if name in loaded_libraries(binary)}


def with_dependencies(packages):
    """What an installation of them brings, by the installed packages' own words."""
    seen, todo = set(), list(packages)
    while todo:
        package = todo.pop()
        if package in seen:
            continue
        seen.add(package)
        fields = subprocess.run(['dpkg-query', '-W', '-f', '${Depends},${Pre-Depends}', package],
                                capture_output=True, text=True).stdout
        for entry in filter(None, (part.strip() for part in fields.split(','))):
            todo.append(re.split(r'[ :(|]', entry)[0])
    return seen


class ContainerTest(unittest.TestCase):
    def test_runtime_packages_are_those_of_the_libraries_that_the_binaries_name(self):
        needed = set().union(*(needed_packages(binary) for binary in BINARIES))
        self.assertGreater(len(needed), 5)
        self.assertEqual(runtime_packages(), needed - BASE_PACKAGES | DATA_PACKAGES)

    def test_runtime_packages_bring_everything_that_the_binaries_load(self):
        brought = with_dependencies(runtime_packages() | BASE_PACKAGES)
        for binary in BINARIES:
            for name in loaded_libraries(binary):
                with self.subTest(binary=binary, library=name):
                    self.assertIn(packages_by_library()[name], brought)

    def test_what_is_copied_from_the_context_exists_and_is_not_ignored(self):
        ignore = repository.read('.dockerignore').splitlines()
        copied = [rest.split()[:-1] for name, rest in instructions()
                  if name == 'COPY' and not rest.startswith('--from=')]
        self.assertTrue(copied)
        for source in sum(copied, []):
            self.assertTrue(os.path.exists(repository.path(source)), source)
            if source != './' and source != '.':
                self.assertIn(f'!{source}', ignore)

    def test_context_has_what_the_build_reads(self):
        lines = repository.read('.dockerignore').splitlines()
        self.assertIn('*', lines)
        allowed = {line[1:] for line in lines if line.startswith('!')}
        for name in ('WORKSPACE', 'BUILD.bazel', '.bazelrc', '.bazelignore', 'dev', 'bazel',
                     'client', 'http', 'proto', 'runtime', 'server'):
            self.assertIn(name, allowed)

    def test_builder_uses_the_verbs_of_dev(self):
        commands = ' '.join(rest for name, rest in stages()[0] if name == 'RUN')
        verbs = re.findall(r'\./dev (\w+)', commands)
        self.assertEqual(verbs, ['setup', 'build'])
        known = repository.read('dev')
        for verb in verbs:
            self.assertRegex(known, rf'(?m)^  {verb}\)')
        for binary in BINARIES:
            self.assertIn(binary, commands)

    def test_image_runs_as_the_user_that_owns_its_volumes(self):
        last = dict(stages()[-1])  # of each instruction the last
        self.assertEqual(last['USER'], '10001:10001')
        self.assertEqual(last['HEALTHCHECK'], 'NONE')
        self.assertEqual(last['EXPOSE'].split(), ['8090', '8091', '8092'])
        self.assertEqual(last['ENTRYPOINT'], '["/usr/bin/groved"]')
        commands = ' '.join(rest for name, rest in stages()[-1] if name == 'RUN')
        self.assertRegex(commands,
                         r'install -d -o 10001 -g 10001 -m 0700 /var/lib/grove /run/grove')
        self.assertEqual(last['VOLUME'], '["/var/lib/grove", "/run/grove"]')

    def test_environment_gives_the_daemon_directories_below_the_volumes(self):
        environment = dict(re.findall(r'(\w+)=(\S+)', dict(stages()[-1])['ENV']))
        done = subprocess.run([repository.binary('server/groved'), '--check'],
                              env=environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(environment['XDG_STATE_HOME'], '/var/lib/grove')
        self.assertEqual(environment['XDG_RUNTIME_DIR'], '/run/grove')

    def test_image_has_the_version_of_the_source(self):
        version, = re.findall(r'grove (\S+)\)',
                              run(repository.binary('server/groved'), '--version'))
        self.assertIn(f'-t grove:{version} .', repository.read('deploy/container/Dockerfile'))
        self.assertIn(f'newTag: {version}',
                      repository.read('deploy/kubernetes/base/kustomization.yaml'))


if __name__ == '__main__':
    unittest.main()
