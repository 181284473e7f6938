"""A library and the tests beside it in one rule: x.h, x.cc and x_test.cc belong together.

Abseil is linked by all of them, so that no BUILD file lists it.
"""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_library", "cc_test")

_EVERYWHERE = ["@system//:absl"]

def _existing(modules, suffix):
    return native.glob([module + suffix for module in modules])

def _on_a_hub(deps):
    """The fixture for tests of what uses the runtime; with it comes all of //runtime."""
    for dep in deps:
        if dep == "//runtime" or dep.startswith("//runtime/"):
            return ["//runtime:hub_fixture"]
    return []

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
      deps: of the library, beside Abseil.
      test_deps: what the tests need beside the library, its deps, GoogleTest and, if the library
        uses the runtime, //runtime:hub_fixture.
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
        deps = deps + [each for each in _EVERYWHERE if each not in deps],
        visibility = visibility,
        **kwargs
    )
    needed = deps + test_deps + _on_a_hub(deps) + ["@system//:gtest_main"] + _EVERYWHERE
    for test in _existing(modules + private, "_test.cc"):
        cc_test(
            name = test[:-len(".cc")],
            size = test_size,
            srcs = [test],
            data = test_data,
            deps = depset([":" + name] + needed).to_list(),
        )

def grove_room(name, private = [], except_modules = [], **kwargs):
    """grove_library of every module in the package but `except_modules` and what no product links.

    That is benchmarks, fuzzers and fixtures: *_bench, *_fuzz and *_fixture.
    """
    stems = {}
    others = [kind + suffix for kind in ["*_bench", "*_fuzz", "*_fixture"] for suffix in [".h", ".cc"]]
    for file in native.glob(["*.h", "*.cc"], exclude = others):
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

def grove_fixture(name, deps = [], **kwargs):
    """grove_library of what tests stand on: it has GoogleTest and, on the runtime, a hub as they do."""
    grove_library(
        name = name,
        testonly = True,
        deps = deps + _on_a_hub(deps) + ["@system//:gtest"],
        **kwargs
    )

def grove_program(name, deps = [], **kwargs):
    """The program whose main is in NAME.cc."""
    cc_binary(
        name = name,
        srcs = [name + ".cc"],
        deps = deps + _EVERYWHERE,
        **kwargs
    )

def grove_fuzzer(name, deps):
    """A libFuzzer program; `./dev fuzz` builds and runs it, with clang."""
    flags = ["-fsanitize=fuzzer,address"]
    grove_program(
        name = name,
        testonly = True,
        copts = flags,
        linkopts = flags,
        tags = ["manual"],
        deps = deps,
    )
