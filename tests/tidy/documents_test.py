"""Documents are in step with the code: what they list exists, what they show is what is built."""

import itertools
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import checkout
import snippets

GROVED = os.path.abspath('server/groved')
PROSE_COLUMNS_MAX = 100


def documents():
    return [checkout.ROOT / 'README.md', checkout.ROOT / 'CONTRIBUTING.md',
            *sorted((checkout.ROOT / 'docs').glob('*.md'))]


def prose_of(document):
    """A document without its code, whose lambdas look like links."""
    return re.sub(r'^```.*?^```$', '', document.read_text(encoding='utf-8'), flags=re.M | re.S)


def told(flag):
    """What groved says of itself."""
    return subprocess.check_output([GROVED, flag], text=True)


def is_test(file, test):
    """Whether `file`, of the tree or of runtime/, holds the test Suite.Test (test_x in Python)."""
    path = checkout.ROOT / file
    if not path.exists():
        path = checkout.ROOT / 'runtime' / file
    if not path.exists():
        return False
    if path.suffix == '.py':
        mark = rf'^    def {test}\('
    else:
        suite, case = test.split('.')
        mark = rf'^TEST(?:_F|_P)?\({suite},\s+{case}\)'
    return re.search(mark, path.read_text(encoding='utf-8'), re.M) is not None


def metric_rows():
    """Of the MetricTable, as operations.md is to show them."""
    rows = re.findall(r'\{"(\w+)",\s*k(\w+),\s*"([\w,]*)",\s*"(\w*)",\s*((?:"[^"]*"\s*)+)[,}]',
                      checkout.read('server/metrics/metric_table.cc'))
    return [f'| `{name}` | {kind.lower()} | {labels.replace(",", ", ")} | {unit} | '
            + ''.join(re.findall('"([^"]*)"', words)) + ' |'
            for name, kind, labels, unit, words in rows]


class DocumentsTest(unittest.TestCase):

    def test_gdb_knows_every_kind_of_wait(self):
        kinds = re.search(r'enum class Kind[^{]*{(.*?)};', checkout.read('runtime/hub/wait_for.h'),
                          re.S).group(1)
        known = re.search(r'^WAITS = \((.*?)\)', checkout.read('tools/gdb/grove_gdb.py'),
                          re.M | re.S).group(1)
        spelled = ['k' + ''.join(word.title() for word in wait.split())
                   for wait in re.findall("'([^']*)'", known)]
        self.assertEqual(spelled, re.findall(r'\bk\w+(?=,)', re.sub('//.*', '', kinds)))

    def test_the_table_of_metrics_is_the_codes(self):
        section = checkout.read('docs/operations.md').split('\n## Metrics\n')[1].split('\n## ')[0]
        rows = metric_rows()
        self.assertEqual(len(rows), checkout.read('server/metrics/metric_table.cc').count('    {"'))
        self.assertGreater(len(rows), 100)
        self.assertEqual(re.findall(r'^\| `.*$', section, re.M), rows)

    def test_every_flag_and_key_has_a_row_in_operations(self):
        manual = checkout.read('docs/operations.md')
        flags = re.findall(r'^  (--\w+)', told('--help'), re.M)
        self.assertGreater(len(flags), 10)
        keys = re.findall(r'^  (\S+)  \(', told('--help_config'), re.M)
        self.assertGreater(len(keys), 30)
        for row in [f'| `{key}` |' for key in keys]:
            self.assertIn(row, manual)
        for flag in flags:
            self.assertRegex(manual, re.escape(f'| `{flag}') + r'[=`]')

    def test_manuals_of_libraries_show_their_examples_as_they_are(self):
        blocks = {name: re.findall(r'(?ms)(^[^\n]*\n)?^```\w*\n(.*?)\n```$', checkout.read(name))
                  for name in ('docs/examples.md', 'docs/runtime.md', 'docs/http_client.md',
                               'docs/grpc_client.md', 'docs/testing_applications.md',
                               'docs/zeromq.md', 'docs/postgres.md', 'docs/databases_other.md')}
        self.assertGreater(min(map(len, blocks.values())), 6)
        for above, shown in itertools.chain(*blocks.values()):
            marked = re.fullmatch(r'<!-- ([^\s:]+)(?:: (.+))? -->\n', above)
            self.assertIsNotNone(marked, f'no example is named above the block: {shown[:60]}')
            self.assertEqual(shown, checkout.example(*marked.groups()), marked[0])

    def test_every_counterpart_of_eventlet_has_a_test_that_exists(self):
        manual = checkout.read('docs/runtime.md')
        tables = manual.split('## Coming from eventlet')[1].split('### Left out on purpose')
        self.assertEqual(len(tables), 2)
        rows = [line for line in tables[0].splitlines() if line.startswith('| ')
                and not line.startswith('| theirs ')]
        self.assertGreater(len(rows), 100)
        for row in rows:
            tests = re.findall(r'`(\S+): (\w+(?:\.\w+)?)`', row.split(' | ')[-1])
            self.assertTrue(tests, f'a row without a test: {row}')
            for file, test in tests:
                self.assertTrue(is_test(file, test), f'{file} has no test {test}')
        for row in [line for line in tables[1].splitlines() if line.startswith('| ')][1:]:
            self.assertRegex(row, r'^\| .+ \| .+ \|$', 'left out without a reason')

    def test_the_http_manual_has_every_key_of_the_access_log(self):
        manual = checkout.read('docs/http.md')
        keys = re.findall(r'^    \{"(\w+)", ', checkout.read('server/access_log/access_value.cc'),
                          re.M)
        self.assertGreater(len(keys), 20)
        for key in keys:
            self.assertRegex(manual, rf'\n\|[^|]*`{key}`[^|]*\|')

    def test_the_configs_in_the_documents_are_good(self):
        with tempfile.TemporaryDirectory() as folder:

            def secret(shown):
                # Each of its own: no two tokens may have the same.
                file = pathlib.Path(folder, pathlib.Path(shown.group()).name)
                file.touch(0o600)
                file.write_text(f'0123456789abcdef-{file.name}\n')
                return str(file)

            key, chain = pathlib.Path(folder, 'key.pem'), pathlib.Path(folder, 'chain.pem')
            subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                            'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
                            '-subj', '/CN=example.org', '-addext', 'subjectAltName=DNS:example.org',
                            '-keyout', key, '-out', chain],
                           check=True, capture_output=True)
            checked = 0
            for document in documents():
                name = checkout.name(document)
                for snippet in snippets.of(name, document.read_text(encoding='utf-8')):
                    if snippet.kind != 'config':
                        continue
                    block = snippet.text + '\n'
                    for shown, real in ((r'/etc/grove/\w+\.token', secret),
                                        ('/srv/www', folder), ('/var/log/grove/', folder + '/'),
                                        (r'/etc/grove/[\w.]+\.key', str(key)),
                                        (r'/etc/grove/[\w.]+\.pem', str(chain))):
                        block = re.sub(shown, real, block)
                    config = pathlib.Path(folder, 'config.yaml')
                    config.write_text(block)
                    done = subprocess.run([GROVED, '--check', f'--config={config}',
                                           f'--state_dir={folder}'],
                                          cwd=folder, capture_output=True, text=True, check=False)
                    self.assertEqual(done.returncode, 0, f'{name}: {done.stderr}\n{block}')
                    checked += 1
            self.assertGreater(checked, 20)

    def test_prose_can_be_read_in_a_terminal(self):
        # Rows of tables and commands can't be broken.
        for document in documents():
            for line in prose_of(document).splitlines():
                if not line.startswith(('|', '    ')):
                    self.assertLessEqual(len(line), PROSE_COLUMNS_MAX,
                                         f'{checkout.name(document)}: {line}')

    def test_links_between_documents_lead_somewhere(self):
        for document in documents():
            for target in re.findall(r'\]\(([^)#:]+)(?:#[^)]*)?\)', prose_of(document)):
                self.assertTrue((document.parent / target).exists(),
                                f'{checkout.name(document)}: {target}')


if __name__ == '__main__':
    unittest.main()
