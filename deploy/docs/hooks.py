"""What mkdocs is told beside mkdocs.yml: pages from the checkout's root, links that leave docs/."""

import pathlib
import posixpath
import re

from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).resolve().parents[2]
# They stand outside docs/, and are pages too; README.md is the site's first.
ROOT_PAGES = ('README.md', 'CONTRIBUTING.md', 'CHANGELOG.md')
CODE = re.compile(r'(^```.*?^```$|`[^`\n]*`(?!\]\())', re.M | re.S)
LINK = re.compile(r'\[((?:[^\[\]`]|`[^`]*`)*)\]\(([^()\s#:]+)(#[^()\s]*)?\)')


def on_files(files, config):
    for name in ROOT_PAGES:
        files.append(File(name, str(ROOT), config['site_dir'], config['use_directory_urls']))
    return files


def on_page_markdown(markdown, page, config, files):
    """Links to what is no page become their text: the site holds no sources."""
    folder = '' if page.file.src_uri in ROOT_PAGES else 'docs'

    def rewritten(link):
        text, target, fragment = link.groups()
        path = posixpath.normpath(posixpath.join(folder, target))
        name = path if path in ROOT_PAGES else path.removeprefix('docs/')
        if path in ROOT_PAGES or path.startswith('docs/') and files.get_file_from_path(name):
            return f'[{text}]({name}{fragment or ""})'
        if not (ROOT / path).exists():
            # Left as it is, for --strict to refuse.
            return link[0]
        return text

    # Every second part is code, whose lambdas look like links.
    parts = CODE.split(markdown)
    parts[::2] = [LINK.sub(rewritten, part) for part in parts[::2]]
    return ''.join(parts)
