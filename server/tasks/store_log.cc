#include "server/tasks/store_log.h"

#include "server/log.h"

namespace grove::tasks {

Alternation::Say Alternation::See(bool is_bad, int64_t now_ms) {
  if (is_bad == said_bad_ || (is_bad && now_ms < quiet_until_ms_)) return Say::kNothing;
  said_bad_ = is_bad;
  if (!is_bad) return Say::kGood;
  quiet_until_ms_ = now_ms + kQuietMs;
  return Say::kBad;
}

void StoreLog::Tell(const StoreReport& report, int64_t now_ms) {
  const Alternation::Say failing = failing_.See(!report.status.ok(), now_ms);
  if (failing == Alternation::Say::kBad) {
    Log(LogLevel::kError, "the task store fails; durable tasks wait for it",
        {{"file", path_}, {"error", report.status.message()}});
  } else if (failing == Alternation::Say::kGood) {
    Log(LogLevel::kInfo, "the task store works again", {{"file", path_}});
  }
  const Alternation::Say room = short_of_room_.See(!report.room.ok(), now_ms);
  if (room == Alternation::Say::kBad) {
    Log(LogLevel::kWarning, "no room for new durable tasks",
        {{"file", path_}, {"error", report.room.message()}});
  } else if (room == Alternation::Say::kGood) {
    Log(LogLevel::kInfo, "room for new durable tasks again", {{"file", path_}});
  }
}

}  // namespace grove::tasks
