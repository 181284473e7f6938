"""What a workspace that builds on Grove needs so that Bazel 4.2 downloads nothing.

From a checkout: load("@grove//bazel:workspace.bzl", "grove_workspace").
"""

# Packages bazel-rules-java, bazel-rules-proto, bazel-platforms and bazel-skylib.
_DISTRIBUTION = {
    "bazel_skylib": "/usr/share/bazel/tools/skylib",
    "platforms": "/usr/share/bazel/tools/platforms",
    "rules_java": "/usr/share/bazel/rules/java",
    "rules_proto": "/usr/share/bazel/rules/proto",
}

def grove_workspace(path):
    """Repositories that Bazel's built-in suffix would fetch for any C++ target.

    Args:
      path: of Grove's checkout, or PREFIX/share/grove.
    """
    native.local_repository(name = "rules_cc", path = path + "/bazel/rules_cc")
    native.local_repository(name = "remote_coverage_tools", path = path + "/bazel/coverage_tools")
    for name, folder in _DISTRIBUTION.items():
        native.local_repository(name = name, path = folder)
