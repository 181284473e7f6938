// CpuAllowance: how many CPUs this process may use, and who says so.
//
// The smaller of the affinity mask (sched_getaffinity(2)) and the CPU quotas of its cgroup and of
// all above it: cpu.max of version 2, cpu.cfs_quota_us of version 1. A part of a CPU counts as one:
// a quota of 1.5 is worth two workers, of which none ever waits for the other alone.
#ifndef GROVE_SERVER_CONFIG_CPU_ALLOWANCE_H_
#define GROVE_SERVER_CONFIG_CPU_ALLOWANCE_H_

#include <string>

namespace grove::config {

struct CpuAllowance {
  int cpus = 1;  // at least 1
  // "affinity", or the file of the quota.
  std::string source = "affinity";

  static CpuAllowance OfThisProcess();
  // For a process that may run on `affinity_cpus`, with /proc and /sys below `root`: "" but in
  // tests. What cannot be read bounds nothing. Blocks.
  static CpuAllowance Of(int affinity_cpus, const std::string& root);
};

}  // namespace grove::config

#endif  // GROVE_SERVER_CONFIG_CPU_ALLOWANCE_H_
