"""C++ from .proto files with the distribution's protoc and gRPC plugin."""

load("@system//:tools.bzl", "GRPC_CPP_PLUGIN", "PROTOC")

_Sources = provider(
    doc = "What protoc reads.",
    fields = {"files": ".proto files and those they import"},
)

def _generate(ctx):
    # In another workspace's build, external/grove/proto.
    root = "/".join([each for each in [ctx.label.workspace_root, ctx.label.package] if each])
    headers = []
    sources = []
    for src in ctx.files.srcs:
        stem = src.path[len(root) + 1:-len(".proto")]
        kind = ".grpc.pb" if ctx.attr.grpc else ".pb"
        headers.append(ctx.actions.declare_file(stem + kind + ".h"))
        sources.append(ctx.actions.declare_file(stem + kind + ".cc"))
    imported = [each[_Sources].files for each in ctx.attr.imports]
    inputs = depset(ctx.files.srcs, transitive = imported)
    out = ctx.bin_dir.path + "/" + root
    arguments = ["-I" + root]
    if ctx.attr.grpc:
        arguments += ["--plugin=protoc-gen-grpc=" + GRPC_CPP_PLUGIN, "--grpc_out=" + out]
    else:
        arguments += ["--cpp_out=" + out]
    ctx.actions.run(
        executable = PROTOC,
        arguments = arguments + [src.path for src in ctx.files.srcs],
        inputs = inputs,
        outputs = headers + sources,
        mnemonic = "Protoc",
        progress_message = "Generating C++ from %s" % ctx.label,
    )
    return [
        DefaultInfo(files = depset(headers + sources)),
        _Sources(files = inputs),
        OutputGroupInfo(headers = depset(headers), sources = depset(sources)),
    ]

_proto_sources = rule(
    implementation = _generate,
    attrs = {
        "srcs": attr.label_list(allow_files = [".proto"]),
        "imports": attr.label_list(providers = [_Sources]),
        "grpc": attr.bool(),
    },
)

def cc_proto(name, srcs, deps = [], grpc = False, visibility = None):
    """A cc_library of the messages (or, with grpc = True, of the services) of `srcs`.

    Args:
      name: the library.
      srcs: .proto files below this package.
      deps: cc_protos of this package whose .proto files these import (protobuf's own need no name).
      grpc: generate service stubs instead of messages.
      visibility: of the library.
    """
    _proto_sources(
        name = name + "_generated",
        srcs = srcs,
        imports = [dep + "_generated" for dep in deps],
        grpc = grpc,
    )
    for group in ["headers", "sources"]:
        native.filegroup(
            name = name + "_" + group,
            srcs = [":" + name + "_generated"],
            output_group = group,
        )
    native.cc_library(
        name = name,
        srcs = [":" + name + "_sources"],
        hdrs = [":" + name + "_headers"],
        copts = ["-w"],
        includes = ["."],
        deps = deps + ["@system//:protobuf"] + (["@system//:grpc"] if grpc else []),
        visibility = visibility,
    )
