"""C++ from .proto files with the distribution's protoc and gRPC plugin."""

def _generate(ctx):
    outputs = []
    stems = []
    for src in ctx.files.srcs:
        stem = src.short_path[len(ctx.label.package) + 1:-len(".proto")]
        suffixes = [".grpc.pb.h", ".grpc.pb.cc"] if ctx.attr.grpc else [".pb.h", ".pb.cc"]
        outputs += [ctx.actions.declare_file(stem + suffix) for suffix in suffixes]
        stems.append(src)
    root = ctx.label.package
    out = ctx.bin_dir.path + "/" + root
    arguments = ["-I" + root]
    if ctx.attr.grpc:
        arguments += ["--plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin", "--grpc_out=" + out]
    else:
        arguments += ["--cpp_out=" + out]
    ctx.actions.run(
        executable = "/usr/bin/protoc",
        arguments = arguments + [src.path for src in stems],
        inputs = ctx.files.srcs + ctx.files.imports,
        outputs = outputs,
        mnemonic = "Protoc",
        progress_message = "Generating C++ from %s" % ctx.label,
    )
    return [DefaultInfo(files = depset(outputs))]

_proto_sources = rule(
    implementation = _generate,
    attrs = {
        "srcs": attr.label_list(allow_files = [".proto"]),
        "imports": attr.label_list(allow_files = [".proto"]),
        "grpc": attr.bool(),
    },
)

def cc_proto(name, srcs, imports = [], deps = [], grpc = False, visibility = None):
    """A cc_library of the messages (or, with grpc = True, of the services) of `srcs`.

    Args:
      name: the library.
      srcs: .proto files below this package.
      imports: .proto files these import (bundled ones of protobuf need not be named).
      deps: libraries of the imported messages.
      grpc: generate service stubs instead of messages.
      visibility: of the library.
    """
    _proto_sources(name = name + "_sources", srcs = srcs, imports = imports, grpc = grpc)
    native.filegroup(name = name + "_headers", srcs = [":" + name + "_sources"])
    native.cc_library(
        name = name,
        srcs = [":" + name + "_sources"],
        hdrs = [":" + name + "_sources"],
        copts = ["-w"],
        includes = ["."],
        deps = deps + ["@system//:protobuf"] + (["@system//:grpc"] if grpc else []),
        visibility = visibility,
    )
