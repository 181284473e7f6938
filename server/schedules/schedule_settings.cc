#include "server/schedules/schedule_settings.h"

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_join.h"
#include "google/rpc/error_details.pb.h"
#include "proto/well_known_times.h"
#include "runtime/switch/abseil_text.h"
#include "server/refusal.h"
#include "server/schedules/schedule_state.h"
#include "server/tasks/task_spec.h"

namespace grove::schedules {
namespace {

using google::protobuf::FieldDescriptor;

// From the expressions to pause_on_failure (schedule_service.proto).
constexpr int kFirstSetting = v1::Schedule::kCronExpressionsFieldNumber;
constexpr int kLastSetting = v1::Schedule::kPauseOnFailureFieldNumber;

bool IsSetting(const FieldDescriptor* field) {
  return field != nullptr && field->number() >= kFirstSetting && field->number() <= kLastSetting;
}

// Puts the field of `from` in the place of that of `to`.
void TakeField(const FieldDescriptor* field, const v1::Schedule& from, v1::Schedule& to) {
  v1::Schedule alone = from;
  std::vector<const FieldDescriptor*> set;
  alone.GetReflection()->ListFields(alone, &set);
  for (const FieldDescriptor* other : set) {
    if (other != field) alone.GetReflection()->ClearField(&alone, other);
  }
  to.GetReflection()->ClearField(&to, field);
  to.MergeFrom(alone);
}

absl::Status CheckWindow(const v1::Schedule& settings) {
  if (!settings.has_catchup_window()) return absl::OkStatus();
  const google::protobuf::Duration& window = settings.catchup_window();
  const bool is_length = window.seconds() >= 0 && window.nanos() >= 0 &&
                         window.nanos() < 1'000'000'000 &&
                         window.seconds() <= kCatchupMaxUs / 1'000'000;
  const int64_t us = is_length ? proto::ToMicros(window) : 0;
  if (us >= kCatchupMinUs && us <= kCatchupMaxUs) return absl::OkStatus();
  return BadField("schedule.catchup_window", "CATCHUP_WINDOW_OUT_OF_RANGE",
                  "must be 10 s to 366 days");
}

absl::Status CheckOwnFields(const v1::TaskSpec& spec) {
  const auto refuse = [](std::string_view field, std::string_view problem) {
    return BadField(StrCat("schedule.spec.", field), "SCHEDULE_SPEC_INVALID", problem);
  };
  if (!spec.request_id().empty()) {
    return refuse("request_id", "is set; the schedule gives each run one of its own");
  }
  if (spec.has_start_time()) {
    return refuse("start_time", "is set; the schedule says when its tasks start");
  }
  if (!spec.after().empty()) {
    return refuse("after",
                  "is set; a schedule's tasks come again and again, and those that one could wait "
                  "for end once and are forgotten");
  }
  if (spec.labels().contains(std::string(kScheduleLabel))) {
    return refuse("labels", StrCat("have ", kScheduleLabel, ", which the schedule sets"));
  }
  // With the schedule's own.
  if (spec.labels().size() >= tasks::kLabelsMax) {
    return refuse("labels", StrCat("are ", spec.labels().size(), "; at most ",
                                   tasks::kLabelsMax - 1, " are allowed"));
  }
  return absl::OkStatus();
}

}  // namespace

v1::Schedule SettingsOf(const v1::Schedule& sent) {
  v1::Schedule settings = sent;
  std::vector<const FieldDescriptor*> set;
  settings.GetReflection()->ListFields(settings, &set);
  for (const FieldDescriptor* field : set) {
    if (!IsSetting(field)) settings.GetReflection()->ClearField(&settings, field);
  }
  settings.DiscardUnknownFields();
  return settings;
}

absl::Status CheckSettings(const v1::Schedule& settings) {
  if (!v1::Schedule::OverlapPolicy_IsValid(settings.overlap_policy())) {
    return BadField("schedule.overlap_policy", "SCHEDULE_POLICY_INVALID",
                    StrCat("is the unknown value ", static_cast<int>(settings.overlap_policy())));
  }
  if (!v1::Schedule::CatchupPolicy_IsValid(settings.catchup_policy())) {
    return BadField("schedule.catchup_policy", "SCHEDULE_POLICY_INVALID",
                    StrCat("is the unknown value ", static_cast<int>(settings.catchup_policy())));
  }
  if (settings.has_remaining_runs() && settings.remaining_runs() < 0) {
    return BadField("schedule.remaining_runs", "REMAINING_RUNS_NEGATIVE",
                    StrCat("is ", settings.remaining_runs(), "; leave it out for no end"));
  }
  if (absl::Status window = CheckWindow(settings); !window.ok()) return window;
  return CheckOwnFields(settings.spec());
}

absl::Status UnderSchedule(const absl::Status& refusal) {
  google::rpc::BadRequest request;
  const auto payload = refusal.GetPayload(Abseil(kBadRequestType));
  if (!payload || !request.ParseFromString(std::string(*payload)) ||
      request.field_violations_size() != 1) {
    return refusal;
  }
  const auto& violation = request.field_violations(0);
  return BadField(StrCat("schedule.", violation.field()), RefusalReason(refusal),
                  violation.description());
}

absl::Status TakeMasked(const google::protobuf::FieldMask& mask, const v1::Schedule& sent,
                        v1::Schedule& settings) {
  std::vector<std::string> allowed;
  for (int number = kFirstSetting; number <= kLastSetting; ++number) {
    allowed.push_back(v1::Schedule::descriptor()->FindFieldByNumber(number)->name());
  }
  if (mask.paths().empty()) {
    return BadField("update_mask", "FIELD_MASK_INVALID",
                    StrCat("is empty; name what is to change: ", absl::StrJoin(allowed, ", ")));
  }
  for (const std::string& path : mask.paths()) {
    const FieldDescriptor* const field = v1::Schedule::descriptor()->FindFieldByName(path);
    if (!IsSetting(field)) {
      return BadField("update_mask", "FIELD_MASK_INVALID",
                      StrCat("names \"", absl::CHexEscape(Abseil(Cut(path))),
                             "\"; these may be changed: ", absl::StrJoin(allowed, ", ")));
    }
    TakeField(field, sent, settings);
  }
  return absl::OkStatus();
}

}  // namespace grove::schedules
