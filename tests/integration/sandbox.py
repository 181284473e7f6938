"""Runs a program in a sandbox that refuses some system calls with EPERM, as containers' do.

usage: sandbox.py NUMBER[,NUMBER ...] PROGRAM [ARGUMENT ...]
"""

import ctypes
import errno
import os
import struct
import sys

_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2
_LOAD_NUMBER = (0x20, 0, 0, 0)  # BPF_LD | BPF_W | BPF_ABS of seccomp_data.nr
_ALLOW = (0x06, 0, 0, 0x7fff0000)
_REFUSE = (0x06, 0, 0, 0x00050000 | errno.EPERM)


class _Program(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('filter', ctypes.c_char_p)]


def refuse(numbers):
    """From now on this process and its children get EPERM for these system calls."""
    steps = [_LOAD_NUMBER]
    for number in numbers:
        steps += [(0x15, 0, 1, number), _REFUSE]  # BPF_JMP | BPF_JEQ | BPF_K
    code = b''.join(struct.pack('=HBBI', *step) for step in steps + [_ALLOW])
    program = _Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), 'PR_SET_NO_NEW_PRIVS')
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program)) != 0:
        raise OSError(ctypes.get_errno(), 'PR_SET_SECCOMP')


if __name__ == '__main__':
    refuse([int(each) for each in sys.argv[1].split(',')])
    os.execv(sys.argv[2], sys.argv[2:])
