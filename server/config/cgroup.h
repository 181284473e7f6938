// Cgroup: the folders whose limits bind this process.
//
// By /proc/self/cgroup (cgroups(7)), of version 1 and 2 alike, mounted where every distribution
// mounts them.
#ifndef GROVE_SERVER_CONFIG_CGROUP_H_
#define GROVE_SERVER_CONFIG_CGROUP_H_

#include <string>
#include <string_view>
#include <vector>

namespace grove::config {

struct CgroupFolder {
  // With `root` in front.
  std::string path;
  bool v2 = false;
};

// The process's own folder in each hierarchy that has `controller` ("cpu", "memory"), and all above
// it up to the mount: a limit of any of them holds. Folders that do not exist may be among them: a
// container that sees the host's path has its own mount alone. `root` is "" but in tests. Blocks.
std::vector<CgroupFolder> CgroupFolders(std::string_view controller, const std::string& root);

// The first line of a file; empty if there is none.
std::string FirstLine(const std::string& path);

}  // namespace grove::config

#endif  // GROVE_SERVER_CONFIG_CGROUP_H_
