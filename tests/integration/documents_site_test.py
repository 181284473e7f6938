"""`./dev docs`: the documents as a site that is whole, and whose search needs no network."""

import contextlib
import functools
import html.parser
import http.server
import itertools
import math
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse

import yaml

from browser import Browser
from grove_harness import eventually

# Bazel's copy of this file is a link into the checkout, which is what is to be read.
ROOT = pathlib.Path(__file__).resolve().parents[2]
# What a page loads by itself.
LOADED = {'script': 'src', 'link': 'href', 'img': 'src', 'iframe': 'src'}
# The index of all documents takes a while to search.
TYPED_AGAIN_S = 5
SEARCH = '''word => {
  const field = document.querySelector('[data-md-component=search-query]');
  field.focus();
  field.value = word;
  field.dispatchEvent(new KeyboardEvent('keyup', {key: word.at(-1), bubbles: true}));
}'''
HITS = '''() => [...document.querySelectorAll('.md-search-result__link')].map(link => link.href)'''
FETCHED = '''() => performance.getEntriesByType('resource').map(entry => entry.name)'''


def dev_docs(*arguments):
    """(Exit code, what it said) of `./dev docs`."""
    environment = dict(os.environ, PATH='/usr/bin:/bin', LANG='C.UTF-8')
    done = subprocess.run([ROOT / 'dev', 'docs', *map(str, arguments)], text=True, check=False,
                          env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


class Page(html.parser.HTMLParser):
    """What a page of the site loads, links to, and can be linked at."""

    def __init__(self, path):
        super().__init__()
        self.loaded, self.links, self.anchors = [], [], {''}
        self.feed(path.read_text(encoding='utf-8'))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if 'id' in attributes:
            self.anchors.add(attributes['id'])
        if attributes.get(LOADED.get(tag)):
            self.loaded.append(attributes[LOADED[tag]])
        elif tag == 'a' and 'href' in attributes:
            self.links.append(attributes['href'])


def leaves(nav):
    """The files that a navigation names."""
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [leaf for part in parts for leaf in leaves(part)]


class QuietHandler(http.server.SimpleHTTPRequestHandler):

    def log_message(self, *_):
        """Keeps the test's output to its own words."""


class DocumentsSiteTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix='grove-site-', dir='/tmp'))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.site = cls.folder / 'site'
        code, said = dev_docs(cls.site)
        assert code == 0, said
        cls.pages = {path.name: Page(path) for path in cls.site.glob('*.html')
                     if path.name != '404.html'}

    def test_the_navigation_names_every_document_once(self):
        nav = yaml.safe_load((ROOT / 'deploy/docs/mkdocs.yml').read_text(encoding='utf-8'))['nav']
        self.assertEqual([name for part in nav for name in part],
                         ['Start', 'Build', 'Run', 'Reference', 'Design'])
        documents = [path.name for path in (ROOT / 'docs').glob('*.md')]
        self.assertGreater(len(documents), 20)
        self.assertEqual(sorted(leaves(nav)),
                         sorted(documents + ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md']))
        self.assertEqual(len(self.pages), len(leaves(nav)))

    def test_pages_load_nothing_from_elsewhere(self):
        for name, page in self.pages.items():
            self.assertGreater(len(page.loaded), 3, name)
            for url in page.loaded:
                self.assertEqual(urllib.parse.urlsplit(url)[:2], ('', ''), f'{name}: {url}')
                self.assertTrue((self.site / url).exists(), f'{name}: {url}')

    def test_no_link_is_dead(self):
        checked = 0
        for name, page in self.pages.items():
            for link in page.links:
                url = urllib.parse.urlsplit(link)
                if url.scheme:
                    continue
                target = name if url.path in ('', '.') else os.path.normpath(url.path)
                self.assertIn(target, self.pages, f'{name}: {link}')
                anchor = urllib.parse.unquote(url.fragment)
                self.assertIn(anchor, self.pages[target].anchors, f'{name}: {link}')
                checked += 1
        self.assertGreater(checked, 500)

    def test_the_search_finds_a_word_without_a_network(self):
        handler = functools.partial(QuietHandler, directory=self.site)
        with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server, \
                contextlib.ExitStack() as ending:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            ending.callback(server.shutdown)
            browser = ending.enter_context(Browser())
            origin = f'http://127.0.0.1:{server.server_port}/'
            browser.open(origin + 'index.html')

            # What is typed before the index is there may be lost, and the same again counts as
            # nothing new; what is typed too often begins the search anew each time.
            words, typed = itertools.cycle(['hiredis', 'hiredi']), [-math.inf]

            def hits():
                if time.monotonic() - typed[0] > TYPED_AGAIN_S:
                    typed[0] = time.monotonic()
                    browser.call(SEARCH, next(words))
                return browser.call(HITS)

            found = eventually('the search has hits', hits)
            self.assertTrue(any(hit.startswith(origin + 'databases_other.html') for hit in found),
                            found)
            fetched = browser.call(FETCHED)
            self.assertTrue(any('search_index.json' in url for url in fetched), fetched)
            self.assertEqual([url for url in fetched if not url.startswith(origin)], [])

    def test_only_a_folder_of_its_own_is_overwritten(self):
        others = self.folder / 'others'
        others.mkdir()
        (others / 'kept').write_text('theirs')
        code, said = dev_docs(others)
        self.assertEqual((code, said), (1, f'dev: docs: ./dev docs has not made {others}, and '
                                        'would empty it; name another, or remove it\n'))
        self.assertEqual((others / 'kept').read_text(), 'theirs')
        own = self.folder / 'own'
        self.assertEqual(dev_docs(own)[0], 0)
        (own / 'old.html').touch()
        self.assertEqual(dev_docs(own)[0], 0)
        self.assertFalse((own / 'old.html').exists())

    def test_arguments_that_are_wrong_are_refused(self):
        for port in ('0', '65536', 'http', '-1'):
            self.assertEqual(dev_docs('serve', port), (1, f'dev: docs: not a port: {port}\n'))
        self.assertEqual(dev_docs('a', 'b'), (1, 'dev: docs: one folder, or serve [PORT]\n'))


if __name__ == '__main__':
    unittest.main()
