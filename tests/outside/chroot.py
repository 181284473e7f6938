"""A Debian of its own, made of the packages that this machine has, to install others in.

It holds the essential packages and those that are asked for, with all that they depend on, and its
dpkg knows of no others. What belongs to none of them is not there.
"""

import os
import re
import shutil
import subprocess

from outside import run

# Read by nobody in a test, and half of the bytes.
LEFT_OUT = re.compile(r'/usr/share/(doc|locale|man|info|i18n)/|/usr/lib/.*\.a$')
# Of the C library and the compiler: those are linked.
KEPT = re.compile(
    r'lib(c_nonshared|dl|gcc|gcc_eh|gtest|gtest_main|m|mvec|pthread|rt|stdc\+\+|supc\+\+)\.a$')
TOP_LINKS = ('bin', 'lib', 'lib32', 'lib64', 'libx32', 'sbin')


def installed():
    """{name: stanza of dpkg's status}, also by what it provides."""
    found = {}
    with open('/var/lib/dpkg/status', encoding='utf-8') as file:
        stanzas = [stanza + '\n' for stanza in file.read().split('\n\n') if stanza.strip()]
    for stanza in stanzas:
        if '\nStatus: install ok installed\n' in stanza:
            found[re.match(r'Package: (\S+)', stanza)[1]] = stanza
    for name, stanza in list(found.items()):
        for provided in names(stanza, 'Provides'):
            found.setdefault(provided[0], found[name])
    return found


def names(stanza, *fields):
    """The names in these fields: for each comma a list of alternatives."""
    text = ', '.join(re.findall(rf'^(?:{"|".join(fields)}): (.*)$', stanza, re.M))
    return [[re.match(r'[a-z0-9.+-]+', each.strip())[0] for each in one.split('|')]
            for one in text.split(',') if one.strip()]


def closure(wanted):
    """{name: stanza} of the essential packages, the wanted, and what they depend on."""
    known = installed()
    chosen = {}
    waiting = [[name] for name in wanted]
    waiting += [[name] for name, stanza in known.items() if '\nEssential: yes\n' in stanza]
    while waiting:
        alternatives = waiting.pop()
        name = next((each for each in alternatives if each in known), None)
        if name is None:
            raise AssertionError(f'none of {alternatives} is installed here')
        stanza = known[name]
        name = re.match(r'Package: (\S+)', stanza)[1]
        if name not in chosen:
            chosen[name] = stanza
            waiting += names(stanza, 'Depends', 'Pre-Depends')
    return chosen


def files_of(packages):
    """Their files, with the folders as they are, no links."""
    for path in run('dpkg-query', '-L', *packages).splitlines():
        place = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        if path.startswith('/') and os.path.lexists(place) and \
                (os.path.islink(place) or not os.path.isdir(place)) and \
                (not LEFT_OUT.search(place) or KEPT.search(place)):
            yield place


def alternatives():
    """Links by which update-alternatives chooses: they belong to no package."""
    for folder in ('/usr/bin', '/usr/sbin'):
        for entry in os.scandir(folder):
            if entry.is_symlink() and os.readlink(entry.path).startswith('/etc/alternatives/'):
                yield entry.path


class Chroot:
    """The Debian, below `root`."""

    def __init__(self, root, wanted):
        self.root = root
        packages = closure(wanted)
        for link in TOP_LINKS:
            if os.path.islink(f'/{link}'):
                os.symlink(os.readlink(f'/{link}'), root / link)
        # What maintainer scripts have made: alternatives, users, the linker's cache.
        shutil.copytree('/etc', root / 'etc', symlinks=True,
                        ignore=shutil.ignore_patterns('grove', 'shadow*', 'gshadow*'))
        listed = '\0'.join(sorted({path[1:] for path in (*files_of(packages), *alternatives())}))
        archive = subprocess.Popen(['tar', '-C', '/', '--no-recursion', '--null', '-T', '-', '-c'],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        unpack = subprocess.Popen(['tar', '-C', root, '-xf', '-'], stdin=archive.stdout)
        archive.stdout.close()
        archive.stdin.write(listed.encode())
        archive.stdin.close()
        if unpack.wait() or archive.wait():
            raise AssertionError('the packages of this machine cannot be copied')
        self._configure(packages)

    def _configure(self, packages):
        for folder in ('dev', 'proc', 'run', 'tmp', 'root', 'var/lib/dpkg/info',
                       'var/lib/dpkg/updates', 'var/log', 'var/cache/ldconfig'):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        for file in ('passwd', 'group'):
            text = (self.root / 'etc' / file).read_text()
            (self.root / 'etc' / file).write_text(re.sub(r'(?m)^grove:.*\n', '', text))
        dpkg = self.root / 'var/lib/dpkg'
        (dpkg / 'status').write_text('\n'.join(packages.values()))
        (dpkg / 'arch').write_text(run('dpkg', '--print-architecture'))
        for entry in os.scandir('/var/lib/dpkg/info'):
            # NAME.list, or NAME:ARCHITECTURE.list
            if re.split(r':|\.(?=[^.]*$)', entry.name)[0] in packages:
                shutil.copy(entry.path, dpkg / 'info')
        # Nobody's passwords are copied.
        self.run('sh', '-euc', 'pwconv && grpconv && ldconfig')

    def run(self, *command, **options):
        """What a command says that is run in it, as root, with /proc and /dev."""
        script = ('mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev" && '
                  'exec chroot "$0" "$@"')
        return run('unshare', '--mount', 'sh', '-euc', script, self.root, *command,
                   env={'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'HOME': '/root',
                        'DEBIAN_FRONTEND': 'noninteractive', 'LC_ALL': 'C.UTF-8'}, **options)


def possible():
    """Whether this test may make one: root, and mounts of its own."""
    return os.getuid() == 0 and subprocess.run(
        ['unshare', '--mount', 'sh', '-c', 'mount --bind /proc /proc'], stderr=subprocess.DEVNULL,
        check=False).returncode == 0
