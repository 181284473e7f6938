"""A name means one thing: no type is defined twice in one namespace."""

import collections
import unittest

import checkout

FOLDERS = ('runtime', 'http', 'database', 'zeromq', 'server', 'client', 'python')
TYPES = ('class', 'struct', 'enum', 'union', 'typedef')
# Folders whose subfolders share their namespace, or have one inside it.
SHARED = {'runtime': 'grove', 'client/rpc': 'grove::client::rpc', 'http': 'grove::http',
          'zeromq': 'grove::zeromq', 'server/http': 'grove::http'}


def namespace_of(path):
    """The namespace of a file's package: grove, and its folders but for server/ and database/."""
    for folder, namespace in SHARED.items():
        if path.startswith(folder + '/'):
            return namespace
    parts = path.split('/')[:-1]
    if parts == ['database', 'examples']:
        return 'grove'
    if parts[0] == 'database':  # examples are in the namespace of their library
        return f'grove::{parts[-1]}'
    return '::'.join(['grove', *parts[parts[0] == 'server':]])


def types():
    """{(namespace, name): tags}; an unnamed namespace counts as the named one around it."""
    found = collections.defaultdict(list)
    for tag in checkout.tags(*FOLDERS):
        if tag.kind in TYPES and tag.within in (None, 'namespace'):
            found[tag.scope, tag.name].append(tag)
    return found


class NamesTest(unittest.TestCase):

    def test_no_type_is_defined_twice_in_one_namespace(self):
        # Twice in one file is a specialisation, or the compiler's to refuse. In unnamed namespaces
        # of two files are two types; but not where the named one has such a type, too: that is the
        # one that a reader takes it for.
        found = types()
        self.assertGreater(len(found), 500, 'ctags did not read the sources')
        for (scope, name), tags in found.items():
            named = {tag.path for tag in tags if not tag.anonymous}
            paths = {tag.path for tag in tags}
            if named:
                self.assertEqual(len(paths), 1, f'{scope}::{name}: {sorted(paths)}')

    def test_every_package_has_a_namespace_of_its_own(self):
        for (scope, name), tags in types().items():
            for tag in tags:
                wanted = namespace_of(tag.path)
                if tag.anonymous and not scope:
                    continue  # a program's own, such as a fuzzer's
                self.assertTrue(f'{scope}::'.startswith(f'{wanted}::'),
                                f'{tag.path}:{tag.line}: {scope}::{name} is not in {wanted}')


if __name__ == '__main__':
    unittest.main()
