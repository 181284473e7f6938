#include "server/schedules/schedule_settings.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "runtime/switch/abseil_text.h"
#include "server/refusal.h"
#include "server/tasks/task_spec.h"

namespace grove::schedules {
namespace {

v1::Schedule Some() {
  v1::Schedule schedule;
  schedule.add_cron_expressions("@daily");
  schedule.mutable_spec()->set_function("echo");
  return schedule;
}

TEST(ScheduleSettingsTest, WhatIsForOutputIsLeftOut) {
  v1::Schedule sent = Some();
  sent.set_name("tenants/acme/schedules/s");
  sent.set_state(v1::Schedule::STATE_PAUSED);
  sent.set_etag("9");
  sent.set_spawned_total(5);
  sent.add_running_tasks("x");
  sent.set_remaining_runs(0);
  v1::Schedule expected = Some();
  expected.set_remaining_runs(0);
  EXPECT_EQ(SettingsOf(sent).SerializeAsString(), expected.SerializeAsString());
}

TEST(ScheduleSettingsTest, WhatCannotBeIsRefusedWithItsField) {
  const struct {
    const char* field;
    const char* reason;
    std::function<void(v1::Schedule&)> spoil;
  } cases[] = {
      {"schedule.overlap_policy", "SCHEDULE_POLICY_INVALID",
       [](auto& s) { s.set_overlap_policy(static_cast<v1::Schedule::OverlapPolicy>(99)); }},
      {"schedule.catchup_policy", "SCHEDULE_POLICY_INVALID",
       [](auto& s) { s.set_catchup_policy(static_cast<v1::Schedule::CatchupPolicy>(99)); }},
      {"schedule.remaining_runs", "REMAINING_RUNS_NEGATIVE",
       [](auto& s) { s.set_remaining_runs(-1); }},
      {"schedule.catchup_window", "CATCHUP_WINDOW_OUT_OF_RANGE",
       [](auto& s) { s.mutable_catchup_window()->set_seconds(9); }},
      {"schedule.catchup_window", "CATCHUP_WINDOW_OUT_OF_RANGE",
       [](auto& s) { s.mutable_catchup_window()->set_seconds(366 * 86400 + 1); }},
      {"schedule.spec.request_id", "SCHEDULE_SPEC_INVALID",
       [](auto& s) { s.mutable_spec()->set_request_id("mine"); }},
      {"schedule.spec.start_time", "SCHEDULE_SPEC_INVALID",
       [](auto& s) { s.mutable_spec()->mutable_start_time(); }},
      {"schedule.spec.after", "SCHEDULE_SPEC_INVALID",
       [](auto& s) { s.mutable_spec()->add_after("tenants/default/queues/default/tasks/1"); }},
      {"schedule.spec.labels", "SCHEDULE_SPEC_INVALID",
       [](auto& s) { (*s.mutable_spec()->mutable_labels())["grove.schedule"] = "other"; }},
      {"schedule.spec.labels", "SCHEDULE_SPEC_INVALID",
       [](auto& s) {
         for (size_t i = 0; i < tasks::kLabelsMax; ++i) {
           (*s.mutable_spec()->mutable_labels())[StrCat("key", i)] = "";
         }
       }},
  };
  for (const auto& each : cases) {
    v1::Schedule schedule = Some();
    each.spoil(schedule);
    const absl::Status status = CheckSettings(schedule);
    EXPECT_EQ(RefusalReason(status), each.reason) << status;
    EXPECT_EQ(status.message().find(std::string(each.field) + ": "), 0u) << status;
  }
  EXPECT_TRUE(CheckSettings(Some()).ok());
}

TEST(ScheduleSettingsTest, AMaskTakesEachFieldAsAWhole) {
  v1::Schedule settings = Some();
  settings.set_time_zone("Europe/Berlin");
  settings.set_remaining_runs(3);
  (*settings.mutable_spec()->mutable_labels())["old"] = "1";
  v1::Schedule sent;
  sent.add_cron_expressions("@hourly");
  sent.add_cron_expressions("@weekly");
  sent.mutable_spec()->set_function("other");
  google::protobuf::FieldMask mask;
  for (const char* path : {"cron_expressions", "spec", "remaining_runs"}) mask.add_paths(path);
  ASSERT_TRUE(TakeMasked(mask, sent, settings).ok());
  EXPECT_EQ(settings.cron_expressions_size(), 2);
  EXPECT_EQ(settings.spec().function(), "other");
  EXPECT_TRUE(settings.spec().labels().empty());
  EXPECT_FALSE(settings.has_remaining_runs());
  EXPECT_EQ(settings.time_zone(), "Europe/Berlin");
}

TEST(ScheduleSettingsTest, AMaskOfNothingOrOfSomethingElseIsRefused) {
  v1::Schedule settings = Some();
  google::protobuf::FieldMask mask;
  EXPECT_EQ(RefusalReason(TakeMasked(mask, {}, settings)), "FIELD_MASK_INVALID");
  for (const char* path : {"state", "etag", "spec.input", "name", "nonsense"}) {
    mask.clear_paths();
    mask.add_paths(path);
    EXPECT_EQ(RefusalReason(TakeMasked(mask, {}, settings)), "FIELD_MASK_INVALID") << path;
  }
}

TEST(ScheduleSettingsTest, ARefusalOfTheSpecNamesTheFieldWithinTheSchedule) {
  v1::TaskSpec spec;
  spec.set_function("echo");
  spec.set_priority(99);
  const absl::Status refusal =
      UnderSchedule(tasks::CheckSpec(spec, "acme", {100}, [](std::string_view) { return true; }));
  EXPECT_EQ(RefusalReason(refusal), "PRIORITY_OUT_OF_RANGE");
  EXPECT_EQ(refusal.message().find("schedule.spec.priority: is 99"), 0u) << refusal;
  EXPECT_EQ(UnderSchedule(absl::InternalError("x")), absl::InternalError("x"));
}

}  // namespace
}  // namespace grove::schedules
