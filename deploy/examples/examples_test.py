"""The example config is one that the daemon takes, and shows every section."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

import yaml

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import repository

EXAMPLE = 'deploy/examples/groved.yaml'
# Shown in a comment, since the files they name would have to exist, or since they open a port.
COMMENTED = {'application', 'control.tls', 'control.tokens', 'control.insecure', 'http.insecure',
             'http.routes[].folder', 'http.routes[].host', 'http.routes[].own_middleware_only',
             'http.listeners', 'http.middleware', 'http.access_log.file', 'http.access_log.format',
             'http.websocket.origins', 'http.websocket.subprotocols', 'admin.insecure',
             'admin.tls', 'admin.tokens', 'runtime.stack_bytes', 'recycle.max_requests',
             'recycle.max_age_ms', 'recycle.max_rss_bytes', 'include',
             'tasks.webhook_secret_file', 'tenants[].quotas.spawns_per_minute',
             'tenants[].quotas.http_requests_per_minute',
             'fetch.per_origin.requests_per_second', 'fetch.per_origin.requests_per_minute',
             'tracing.endpoint', 'tracing.headers', 'tracing.service_name',
             'fetch.per_origin.burst', 'fetch.origins[].requests_per_second', 'fetch.secrets'}


def groved(*arguments):
    return subprocess.run([repository.binary('server/groved'), *arguments],
                          capture_output=True, text=True)


def key_rows():
    """Of --help_config: (key, default), as "http.listen" and "tenants[].name"."""
    out = groved('--help_config').stdout
    return re.findall(r'^  (\S+)  \(.*\n.*\n +default: (.*)$', out, re.M)


def flattened(value, prefix=''):
    """key -> values, in the form of --help_config."""
    found = {}
    if isinstance(value, dict):
        for key, below in value.items():
            found.update(flattened(below, f'{prefix}.{key}' if prefix else key))
    elif isinstance(value, list):
        for entry in value:
            for key, values in flattened(entry, prefix + '[]').items():
                found.setdefault(key, []).extend(values)
    else:
        found[prefix] = [value]
    return found


class ExamplesTest(unittest.TestCase):
    def test_daemon_takes_it(self):
        done = groved('--check', f'--config={repository.path(EXAMPLE)}')
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_daemon_refuses_it_with_an_unknown_key(self):
        with tempfile.NamedTemporaryFile('w', suffix='.yaml') as file:
            file.write(repository.read(EXAMPLE).replace('  connections_max:',
                                                        '  connections_maxi:'))
            file.flush()
            done = groved('--check', f'--config={file.name}')
        self.assertEqual(done.returncode, 2)
        self.assertIn('connections_maxi', done.stderr)

    def test_it_shows_every_key(self):
        rows = key_rows()
        self.assertGreater(len(rows), 40)
        shown = flattened(yaml.safe_load(repository.read(EXAMPLE)))
        for key, _ in rows:
            if not any(key == each or key.startswith((each + '.', each + '['))
                       for each in COMMENTED):
                self.assertIn(key, shown)

    def test_numbers_outside_lists_are_the_defaults(self):
        shown = flattened(yaml.safe_load(repository.read(EXAMPLE)))
        for key, default in key_rows():
            if default.isdigit() and '[]' not in key:
                self.assertEqual(shown[key], [int(default)], key)


if __name__ == '__main__':
    unittest.main()
