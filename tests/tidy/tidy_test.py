"""What can be checked by reading: sizes, banned calls, documents in step with the code."""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

# Bazel's copy of this file is a link into the checkout, which is what is to be read.
ROOT = pathlib.Path(__file__).resolve().parents[2]
GROVED = pathlib.Path(os.environ.get("TEST_SRCDIR", ROOT / "bazel-bin")) / os.environ.get("TEST_WORKSPACE", "") / "server/groved"
FILE_LINES_MAX = 800
HEADER_LINES_MAX = 250
# Calls that block a hub or that the runtime has a parking form of.
BANNED = re.compile(r"\b(usleep|sleep_for|std::this_thread::sleep|gethostbyname)\s*\(")
MAY_CALL_BANNED = {"tests/load"}
TODO = re.compile(r"TODO(?!\((?:perf|security|port|test|cleanup)\): )")


def sources(*patterns):
    for folder in ("runtime", "server", "client", "proto"):
        for pattern in patterns:
            yield from sorted((ROOT / folder).rglob(pattern))


def name(path):
    return str(path.relative_to(ROOT))


def example(file, section):
    """A file, or what stands between the comments [section] and [/section] in it, moved to the left."""
    text = (ROOT / file).read_text()
    if section is None:
        return text.rstrip()
    mark = r"^( *)(?://|#) \[%s\]\n(.*?)\n *(?://|#) \[/%s\]$" % (re.escape(section), re.escape(section))
    indent, lines = re.search(mark, text, re.M | re.S).groups()
    return "\n".join(line.removeprefix(indent) for line in lines.split("\n"))


def is_test(file, test):
    """Whether `file`, of a room of runtime/ if it has one folder or none, holds the test Suite.Test, or test_x in Python."""
    path = ROOT / file if (ROOT / file).exists() else ROOT / "runtime" / file
    if not path.exists():
        return False
    if path.suffix == ".py":
        return re.search(r"^    def %s\(" % test, path.read_text(), re.M) is not None
    return re.search(r"^TEST(?:_F|_P)?\(%s,\s+%s\)" % tuple(test.split(".")), path.read_text(), re.M) is not None


class TidyTest(unittest.TestCase):
    def test_files_stay_within_their_sizes(self):
        found = list(sources("*.h", "*.cc"))
        self.assertGreater(len(found), 100, "the sources are not where this test looks")
        for path in found:
            lines = len(path.read_text().splitlines())
            limit = HEADER_LINES_MAX if path.suffix == ".h" else FILE_LINES_MAX
            self.assertLessEqual(lines, limit, name(path))

    def test_no_banned_calls(self):
        for path in sources("*.h", "*.cc"):
            if name(path.parent) in MAY_CALL_BANNED or path.name.endswith("_test.cc"):
                continue
            for number, line in enumerate(path.read_text().splitlines(), 1):
                code = line.split("//")[0]
                self.assertIsNone(BANNED.search(code), f"{name(path)}:{number}: {line.strip()}")

    def test_everything_is_caught_only_at_the_entries_of_fibers_calls_and_handlers(self):
        allowed = {"runtime/hub/fiber.cc", "runtime/hub/exception_text.cc", "runtime/offload/offload.cc", "runtime/hub/scheduled_call.cc", "server/http/serving/connection.cc"}
        for path in sources("*.h", "*.cc"):
            if "catch (...)" in path.read_text() and not path.name.endswith("_test.cc"):
                self.assertIn(name(path), allowed)

    def test_gdb_knows_every_kind_of_wait(self):
        kinds = re.search(r"enum class Kind[^{]*{(.*?)};", (ROOT / "runtime/hub/wait_for.h").read_text(), re.S).group(1)
        known = re.search(r"^WAITS = \((.*?)\)", (ROOT / "tools/gdb/grove_gdb.py").read_text(), re.M | re.S).group(1)
        spelled = ["k" + "".join(word.title() for word in wait.split()) for wait in re.findall("'([^']*)'", known)]
        self.assertEqual(spelled, re.findall(r"\bk\w+(?=,)", re.sub("//.*", "", kinds)))

    def test_a_todo_says_of_which_kind_it_is(self):
        for path in sources("*.h", "*.cc", "*.proto"):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                self.assertIsNone(TODO.search(line), f"{name(path)}:{number}")

    def test_every_metric_flag_and_key_has_a_row_in_operations(self):
        manual = (ROOT / "docs/operations.md").read_text()
        metrics = re.findall(r'\{"(\w+)", k', (ROOT / "server/metrics/metric_table.cc").read_text())
        self.assertGreater(len(metrics), 20)
        flags = re.findall(r"^  (--\w+)", subprocess.check_output([GROVED, "--help"], text=True), re.M)
        self.assertGreater(len(flags), 10)
        keys = re.findall(r"^  (\S+)  \(", subprocess.check_output([GROVED, "--help_config"], text=True), re.M)
        self.assertGreater(len(keys), 30)
        for row in [f"| `{metric}` |" for metric in metrics] + [f"| `{key}` |" for key in keys]:
            self.assertIn(row, manual)
        for flag in flags:
            self.assertRegex(manual, re.escape(f"| `{flag}") + r"[=`]")

    def test_the_readme_shows_the_example_as_it_is(self):
        example = (ROOT / "server/examples/ticker.cc").read_text().rstrip()
        self.assertIn(f"```cpp\n{example}\n```", (ROOT / "README.md").read_text())

    def test_the_runtime_manual_shows_its_examples_as_they_are(self):
        manual = (ROOT / "docs/runtime.md").read_text()
        blocks = re.findall(r"(?ms)(^[^\n]*\n)?^```\w*\n(.*?)\n```$", manual)
        self.assertGreater(len(blocks), 30)
        for above, shown in blocks:
            marked = re.fullmatch(r"<!-- ([^\s:]+)(?:: (.+))? -->\n", above)
            self.assertIsNotNone(marked, f"no example is named above the block that begins: {shown[:60]}")
            self.assertEqual(shown, example(*marked.groups()), marked[0])

    def test_every_counterpart_of_eventlet_has_a_test_that_exists(self):
        manual = (ROOT / "docs/runtime.md").read_text()
        tables = manual.split("## Coming from eventlet")[1].split("### Left out on purpose")
        self.assertEqual(len(tables), 2)
        rows = [line for line in tables[0].splitlines() if line.startswith("| ") and not line.startswith("| theirs ")]
        self.assertGreater(len(rows), 100)
        for row in rows:
            tests = re.findall(r"`(\S+): (\w+(?:\.\w+)?)`", row.split(" | ")[-1])
            self.assertTrue(tests, f"a row without a test: {row}")
            for file, test in tests:
                self.assertTrue(is_test(file, test), f"{file} has no test {test}")
        for row in [line for line in tables[1].splitlines() if line.startswith("| ")][1:]:
            self.assertRegex(row, r"^\| .+ \| .+ \|$", "left out without a reason")

    def test_the_http_manual_shows_the_example_as_it_is(self):
        example = (ROOT / "server/examples/notes.cc").read_text().rstrip()
        self.assertIn(f"```cpp\n{example}\n```", (ROOT / "docs/http.md").read_text())

    def test_the_http_manual_has_every_key_of_the_access_log(self):
        manual = (ROOT / "docs/http.md").read_text()
        keys = re.findall(r'^    \{"(\w+)", ', (ROOT / "server/access_log/access_value.cc").read_text(), re.M)
        self.assertGreater(len(keys), 20)
        for key in keys:
            self.assertRegex(manual, rf"\n\|[^|]*`{key}`[^|]*\|")

    def test_the_configs_in_the_documents_are_good(self):
        with tempfile.TemporaryDirectory() as folder:
            secret = pathlib.Path(folder, "secret")
            secret.touch(0o600)
            secret.write_text("0123456789abcdef\n")
            key, chain = pathlib.Path(folder, "key.pem"), pathlib.Path(folder, "chain.pem")
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                            "-subj", "/CN=example.org", "-addext", "subjectAltName=DNS:example.org", "-keyout", key, "-out", chain],
                           check=True, capture_output=True)
            checked = 0
            for document in ("docs/http.md", "docs/operations.md"):
                for block in re.findall(r"^```yaml\n(.*?)^```", (ROOT / document).read_text(), re.M | re.S):
                    block = block.replace("/etc/grove/ci.token", str(secret)).replace("/srv/www", folder)
                    block = block.replace("/var/log/grove/", folder + "/")
                    block = re.sub(r"/etc/grove/[\w.]+\.key", str(key), re.sub(r"/etc/grove/[\w.]+\.pem", str(chain), block))
                    config = pathlib.Path(folder, "config.yaml")
                    config.write_text(block)
                    done = subprocess.run([GROVED, "--check", f"--config={config}", f"--state_dir={folder}"],
                                          capture_output=True, text=True, check=False)
                    self.assertEqual(done.returncode, 0, f"{document}: {done.stderr}\n{block}")
                    checked += 1
            self.assertGreater(checked, 10)

    def test_links_between_documents_lead_somewhere(self):
        documents = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
        for document in documents:
            prose = re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.M | re.S)  # lambdas look like links
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", prose):
                self.assertTrue((document.parent / target).exists(), f"{name(document)}: {target}")


if __name__ == "__main__":
    unittest.main()
