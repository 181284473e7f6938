"""What one pkg-config module installs: a static library, its headers, what it links beside."""

_Packed = provider(
    doc = "What modules below this one, and itself, hold already.",
    fields = {"objects": "object files", "flags": "linker flags"},
)

def _objects_and_flags(deps):
    """[File] and [flag] of what a program links that has these deps, in the order of the linker."""
    objects = []
    flags = []
    for dep in deps:
        for each in dep[CcInfo].linking_context.linker_inputs.to_list():
            for library in each.libraries:
                if library.alwayslink:
                    fail("%s: a program would have to name it to the linker as a whole" % each.owner)
                objects += library.objects or library.pic_objects or []
            flags += each.user_link_flags
    return depset(objects).to_list(), depset(flags).to_list()

def _include_line(file):
    """How a source names this header."""
    path = file.short_path
    return path[len("proto/"):] if path.startswith("proto/") and path.endswith(".pb.h") else path

def _member(file):
    """An object's name in the archive: its path, so that no two are the same."""
    return file.short_path.replace("/_objs/", "/").replace("/", "_")

def _headers(ctx):
    """{line: File} of the named headers."""
    found = {}
    for dep in ctx.attr.deps:
        for file in dep[CcInfo].compilation_context.headers.to_list():
            found[_include_line(file)] = file
    for line in ctx.attr.headers:
        if line not in found:
            fail("%s: no dep has the header %s" % (ctx.label, line))
    return {line: found[line] for line in ctx.attr.headers}

_PACK = """
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/objects" "$work/lib"
while read -r kind name path; do
  case $kind in
    object)
      cp "$path" "$work/objects/$name"
      printf '%s\\n' "$work/objects/$name" >>"$work/list" ;;
    header)
      mkdir -p "$work/include/$(dirname "$name")"
      cp "$path" "$work/include/$name" ;;
    flag) printf '%s\\n' "$name" >>"$work/flags" ;;
  esac
done <"$2"
touch "$work/flags" "$work/list"
ar qcsD "$work/lib/$3" "@$work/list"
chmod -R u=rwX,go=rX "$work/lib" "$work/include"
tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf "$1" flags lib include
"""

def _pack(ctx):
    packed = [each[_Packed] for each in ctx.attr.requires]
    taken = depset(transitive = [each.objects for each in packed]).to_list()
    known = depset(transitive = [each.flags for each in packed]).to_list()
    objects, flags = _objects_and_flags(ctx.attr.deps)
    objects = [each for each in objects if each not in taken]
    flags = [each for each in flags if each not in known]
    headers = _headers(ctx)
    list_file = ctx.actions.declare_file(ctx.label.name + ".list")
    ctx.actions.write(list_file, "".join(
        ["object %s %s\n" % (_member(each), each.path) for each in objects] +
        ["header %s %s\n" % (line, file.path) for line, file in headers.items()] +
        ["flag %s -\n" % each for each in flags],
    ))
    out = ctx.actions.declare_file(ctx.label.name + ".tar")
    ctx.actions.run_shell(
        command = _PACK,
        arguments = [out.path, list_file.path, "lib%s.a" % ctx.label.name],
        inputs = depset(objects + headers.values() + [list_file]),
        outputs = [out],
        mnemonic = "Pack",
        progress_message = "Packing %s" % ctx.label,
    )
    return [
        DefaultInfo(files = depset([out])),
        _Packed(
            objects = depset(objects, transitive = [each.objects for each in packed]),
            flags = depset(flags, transitive = [each.flags for each in packed]),
        ),
    ]

# NAME.tar: lib/libNAME.a, include/, and `flags`, the linker's for what is no part of Grove, one a
# line. What the modules in `requires` hold is left out.
development_package = rule(
    implementation = _pack,
    attrs = {
        "deps": attr.label_list(providers = [CcInfo], doc = "the public libraries"),
        "headers": attr.string_list(doc = "as #include lines name them"),
        "requires": attr.label_list(providers = [_Packed]),
    },
)
