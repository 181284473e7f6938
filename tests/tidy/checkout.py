"""The checkout as the tidy tests read it: its files, its C++ as ctags sees it, its tables."""

import collections
import functools
import json
import pathlib
import re
import subprocess

# Bazel's copy of this file is a link into the checkout, which is what is to be read.
ROOT = pathlib.Path(__file__).resolve().parents[2]

# A thing that ctags found: `scope` is the names around it with `anonymous` among them cut out;
# `within` says what kind of thing the scope is.
Tag = collections.namedtuple('Tag', 'kind name path line lines scope anonymous within')


def name(path):
    """A path as the repository spells it."""
    return str(path.relative_to(ROOT))


def read(path):
    return (ROOT / path).read_text(encoding='utf-8')


def files(folders, *patterns):
    """The files under these folders of which a pattern is true, in order."""
    for folder in folders:
        for pattern in patterns:
            yield from sorted((ROOT / folder).rglob(pattern))


def example(file, section):
    """A file, or what stands between the comments [section] and [/section] in it, unindented."""
    text = read(file)
    if section is None:
        return text.rstrip()
    word = re.escape(section)
    mark = rf'^( *)(?://|#) \[{word}\]\n(.*?)\n *(?://|#) \[/{word}\]$'
    indent, lines = re.search(mark, text, re.M | re.S).groups()
    return '\n'.join(line.removeprefix(indent) for line in lines.split('\n'))


def is_test(path):
    """Whether a C++ file is no part of the product."""
    return path.stem.endswith(('_test', '_bench', '_fuzz', '_fixture')) or 'tests' in path.parts


@functools.cache
def tags(*folders):
    """Every Tag of the C++ files under these folders."""
    kinds = ['--kinds-C++=fscgutn', '--fields=+neKZ', '--langmap=C++:+.h', '--languages=C++']
    said = subprocess.run(['/usr/bin/ctags', '--quiet', *kinds, '--output-format=json', '-L', '-',
                           '-f', '-'], text=True, capture_output=True, check=True,
                          input='\n'.join(map(str, files(folders, '*.h', '*.cc'))))
    return [parsed(json.loads(line)) for line in said.stdout.splitlines()]


def parsed(tag):
    scopes = tag.get('scope', '').split('::')
    named = '::'.join(scope for scope in scopes if not scope.startswith('__anon'))
    return Tag(tag['kind'], tag['name'], name(pathlib.Path(tag['path'])), tag['line'],
               tag.get('end', tag['line']) - tag['line'] + 1, named,
               any(scope.startswith('__anon') for scope in scopes), tag.get('scopeKind'))


def table(document, heading):
    """The rows of the first table behind a line that begins with `heading`: lists of cells."""
    rows = []
    for line in read(document).split('\n' + heading, 1)[1].splitlines():
        if line.startswith('|'):
            rows.append([cell.strip() for cell in line.strip('|').split('|')])
        elif rows:
            break
    return [row for row in rows[1:] if not re.fullmatch('[-: ]+', row[0])]
