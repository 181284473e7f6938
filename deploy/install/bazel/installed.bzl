"""An installed Grove as a repository with the labels of its sources: @grove//server and so on.

pkg-config is asked when the repository is fetched, so that no BUILD file has lists of -l flags.
"""

# package -> pkg-config module
_PACKAGES = {
    "runtime": "grove-runtime",
    "http/client": "grove-http",
    "http/message": "grove-http",
    "server": "grove-server",
    "server/test_kit": "grove-testing",
    "server/backdoor": "grove-http",
    "server/http/embedded": "grove-http",
    "client": "grove-client",
    "client/rpc": "grove-client",
}

_HEADERS = """
cc_library(
    name = "headers",
    hdrs = glob(["include/**/*.h"]),
    includes = ["include"],
    visibility = ["//:__subpackages__"],
)
"""

_LIBRARY = """
cc_library(
    name = {name},
    linkopts = {linkopts},
    visibility = ["//visibility:public"],
    deps = ["//:headers"],
)
"""

def _libs(ctx, module):
    # An installation elsewhere than /usr is not where pkg-config looks by itself.
    folders = [ctx.attr.prefix + "/" + folder for folder in ["lib/pkgconfig", "share/pkgconfig"]]
    path = ":".join(folders + [ctx.os.environ.get("PKG_CONFIG_PATH", "")])
    result = ctx.execute(["pkg-config", "--libs", module], environment = {"PKG_CONFIG_PATH": path})
    if result.return_code != 0:
        fail("@grove: pkg-config --libs %s: %s (is libgrove-dev installed?)" %
             (module, result.stderr.strip()))
    return [flag for flag in result.stdout.strip().split(" ") if flag]

def _grove_installed(ctx):
    ctx.symlink(ctx.attr.prefix + "/include/grove", "include")
    ctx.file("BUILD.bazel", _HEADERS)
    for package, module in _PACKAGES.items():
        name = package.split("/")[-1]
        ctx.file(package + "/BUILD.bazel", _LIBRARY.format(
            name = repr(name),
            linkopts = repr(_libs(ctx, module)),
        ))

grove_installed = repository_rule(
    implementation = _grove_installed,
    attrs = {"prefix": attr.string(mandatory = True, doc = "where Grove is installed")},
    configure = True,
    environ = ["PKG_CONFIG_PATH"],
    local = True,
    doc = "Grove as `./dev install` or the package libgrove-dev has put it below a prefix.",
)
