"""A library and the tests beside it in one rule: x.h, x.cc and x_test.cc belong together."""

load("@rules_cc//cc:defs.bzl", "cc_library", "cc_test")

def _existing(modules, suffix):
    return native.glob([module + suffix for module in modules])

def grove_library(
        name,
        modules = None,
        private = [],
        deps = [],
        test_deps = [],
        test_data = [],
        test_size = "small",
        visibility = None,
        **kwargs):
    """The library `name`, and a test target for each of its modules that has one.

    A module x is the files x.h, x.cc and x_test.cc, as far as they exist.

    Args:
      name: the library.
      modules: what it is made of; default: the one module of its own name.
      private: modules whose headers only the library itself may include.
      deps: of the library.
      test_deps: what the tests need beside the library, its deps and GoogleTest.
      test_data: what the tests read.
      test_size: as of cc_test.
      visibility: of the library; the tests are private.
      **kwargs: of the library: linkopts, testonly …
    """
    modules = modules or [name]
    cc_library(
        name = name,
        srcs = _existing(modules + private, ".cc") + _existing(private, ".h"),
        hdrs = _existing(modules, ".h"),
        deps = deps,
        visibility = visibility,
        **kwargs
    )
    for test in _existing(modules + private, "_test.cc"):
        cc_test(
            name = test[:-len(".cc")],
            size = test_size,
            srcs = [test],
            data = test_data,
            deps = depset([":" + name] + deps + test_deps + ["@system//:gtest_main"]).to_list(),
        )

def grove_room(name, private = [], except_modules = [], **kwargs):
    """grove_library of every module in the package but `except_modules`, benchmarks and fuzzers."""
    stems = {}
    for file in native.glob(["*.h", "*.cc"], exclude = ["*_bench.cc", "*_fuzz.cc"]):
        stem = file[:file.rindex(".")]
        if stem.endswith("_test"):
            stem = stem[:-len("_test")]
        stems[stem] = True
    grove_library(
        name = name,
        modules = [stem for stem in sorted(stems) if stem not in except_modules + private],
        private = private,
        **kwargs
    )
