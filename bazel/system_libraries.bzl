"""One repository, @system, whose targets are the distribution's libraries.

pkg-config is asked when the repository is fetched, so no BUILD file carries lists of -l flags.
A missing package fails the fetch with the name of the package to install. @system//:tools.bzl says
where the code generators are.
"""

# Here and, as @grove, in a workspace that uses the runtime alone.
_RUNTIME_ONLY = ["@//runtime:__subpackages__", "@grove//runtime:__subpackages__"]

_CONTROL_ONLY = ["@//proto:__pkg__", "@//server/control:__subpackages__", "@//client:__subpackages__"]

# target -> (pkg-config modules, linker flags where there is no .pc file, Debian package, visibility)
_LIBRARIES = {
    "absl": (["absl_base", "absl_cord", "absl_flat_hash_map", "absl_flat_hash_set", "absl_flags", "absl_flags_parse", "absl_flags_usage", "absl_status", "absl_statusor", "absl_strings", "absl_str_format", "absl_synchronization", "absl_time", "absl_symbolize", "absl_stacktrace", "absl_failure_signal_handler", "absl_any_invocable", "absl_inlined_vector", "absl_span", "absl_random_random"], [], "libabsl-dev", None),
    "boost_context": ([], ["-l:libboost_context.a"], "libboost-context1.81-dev", _RUNTIME_ONLY),
    "brotli": (["libbrotlidec", "libbrotlienc"], [], "libbrotli-dev", ["@//http/client:__subpackages__", "@grove//http/client:__subpackages__"]),
    "cares": (["libcares"], [], "libc-ares-dev", _RUNTIME_ONLY),
    "curl": (["libcurl"], [], "libcurl4-openssl-dev", None),
    "edit": (["libedit"], [], "libedit-dev", ["@//client/cli:__subpackages__"]),
    "expat": (["expat"], [], "libexpat1-dev", None),
    "grpc": (["grpc++", "protobuf"], [], "libgrpc++-dev", _CONTROL_ONLY),
    "grpc_channelz": (["grpc++", "protobuf"], ["-lgrpcpp_channelz"], "libgrpc++-dev", _CONTROL_ONLY),
    "gtest": (["gtest", "gmock"], [], "libgmock-dev", None),
    "gtest_main": (["gtest", "gmock", "gtest_main"], [], "libgtest-dev", None),
    "hiredis": (["hiredis"], [], "libhiredis-dev", ["@//database/redis:__subpackages__", "@grove//database/redis:__subpackages__", "@//runtime/green:__pkg__", "@grove//runtime/green:__pkg__"]),
    "jemalloc": ([], ["-l:libjemalloc.so.2"], "libjemalloc2", ["@//server:__pkg__"]),
    "json": (["nlohmann_json"], [], "nlohmann-json3-dev", None),
    "lua": (["lua5.4"], [], "liblua5.4-dev", ["@//server/backdoor:__subpackages__"]),
    "mariadb": (["libmariadb"], [], "libmariadb-dev", ["@//database/mariadb:__subpackages__", "@grove//database/mariadb:__subpackages__", "@//database/examples/mariadb:__pkg__", "@grove//database/examples/mariadb:__pkg__"]),
    "nghttp2": (["libnghttp2"], [], "libnghttp2-dev", ["@//http/client:__subpackages__", "@grove//http/client:__subpackages__"]),
    "openssl": (["openssl"], [], "libssl-dev", None),
    "pq": (["libpq"], [], "libpq-dev", ["@//database/postgres:__subpackages__", "@grove//database/postgres:__subpackages__"]),
    "prometheus": (["prometheus-cpp-core"], [], "prometheus-cpp-dev", None),
    "protobuf": (["protobuf"], [], "libprotobuf-dev", None),
    "sqlite": (["sqlite3"], [], "libsqlite3-dev", ["@//database/sqlite:__subpackages__", "@grove//database/sqlite:__subpackages__", "@//server/schedules:__subpackages__", "@//server/sqlite:__subpackages__", "@//server/tasks:__subpackages__", "@//server/tenancy:__subpackages__"]),
    "yaml": (["yaml-cpp"], [], "libyaml-cpp-dev", ["@//server/config:__subpackages__", "@//client/cli:__subpackages__"]),
    "zeromq": (["libzmq"], [], "libzmq3-dev", ["@//zeromq:__subpackages__", "@grove//zeromq:__subpackages__"]),
    "zlib": (["zlib"], [], "zlib1g-dev", None),
    "zstd": (["libzstd"], [], "libzstd-dev", ["@//http/client:__subpackages__", "@grove//http/client:__subpackages__"]),
}

def _pkg_config(ctx, target, package, args):
    result = ctx.execute(["pkg-config"] + args)
    if result.return_code != 0:
        fail("@system//:%s: pkg-config %s failed; install the package %s (./dev setup does): %s" %
             (target, " ".join(args), package, result.stderr.strip()))
    return [flag for flag in result.stdout.strip().split(" ") if flag]

def _of_both_names(visibility):
    """This repository is @ here, and @grove in a workspace that builds on it."""
    ours = [each for each in visibility if each.startswith("@//")]
    return depset(visibility + ["@grove" + each[1:] for each in ours]).to_list()

def _library(ctx, target, modules, link_flags, package, visibility):
    includes = []
    link = list(link_flags)
    if modules:
        flags = _pkg_config(ctx, target, package, ["--cflags-only-I"] + modules)
        for number, flag in enumerate(flags):
            directory = flag[2:]
            if directory in ["/usr/include", ""]:
                continue
            link_name = "include/%s_%d" % (target, number)
            ctx.symlink(directory, link_name)
            includes.append(link_name)
        link += _pkg_config(ctx, target, package, ["--libs"] + modules)
    return """
cc_library(
    name = "{name}",
    hdrs = glob({globs}, allow_empty = True),
    includes = {includes},
    linkopts = {link},
    visibility = {visibility},
)
""".format(
        name = target,
        globs = repr([directory + "/**" for directory in includes]),
        includes = repr(includes),
        link = repr(link),
        visibility = repr(_of_both_names(visibility or ["//visibility:public"])),
    )

# symbol of tools.bzl, program, Debian package
_TOOLS = [
    ("PROTOC", "protoc", "protobuf-compiler"),
    ("GRPC_CPP_PLUGIN", "grpc_cpp_plugin", "protobuf-compiler-grpc"),
]

def _tool(ctx, program, package):
    path = ctx.which(program)
    if not path:
        fail("%s is missing; install the package %s (./dev setup does)" % (program, package))
    return str(path)

def _system_libraries(ctx):
    if not ctx.which("pkg-config"):
        fail("pkg-config is missing; install it (./dev setup does)")
    rules = [
        _library(ctx, target, modules, link_flags, package, visibility)
        for target, (modules, link_flags, package, visibility) in _LIBRARIES.items()
    ]
    ctx.file("BUILD.bazel", "\n".join(rules))
    ctx.file("tools.bzl", "".join([
        "%s = %r\n" % (symbol, _tool(ctx, program, package))
        for symbol, program, package in _TOOLS
    ]))

system_libraries = repository_rule(
    implementation = _system_libraries,
    configure = True,
    local = True,
    doc = "The distribution's libraries, found with pkg-config, and its code generators.",
)
