"""The dashboard is complete, and its expressions are PromQL over metrics that exist."""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

import yaml

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import repository

DASHBOARD = 'deploy/grafana/grove-overview.json'
# Variables that select by the label of their name, in every metric that has it.
FILTERS = ('tenant', 'queue', 'function', 'worker')
SELECTOR = re.compile(r'\b([a-z_][a-z_0-9]*)\{([^}]*)\}')


def substituted(expression):
    """As Grafana sends it."""
    for variable, value in (('$__rate_interval', '1m'), ('$__interval', '1m'),
                            ('$job', 'grove'), ('$instance', '.*'),
                            *((f'${name}', '.*') for name in FILTERS)):
        expression = expression.replace(variable, value)
    return expression


class GrafanaTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dashboard = json.loads(repository.read(DASHBOARD))
        cls.panels = [panel for panel in cls.dashboard['panels'] if panel['type'] != 'row']
        cls.expressions = [(panel['title'], target['expr'])
                           for panel in cls.panels for target in panel['targets']]
        cls.expressions += [(note['name'], note['expr'])
                            for note in cls.dashboard['annotations']['list']]

    def test_every_panel_has_title_description_unit_and_a_place_of_its_own(self):
        self.assertGreater(len(self.panels), 20)
        cells, ids, titles = set(), set(), set()
        for panel in self.dashboard['panels']:
            place = panel['gridPos']
            self.assertLessEqual(place['x'] + place['w'], 24, panel['title'])
            for x in range(place['x'], place['x'] + place['w']):
                for y in range(place['y'], place['y'] + place['h']):
                    self.assertNotIn((x, y), cells, f'{panel["title"]} covers another panel')
                    cells.add((x, y))
            self.assertNotIn(panel['id'], ids)
            self.assertNotIn(panel['title'], titles)
            ids.add(panel['id'])
            titles.add(panel['title'])
        for panel in self.panels:
            self.assertRegex(panel['description'], r'\.$', panel['title'])
            self.assertTrue(panel['fieldConfig']['defaults']['unit'], panel['title'])
            self.assertTrue(panel['targets'], panel['title'])

    def test_data_source_job_and_instance_are_variables(self):
        variables = {variable['name']: variable
                     for variable in self.dashboard['templating']['list']}
        self.assertEqual(set(variables), {'datasource', 'job', 'instance', *FILTERS})
        self.assertEqual(variables['datasource']['query'], 'prometheus')
        for name in ('job', 'instance'):
            self.assertRegex(variables[name]['query']['query'],
                             r'^label_values\(grove_build_info\b')
        metrics = repository.metrics()
        for name in FILTERS:
            query = re.fullmatch(r'label_values\((\w+)\{job="\$job",instance=~"\$instance"\}, '
                                 r'(\w+)\)', variables[name]['query']['query'])
            self.assertEqual(query[2], name)
            self.assertIn(name, metrics[query[1]][1])
            self.assertTrue(variables[name]['multi'] and variables[name]['includeAll'])
        used = re.findall(r'"uid": "([^"]*)"', repository.read(DASHBOARD))
        self.assertEqual(set(used), {'${datasource}', 'grove-overview'})

    def test_expressions_parse(self):
        rules = [{'record': 'a', 'expr': substituted(expression)}
                 for expression in sorted({expression for _, expression in self.expressions})]
        # Records with equal names and labels would be duplicates.
        for number, rule in enumerate(rules):
            rule['record'] = f'expression:{number}'
            self.assertNotIn('$', rule['expr'])
        with tempfile.NamedTemporaryFile('w', suffix='.yml') as file:
            yaml.safe_dump({'groups': [{'name': 'dashboard', 'rules': rules}]}, file)
            file.flush()
            done = subprocess.run(['promtool', 'check', 'rules', file.name],
                                  capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(f'{len(rules)} rules found', done.stdout)

    def test_expressions_select_metrics_that_exist_by_job_instance_and_every_variable(self):
        metrics = repository.metrics()
        for title, expression in self.expressions:
            with self.subTest(panel=title):
                selectors = SELECTOR.findall(expression)
                self.assertTrue(selectors)
                for name, matchers in selectors:
                    family = re.sub(r'_bucket$', '', name)
                    self.assertIn(family, metrics)
                    self.assertEqual(name != family, metrics[family][0] == 'Histogram')
                    labels = metrics[family][1]
                    wanted = ['job="$job"', 'instance=~"$instance"']
                    wanted += [f'{label}=~"${label}"' for label in FILTERS if label in labels]
                    self.assertEqual(matchers.split(',')[:len(wanted)], wanted)
                    others = re.findall(r'(\w+)[=!~]', ','.join(matchers.split(',')[len(wanted):]))
                    self.assertLessEqual(set(others), labels)
                mentioned = set(re.findall(r'\b((?:grove|process)_\w+)', expression))
                self.assertEqual(mentioned, {name for name, _ in selectors})

    def test_queues_pools_and_routes_have_tables(self):
        tables = {panel['title']: panel for panel in self.panels if panel['type'] == 'table'}
        self.assertEqual(set(tables), {'Routes', 'Queues', 'Pools'})
        for title, panel in tables.items():
            named = panel['transformations'][1]['options']['renameByName']
            columns = {f'Value #{target["refId"]}' for target in panel['targets']}
            self.assertEqual(set(named), columns, title)
            self.assertIn(panel['options']['sortBy'][0]['displayName'], named.values())

    def test_groupings_and_legends_use_labels_that_the_metrics_have(self):
        metrics = repository.metrics()
        for panel in self.panels:
            for target in panel['targets']:
                with self.subTest(panel=panel['title']):
                    labels = {'job', 'instance', 'le'}
                    for name, _ in SELECTOR.findall(target['expr']):
                        labels |= metrics[re.sub(r'_bucket$', '', name)][1]
                    grouped = re.findall(r'\bby \(([^)]*)\)', target['expr'])
                    named = {label.strip() for group in grouped for label in group.split(',')}
                    self.assertLessEqual(named, labels)
                    shown = set(re.findall(r'\{\{(\w+)\}\}', target['legendFormat']))
                    self.assertLessEqual(shown, named if grouped else labels)

    def test_counters_are_read_as_rates_over_the_rate_interval(self):
        metrics = repository.metrics()
        for panel in self.panels:
            for target in panel['targets']:
                for name, _ in SELECTOR.findall(target['expr']):
                    family = re.sub(r'_bucket$', '', name)
                    as_rate = re.search(rf'\b(?:rate\({name}\{{[^}}]*\}}\[\$__rate_interval\]|'
                                        rf'increase\({name}\{{[^}}]*\}}\[\d+[mh]\])\)',
                                        target['expr'])
                    with self.subTest(panel=panel['title'], metric=name):
                        self.assertEqual(as_rate is None, metrics[family][0] == 'Gauge')


if __name__ == '__main__':
    unittest.main()
