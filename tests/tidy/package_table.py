"""Writes the table of packages in docs/architecture.md from the BUILD files.

usage: python3 tests/tidy/package_table.py
"""

import itertools

import checkout
import packages

DOCUMENT = 'docs/architecture.md'
BEGIN = '<!-- packages: written by tests/tidy/package_table.py -->\n'
END = '<!-- /packages -->\n'

# What each of them links: nobody learns anything from it.
EVERYWHERE = {'absl'}
NO_ROOMS = {'client/rpc/examples', 'database/examples', 'database/examples/mariadb',
            'database/examples/redis', 'database/examples/sqlite', 'examples', 'http/examples',
            'runtime/examples', 'server/examples', 'zeromq/examples'}


def spelled(names):
    """Paths, those of one folder together: `a/{b,c}`, `d`."""
    parts = sorted(name.rpartition('/') for name in names)
    groups = []
    for (folder, slash), group in itertools.groupby(parts, lambda part: part[:2]):
        last = [part[2] for part in group]
        if folder and len(last) > 1:
            groups.append(f'`{folder}/{{{",".join(last)}}}`')
        else:
            groups.extend(f'`{folder}{slash}{name}`' for name in last)
    return ', '.join(groups)


def users(package):
    if '//visibility:public' in package.users:
        return 'all'
    names = {label.removeprefix('//').replace(':__subpackages__', '/…').replace(':__pkg__', '')
             for label in package.users}
    # What stands below a folder that may use it says nothing more.
    wide = [name.removesuffix('…') for name in names if name.endswith('/…')]
    return spelled(name for name in names
                   if not any(f'{name}/'.startswith(each) and name != each + '…' for each in wide)
                   ) or 'nobody'


def table():
    rows = ['| package | answers | uses | may be used by |', '|---|---|---|---|']
    for each in packages.packages():
        if each.name not in NO_ROOMS:
            used = spelled(each.uses - EVERYWHERE)
            rows.append(f'| `{each.name}` | {each.question} | {used} | {users(each)} |')
    return '\n'.join(rows) + '\n'


def split(text):
    """What stands before the table, the table, and what follows."""
    before, rest = text.split(BEGIN)
    shown, after = rest.split(END)
    return before + BEGIN, shown, END + after


def main():
    before, _, after = split(checkout.read(DOCUMENT))
    (checkout.ROOT / DOCUMENT).write_text(before + table() + after, encoding='utf-8')


if __name__ == '__main__':
    main()
