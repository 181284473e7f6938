#include "server/schedules/run_times.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "proto/well_known_times.h"
#include "runtime/switch/abseil_text.h"
#include "server/refusal.h"

namespace grove::schedules {
namespace {

using proto::ToMicros;

constexpr int64_t kMicrosPerMilli = 1000;
// What google.protobuf.Timestamp allows.
constexpr int64_t kTimeMaxS = 253402300799;

int64_t FloorDiv(int64_t value, int64_t by) {
  return value >= 0 ? value / by : -((-value + by - 1) / by);
}

// FNV-1a over the time's bytes, mixed as splitmix64 does: the same in every process.
uint64_t Draw(uint64_t seed, int64_t due_us) {
  uint64_t hash = seed ^ 0xcbf29ce484222325;
  for (int i = 0; i < 8; ++i) {
    hash = (hash ^ (static_cast<uint64_t>(due_us) >> (8 * i) & 0xff)) * 0x100000001b3;
  }
  hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9;
  hash = (hash ^ hash >> 27) * 0x94d049bb133111eb;
  return hash ^ hash >> 31;
}

bool IsTime(const google::protobuf::Timestamp& time) {
  return time.seconds() >= 0 && time.seconds() <= kTimeMaxS && time.nanos() >= 0 &&
         time.nanos() < 1'000'000'000;
}

bool IsWithin(const google::protobuf::Duration& length, int64_t min_us, int64_t max_us) {
  if (length.seconds() < 0 || length.nanos() < 0 || length.nanos() >= 1'000'000'000) return false;
  if (length.seconds() > max_us / 1'000'000) return false;
  const int64_t us = ToMicros(length);
  return us >= min_us && us <= max_us;
}

}  // namespace

absl::StatusOr<absl::TimeZone> LoadZone(std::string_view name) {
  absl::TimeZone zone = absl::UTCTimeZone();
  if (name.empty()) return zone;
  // absl takes "localtime" and paths too: another machine would run the schedule at other times.
  const bool is_plain = name != "localtime" && name.front() != '/' && name.front() != ':' &&
                        name.find("..") == name.npos && name.size() <= 64;
  if (is_plain && absl::LoadTimeZone(Abseil(name), &zone)) return zone;
  return absl::InvalidArgumentError(
      StrCat("\"", absl::CHexEscape(Abseil(name.substr(0, 64))),
             "\" is no time zone that this machine knows; IANA names, such as \"Europe/Berlin\", "
             "stand in /usr/share/zoneinfo"));
}

absl::Status RunTimes::AddCrons(const v1::Schedule& schedule) {
  if (schedule.cron_expressions_size() > kCronExpressionsMax) {
    return BadField("schedule.cron_expressions", "CRON_INVALID",
                    StrCat("has ", schedule.cron_expressions_size(), "; at most ",
                           kCronExpressionsMax, " are allowed"));
  }
  for (int i = 0; i < schedule.cron_expressions_size(); ++i) {
    auto cron = CronExpression::Parse(schedule.cron_expressions(i));
    if (!cron.ok()) {
      return BadField(StrCat("schedule.cron_expressions[", i, "]"), "CRON_INVALID",
                      Std(cron.status().message()));
    }
    crons_.push_back(*cron);
  }
  auto zone = LoadZone(schedule.time_zone());
  if (!zone.ok()) {
    return BadField("schedule.time_zone", "TIME_ZONE_UNKNOWN", Std(zone.status().message()));
  }
  zone_ = *zone;
  return absl::OkStatus();
}

absl::Status RunTimes::AddInterval(const v1::Schedule& schedule) {
  if (!schedule.has_interval()) {
    if (!crons_.empty()) return absl::OkStatus();
    return BadField("schedule.cron_expressions", "SCHEDULE_TIMES_REQUIRED",
                    "and schedule.interval are both empty; say when it is to run");
  }
  const v1::ScheduleInterval& interval = schedule.interval();
  if (!IsWithin(interval.every(), kIntervalMinUs, kIntervalMaxUs) ||
      ToMicros(interval.every()) % kMicrosPerMilli != 0 ||
      interval.every().nanos() % 1'000'000 != 0) {
    return BadField("schedule.interval.every", "INTERVAL_OUT_OF_RANGE",
                    "must be 1 s to 366 days, in whole milliseconds");
  }
  const int64_t every_us = ToMicros(interval.every());
  if (!IsWithin(interval.offset(), 0, every_us - 1) || interval.offset().nanos() % 1'000'000 != 0) {
    return BadField("schedule.interval.offset", "INTERVAL_OUT_OF_RANGE",
                    "must be less than schedule.interval.every, in whole milliseconds");
  }
  every_us_ = every_us;
  offset_us_ = ToMicros(interval.offset());
  return absl::OkStatus();
}

absl::Status RunTimes::AddRange(const v1::Schedule& schedule) {
  if (!IsWithin(schedule.jitter(), 0, kJitterMaxUs)) {
    return BadField("schedule.jitter", "JITTER_OUT_OF_RANGE", "must be 0 to 24 h");
  }
  jitter_us_ = ToMicros(schedule.jitter());
  if (schedule.has_start_time()) {
    if (!IsTime(schedule.start_time())) {
      return BadField("schedule.start_time", "SCHEDULE_RANGE_INVALID",
                      "is no time between the years 1970 and 9999");
    }
    start_us_ = ToMicros(schedule.start_time());
  }
  if (schedule.has_end_time()) {
    if (!IsTime(schedule.end_time())) {
      return BadField("schedule.end_time", "SCHEDULE_RANGE_INVALID",
                      "is no time between the years 1970 and 9999");
    }
    end_us_ = ToMicros(schedule.end_time());
  }
  if (start_us_ < end_us_) return absl::OkStatus();
  return BadField("schedule.end_time", "SCHEDULE_RANGE_INVALID",
                  "must be after schedule.start_time");
}

absl::Status RunTimes::CheckComes(const v1::Schedule& schedule, WallMicros now_us) const {
  for (size_t i = 0; i < crons_.size(); ++i) {
    if (crons_[i].NextAfter(absl::FromUnixMicros(now_us), zone_)) continue;
    return BadField(StrCat("schedule.cron_expressions[", i, "]"), "SCHEDULE_NEVER_RUNS",
                    StrCat("\"", schedule.cron_expressions(static_cast<int>(i)),
                           "\" names a day that does not come in ", kCronYearsMax, " years"));
  }
  if (NextAfter(now_us)) return absl::OkStatus();
  return BadField("schedule.end_time", "SCHEDULE_NEVER_RUNS",
                  "is before the first time that the schedule could run at");
}

absl::StatusOr<RunTimes> RunTimes::Create(const v1::Schedule& schedule) {
  RunTimes times;
  absl::Status status = times.AddCrons(schedule);
  if (status.ok()) status = times.AddInterval(schedule);
  if (status.ok()) status = times.AddRange(schedule);
  if (!status.ok()) return status;
  return times;
}

std::optional<WallMicros> RunTimes::NextAfter(WallMicros after_us) const {
  if (start_us_ > std::numeric_limits<int64_t>::min()) after_us = std::max(after_us, start_us_ - 1);
  std::optional<WallMicros> next;
  if (every_us_ > 0) {
    next = (FloorDiv(after_us - offset_us_, every_us_) + 1) * every_us_ + offset_us_;
  }
  for (const CronExpression& cron : crons_) {
    const auto time = cron.NextAfter(absl::FromUnixMicros(after_us), zone_);
    if (!time) continue;
    const WallMicros time_us = absl::ToUnixMicros(*time);
    next = next ? std::min(*next, time_us) : time_us;
  }
  if (!next || *next >= end_us_) return std::nullopt;
  return next;
}

std::optional<WallMicros> RunTimes::LastWithin(WallMicros after_us, WallMicros until_us) const {
  const auto comes_after = [&](WallMicros us) {
    const auto next = NextAfter(us);
    return next && *next <= until_us;
  };
  if (after_us >= until_us || !comes_after(after_us)) return std::nullopt;
  // `low` has a time between it and the end, `high` has none.
  WallMicros low = after_us;
  WallMicros high = until_us;
  while (high - low > 1) {
    const WallMicros middle = low + (high - low) / 2;
    (comes_after(middle) ? low : high) = middle;
  }
  return high;
}

int64_t RunTimes::CountWithin(WallMicros after_us, WallMicros until_us, int64_t max) const {
  int64_t count = 0;
  for (auto next = NextAfter(after_us); next && *next <= until_us && count < max;
       next = NextAfter(*next)) {
    ++count;
  }
  return count;
}

WallMicros RunTimes::StartOf(WallMicros due_us, uint64_t seed) const {
  if (jitter_us_ == 0) return due_us;
  int64_t room_us = jitter_us_;
  if (const auto next = NextAfter(due_us)) room_us = std::min(room_us, *next - due_us - 1);
  return due_us + static_cast<int64_t>(Draw(seed, due_us) % static_cast<uint64_t>(room_us + 1));
}

}  // namespace grove::schedules
