// RunTimes: when the runs of a schedule are due.
//
// Its cron expressions and its interval together, within its range. Pure: knows no clock.
#ifndef GROVE_SERVER_SCHEDULES_RUN_TIMES_H_
#define GROVE_SERVER_SCHEDULES_RUN_TIMES_H_

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grove/v1/schedule_service.pb.h"
#include "server/schedules/cron.h"
#include "server/wall_time.h"

namespace grove::schedules {

inline constexpr int kCronExpressionsMax = 32;
inline constexpr int64_t kIntervalMinUs = 1'000'000;
inline constexpr int64_t kIntervalMaxUs = int64_t{366} * 86400 * 1'000'000;
inline constexpr int64_t kJitterMaxUs = int64_t{86400} * 1'000'000;

class RunTimes {
 public:
  // Comes never.
  RunTimes() = default;
  // INVALID_ARGUMENT with ErrorInfo and BadRequest: the field, what is wrong, what would be right.
  static absl::StatusOr<RunTimes> Create(const v1::Schedule& schedule);
  // INVALID_ARGUMENT: an expression of `schedule`, which they are of, or all of it comes never
  // after `now_us`.
  absl::Status CheckComes(const v1::Schedule& schedule, WallMicros now_us) const;

  // The first time after `after_us`.
  std::optional<WallMicros> NextAfter(WallMicros after_us) const;
  // The last one in (after_us, until_us].
  std::optional<WallMicros> LastWithin(WallMicros after_us, WallMicros until_us) const;
  // How many there are in (after_us, until_us]; `max` if more.
  int64_t CountWithin(WallMicros after_us, WallMicros until_us, int64_t max) const;

  // When the run of a time is to begin: its jitter later, drawn from `seed` and the time, always
  // the same. Before the next time.
  WallMicros StartOf(WallMicros due_us, uint64_t seed) const;
  int64_t jitter_us() const { return jitter_us_; }

 private:
  absl::Status AddCrons(const v1::Schedule& schedule);
  absl::Status AddInterval(const v1::Schedule& schedule);
  absl::Status AddRange(const v1::Schedule& schedule);

  std::vector<CronExpression> crons_;
  absl::TimeZone zone_ = absl::UTCTimeZone();
  int64_t every_us_ = 0;  // 0: no interval
  int64_t offset_us_ = 0;
  int64_t jitter_us_ = 0;
  WallMicros start_us_ = std::numeric_limits<int64_t>::min();
  WallMicros end_us_ = std::numeric_limits<int64_t>::max();
};

// INVALID_ARGUMENT: no such zone; what a name looks like.
absl::StatusOr<absl::TimeZone> LoadZone(std::string_view name);

}  // namespace grove::schedules

#endif  // GROVE_SERVER_SCHEDULES_RUN_TIMES_H_
