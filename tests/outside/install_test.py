"""What `./dev install` leaves below a prefix is enough to build on, and no more than that."""

import concurrent.futures
import os
import re
import shutil
import signal
import subprocess
import time
import unittest

from outside import HERE, MODULES, environment, folder, install, run, version

INCLUDE = re.compile(r'^#include "([^"]+)"', re.M)
# Headers of the distribution, which Grove's sources name in quotes.
ELSEWHERE = ('absl/', 'ares', 'google/protobuf/')
# What a loaded machine may take to compile a project.
WATCHED_S = 300


class InstallTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.work = folder(cls)
        cls.prefix = cls.work / 'prefix'
        install(cls.prefix)
        cls.env = environment(cls.prefix)

    def run_installed(self, *command, **options):
        return run(*command, env=self.env, **options)

    def flags(self, module):
        return self.run_installed('pkg-config', '--cflags', '--libs', f'grove-{module}').split()

    def headers(self):
        root = self.prefix / 'include/grove'
        found = {str(path.relative_to(root)): path for path in root.rglob('*.h')}
        self.assertGreater(len(found), 150)
        return found

    def test_no_installed_header_includes_one_that_is_not(self):
        headers = self.headers()
        for name, path in headers.items():
            for included in INCLUDE.findall(path.read_text()):
                self.assertTrue(included in headers or included.startswith(ELSEWHERE),
                                f'{name} includes {included}; add it to deploy/install/headers.bzl')

    def test_each_header_compiles_alone(self):
        """Those of protoc together: they are many, dear, and made by one hand."""
        flags = self.run_installed('pkg-config', '--cflags', 'grove-server').split()

        def compile_alone(names):
            return subprocess.run(
                ['g++', *flags, '-fsyntax-only', '-Wall', '-Wextra', '-x', 'c++', '-'], text=True,
                input=''.join(f'#include "{name}"\n' for name in names), capture_output=True,
                cwd='/', check=False)

        made = [name for name in sorted(self.headers()) if name.endswith('.pb.h')]
        groups = [made] + [[name] for name in sorted(self.headers()) if name not in made]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for names, done in zip(groups, pool.map(compile_alone, groups)):
                self.assertEqual(done.returncode, 0, f'{names}:\n{done.stderr}')

    def test_a_program_links_with_the_flags_of_its_module_and_no_more(self):
        programs = {'runtime': 'runtime/examples/first.cc', 'http': 'http/examples/crawl.cc',
                    'client': 'client/examples/thumbnails.cc'}
        for module, source in programs.items():
            with self.subTest(module):
                run('g++', HERE / source, '-o', self.work / module, *self.flags(module))
        self.assertIn('main: it has ended', run(self.work / 'runtime'))
        # Of what the flags name, a program loads what it uses.
        self.assertNotIn('libcares', run('ldd', self.work / 'runtime'))

    def test_a_program_serves_http_without_a_daemon_grpc_or_protobuf(self):
        built = self.work / 'http_server'
        run('g++', HERE / 'examples/http_server.cc', '-o', built, *self.flags('http'))
        for absent in ('protobuf', 'grpc'):
            self.assertNotIn(absent, run('ldd', built))
        server = subprocess.Popen([built, '127.0.0.1:0'], text=True, stdout=subprocess.PIPE)
        self.addCleanup(server.stdout.close)
        try:
            address = server.stdout.readline().removeprefix('listening on ').strip()
            said = run('curl', '-sS', '--max-time', '60', f'http://{address}/')
            self.assertEqual(said, 'Hello, World!\n')
            self.assertIn('"GET / HTTP/1.1" 200', server.stdout.readline())
        finally:
            server.send_signal(signal.SIGTERM)
            self.assertEqual(server.wait(60), 0)

    def test_modules_have_the_version(self):
        for module in MODULES:
            said = self.run_installed('pkg-config', '--modversion', f'grove-{module}')
            self.assertEqual(said.strip(), version(), module)

    def test_programs_run_and_name_their_functions(self):
        for program in ('groved', 'grove-control', 'grovectl', 'grove-new'):
            self.assertIn(version(), run(self.prefix / 'bin' / program, '--version'), program)
        sections = run('readelf', '--wide', '--sections', self.prefix / 'bin/groved')
        self.assertIn('.symtab', sections)
        self.assertNotIn('.debug_info', sections)

    def test_the_service_starts_what_is_installed(self):
        unit = (self.prefix / 'lib/systemd/system/groved.service').read_text()
        self.assertIn(f'ExecStart={self.prefix}/bin/groved ', unit)
        self.assertNotIn('/usr/local/', unit)
        self.assertTrue((self.prefix / 'lib/systemd/system/groved.socket').exists())
        for page in ('man8/groved.8', 'man8/grove-control.8', 'man1/grovectl.1'):
            self.assertTrue((self.prefix / 'share/man' / page).exists(), page)

    def test_completions_are_those_of_the_shells(self):
        places = {'bash': 'bash-completion/completions/grovectl',
                  'fish': 'fish/vendor_completions.d/grovectl.fish'}
        for shell, place in places.items():
            said = run(self.prefix / 'bin/grovectl', 'completion', shell)
            self.assertEqual((self.prefix / 'share' / place).read_text(), said)
        # The file that compinit loads completes the first time, too.
        zsh = f'''fpath=({self.prefix}/share/zsh/vendor-completions $fpath)
          autoload -U compinit && compinit -u -d {self.work}/dump
          print -r -- $_comps[grovectl]'''
        self.assertEqual(run('zsh', '-f', '-c', zsh).strip(), '_grovectl')

    def test_a_second_installation_replaces_the_first(self):
        install(self.prefix)
        self.assertIn(version(), run(self.prefix / 'bin/groved', '--version'))

    def test_destdir_stands_in_front_of_the_prefix_and_nowhere_in_the_files(self):
        stage = folder(self)
        install('/opt/grove', f'--destdir={stage}')
        self.assertEqual(os.listdir(stage), ['opt'])
        for file in stage.rglob('*'):
            if file.is_file():
                self.assertNotIn(str(stage).encode(), file.read_bytes(), file)
        pc = (stage / 'opt/grove/lib/pkgconfig/grove-server.pc').read_text()
        self.assertIn('prefix=/opt/grove\n', pc)

    def test_a_prefix_that_is_no_absolute_path_is_refused(self):
        with self.assertRaisesRegex(AssertionError, 'must be an absolute path: here'):
            install('here')


class ProjectTest(unittest.TestCase):
    """grove-new, and what CMake makes of it."""

    @classmethod
    def setUpClass(cls):
        cls.work = folder(cls)
        cls.prefix = cls.work / 'prefix'
        install(cls.prefix)
        cls.env = environment(cls.prefix)

    def new(self, *arguments):
        """(Exit code, what it said)"""
        done = subprocess.run(['grove-new', *arguments], cwd=self.work, env=self.env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout

    def test_a_project_builds_and_passes_its_tests_at_once(self):
        code, said = self.new('hello-grove')
        self.assertEqual(code, 0, said)
        # What it says is what is to be done.
        commands = '\n'.join(line.strip() for line in said.splitlines()[1:])
        self.assertIn('ctest', commands)
        env = {**self.env, 'CMAKE_PREFIX_PATH': str(self.prefix)}
        said = run('bash', '-euc', commands, cwd=self.work, env=env)
        self.assertIn('100% tests passed, 0 tests failed out of 2', said)

    def test_a_project_is_watched(self):
        """Good, broken, good: each time what its pages say."""
        self.assertEqual(self.new('watched')[0], 0)
        project = self.work / 'watched'
        (project / 'build').mkdir()
        address = ''

        def said():
            return (project / 'build/log').read_text(errors='replace')

        def page(wanted, path='/hello/you'):
            end = time.monotonic() + WATCHED_S
            text = ''
            while wanted not in text:
                self.assertLess(time.monotonic(), end, f'{wanted} not in {text}\n{said()}')
                time.sleep(0.05)
                text = subprocess.run(['curl', '-sS', '--max-time', '10', address + path],
                                      text=True, capture_output=True, check=False).stdout

        with open(project / 'build/log', 'wb') as log:
            watch = subprocess.Popen(
                [project / 'watch', '--http=127.0.0.1:0', '--control=127.0.0.1:0',
                 '--admin=127.0.0.1:0', '--workers=1', f'--run_dir={project}/build/run',
                 f'--state_dir={project}/build/state'], stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env={**self.env, 'CMAKE_PREFIX_PATH': str(self.prefix)})
        try:
            end = time.monotonic() + WATCHED_S
            while not (shown := re.search(r'(http://\S+) shows watched', said())):
                self.assertLess(time.monotonic(), end, said())
                time.sleep(0.05)
            address = shown.group(1)
            page('Hello, you!')
            source = project / 'application.cc'
            good = source.read_text()
            source.write_text(good.replace('"Hello, "', 'nothing + "Hello, "'))
            page('was not declared in this scope')
            source.write_text(good.replace('"Hello, "', '"Welcome, "'))
            page('Welcome, you!')
        finally:
            watch.send_signal(signal.SIGINT)
            self.assertEqual(watch.wait(WATCHED_S), 0, said())

    def test_a_moved_installation_serves_cmake(self):
        moved = self.work / 'moved'
        shutil.copytree(self.prefix, moved)
        source = self.work / 'finds'
        source.mkdir()
        (source / 'CMakeLists.txt').write_text(f'''cmake_minimum_required(VERSION 3.18)
          project(finds CXX)
          find_package(Grove {version()} REQUIRED COMPONENTS runtime http server client testing)
          get_target_property(place Grove::runtime IMPORTED_LOCATION)
          message(STATUS "runtime is ${{place}}")
          find_package(Grove 99 QUIET)
          message(STATUS "another version: ${{Grove_FOUND}}")
          find_package(Grove QUIET COMPONENTS nothing)
          message(STATUS "another component: ${{Grove_FOUND}}")
''')
        said = run('cmake', '-S', source, '-B', source / 'build', f'-DCMAKE_PREFIX_PATH={moved}')
        self.assertIn(f'runtime is {moved}/lib/libgrove-runtime.a', said)
        self.assertIn('another version: 0', said)

    def test_a_folder_that_exists_is_left_as_it_is(self):
        (self.work / 'taken').mkdir()
        self.assertEqual(self.new('taken'), (
            2, 'grove-new: taken exists here already; nothing was written\n'))
        self.assertEqual(os.listdir(self.work / 'taken'), [])

    def test_names_that_nothing_could_be_built_under_are_refused(self):
        for name in ('', 'Hello', '9lives', 'a_b', 'a b', 'a/b', '../a', '-x', 'dash-', 'x' * 41):
            code, said = self.new(name)
            self.assertEqual(code, 2, name)
            self.assertIn('is no name for a project: a small letter, then', said)
            self.assertEqual(said.count('\n'), 1, said)
        for name in ('test', 'install', 'application', 'groved'):
            code, said = self.new(name)
            self.assertEqual(code, 2, name)
            self.assertEqual(said, f"grove-new: '{name}' is taken: by the build, by the project's "
                                   'own files or by Grove\n')
            self.assertFalse((self.work / name).exists())

    def test_wrong_calls_say_what_would_be_right(self):
        self.assertEqual(self.new(), (2, 'grove-new: usage: grove-new NAME [cmake|bazel]\n'))
        self.assertEqual(self.new('a', 'make'), (
            2, "grove-new: 'make' is no build that it knows; cmake or bazel is\n"))
        self.assertFalse((self.work / 'a').exists())
        self.assertIn('usage: grove-new NAME', self.new('--help')[1])

    def test_templates_have_no_word_left_to_be_replaced(self):
        for build in ('cmake', 'bazel'):
            self.assertEqual(self.new(f'whole-{build}', build)[0], 0)
            for file in (self.work / f'whole-{build}').iterdir():
                self.assertNotRegex(file.read_text(), '@[A-Z]+@', file.name)
                self.assertFalse(file.name.endswith('.in'))


if __name__ == '__main__':
    unittest.main()
