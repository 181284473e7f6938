// EngineOptions: what a TaskEngine is made with.
#ifndef GROVE_SERVER_TASKS_ENGINE_OPTIONS_H_
#define GROVE_SERVER_TASKS_ENGINE_OPTIONS_H_

#include <cstddef>
#include <cstdint>

#include "grove/config/v1/config.pb.h"

namespace grove::tasks {

class PayloadLedger;

// Durable tasks that have ended stay in memory up to these bytes (but no more than a share of
// tasks.memory_max_bytes) and this number: most are asked for once more, in a moment.
inline constexpr int64_t kRecentEndsBytes = int64_t{16} << 20;
inline constexpr size_t kRecentEndsMax = 50'000;

enum class SelfCheck {
  kNever,
  // Recounts everything (invariants.h) and dies if it does not agree. Slow.
  kAfterEveryEvent,
};

#ifdef NDEBUG
inline constexpr SelfCheck kSelfCheckDefault = SelfCheck::kNever;
#else
inline constexpr SelfCheck kSelfCheckDefault = SelfCheck::kAfterEveryEvent;
#endif

struct EngineOptions {
  // Resolved: no field is 0.
  config::v1::Tasks tasks;
  // TaskStore::start_number(); the high bits of attempt ids. At least 1.
  uint64_t start_number = 1;
  // The upper half of the incarnations of this daemon's workers.
  uint32_t daemon_number = 0;
  // Workers that there shall be. What is recovered may have been started by a control that died
  // before that was on disk: their Hellos tell, and are waited for (kWorkersAwaitedUs).
  int32_t workers = 0;
  // From the system's entropy; task ids are drawn from it.
  uint64_t seed = 0;
  SelfCheck self_check = kSelfCheckDefault;
  int64_t recent_ends_bytes = kRecentEndsBytes;
  // Outlives the engine; nullptr: there are no payloads.
  PayloadLedger* payloads = nullptr;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_ENGINE_OPTIONS_H_
