"""The wheel: what is in it, and that it is all that an import needs beside gRPC."""

import base64
import csv
import email
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import unittest
import zipfile

WHEEL = os.path.abspath('python/grove.whl')


def version():
    with open('server/version.h', encoding='utf-8') as file:
        return re.search(r'kVersion = "([^"]+)"', file.read())[1]


class WheelTest(unittest.TestCase):

    def setUp(self):
        with zipfile.ZipFile(WHEEL) as wheel:
            self.contents = {name: wheel.read(name) for name in wheel.namelist()}
        self.about = f'grove-{version()}.dist-info'

    def test_its_record_has_every_file(self):
        rows = list(csv.reader(self.contents[f'{self.about}/RECORD'].decode().splitlines()))
        self.assertEqual([row[0] for row in rows], list(self.contents))
        for name, digest, size in rows[:-1]:
            self.assertEqual(int(size), len(self.contents[name]), name)
            own = base64.urlsafe_b64encode(hashlib.sha256(self.contents[name]).digest())
            self.assertEqual(digest, 'sha256=' + own.rstrip(b'=').decode(), name)
        self.assertEqual(rows[-1], [f'{self.about}/RECORD', '', ''])

    def test_it_has_the_package_with_its_types_and_no_more(self):
        names = {name for name in self.contents if not name.startswith(self.about)}
        self.assertLessEqual({'grove/__init__.py', 'grove/aio.py', 'grove/py.typed',
                              'grove/_stubs/task_service_pb2.py',
                              'grove/_stubs/task_service_pb2.pyi'}, names)
        self.assertEqual({name for name in names if not re.fullmatch(
            r'grove/(_stubs/)?(\w+\.pyi?|py\.typed)', name)}, set())

    def test_it_says_what_it_is_and_needs(self):
        said = email.message_from_bytes(self.contents[f'{self.about}/METADATA'])
        self.assertEqual((said['Name'], said['Version']), ('grove', version()))
        self.assertEqual([each.split()[0] for each in said.get_all('Requires-Dist')],
                         ['grpcio', 'protobuf'])
        self.assertIn(b'Tag: py3-none-any\n', self.contents[f'{self.about}/WHEEL'])

    def test_it_is_imported_as_it_is(self):
        """With nothing of the checkout on the path."""
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [sys.executable, '-B', '-c',
                 'import sys; sys.path.insert(0, sys.argv[1]); import grove, grove.aio, '
                 'importlib.metadata; print(grove.__file__, importlib.metadata.version("grove"))',
                 WHEEL], cwd=folder, text=True, capture_output=True, check=True)
        self.assertEqual(done.stdout, f'{WHEEL}/grove/__init__.py {version()}\n')

    def test_the_same_files_give_the_same_bytes(self):
        files = [os.path.join(folder, name) for folder, _, names in os.walk('python/grove')
                 for name in names if not name.endswith('.pyc')]
        with tempfile.NamedTemporaryFile() as again:
            subprocess.run([sys.executable, '-B', 'python/make_wheel.py', again.name,
                            'server/version.h', *files], check=True)
            with open(WHEEL, 'rb') as wheel:
                self.assertEqual(again.read(), wheel.read())


class StubsTest(unittest.TestCase):

    def test_other_stubs_of_the_same_protos_may_stand_beside_them(self):
        """In one process: those of the package grove.v1, and googleapis' google.rpc."""
        code = '''
import sys
sys.path.insert(0, sys.argv[1])
from google.protobuf import descriptor_pb2, descriptor_pool
for package in ('grove.v1', 'google.rpc'):
    file = descriptor_pb2.FileDescriptorProto(name=package + '/own.proto', package=package)
    for message in ('Task', 'TaskSpec', 'Status', 'ErrorInfo'):
        file.message_type.add(name=message)
    descriptor_pool.Default().Add(file)
import grove
print(grove.Task.__name__)
'''
        done = subprocess.run([sys.executable, '-B', '-c', code, WHEEL], text=True,
                              capture_output=True, check=False)
        self.assertEqual((done.stdout, done.stderr), ('Task\n', ''))


if __name__ == '__main__':
    unittest.main()
