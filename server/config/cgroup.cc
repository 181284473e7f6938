#include "server/config/cgroup.h"

#include <fstream>
#include <optional>

#include "runtime/switch/abseil_text.h"

namespace grove::config {
namespace {

// A hierarchy that this process stands in, by a line of /proc/self/cgroup: "0::/a/b" of version 2,
// "4:cpu,cpuacct:/a/b" of version 1.
struct Membership {
  // Of version 1; empty in version 2.
  std::string controllers;
  // Empty for the root.
  std::string path;
};

std::optional<Membership> ReadMembership(std::string_view line) {
  const size_t first = line.find(':');
  const size_t second = line.find(':', first + 1);
  if (first == line.npos || second == line.npos) return std::nullopt;
  std::string_view path = line.substr(second + 1);
  if (path == "/") path = "";
  return Membership{.controllers = std::string(line.substr(first + 1, second - first - 1)),
                    .path = std::string(path)};
}

bool HasController(const Membership& membership, std::string_view controller) {
  for (const std::string_view each : StrSplit(membership.controllers, ',')) {
    if (each == controller) return true;
  }
  return false;
}

void AddUpwards(const std::string& mount, std::string path, bool v2,
                std::vector<CgroupFolder>& folders) {
  while (true) {
    folders.push_back({.path = mount + path, .v2 = v2});
    if (path.empty()) return;
    const size_t slash = path.rfind('/');
    path.resize(slash == std::string::npos ? 0 : slash);
  }
}

}  // namespace

std::vector<CgroupFolder> CgroupFolders(std::string_view controller, const std::string& root) {
  const std::string mounts = root + "/sys/fs/cgroup";
  std::vector<CgroupFolder> folders;
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::optional<Membership> membership = ReadMembership(line);
    if (!membership.has_value()) continue;
    if (membership->controllers.empty()) {
      AddUpwards(mounts, membership->path, true, folders);
      // Beside version 1's hierarchies (systemd's "hybrid").
      AddUpwards(mounts + "/unified", membership->path, true, folders);
    } else if (HasController(*membership, controller)) {
      AddUpwards(StrCat(mounts, "/", controller), membership->path, false, folders);
      // Where controllers are mounted together, the one's name is a link to that, or is not there.
      if (membership->controllers != controller) {
        AddUpwards(StrCat(mounts, "/", membership->controllers), membership->path, false, folders);
      }
    }
  }
  return folders;
}

std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

}  // namespace grove::config
