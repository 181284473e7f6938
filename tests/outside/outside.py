"""An installed Grove for a test: below a prefix of its own, and what is built on it."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

# Bazel's copy of the repository; the test is started in it.
HERE = pathlib.Path(os.getcwd())

MODULES = ('runtime', 'http', 'proto', 'server', 'client', 'testing')


def version():
    return re.search(r'kVersion = "([^"]+)"', (HERE / 'server/version.h').read_text())[1]


def run(*command, **options):
    """What a command says; a failure has all of it."""
    done = subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, **options)
    if done.returncode != 0:
        raise AssertionError(f'{command}: exit code {done.returncode}\n{done.stdout}')
    return done.stdout


def folder(case, name='grove-outside-'):
    """A folder of its own for a test, or a class of tests; gone after it."""
    found = pathlib.Path(tempfile.mkdtemp(prefix=name, dir='/tmp'))
    cleanup = case.addClassCleanup if isinstance(case, type) else case.addCleanup
    cleanup(shutil.rmtree, found, ignore_errors=True)
    return found


def install(prefix, *arguments):
    run('/usr/bin/python3', '-B', HERE / 'deploy/install/install.py', f'--prefix={prefix}',
        *arguments)


def environment(prefix):
    """Of somebody who has installed Grove there."""
    return {**os.environ, 'PATH': f'{prefix}/bin:{os.environ["PATH"]}',
            'PKG_CONFIG_PATH': f'{prefix}/lib/pkgconfig'}
