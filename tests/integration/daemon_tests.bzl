"""Tests of the daemon as its users meet it: they start it and talk to it."""

load("//tests:python_test.bzl", "python_test")

def daemon_tests(names, srcs = [], data = []):
    """A python_test for each of `names`, with the harness, the daemon and grovectl.

    Args:
      names: the tests, each the module of its name.
      srcs: modules they import beside the harness.
      data: what they or the daemon read.
    """
    for name in names:
        python_test(
            name = name,
            srcs = ["grove_api.py", "grove_harness.py"] + srcs,
            data = [
                ":grove_python",
                "//client:grovectl",
                "//server:grove-control",
                "//server:groved",
            ] + data,
        )
