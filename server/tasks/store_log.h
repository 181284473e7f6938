// StoreLog: what of a store's reports is worth a line in the log.
//
// The changes: it fails, it works again, its volume is short of room, there is room again. Whatever
// goes to and fro is said once in a while. Told the time; one thread at a time.
#ifndef GROVE_SERVER_TASKS_STORE_LOG_H_
#define GROVE_SERVER_TASKS_STORE_LOG_H_

#include <cstdint>
#include <string>
#include <utility>

#include "server/tasks/store.h"

namespace grove::tasks {

// Pure.
class Alternation {
 public:
  enum class Say { kNothing, kBad, kGood };

  // kBad at most once per kQuietMs, kGood only after kBad: the last word is right in the end.
  Say See(bool is_bad, int64_t now_ms);
  static constexpr int64_t kQuietMs = 10'000;

 private:
  bool said_bad_ = false;
  int64_t quiet_until_ms_ = INT64_MIN;
};

class StoreLog {
 public:
  explicit StoreLog(std::string path) : path_(std::move(path)) {}

  void Tell(const StoreReport& report, int64_t now_ms);

 private:
  const std::string path_;
  Alternation failing_;
  Alternation short_of_room_;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_STORE_LOG_H_
