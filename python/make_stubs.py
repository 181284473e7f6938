"""Writes the package's own messages: make_stubs.py OUT PROTO...

They stand in OUT/grove/_stubs under names of their own, so that one process may have them beside
other stubs of the same protos, and beside googleapis' google.rpc, whatever its version.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

RENAMED = (
    (r'(?m)^package grove\.v1;', 'package grove_client;'),
    (r'(?m)^package google\.rpc;', 'package grove_client_rpc;'),
    (r'(?m)^import "(?:grove/v1|google/rpc)/', 'import "grove/_stubs/'),
    (r'(?m)^( *(?:repeated )?)google\.rpc\.', r'\1grove_client_rpc.'),
)


def main():
    out, protos = pathlib.Path(sys.argv[1]), [pathlib.Path(name) for name in sys.argv[2:]]
    with tempfile.TemporaryDirectory() as folder:
        own = pathlib.Path(folder, 'grove/_stubs')
        own.mkdir(parents=True)
        for proto in protos:
            text = proto.read_text(encoding='utf-8')
            for old, new in RENAMED:
                text = re.sub(old, new, text)
            (own / proto.name).write_text(text, encoding='utf-8')
        subprocess.run(['/usr/bin/protoc', f'-I{folder}', f'--python_out={out}',
                        f'--pyi_out={out}', *sorted(map(str, own.iterdir()))], check=True)
    (out / 'grove/_stubs/__init__.py').touch()


if __name__ == '__main__':
    main()
