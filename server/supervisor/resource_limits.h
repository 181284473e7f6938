// ResourceLimits: the limits that the daemon's processes run under, and which of them are too low.
//
// A process that meets one of them dies of what its libraries make of it (std::bad_alloc,
// "Aborted") and cannot say why: so the limits are held against what is needed before anything
// starts, and named again when a child dies of what may be one. Read() reads; the rest is pure.
#ifndef GROVE_SERVER_SUPERVISOR_RESOURCE_LIMITS_H_
#define GROVE_SERVER_SUPERVISOR_RESOURCE_LIMITS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "grove/config/v1/config.pb.h"

namespace grove::supervisor {

// INT64_MAX: none.
struct ResourceLimits {
  int64_t descriptors = INT64_MAX;    // soft; a process's
  int64_t address_space = INT64_MAX;  // a process's
  int64_t data = INT64_MAX;           // a process's
  int64_t memory = INT64_MAX;         // of the cgroup or the machine, for all together
  std::string memory_source;
  int64_t threads_left = INT64_MAX;  // that all together may still start
  std::string threads_source;

  // Of this process, which its children inherit. Blocks.
  static ResourceLimits Read();
};

struct LowLimit {
  std::string limit;  // as operators know it: "RLIMIT_AS (ulimit -v)"
  int64_t is;
  int64_t wanted;
  std::string why;
  // Below it processes die; else they serve less than the config says.
  bool kills;
};

// `config` resolved.
std::vector<LowLimit> FindLowLimits(const ResourceLimits& limits, const config::v1::Config& config);

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_RESOURCE_LIMITS_H_
