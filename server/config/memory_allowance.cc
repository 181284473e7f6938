#include "server/config/memory_allowance.h"

#include <sys/resource.h>

#include <fstream>
#include <optional>
#include <string_view>
#include <vector>

#include "runtime/switch/abseil_text.h"
#include "server/config/cgroup.h"

namespace grove::config {
namespace {

int64_t SoftLimit(decltype(RLIMIT_AS) resource) {
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return INT64_MAX;
  return static_cast<int64_t>(limit.rlim_cur);
}

// "MemTotal:       23456789 kB" (proc(5)).
std::optional<int64_t> MachineBytes(const std::string& root) {
  const std::string line = FirstLine(root + "/proc/meminfo");
  const std::vector<std::string_view> parts =
      StrSplit(std::string_view(line), ' ', absl::SkipEmpty());
  int64_t kib = 0;
  if (parts.size() != 3 || parts[0] != "MemTotal:" || !SimpleAtoi(parts[1], &kib)) {
    return std::nullopt;
  }
  return kib * 1024;
}

}  // namespace

MemoryAllowance MemoryAllowance::OfThisProcess() {
  return Of(SoftLimit(RLIMIT_AS), SoftLimit(RLIMIT_DATA), "");
}

MemoryAllowance MemoryAllowance::Of(int64_t rlimit_as, int64_t rlimit_data,
                                    const std::string& root) {
  MemoryAllowance allowance;
  const auto narrow = [&](int64_t bytes, const std::string& source) {
    if (bytes <= 0 || bytes >= allowance.bytes) return;
    allowance = {.bytes = bytes, .source = source};
  };
  narrow(MachineBytes(root).value_or(INT64_MAX), "the machine");
  narrow(rlimit_as, "RLIMIT_AS");
  narrow(rlimit_data, "RLIMIT_DATA");
  for (const CgroupFolder& folder : CgroupFolders("memory", root)) {
    const std::string file = folder.path + (folder.v2 ? "/memory.max" : "/memory.limit_in_bytes");
    int64_t bytes = 0;
    // "max" in version 2, a number beyond any memory in version 1: no limit.
    if (SimpleAtoi(FirstLine(file), &bytes)) narrow(bytes, file.substr(root.size()));
  }
  return allowance;
}

}  // namespace grove::config
