"""Python tests run by the distribution's interpreter."""

def python_test(name, srcs = [], main = None, data = [], size = "medium", tags = []):
    """A unittest module as a Bazel test, with one XML testcase per test.

    Not the native py_test: that takes the first python3 of the PATH, which may lack the
    distribution's packages (grpc, protobuf, yaml).

    Args:
      name: the test.
      srcs: modules; a module can import the others and generated ones among `data` of its folder.
      main: the module with the tests; NAME.py if not given.
      data: what the tests read or start.
      size: as of any Bazel test.
      tags: as of any Bazel test.
    """
    main = main or name + ".py"
    native.sh_test(
        name = name,
        srcs = ["//tests:run_python_tests.sh"],
        args = ["$(location //tests:run_python_tests.py)", "$(location %s)" % main],
        data = depset(srcs + [main] + data + ["//tests:run_python_tests.py"]).to_list(),
        size = size,
        tags = tags,
    )
