#include "server/worker/program.h"

#include "google/protobuf/text_format.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"

namespace grove::worker {
namespace {

v1::Schedule SettingsOf(const std::string& text) {
  v1::Schedule schedule;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &schedule));
  return schedule;
}

// Empty: they are the same.
std::string Difference(const v1::Schedule& settings, const std::string& text) {
  std::string difference;
  google::protobuf::util::MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&difference);
  differencer.Compare(SettingsOf(text), settings);
  return difference;
}

TEST(Program, SaysWhoItIsAndWhatItDeclares) {
  Application application("shop");
  application.AddSchedule("nightly", {.cron = {"30 3 * * *", "@daily"}, .time_zone = "Europe/Rome"},
                          {.function = "report", .input = "{}"});
  application.AddSchedule("often",
                          {.every = absl::Minutes(5),
                           .offset = absl::Seconds(1),
                           .jitter = absl::Seconds(2),
                           .overlap = Overlap::kCancelRunning,
                           .catchup = Catchup::kAll,
                           .catchup_window = absl::Hours(1),
                           .pause_on_failure = true,
                           .tenant = "acme"},
                          {.function = "poll",
                           .queue = "slow",
                           .timeout = absl::Seconds(9),
                           .attempts_max = 3,
                           .labels = {{"k", "v"}}});
  const internal::v1::Program program = ProgramOf(application);
  EXPECT_EQ(program.name(), "shop");
  EXPECT_EQ(program.started_ns(), application.made_at_ns());
  ASSERT_EQ(program.schedules_size(), 2);
  EXPECT_EQ(program.schedules(0).tenant(), "default");
  EXPECT_EQ(program.schedules(0).id(), "nightly");
  EXPECT_EQ(Difference(program.schedules(0).settings(), R"(
      cron_expressions: "30 3 * * *" cron_expressions: "@daily" time_zone: "Europe/Rome"
      overlap_policy: OVERLAP_POLICY_SKIP catchup_policy: CATCHUP_POLICY_LATEST
      spec { function: "report" input: "{}" content_type: "application/json"
             durability: DURABILITY_DURABLE })"),
            "");
  EXPECT_EQ(program.schedules(1).tenant(), "acme");
  EXPECT_EQ(Difference(program.schedules(1).settings(), R"(
      interval { every { seconds: 300 } offset { seconds: 1 } } jitter { seconds: 2 }
      overlap_policy: OVERLAP_POLICY_CANCEL_RUNNING catchup_policy: CATCHUP_POLICY_ALL
      catchup_window { seconds: 3600 } pause_on_failure: true
      spec { function: "poll" content_type: "application/json" queue: "slow"
             durability: DURABILITY_DURABLE timeout { seconds: 9 }
             retry_policy { max_attempts: 3 } labels { key: "k" value: "v" } })"),
            "");
}

}  // namespace
}  // namespace grove::worker
