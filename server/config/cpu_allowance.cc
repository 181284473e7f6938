#include "server/config/cpu_allowance.h"

#include <sched.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "runtime/switch/abseil_text.h"
#include "server/config/cgroup.h"

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

}  // namespace

CpuAllowance CpuAllowance::OfThisProcess() {
  return Of(AffinityCpus(), "");
}

CpuAllowance CpuAllowance::Of(int affinity_cpus, const std::string& root) {
  CpuAllowance allowance{.cpus = std::max(1, affinity_cpus)};
  for (const CgroupFolder& folder : CgroupFolders("cpu", root)) {
    std::string file;
    const std::optional<int64_t> cpus = QuotaOf(folder.path, folder.v2, &file);
    if (!cpus.has_value() || *cpus >= allowance.cpus) continue;
    allowance.cpus = static_cast<int>(*cpus);
    allowance.source = file.substr(root.size());
  }
  return allowance;
}

}  // namespace grove::config
