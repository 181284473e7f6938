#include "server/config/cpu_allowance.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <string_view>
#include <vector>

#include "runtime/switch/abseil_text.h"

namespace grove::config {
namespace {

int AffinityCpus() {
  // The kernel refuses masks shorter than its own; no kernel is built for more CPUs than this.
  constexpr int kCpusMax = 8192;
  std::vector<cpu_set_t> mask(kCpusMax / CPU_SETSIZE);
  const size_t bytes = mask.size() * sizeof(cpu_set_t);
  if (sched_getaffinity(0, bytes, mask.data()) != 0) return 1;
  return std::max(1, CPU_COUNT_S(bytes, mask.data()));
}

// The first line; empty if there is none.
std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// Of "max 100000" or "50000 100000" (cgroup v2), or of -1 and 100000 (v1): CPUs, rounded up.
std::optional<int64_t> QuotaCpus(std::string_view quota, std::string_view period) {
  int64_t quota_us = 0;
  int64_t period_us = 0;
  if (!SimpleAtoi(quota, &quota_us) || !SimpleAtoi(period, &period_us)) return std::nullopt;
  if (quota_us <= 0 || period_us <= 0) return std::nullopt;
  return (quota_us + period_us - 1) / period_us;
}

std::optional<int64_t> QuotaOf(const std::string& folder, bool v2, std::string* file) {
  if (!v2) {
    *file = folder + "/cpu.cfs_quota_us";
    return QuotaCpus(FirstLine(*file), FirstLine(folder + "/cpu.cfs_period_us"));
  }
  *file = folder + "/cpu.max";
  const std::string line = FirstLine(*file);
  const std::vector<std::string_view> parts =
      StrSplit(std::string_view(line), ' ', absl::SkipEmpty());
  return parts.size() == 2 ? QuotaCpus(parts[0], parts[1]) : std::nullopt;
}

// A hierarchy that this process stands in, by a line of /proc/self/cgroup (cgroups(7)):
// "0::/a/b" of version 2, "4:cpu,cpuacct:/a/b" of version 1.
struct Membership {
  bool v2 = false;
  std::string path;
};

std::optional<Membership> ReadMembership(std::string_view line) {
  const size_t first = line.find(':');
  const size_t second = line.find(':', first + 1);
  if (first == line.npos || second == line.npos) return std::nullopt;
  const std::string_view controllers = line.substr(first + 1, second - first - 1);
  const std::string path(line.substr(second + 1));
  if (controllers.empty()) return Membership{.v2 = true, .path = path};
  for (const std::string_view controller : StrSplit(controllers, ',')) {
    if (controller == "cpu") return Membership{.v2 = false, .path = path};
  }
  return std::nullopt;
}

// Narrows `allowance` by the quotas at `path` below `mount` and at all above it. In a container
// that sees the host's path but its own mount, only the mount itself is there.
void Narrow(const std::string& root, const std::string& mount, const Membership& membership,
            CpuAllowance& allowance) {
  std::string path = membership.path == "/" ? "" : membership.path;
  while (true) {
    std::string file;
    const std::optional<int64_t> cpus = QuotaOf(StrCat(root, mount, path), membership.v2, &file);
    if (cpus.has_value() && *cpus < allowance.cpus) {
      allowance.cpus = static_cast<int>(*cpus);
      allowance.source = file.substr(root.size());
    }
    if (path.empty()) return;
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
}

}  // namespace

CpuAllowance CpuAllowance::OfThisProcess() {
  return Of(AffinityCpus(), "");
}

CpuAllowance CpuAllowance::Of(int affinity_cpus, const std::string& root) {
  CpuAllowance allowance{.cpus = std::max(1, affinity_cpus)};
  std::ifstream file(root + "/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::optional<Membership> membership = ReadMembership(line);
    if (!membership.has_value()) continue;
    if (!membership->v2) {
      // Where the controllers are mounted together, "cpu" is a link to that.
      Narrow(root, "/sys/fs/cgroup/cpu", *membership, allowance);
      Narrow(root, "/sys/fs/cgroup/cpu,cpuacct", *membership, allowance);
    } else {
      Narrow(root, "/sys/fs/cgroup", *membership, allowance);
      // Beside version 1's hierarchies (systemd's "hybrid").
      Narrow(root, "/sys/fs/cgroup/unified", *membership, allowance);
    }
  }
  return allowance;
}

}  // namespace grove::config
