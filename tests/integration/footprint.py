"""What the daemon's processes hold: descriptors, threads, memory; and that it stays so."""

import os
import time

from grove_harness import eventually

# Beyond this a process has grown: allocators keep what was freed, and caches fill.
RSS_SLACK_BYTES = 24 << 20
RSS_SLACK_PART = 0.25
# gRPC has threads of its own, which come and go with the calls.
THREADS_SLACK = {'grove-control': 4}


def of_process(pid):
    """{'fds', 'threads', 'rss'} of one process."""
    with open(f'/proc/{pid}/status', encoding='utf-8') as file:
        fields = dict(line.split(':', 1) for line in file)
    return {'fds': len(os.listdir(f'/proc/{pid}/fd')), 'threads': int(fields['Threads']),
            'rss': int(fields['VmRSS'].split()[0]) << 10}


STAND_IN = 'grove-stand-in'


def of_daemon(daemon):
    """{name: footprint}; processes come and go, so that one may be missing for a moment."""
    found = {}
    for pid, name in daemon.processes().items():
        try:
            found[name] = of_process(pid)
        except (OSError, KeyError):
            continue
    return found


def grown(before, after):
    """What a process holds that it did not hold before: {(name, what): (before, after)}."""
    more = {}
    for name, was in before.items():
        now = after.get(name)
        if now is None:
            more[name, 'process'] = (1, 0)
            continue
        for what, slack in (('fds', 0), ('threads', THREADS_SLACK.get(name, 0))):
            if now[what] > was[what] + slack:
                more[name, what] = (was[what], now[what])
        if now['rss'] > was['rss'] * (1 + RSS_SLACK_PART) + RSS_SLACK_BYTES:
            more[name, 'rss'] = (was['rss'], now['rss'])
    for name in after.keys() - before.keys():
        more[name, 'process'] = (0, 1)
    return more


class Kept:
    """A context: at its end every process holds what it held at its beginning, and a line of
    figures is printed."""

    def __init__(self, daemon, what):
        self.daemon, self.what = daemon, what

    def __enter__(self):
        self.before = eventually('the daemon has settled', self.settled)
        self.began = time.monotonic()
        return self

    def settled(self):
        """What it holds once all are linked and nobody stands in, which is a moment after the end
        of an operation."""
        _, said = self.daemon.admin('/readyz?verbose')
        held = of_daemon(self.daemon)
        return None if '[-]' in said or STAND_IN in held else held

    def __exit__(self, failure, *_):
        if failure is not None:
            return
        seconds = time.monotonic() - self.began
        try:
            eventually('every process holds what it held before',
                       lambda: not grown(self.before, of_daemon(self.daemon)))
        except AssertionError as error:
            raise AssertionError(f'{error}: {grown(self.before, of_daemon(self.daemon))}') from None
        print(f'\n{self.what} in {seconds:.0f} s: {figures(self.before, of_daemon(self.daemon))}')


def figures(before, after):
    def change(name, what, unit=1):
        return f'{before[name][what] // unit} -> {after[name][what] // unit}'
    return '; '.join(f'{name}: descriptors {change(name, "fds")}, '
                     f'threads {change(name, "threads")}, MiB {change(name, "rss", 1 << 20)}'
                     for name in sorted(before) if name in after)
