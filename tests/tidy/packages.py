"""The Bazel packages of the tree as their BUILD files write them down: what they use, and for whom.

BUILD files are run as Python, whose subset their language is, with a recorder for every rule.
"""

import ast
import builtins
import collections
import re

import checkout

FOLDERS = ('runtime', 'http', 'database', 'zeromq', 'proto', 'server', 'client', 'python',
           'examples')

Rule = collections.namedtuple('Rule', 'kind name attributes')
# `question` is the first sentence of its BUILD file; `uses` are packages and libraries of @system;
# `users` the visibility of what it offers. Tests, fixtures and benchmarks don't count.
Package = collections.namedtuple('Package', 'name question uses users')

NO_PRODUCT = re.compile(r'(_test|_bench|_fuzz|_fixture)$')


class Loaded:
    """Anything that a BUILD file calls or loads: as a rule, it is recorded."""

    def __init__(self, name, rules):
        self.name = name
        self.rules = rules

    def __call__(self, *arguments, **attributes):
        if 'name' in attributes:
            self.rules.append(Rule(self.name, attributes['name'], attributes))
        return self

    def __getattr__(self, name):
        return Loaded(name, self.rules)


def every_branch(branches):
    return [each for branch in branches.values() for each in branch]


def rules(text):
    """The Rules of a BUILD file."""
    found = []
    names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    known = {name: Loaded(name, found) for name in names if not hasattr(builtins, name)}
    known.update(glob=lambda *_, **__: [], select=every_branch)
    exec(compile(text, 'BUILD.bazel', 'exec'), known)  # pylint: disable=exec-used
    return found


def default_visibility(text):
    said = re.search(r'default_visibility = (\[[^]]*\])', text)
    return ast.literal_eval(said.group(1)) if said else []


def is_product(rule):
    return not (rule.attributes.get('testonly') or NO_PRODUCT.search(rule.name)
                or rule.kind in ('python_test', 'test_suite', 'filegroup', 'genrule'))


def question(text):
    """The first sentence of the first comment of a BUILD file, which is a question; '' if not."""
    comment = re.search(r'(?m)^# (.*(?:\n# .*)*)', text)
    said = re.match(r'[^.]*?\?', comment.group(1).replace('\n# ', ' ')) if comment else None
    return said.group(0) if said else ''


def package_of(label, here):
    if label.startswith('@system//:'):
        return label.removeprefix('@system//:')
    return label.removeprefix('//').split(':')[0] if label.startswith('//') else here


def package(name, text):
    uses, users = set(), set()
    for rule in filter(is_product, rules(text)):
        used = [*rule.attributes.get('deps', []), *rule.attributes.get('implementation_deps', [])]
        if 'actual' in rule.attributes:
            used.append(rule.attributes['actual'])
        uses.update(package_of(label, name) for label in used)
        users.update(rule.attributes.get('visibility') or default_visibility(text))
    return Package(name, question(text), uses - {name}, users - {'//visibility:private'})


def packages():
    """Every Package, in the order of their names."""
    return [package(checkout.name(path.parent), path.read_text(encoding='utf-8'))
            for path in checkout.files(FOLDERS, 'BUILD.bazel')]


def cycle(found):
    """Packages each of which uses the next, and the last the first; [] if there are none.

    What a package is wired of, its own subfolders, may use its words in turn.
    """
    uses = {each.name: [used for used in each.uses if not used.startswith(each.name + '/')]
            for each in found}
    done = set()

    def follow(name, path):
        if name in path:
            return path[path.index(name):] + [name]
        if name in done or name not in uses:
            return []
        for used in sorted(uses[name]):
            around = follow(used, path + [name])
            if around:
                return around
        done.add(name)
        return []

    for name in sorted(uses):
        around = follow(name, [])
        if around:
            return around
    return []
