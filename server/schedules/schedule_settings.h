// Settings of a schedule: what may be set, and what of it can be.
//
// When it runs, RunTimes checks; what the task may ask for, the task engine's CheckSpec(). Pure.
#ifndef GROVE_SERVER_SCHEDULES_SCHEDULE_SETTINGS_H_
#define GROVE_SERVER_SCHEDULES_SCHEDULE_SETTINGS_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "google/protobuf/field_mask.pb.h"
#include "grove/v1/schedule_service.pb.h"

namespace grove::schedules {

inline constexpr std::string_view kScheduleLabel = "grove.schedule";
// All of a tenant's schedules are in memory.
inline constexpr int64_t kScheduleInputMax = 64 << 10;

// What a client may set of it; all else is left out.
v1::Schedule SettingsOf(const v1::Schedule& sent);
// INVALID_ARGUMENT: policies, the window, remaining runs, and what a schedule's spec may not have.
absl::Status CheckSettings(const v1::Schedule& settings);
// The refusal of a spec as of "schedule.spec".
absl::Status UnderSchedule(const absl::Status& refusal);
// Takes what `mask` names from `sent`. INVALID_ARGUMENT: it is empty, or names something else.
absl::Status TakeMasked(const google::protobuf::FieldMask& mask, const v1::Schedule& sent,
                        v1::Schedule& settings);

}  // namespace grove::schedules

#endif  // GROVE_SERVER_SCHEDULES_SCHEDULE_SETTINGS_H_
