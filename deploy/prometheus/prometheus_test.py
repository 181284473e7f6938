"""Prometheus takes the configs and rules, each alert fires, and all name what exists."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import yaml

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import repository

FOLDER = 'deploy/prometheus/'
# Prometheus' own, of every target.
SYNTHETIC = {'up'}


def promtool(*arguments, cwd=None):
    return subprocess.run(['promtool', *arguments], capture_output=True, text=True, cwd=cwd)


def load(name):
    return yaml.safe_load(repository.read(FOLDER + name))


def rules():
    return [rule for group in load('rules.yml')['groups'] for rule in group['rules']]


def anchors(markdown):
    """Of its headings, as Markdown viewers make them."""
    headings = re.findall(r'^#+ +(.*?) *$', markdown, re.M)
    return {re.sub(r'[^\w -]', '', heading).lower().replace(' ', '-') for heading in headings}


class PrometheusTest(unittest.TestCase):
    def accepts(self, done):
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_static_config_is_accepted(self):
        self.accepts(promtool('check', 'config', repository.path(FOLDER + 'prometheus.yml')))

    def test_remote_config_is_accepted_and_says_what_the_admin_port_wants(self):
        path = repository.path(FOLDER + 'prometheus.remote.yml')
        self.accepts(promtool('check', 'config', '--syntax-only', path))
        job, = load('prometheus.remote.yml')['scrape_configs']
        self.assertEqual(job['job_name'], 'grove')
        self.assertEqual(job['scheme'], 'https')
        self.assertIn('ca_file', job['tls_config'])
        self.assertEqual(job['authorization']['type'], 'Bearer')

    def test_what_the_kubernetes_config_says_of_tls_is_accepted(self):
        said = re.findall(r'^    #   (.*)$', repository.read(FOLDER + 'prometheus.kubernetes.yml'),
                          re.M)
        job = yaml.safe_load('\n'.join(said))
        self.assertEqual(set(job), {'scheme', 'tls_config', 'authorization'})
        job |= {'job_name': 'grove', 'static_configs': [{'targets': ['a:1']}]}
        with tempfile.NamedTemporaryFile('w', suffix='.yml') as file:
            yaml.safe_dump({'scrape_configs': [job]}, file)
            file.flush()
            self.accepts(promtool('check', 'config', '--syntax-only', file.name))

    def test_kubernetes_config_is_accepted(self):
        # Debian builds Prometheus without Kubernetes: its section is checked here, and the rest by
        # promtool with another discovery in its place.
        config = load('prometheus.kubernetes.yml')
        job, = config['scrape_configs']
        self.assertEqual(job.pop('kubernetes_sd_configs'), [{'role': 'pod'}])
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(repository.path(FOLDER + 'rules.yml'), folder)
            job['file_sd_configs'] = [{'files': [f'{folder}/targets.json']}]
            with open(f'{folder}/targets.json', 'w') as file:
                file.write('[]')
            with open(f'{folder}/prometheus.yml', 'w') as file:
                yaml.safe_dump(config, file)
            self.accepts(promtool('check', 'config', f'{folder}/prometheus.yml'))

    def test_kubernetes_config_keeps_the_pods_admin_port(self):
        job, = load('prometheus.kubernetes.yml')['scrape_configs']
        keep, = [rule for rule in job['relabel_configs'] if rule.get('action') == 'keep']
        self.assertEqual(keep['source_labels'],
                         ['__meta_kubernetes_pod_label_app_kubernetes_io_name',
                          '__meta_kubernetes_pod_container_port_name'])
        pod = yaml.safe_load(repository.read('deploy/kubernetes/base/stateful_set.yaml'))
        pod = pod['spec']['template']
        name = pod['metadata']['labels']['app.kubernetes.io/name']
        kept = [port['containerPort'] for port in pod['spec']['containers'][0]['ports']
                if re.fullmatch(keep['regex'], f'{name};{port["name"]}')]
        self.assertEqual(kept, [8092])

    def test_static_config_scrapes_the_default_admin_port_as_the_job_of_the_rules(self):
        job, = load('prometheus.yml')['scrape_configs']
        self.assertEqual(job['job_name'], 'grove')
        self.assertEqual(job['static_configs'], [{'targets': ['127.0.0.1:8092']}])
        other, = load('prometheus.kubernetes.yml')['scrape_configs']
        self.assertEqual(other['job_name'], job['job_name'])
        for rule in rules():
            self.assertIn('job="grove"', rule['expr'])

    def test_rules_are_accepted(self):
        self.accepts(promtool('check', 'rules', repository.path(FOLDER + 'rules.yml')))

    def test_alerts_fire_after_their_cause_and_not_before(self):
        folder = repository.path(FOLDER)
        self.accepts(promtool('test', 'rules', 'rules_test.yml', cwd=folder))

    def test_every_alert_is_tested_silent_and_firing(self):
        cases = [case for test in load('rules_test.yml')['tests']
                 for case in test['alert_rule_test']]
        names = {rule['alert'] for rule in rules()}
        self.assertEqual({case['alertname'] for case in cases if case['exp_alerts']}, names)
        self.assertEqual({case['alertname'] for case in cases if not case['exp_alerts']}, names)

    def test_rules_name_metrics_and_labels_that_exist(self):
        metrics = repository.metrics()
        self.assertGreater(len(metrics), 20)
        for rule in rules():
            selectors = re.findall(r'\b([a-z_]+)\{([^}]*)\}', rule['expr'])
            self.assertTrue(selectors, rule['alert'])
            for name, matchers in selectors:
                with self.subTest(alert=rule['alert'], metric=name):
                    labels = {'job', 'instance'}
                    if name not in SYNTHETIC:
                        family = re.sub(r'_bucket$', '', name)
                        self.assertIn(family, metrics)
                        self.assertEqual(name != family, metrics[family][0] == 'Histogram')
                        labels |= metrics[family][1]
                    self.assertLessEqual(set(re.findall(r'(\w+)=', matchers)), labels)
                    texts = ' '.join(rule['annotations'].values())
                    self.assertLessEqual(set(re.findall(r'\$labels\.(\w+)', texts)), labels)

    def test_every_alert_says_how_bad_what_why_and_where_to_read_on(self):
        manual = anchors(repository.read('docs/operations.md'))
        for rule in rules():
            with self.subTest(alert=rule['alert']):
                self.assertIn(rule['labels']['severity'], ('critical', 'warning'))
                self.assertEqual(set(rule['annotations']),
                                 {'summary', 'description', 'runbook_url'})
                page, anchor = rule['annotations']['runbook_url'].split('#')
                self.assertEqual(page, 'docs/operations.md')
                self.assertEqual(anchor, rule['alert'].lower())
                self.assertIn(anchor, manual)


if __name__ == '__main__':
    unittest.main()
