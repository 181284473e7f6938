// ProcessNumbers: what /proc says about a process.
#ifndef GROVE_SERVER_METRICS_PROCESS_NUMBERS_H_
#define GROVE_SERVER_METRICS_PROCESS_NUMBERS_H_

#include <cstdint>

namespace grove::metrics {

struct ProcessNumbers {
  double cpu_seconds = 0;
  double start_time_seconds = 0;  // since the epoch
  int64_t resident_bytes = 0;
  int64_t virtual_bytes = 0;
  int64_t open_fds = 0;
  int64_t max_fds = 0;
  int64_t threads = 0;

  // What cannot be read stays 0; all of it if there is no such process.
  static ProcessNumbers Of(int64_t pid);
};

// 0 if there is no such process.
int64_t ResidentBytes(int64_t pid);

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_PROCESS_NUMBERS_H_
