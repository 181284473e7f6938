"""Changes of files below folders, by inotify."""

import ctypes
import errno
import fnmatch
import os
import select
import struct
import time

# What nobody builds from: folders and files, by their names.
IGNORED_FOLDERS = ('.*', 'bazel-*', 'build', 'node_modules', '__pycache__')
IGNORED_FILES = ('.*', 'bazel-*', '*~', '#*', '*.swp', '*.swx', '4913')
# A change is told once nothing has changed for so long, or for the longer time it did not stop.
QUIET_S = 0.15
QUIET_MAX_S = 2.0

_MODIFY, _CLOSE_WRITE, _MOVED, _CREATE, _DELETE = 0x2, 0x8, 0xC0, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF, _OVERFLOW = 0x400, 0x800, 0x4000
_IS_FOLDER, _ONLY_FOLDER, _DONT_FOLLOW = 0x40000000, 0x1000000, 0x2000000
_MASK = _MODIFY | _CLOSE_WRITE | _MOVED | _CREATE | _DELETE | _ONLY_FOLDER | _DONT_FOLLOW
_NONBLOCK, _CLOEXEC = 0x800, 0x80000
_EVENT = struct.Struct('iIII')


class WatchError(Exception):
    """What the user has to put right, in one line."""


def _limit(name):
    try:
        with open(f'/proc/sys/fs/inotify/{name}', encoding='ascii') as file:
            return file.read().strip()
    except OSError:
        return 'unknown'


def _matches(name, patterns):
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


class Changes:
    """Watches folders and all below them, those that are made later included."""

    def __init__(self, folders, libc=None):
        self._libc = libc or ctypes.CDLL(None, use_errno=True)
        self._folders = {}  # by watch
        self._roots = [os.path.abspath(folder) for folder in folders]
        self.descriptor = self._libc.inotify_init1(_NONBLOCK | _CLOEXEC)
        if self.descriptor < 0:
            raise WatchError(self._refusal('no inotify', ctypes.get_errno(), ''))
        for root in self._roots:
            if not os.path.isdir(root):
                raise WatchError(f'there is no folder {root} to watch')
            self._add_tree(root)

    def _refusal(self, what, code, folder):
        if code == errno.EMFILE:
            return (f'{what}: this user has all the inotify instances it may have '
                    f'({_limit("max_user_instances")}); raise fs.inotify.max_user_instances by '
                    'sysctl, or end other programs that watch files')
        if code == errno.ENOSPC:
            return (f'{what}: the inotify watches have run out at {folder}, after '
                    f'{len(self._folders)} folders (this user may have '
                    f'{_limit("max_user_watches")}); raise fs.inotify.max_user_watches by sysctl, '
                    'or watch fewer folders with --sources')
        return f'{what} {folder}: {os.strerror(code)}'

    def _add(self, folder):
        watch = self._libc.inotify_add_watch(self.descriptor, os.fsencode(folder), _MASK)
        if watch >= 0:
            self._folders[watch] = folder
            return True
        code = ctypes.get_errno()
        # It has gone again, or is a symbolic link, or not ours to read.
        if code in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES):
            return False
        raise WatchError(self._refusal('cannot watch', code, folder))

    def _add_tree(self, root):
        for folder, names, _ in os.walk(root):
            if not self._add(folder):
                names.clear()
            names[:] = [name for name in names if not _matches(name, IGNORED_FOLDERS)]

    def _read(self):
        """Whether something that counts has changed since the last call."""
        try:
            data = os.read(self.descriptor, 1 << 16)
        except BlockingIOError:
            return False
        changed = False
        offset = 0
        while offset < len(data):
            watch, mask, _, length = _EVENT.unpack_from(data, offset)
            name = data[offset + _EVENT.size:offset + _EVENT.size + length].rstrip(b'\0')
            offset += _EVENT.size + length
            changed |= self._take(watch, mask, os.fsdecode(name))
        return changed

    def _take(self, watch, mask, name):
        if mask & _OVERFLOW:
            # Nobody knows what: folders may have been made.
            for root in self._roots:
                self._add_tree(root)
            return True
        if not name:
            return False
        if mask & _IS_FOLDER:
            if _matches(name, IGNORED_FOLDERS):
                return False
            if mask & (_CREATE | _MOVED) and watch in self._folders:
                self._add_tree(os.path.join(self._folders[watch], name))
            return True
        return not _matches(name, IGNORED_FILES)

    def await_readable(self, also, timeout_s):
        """The descriptors that are readable, of `also` and its own; none after the time."""
        return select.select([self.descriptor, *also], [], [], timeout_s)[0]

    def settle(self):
        """Takes what has changed, to the end of the row of changes; whether anything counts."""
        if not self._read():
            return False
        end = time.monotonic() + QUIET_MAX_S
        while time.monotonic() < end and self.await_readable([], QUIET_S):
            self._read()
        return True

    def close(self):
        os.close(self.descriptor)
