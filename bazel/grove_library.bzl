"""A library and the tests beside it in one rule: x.h, x.cc and x_test.cc belong together.

Abseil is linked by all of them, so that no BUILD file lists it.
"""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_library", "cc_test")

_EVERYWHERE = ["@system//:absl"]

def _existing(modules, suffix):
    return native.glob([module + suffix for module in modules])

def _taken():
    """The package's files that the rules above have: file -> its rule."""
    taken = {}
    for rule in native.existing_rules().values():
        if rule["kind"] in ["cc_library", "cc_binary"]:
            for files in [rule.get("srcs"), rule.get("hdrs")]:
                if type(files) in ["list", "tuple"]:
                    taken.update({file.lstrip(":"): rule["name"] for file in files})
    return taken

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
    srcs = _existing(modules + private, ".cc") + _existing(private, ".h")
    hdrs = _existing(modules, ".h")
    taken = _taken()
    for file in srcs + hdrs:
        if file in taken:
            fail("%s: %s is in %s above" % (name, file, taken[file]))
    cc_library(
        name = name,
        srcs = srcs,
        hdrs = hdrs,
        deps = deps + _EVERYWHERE,
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

def grove_room(name, modules = None, private = [], **kwargs):
    """grove_library of the package's rest: of all modules but those that rules above it have.

    Benchmarks, fuzzers and fixtures are never part of it; their rules may stand below.

    Args:
      name: the library.
      modules: those that others may include; the rest is private. Default: all but `private`.
      private: as of grove_library.
      **kwargs: as of grove_library.
    """
    taken = _taken()
    stems = {}
    others = ["*_bench.*", "*_fuzz.*", "*_fixture.*"]
    for file in native.glob(["*.h", "*.cc"], exclude = others):
        stem = file.rpartition(".")[0]
        if stem.endswith("_test"):
            stem = stem[:-len("_test")]
        if not [True for suffix in [".h", ".cc"] if stem + suffix in taken]:
            stems[stem] = True
    if modules:
        private = [stem for stem in stems if stem not in modules]
    grove_library(
        name = name,
        modules = [stem for stem in stems if stem not in private],
        private = private,
        **kwargs
    )

def grove_fixture(name, deps = [], **kwargs):
    """grove_library of what tests stand on: with GoogleTest and, on the runtime, hub_fixture."""
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
