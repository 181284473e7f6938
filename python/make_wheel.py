"""Writes the wheel: make_wheel.py WHEEL VERSION_H FILE...

A file's place is its path below the folder python. The same files give the same bytes.
"""

import base64
import hashlib
import re
import sys
import zipfile

METADATA = '''Metadata-Version: 2.1
Name: grove
Version: {version}
Summary: Client of the Grove daemon, blocking and for asyncio
License: Apache-2.0
Requires-Python: >=3.11
Requires-Dist: grpcio >=1.51
Requires-Dist: protobuf >=4.21, <6
'''
WHEEL = '''Wheel-Version: 1.0
Generator: grove
Root-Is-Purelib: true
Tag: py3-none-any
'''


def main():
    out, version_header, *files = sys.argv[1:]
    with open(version_header, encoding='utf-8') as file:
        version = re.search(r'kVersion = "([^"]+)"', file.read())[1]
    contents = {}
    for path in sorted(files, key=lambda path: path.rpartition('python/grove/')[2]):
        with open(path, 'rb') as file:
            contents['grove/' + path.rpartition('python/grove/')[2]] = file.read()
    about = f'grove-{version}.dist-info'
    contents[f'{about}/METADATA'] = METADATA.format(version=version).encode()
    contents[f'{about}/WHEEL'] = WHEEL.encode()
    record = ''
    for name, content in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()
        record += f'{name},sha256={digest},{len(content)}\n'
    contents[f'{about}/RECORD'] = (record + f'{about}/RECORD,,\n').encode()
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as wheel:
        for name, content in contents.items():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            wheel.writestr(entry, content)


if __name__ == '__main__':
    main()
