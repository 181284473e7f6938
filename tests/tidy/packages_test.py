"""Who uses whom: the document says what the BUILD files say, and no two packages use each other."""

import re
import unittest

import checkout
import package_table
import packages


class PackagesTest(unittest.TestCase):

    def test_the_document_has_the_table_of_the_build_files(self):
        shown = package_table.split(checkout.read(package_table.DOCUMENT))[1]
        self.assertEqual(shown, package_table.table(),
                         'run python3 tests/tidy/package_table.py')

    def test_every_package_says_which_question_it_answers(self):
        for package in packages.packages():
            if package.name in package_table.NO_ROOMS:
                continue
            self.assertTrue(package.question, f'{package.name}/BUILD.bazel begins with no question')

    def test_no_packages_use_each_other_in_a_circle(self):
        self.assertEqual(packages.cycle(packages.packages()), [])

    def test_the_runtime_knows_nothing_above_it(self):
        for package in packages.packages():
            if package.name.startswith('runtime'):
                above = {used for used in package.uses
                         if used.split('/')[0] in ('http', 'database', 'server', 'client', 'proto')}
                self.assertEqual(above, set(), package.name)

    def test_http_stands_on_the_runtime_alone(self):
        for package in packages.packages():
            if package.name.startswith('http/'):
                above = {used for used in package.uses
                         if used.split('/')[0] in ('server', 'client', 'proto')}
                self.assertEqual(above, set(), package.name)

    def test_databases_stand_on_the_runtime_alone(self):
        for package in packages.packages():
            if package.name.startswith('database/'):
                above = {used for used in package.uses
                         if used.split('/')[0] in ('http', 'server', 'client', 'proto')}
                self.assertEqual(above, set(), package.name)

    def test_what_dev_builds_and_tests_is_there(self):
        labels = re.findall(r'(?<![\w/])//(\w[\w/-]*):(\w[\w-]*)', checkout.read('dev'))
        self.assertGreater(len(labels), 20)
        for package, name in labels:
            build = checkout.ROOT / package / 'BUILD.bazel'
            self.assertTrue(build.exists(), f'dev: //{package}')
            self.assertTrue(name == 'all' or f'"{name}"' in build.read_text(encoding='utf-8')
                            or (build.parent / f'{name}.cc').exists(), f'dev: //{package}:{name}')


class ReadingTest(unittest.TestCase):
    """How BUILD files are read."""

    TEXT = '''load("//bazel:x.bzl", "grove_room")
package(default_visibility = ["//a:__pkg__"])
# Who is it? And more
# of it.
grove_room(
    name = "x", deps = ["//b", "//c:d", ":e", "@system//:f"], visibility = ["//visibility:public"])
[cc_library(name = n, deps = select({"g": ["//" + n], "h": []})) for n in glob(["*"]) + ["i", "j"]]
cc_test(name = "x_test", deps = ["//k"])
cc_library(name = "x_fixture", deps = ["//l"])
cc_library(name = "y", testonly = True, deps = ["//m"])
'''

    def test_uses_users_and_question(self):
        read = packages.package('here', self.TEXT)
        self.assertEqual(read.uses, {'b', 'c', 'f', 'i', 'j'})
        self.assertEqual(read.users, {'//visibility:public', '//a:__pkg__'})
        self.assertEqual(read.question, 'Who is it?')

    def test_a_circle_is_found(self):
        made = [packages.Package(name, '', set(uses), set()) for name, uses in
                (('a', 'b'), ('b', 'cd'), ('c', ''), ('d', 'b'))]
        self.assertEqual(packages.cycle(made), ['b', 'd', 'b'])
        self.assertEqual(packages.cycle(made[:1] + made[2:]), [])

    def test_paths_of_one_folder_stand_together(self):
        self.assertEqual(package_table.spelled({'a/c', 'a/b', 'd', 'a/b/e'}),
                         '`d`, `a/{b,c}`, `a/b/e`')


if __name__ == '__main__':
    unittest.main()
