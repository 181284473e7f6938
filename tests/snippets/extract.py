"""extract.py FOLDER DOCUMENT...: writes the compiled snippets of documents, each as NAME.inc.

An #include stands in fragments.cc, outside of whatever the snippet is put in; "…" is left out.
"""

import os
import pathlib
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))

import snippets  # noqa: E402


def main():
    folder, *documents = sys.argv[1:]
    for document in documents:
        if not document.endswith('.md'):
            continue
        text = pathlib.Path(document).read_text(encoding='utf-8')
        for each in snippets.of(document, text):
            if each.kind == 'compiled':
                code = re.sub('(?m)^#include .*$', '', each.text).replace('…', '')
                pathlib.Path(folder, f'{each.argument}.inc').write_text(
                    f'#line {each.line + 1} "{document}"\n{code}\n', encoding='utf-8')


if __name__ == '__main__':
    main()
