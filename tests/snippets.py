"""The snippets of the documents, and what is done with each: a comment in front of it says it.

    <!-- examples/hello.cc -->       shows that file as it is (`FILE: NAME`: what stands in it
                                     between the comments [NAME] and [/NAME])
    <!-- compiled: hooks -->         is compiled, where //tests/snippets includes it by that name
    <!-- config -->                  passes `groved --check`
    <!-- run -->                     is run, and prints what it shows; so `<!-- run: alike -->`, but
                                     for numbers, names of tasks, times and the width of columns
    <!-- not run: why -->            the rest

Who has none of these is refused by //tests/tidy:snippets_test.
"""

import collections
import re

Snippet = collections.namedtuple('Snippet', 'document line language kind argument text')


def _blocks(text):
    """(line, language, text, the line in front) of each block, in order."""
    lines = text.split('\n')
    at = 0
    before = ''  # the last line that is not empty
    while at < len(lines):
        begin = at
        line = lines[at]
        if line.startswith('```'):
            at = lines.index('```', at + 1)
            yield begin + 1, line[3:], '\n'.join(lines[begin + 1:at]), before
            before = ''
        elif line.startswith('    ') and (at == 0 or not lines[at - 1].strip()):
            while at < len(lines) and (lines[at].startswith('    ') or not lines[at].strip()):
                at += 1
            at -= 1
            block = '\n'.join(each[4:] for each in lines[begin:at + 1]).rstrip()
            yield begin + 1, '', block, before
            before = ''
        elif line.strip():
            before = line
        at += 1


def of(document, text):
    """The Snippets of a document's text, in order; `kind` is None where nothing is said."""
    found = []
    for line, language, block, before in _blocks(text):
        mark = re.fullmatch(r'<!-- (.+?)(?:: (.+))? -->', before)
        kind, argument = mark.groups() if mark else (None, None)
        if kind and re.fullmatch(r'\S*[./]\S+', kind):
            kind, argument = 'shown', (kind, argument)
        found.append(Snippet(document, line, language, kind, argument, block))
    return found


# --- What a shell prints

def commands(block):
    """[(command, what it prints or None)] of a block with `$ ` prompts, or of commands alone."""
    found = []
    prompts = block.startswith('$ ')
    for line in block.split('\n'):
        if found and found[-1][0].endswith('\\'):
            found[-1] = (f'{found[-1][0]}\n{line}', [])
        elif prompts and not line.startswith('$ '):
            found[-1][1].append(line)
        elif line.strip():
            found.append((line.removeprefix('$ '), []))
    return [(command, '\n'.join(lines) if lines else None) for command, lines in found]


def pattern(shown):
    """What stands for anything is "…"."""
    return re.compile(r'\A' + '.*'.join(re.escape(piece) for piece in shown.split('…')) + r'\Z',
                      re.S)


def alike(printed):
    """Without what differs from one run to the next."""
    for what, name in ((r'\b01[0-9A-HJKMNP-TV-Z]{24}\b', 'ID'),
                       (r'\b\w{3}, \d+ \w{3} \d{4} [\d:]+ GMT', 'DATE'),
                       (r'0x[0-9a-f]+', 'N'),
                       (r'\bnow\b|\b[\d.]+(us|ms|s|m|h)\d*[\dsm]*( ago)?\b', 'TIME'),
                       (r'\b\d+(\.\d+)?', 'N'),
                       (r'[ \t]+', ' ')):
        printed = re.sub(what, name, printed)
    return '\n'.join(line.rstrip() for line in printed.split('\n'))
