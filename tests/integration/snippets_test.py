"""The snippets of the documents that are marked `run` are run, and print what they show.

Those of a document follow each other in one shell, with a daemon of its own.
"""

import os
import subprocess
import unittest

import snippets
from grove_harness import OwnDaemonTest, program

# What runs of a document need beside an empty daemon: its config.
DOCUMENTS = {
    'README.md': None,
    'docs/coming_from_eventlet.md': None,
    'docs/coming_from_gunicorn.md': None,
    'docs/control_plane.md': None,
    'docs/schedules.md': None,
    'docs/tasks.md': 'tenants: [{name: default, queues: [{name: mail}]}]\n',
    'docs/tenants.md': None,
}
# Of the reader's that commands name.
FILES = {'archive.tar': 3 << 20}
# What they leave running is not waited for.
DRAIN = '--drain_timeout_ms=500'
# A document's commands, all together.
RUN_S = 240
# Stands between what one command prints and the next.
MARK = '\036'


def runs(document, languages):
    with open(document, encoding='utf-8') as file:
        return [each for each in snippets.of(document, file.read())
                if each.kind == 'run' and each.language in languages]


class SnippetsTest(OwnDaemonTest):

    def shell(self, daemon, commands):
        """[(exit code, what it printed)] of each, in one shell."""
        folder = os.path.join(daemon.folder, 'reader')
        os.mkdir(folder)
        for name, size in FILES.items():
            with open(os.path.join(folder, name), 'wb') as file:
                file.write(bytes(size))
        # At a terminal curl shows how far it is, here it would be among what it prints.
        with open(os.path.join(folder, '.curlrc'), 'w', encoding='utf-8') as file:
            file.write('silent\nshow-error\n')
        script = ''.join(f'{{ {command}\n}} </dev/null 2>&1\n'
                         f'printf "{MARK}%d{MARK}" $?\n' for command in commands)
        for shown, here in (('127.0.0.1:8090', daemon.serving['http']),
                            ('127.0.0.1:8092', daemon.serving['admin'])):
            script = script.replace(shown, here)
        path = os.path.dirname(program('client/grovectl'))
        done = subprocess.run(
            ['bash', '-uc', script], cwd=folder, text=True, check=False, timeout=RUN_S,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=os.environ | {'GROVE_ADDRESS': daemon.serving['control'],
                              'CURL_HOME': folder,
                              'PATH': f'{path}:{os.environ["PATH"]}'})
        pieces = done.stdout.split(MARK)
        self.assertEqual(len(pieces), 2 * len(commands) + 1, f'the shell ended:\n{done.stdout}')
        return [(int(code), printed) for printed, code in zip(pieces[::2], pieces[1::2])]

    def check(self, snippet, shown, code, printed):
        printed = printed.rstrip('\n').replace('\r', '')
        if shown is None or not shown.startswith('grovectl: ') or '[exit code' in shown:
            # Else it shows the error, and not the code as well.
            printed += f'\n[exit code {code}]' if code != 0 else ''
        if shown is None:
            self.assertEqual(code, 0, printed)
            return
        if snippet.argument == 'alike':
            shown, printed = snippets.alike(shown), snippets.alike(printed)
        self.assertRegex(printed, snippets.pattern(shown))

    def test_the_commands_of_the_documents(self):
        for document, config in DOCUMENTS.items():
            steps = [(snippet, command, shown)
                     for snippet in runs(document, ('console', 'sh', ''))
                     for command, shown in snippets.commands(snippet.text)]
            self.assertTrue(steps, document)
            daemon = self.start(config=config, flags=[DRAIN])
            printed = self.shell(daemon, [command for _, command, _ in steps])
            for (snippet, command, shown), (code, text) in zip(steps, printed):
                with self.subTest(f'{document}:{snippet.line}', command=command):
                    self.check(snippet, shown, code, text)
            daemon.stop()

    def test_the_lines_of_python_follow_each_other(self):
        for document in DOCUMENTS:
            blocks = runs(document, ('python',))
            if not blocks:
                continue
            daemon = self.start(flags=[DRAIN])
            space = {}
            for snippet in blocks:
                with self.subTest(f'{document}:{snippet.line}'):
                    code = snippet.text.replace('127.0.0.1:8091', daemon.serving['control'])
                    exec(compile(code, f'{document}:{snippet.line}', 'exec'), space)
            space['channel'].close()
            daemon.stop()


if __name__ == '__main__':
    unittest.main()
