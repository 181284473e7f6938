// ScheduleOptions: when a schedule that stands in code runs, and what becomes of runs that meet or
// are missed.
//
// What each means, and its bounds: grove.v1.Schedule, docs/schedules.md.
#ifndef GROVE_SERVER_SCHEDULE_OPTIONS_H_
#define GROVE_SERVER_SCHEDULE_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace grove {

// When a run is due and a task of the schedule's has not ended.
enum class Overlap : uint8_t { kSkip, kAllow, kBufferOne, kCancelRunning };
// Which runs that were missed are made up for.
enum class Catchup : uint8_t { kLatest, kAll };

struct ScheduleOptions {
  // At the times of all of these and of `every` together; at least one.
  std::vector<std::string> cron = {};
  // Of the cron expressions: an IANA name; empty: UTC.
  std::string time_zone = "";
  // Zero: no interval. Each time is later by `offset`.
  absl::Duration every = absl::ZeroDuration();
  absl::Duration offset = absl::ZeroDuration();
  absl::Duration jitter = absl::ZeroDuration();
  Overlap overlap = Overlap::kSkip;
  Catchup catchup = Catchup::kLatest;
  // A run that is late by more is left out; zero: 24 h.
  absl::Duration catchup_window = absl::ZeroDuration();
  bool pause_on_failure = false;
  // Whose it is, by the short name.
  std::string tenant = "default";
};

}  // namespace grove

#endif  // GROVE_SERVER_SCHEDULE_OPTIONS_H_
