"""Prometheus scrapes a running daemon, and every expression that is shipped finds data in it."""

import glob
import json
import math
import os
import signal
import subprocess
import tempfile
import unittest
import urllib.parse

import yaml

from grove_api import spec
from grove_harness import (GroveTest, curl, die_with_parent, eventually, free_port, http_get,
                           program)

VARIABLES = {'$__rate_interval': '1m', '$__interval': '1m', '$job': 'grove', '$instance': '.*',
             '${job}': 'grove', '${instance}': '.*',
             '$tenant': '.*', '$queue': '.*', '$function': '.*', '$worker': '.*'}


class Prometheus:
    """A server of its own, configured as shipped but for the address and the intervals."""

    def __init__(self, target):
        self.folder = tempfile.TemporaryDirectory(prefix='grove-prometheus-', dir='/tmp')
        self.address = f'127.0.0.1:{free_port()}'
        shipped = program('deploy/prometheus/prometheus.yml')
        with open(shipped, encoding='utf-8') as file:
            config = yaml.safe_load(file)
        config['global'].update(scrape_interval='1s', evaluation_interval='1s')
        config['rule_files'] = [os.path.join(os.path.dirname(shipped), name)
                                for name in config['rule_files']]
        [scrape] = config['scrape_configs']
        scrape['static_configs'] = [{'targets': [target]}]
        path = os.path.join(self.folder.name, 'prometheus.yml')
        with open(path, 'w', encoding='utf-8') as file:
            yaml.safe_dump(config, file)
        self.log = open(os.path.join(self.folder.name, 'log'), 'w+', encoding='utf-8')
        self.process = subprocess.Popen(
            ['/usr/bin/prometheus', f'--config.file={path}',
             f'--storage.tsdb.path={self.folder.name}/data',
             f'--web.listen-address={self.address}'],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            preexec_fn=die_with_parent)
        eventually('prometheus is ready', self.ready)

    def ready(self):
        if self.process.poll() is not None:
            self.log.seek(0)
            raise AssertionError(f'prometheus ended:\n{self.log.read()}')
        try:
            return http_get(self.address, '/-/ready')[0] == 200
        except OSError:
            return False

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()
        self.folder.cleanup()

    def ask(self, path):
        answer = json.loads(curl(f'http://{self.address}/api/v1/{path}'))
        if answer['status'] != 'success':
            raise AssertionError(f'{path}: {answer}')
        return answer['data']

    def values(self, expression):
        """What the expression is now, without what is not a number."""
        result = self.ask('query?query=' + urllib.parse.quote(expression))['result']
        values = (float(sample['value'][1]) for sample in result)
        return [value for value in values if not math.isnan(value)]


def expressions_of(dashboard):
    """[(title, expression)] of all panels, rows' included, and annotations."""
    found = [(each['name'], each['expr']) for each in
             dashboard.get('annotations', {}).get('list', []) if 'expr' in each]
    panels = list(dashboard['panels'])
    while panels:
        panel = panels.pop()
        panels += panel.get('panels', [])
        found += [(panel.get('title', '?'), target['expr']) for target in panel.get('targets', [])]
    return found


def substituted(expression):
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    return expression


class DashboardsTest(GroveTest):
    config = 'fetch: {allow: ["127.0.0.0/8"]}\n'

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.api = cls.daemon.api()
        cls.prometheus = Prometheus(cls.daemon.address('admin'))
        cls.addClassCleanup(cls.prometheus.close)
        eventually('the daemon is scraped', lambda: cls.prometheus.values('up{job="grove"}') == [1])
        for arguments in (('schedules', 'create', 'often', 'echo', '--every=1s'),
                          ('payloads', 'put', program('deploy/prometheus/prometheus.yml'))):
            done = cls.daemon.grovectl(*arguments)
            assert done.returncode == 0, done.stderr
        # What rates and changes are to be seen of.
        os.kill(cls.daemon.pid_of('grove-w1'), signal.SIGKILL)

    def keep_busy(self):
        self.daemon.get('/')
        self.api.wait_batch([result.name for result in self.api.spawn_batch(
            [spec('echo', {}), spec('fail', {}), spec('sleep', {'seconds': 0.01}),
             spec('http.fetch', {'url': self.daemon.url('/')})])])

    def test_every_expression_of_every_dashboard_returns_data(self):
        paths = glob.glob(os.path.join(program('deploy/grafana'), '*.json'))
        self.assertTrue(paths)
        missing = []
        for path in paths:
            with open(path, encoding='utf-8') as file:
                missing += expressions_of(json.load(file))
        self.assertGreater(len(missing), 10)

        def all_found():
            self.keep_busy()
            missing[:] = [(title, expression) for title, expression in missing
                          if not self.prometheus.values(substituted(expression))]
            return not missing
        try:
            eventually('every expression has data', all_found)
        except AssertionError as error:
            self.fail(f'{error}; without any:\n' + '\n'.join(map(str, missing)))

    def test_every_rule_is_evaluated_and_a_healthy_daemon_fires_none(self):
        def evaluated():
            rules = [rule for group in self.prometheus.ask('rules')['groups']
                     for rule in group['rules']]
            return rules if all(rule['health'] == 'ok' for rule in rules) else None
        rules = eventually('every rule is evaluated', evaluated)
        self.assertGreater(len(rules), 5)
        self.assertEqual([rule['name'] for rule in rules if rule.get('state') == 'firing'], [])

    def test_the_target_is_healthy(self):
        [target] = self.prometheus.ask('targets')['activeTargets']
        self.assertEqual((target['health'], target['lastError']), ('up', ''))


if __name__ == '__main__':
    unittest.main()
