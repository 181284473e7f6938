// RecoveryReport: what a recovery of the task engine came to.
#ifndef GROVE_SERVER_TASKS_RECOVERY_REPORT_H_
#define GROVE_SERVER_TASKS_RECOVERY_REPORT_H_

#include <cstdint>
#include <string>

#include "absl/container/btree_map.h"

namespace grove::tasks {

// What Recover() did, for the log.
struct RecoveryReport {
  int64_t restored = 0;
  // Tasks whose queue the config lacks, by the queue's resource name. They stay in the store
  // untouched.
  absl::btree_map<std::string, int64_t> left_in_store;
  // Records that do not parse. They stay in the store untouched.
  int64_t unreadable = 0;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_RECOVERY_REPORT_H_
