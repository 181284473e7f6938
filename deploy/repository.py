"""Where the tests of deploy/ find the rest: in Bazel's runfiles, or in a tree that was built."""

import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def path(relative):
    return os.path.join(ROOT, relative)


def binary(label):
    """The built program, as "server/groved"."""
    for place in (path(label), path('bazel-bin/' + label)):
        if os.path.isfile(place):
            return place
    raise FileNotFoundError(f'{label} is not built: run ./dev build')


def read(relative):
    with open(path(relative), encoding='utf-8') as file:
        return file.read()


def metrics():
    """Of server/metrics/metric_table.cc: name -> (kind, set of labels)."""
    rows = re.findall(r'\{"(\w+)",\s*k(Counter|Gauge|Histogram),\s*"([\w,]*)"',
                      read('server/metrics/metric_table.cc'))
    return {name: (kind, set(filter(None, labels.split(',')))) for name, kind, labels in rows}
