"""Bazel builds on Grove from a workspace elsewhere: on a checkout, on an installation."""

import os
import pathlib
import pwd
import shutil
import subprocess
import unittest

from outside import HERE, environment, folder, install, run

# Where the sources are, not Bazel's copy of some of them.
CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
HOME = pwd.getpwuid(os.getuid()).pw_dir


class Workspace:
    """A folder with a Bazel of its own, which shares what the repository's has compiled."""

    def __init__(self, case, place, env):
        self.place = place
        self.base = folder(case, 'grove-bazel-')
        # Bazel's outputs are not to be written.
        case.addCleanup(run, 'chmod', '-R', 'u+w', self.base)
        self.env = {**env, 'HOME': HOME, 'USER': pwd.getpwuid(os.getuid()).pw_name}

    def bazel(self, verb, *arguments):
        """What it says. Nothing of it stays behind: it ends with its command."""
        return run('bazel', '--batch', '--host_jvm_args=-Xmx700m', f'--output_base={self.base}',
                   verb, '--noshow_progress', '--jobs=2',
                   f'--disk_cache={HOME}/.cache/grove-bazel', *arguments, cwd=self.place,
                   env=self.env)


class CheckoutTest(unittest.TestCase):

    def workspace(self):
        place = folder(self)
        for file, name in {'WORKSPACE.in': 'WORKSPACE', 'BUILD.in': 'BUILD.bazel',
                           'bazelrc.in': '.bazelrc'}.items():
            text = (HERE / 'tests/outside/workspace' / file).read_text()
            (place / name).write_text(text.replace('@CHECKOUT@', str(CHECKOUT)))
        for program in ('runtime/examples/first.cc', 'server/examples/ticker.cc'):
            shutil.copy(CHECKOUT / program, place)
        return Workspace(self, place, dict(os.environ))

    def test_programs_build_on_a_checkout(self):
        workspace = self.workspace()
        # All that may be linked can be seen from there, and every rule of it is understood.
        workspace.bazel('build', '--nobuild', '//...')
        # protoc and the plugin find the sources there.
        workspace.bazel('build', '--output_groups=sources', '@grove//proto:config_generated',
                        '@grove//proto:grove_grpc_generated')
        # The server takes a quarter of an hour to compile, the runtime a minute.
        workspace.bazel('build', '//:first')
        self.assertIn('main: it has ended', run(workspace.place / 'bazel-bin/first'))


class DocumentTest(unittest.TestCase):

    def test_it_shows_the_workspaces_that_are_built_here(self):
        document = (HERE / 'docs/building_on_grove.md').read_text()
        shown = {'tests/outside/workspace/WORKSPACE.in': ('@CHECKOUT@', '/src/grove'),
                 'deploy/new/templates/bazel/WORKSPACE.in': ('@PREFIX@', '/usr')}
        for file, (word, instead) in shown.items():
            # From the first repository on: what stands above is the workspace's own name.
            text = (HERE / file).read_text().replace(word, instead)
            self.assertIn(text[text.index('local_repository'):], document, file)


class InstallationTest(unittest.TestCase):

    def test_a_new_project_builds_and_passes_its_tests_at_once(self):
        prefix = folder(self) / 'prefix'
        install(prefix)
        place = folder(self)
        env = environment(prefix)
        subprocess.run(['grove-new', 'hello', 'bazel'], cwd=place, env=env, check=True,
                       stdout=subprocess.DEVNULL)
        workspace = Workspace(self, place / 'hello', env)
        said = workspace.bazel('test', '//...')
        self.assertIn('Executed 2 out of 2 tests: 2 tests pass.', said)
        self.assertTrue((place / 'hello/bazel-bin/hello').exists())


if __name__ == '__main__':
    unittest.main()
