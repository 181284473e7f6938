// MemoryAllowance: how much memory this process may use, and who says so.
//
// The smallest of the machine's, the limits of its cgroup and of all above it (memory.max of
// version 2, memory.limit_in_bytes of version 1) and the soft RLIMIT_AS and RLIMIT_DATA.
#ifndef GROVE_SERVER_CONFIG_MEMORY_ALLOWANCE_H_
#define GROVE_SERVER_CONFIG_MEMORY_ALLOWANCE_H_

#include <cstdint>
#include <string>

namespace grove::config {

struct MemoryAllowance {
  int64_t bytes = INT64_MAX;
  // "the machine", "RLIMIT_AS", "RLIMIT_DATA", or the file of the limit.
  std::string source = "the machine";

  static MemoryAllowance OfThisProcess();
  // With /proc and /sys below `root`, and these soft limits (INT64_MAX: none). What cannot be read
  // bounds nothing. Blocks.
  static MemoryAllowance Of(int64_t rlimit_as, int64_t rlimit_data, const std::string& root);
};

}  // namespace grove::config

#endif  // GROVE_SERVER_CONFIG_MEMORY_ALLOWANCE_H_
