"""Puts a built Grove below a prefix: programs, libraries, headers, and what belongs to them.

    deploy/install/install.py --prefix=/usr/local [--destdir=DIR] [--libdir=lib] [--unitdir=DIR]

`./dev install` builds first, and calls this.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

ROOT = pathlib.Path(os.path.abspath(__file__)).parents[2]
HERE = 'deploy/install'

PROGRAMS = ('server/groved', 'server/grove-control', 'client/grovectl')

# Each module: what it needs of the others, and what it is.
MODULES = {
    'grove-runtime': ((), 'green threads: fibers, waiting, pools, time, I/O, DNS, TLS'),
    'grove-http': (('grove-runtime',), 'HTTP on fibers: a server, a client, WebSockets'),
    'grove-proto': ((), 'messages of the public API; the modules that need it name it'),
    'grove-server': (('grove-http', 'grove-proto', 'grove-runtime'),
                     'a daemon of your own: HTTP handlers, tasks, periodic work'),
    'grove-client': (('grove-proto', 'grove-runtime'),
                     'client of a Grove daemon, and gRPC calls on fibers'),
    'grove-testing': (('grove-client', 'grove-http', 'grove-proto', 'grove-runtime',
                       'grove-server'),
                      'tests of daemons of your own, without processes and with all of them'),
}

# folder below share/grove -> files of the repository
SHARED = {
    'grafana': ('deploy/grafana/grove-overview.json',),
    'prometheus': ('deploy/prometheus/prometheus.yml', 'deploy/prometheus/prometheus.remote.yml',
                   'deploy/prometheus/prometheus.kubernetes.yml', 'deploy/prometheus/rules.yml'),
    'examples': ('deploy/examples/groved.yaml', 'deploy/systemd/notify-reload.conf'),
}
# For workspaces of Bazel that build on what is installed: below share/grove/bazel.
BAZEL_FILES = {
    'workspace.bzl': 'bazel/workspace.bzl',
    'installed.bzl': f'{HERE}/bazel/installed.bzl',
    **{file: f'bazel/{file}' for file in (
        'rules_cc/WORKSPACE', 'rules_cc/BUILD.bazel', 'rules_cc/cc/BUILD.bazel',
        'rules_cc/cc/defs.bzl', 'coverage_tools/WORKSPACE', 'coverage_tools/BUILD.bazel')},
}

# A pkg-config module.
PC = '''prefix={prefix}
libdir={libdir}
includedir=${{prefix}}/include/grove

Name: {name}
Description: {description}
Version: {version}
Requires: {requires}
Cflags: -std=c++20 -I${{includedir}}
Libs: -L${{libdir}} -l{name} {flags}
'''

# How Grove itself is written.
HOUSE_DOCUMENTS = ('style.md', 'testing.md')

UNITS = ('deploy/systemd/groved.service', 'deploy/systemd/groved.socket')


def source(path):
    """A file of the repository, or one that Bazel makes."""
    for place in (ROOT / path, ROOT / 'bazel-bin' / path):
        if place.exists():
            return place
    raise FileNotFoundError(f'{path} is neither in {ROOT} nor built; ./dev install builds it')


def version():
    return re.search(r'kVersion = "([^"]+)"', source('server/version.h').read_text())[1]


class Tree:
    """What is written, below DESTDIR and a prefix."""

    def __init__(self, prefix, destdir, libdir, unitdir):
        self.prefix = pathlib.PurePosixPath(prefix)
        self.destdir = destdir
        self.lib = self.prefix / libdir
        self.units = pathlib.PurePosixPath(unitdir or self.prefix / 'lib/systemd/system')

    def place(self, path):
        """Where a file goes that will stand at `path`: with its folder made."""
        # Joined as text: both are absolute.
        found = pathlib.Path(self.destdir + str(self.prefix / path))
        found.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        # Not written into: it may be a program that runs, or a link to elsewhere.
        found.unlink(missing_ok=True)
        return found

    def write(self, path, text):
        place = self.place(path)
        place.write_text(text, encoding='utf-8')
        place.chmod(0o644)

    def copy(self, path, name, mode=0o644):
        place = self.place(path)
        shutil.copyfile(source(name), place)
        place.chmod(mode)

    def copy_folder(self, path, name):
        folder = source(name)
        for file in sorted(folder.rglob('*')):
            if file.is_file() and file.suffix != '.pyc':
                inside = file.relative_to(folder)
                self.copy(f'{path}/{inside}', f'{name}/{inside}')


def install_programs(tree):
    for program in PROGRAMS:
        place = tree.place(f'bin/{os.path.basename(program)}')
        # Debug information goes; the symbol table stays, by which the daemon names the functions of
        # a fiber's or a crash's stack.
        subprocess.run(['strip', '--strip-debug', '--remove-section=.comment',
                        '--remove-section=.note', '-o', place, source(program)], check=True)
        place.chmod(0o755)
    tree.copy('share/man/man1/grovectl.1', 'client/grovectl.1')
    tree.copy('share/man/man8/groved.8', 'server/groved.8')
    tree.write('share/man/man8/grove-control.8', '.so man8/groved.8\n')
    completions = {'bash': 'bash-completion/completions/grovectl',
                   'zsh': 'zsh/vendor-completions/_grovectl',
                   'fish': 'fish/vendor_completions.d/grovectl.fish'}
    for shell, path in completions.items():
        text = subprocess.run([source('client/grovectl'), 'completion', shell], check=True,
                              capture_output=True, text=True).stdout
        if shell == 'zsh':
            # A file that compinit loads at the first use has to do that first one's work as well.
            text += '[[ ${funcstack[1]} != _grovectl ]] || _grovectl "$@"\n'
        tree.write(f'share/{path}', text)


def install_service(tree):
    for unit in UNITS:
        text = source(unit).read_text(encoding='utf-8')
        tree.write(tree.units / os.path.basename(unit),
                   text.replace('/usr/local/bin/', f'{tree.prefix}/bin/'))
    for folder, files in SHARED.items():
        for file in files:
            tree.copy(f'share/grove/{folder}/{os.path.basename(file)}', file)
    for file in ('CHANGELOG.md', 'LICENSE', 'README.md'):
        tree.copy(f'share/doc/grove/{file}', file)
    for file in sorted(source('docs').glob('*.md')):
        if file.name not in HOUSE_DOCUMENTS:
            tree.copy(f'share/doc/grove/{file.name}', f'docs/{file.name}')


def unpack(tree, module):
    """Library and headers of a module; returns its linker flags."""
    with tempfile.TemporaryDirectory() as folder, \
            tarfile.open(source(f'{HERE}/{module}.tar')) as tar:
        tar.extractall(folder)
        unpacked = pathlib.Path(folder)
        library = f'lib{module}.a'
        place = tree.place(tree.lib / library)
        subprocess.run(['strip', '--strip-debug', '--remove-section=.comment',
                        '--enable-deterministic-archives', '-o', place,
                        unpacked / 'lib' / library], check=True)
        place.chmod(0o644)
        for header in sorted((unpacked / 'include').rglob('*.h')):
            place = tree.place(f'include/grove/{header.relative_to(unpacked / "include")}')
            shutil.copyfile(header, place)
            place.chmod(0o644)
        flags = (unpacked / 'flags').read_text().split()
    # Shared libraries that a program does not use are not to be loaded by it.
    return ['-Wl,--as-needed', *flags]


def cmake_targets(flags):
    """The text of GroveTargets.cmake."""
    blocks = []
    for module, (requires, _) in MODULES.items():
        target = module.replace('grove-', 'Grove::')
        linked = [each.replace('grove-', 'Grove::') for each in requires] + flags[module]
        blocks.append(f'''if(NOT TARGET {target})
  add_library({target} STATIC IMPORTED)
  set_target_properties({target} PROPERTIES
    IMPORTED_LOCATION "${{_grove_lib}}/lib{module}.a"
    INTERFACE_INCLUDE_DIRECTORIES "${{_grove_prefix}}/include/grove"
    INTERFACE_COMPILE_FEATURES cxx_std_20
    INTERFACE_LINK_LIBRARIES "{';'.join(linked)}")
endif()
''')
    return '\n'.join(blocks)


def install_development(tree):
    libdir = tree.lib.relative_to(tree.prefix)
    flags = {module: unpack(tree, module) for module in MODULES}
    for module, (requires, description) in MODULES.items():
        tree.write(tree.lib / f'pkgconfig/{module}.pc', PC.format(
            prefix=tree.prefix, libdir=f'${{prefix}}/{libdir}', name=module, version=version(),
            description=description, requires=', '.join(requires), flags=' '.join(flags[module])))
    config = source(f'{HERE}/GroveConfig.cmake').read_text()
    config = config.replace('@UP@', '/'.join(['..'] * (len(libdir.parts) + 2)))
    tree.write(tree.lib / 'cmake/Grove/GroveConfig.cmake',
               config.replace('@TARGETS@', cmake_targets(flags)))
    tree.write(tree.lib / 'cmake/Grove/GroveConfigVersion.cmake',
               source(f'{HERE}/GroveConfigVersion.cmake').read_text()
               .replace('@VERSION@', version()))
    tree.copy('bin/grove-new', 'deploy/new/grove-new', 0o755)
    tree.copy('share/man/man1/grove-new.1', 'deploy/new/grove-new.1')
    tree.copy_folder('share/grove/templates', 'deploy/new/templates')
    tree.write('share/grove/templates/version', version() + '\n')
    for name in ('changes', 'front', 'program', 'watch'):
        tree.copy(f'share/grove/watch/{name}.py', f'tools/watch/{name}.py')
    for path, name in BAZEL_FILES.items():
        tree.copy(f'share/grove/bazel/{path}', name)
    tree.write('share/grove/bazel/WORKSPACE', 'workspace(name = "grove_bazel")\n')
    tree.write('share/grove/bazel/BUILD.bazel', '')
    for folder in ('grove/v1', 'google/rpc'):
        for file in sorted(source(f'proto/{folder}').glob('*.proto')):
            tree.copy(f'share/grove/proto/{folder}/{file.name}', f'proto/{folder}/{file.name}')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--prefix', required=True, help='absolute')
    parser.add_argument('--destdir', default='', help='written below it instead of below /')
    parser.add_argument('--libdir', default='lib', help='below the prefix')
    parser.add_argument('--unitdir', help='of systemd; default: PREFIX/lib/systemd/system')
    arguments = parser.parse_args()
    if not os.path.isabs(arguments.prefix):
        sys.exit(f'install: the prefix must be an absolute path: {arguments.prefix}')
    tree = Tree(os.path.normpath(arguments.prefix), arguments.destdir.rstrip('/'),
                arguments.libdir, arguments.unitdir)
    os.umask(0o022)
    try:
        install_programs(tree)
        install_service(tree)
        install_development(tree)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f'install: {error}')


if __name__ == '__main__':
    main()
