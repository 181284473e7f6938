#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/match.h"
#include "client/cli/app_fixture.h"

namespace grove::client::cli {
namespace {

using absl::StrContains;
using Json = nlohmann::json;

class Schedules : public AppTest {
 protected:
  Json RunJson(std::vector<std::string> line) {
    line.insert(line.end(), {"-o", "json"});
    EXPECT_EQ(Run(line), 0) << err_;
    return Json::parse(out_);
  }
  void Make(const std::string& name) {
    ASSERT_EQ(Run({"schedules", "create", name, "echo", "{\"n\":1}", "--cron", "30 3 * * *"}), 0)
        << err_;
  }
};

TEST_F(Schedules, AreMadeOfTimesAndATask) {
  const Json made = RunJson({"schedules",
                             "create",
                             "nightly",
                             "echo",
                             "{\"n\":1}",
                             "--cron",
                             "30 3 * * mon-fri",
                             "--cron",
                             "@monthly",
                             "--zone",
                             "Europe/Berlin",
                             "--every",
                             "90m",
                             "--offset",
                             "5m",
                             "--spread",
                             "10s",
                             "--runs",
                             "7",
                             "--not_before",
                             "2030-01-31T00:00:00Z",
                             "--overlap",
                             "buffer_one",
                             "--catchup",
                             "all",
                             "--catchup_window",
                             "1h",
                             "--on_failure",
                             "pause",
                             "--queue",
                             "mail",
                             "--priority",
                             "3",
                             "--label",
                             "a=1"});
  EXPECT_EQ(made["name"], "tenants/default/schedules/nightly");
  EXPECT_EQ(made["cron_expressions"], Json({"30 3 * * mon-fri", "@monthly"}));
  EXPECT_EQ(made["time_zone"], "Europe/Berlin");
  EXPECT_EQ(made["interval"]["every"], "5400s");
  EXPECT_EQ(made["interval"]["offset"], "300s");
  EXPECT_EQ(made["jitter"], "10s");
  EXPECT_EQ(made["remaining_runs"], "7");
  EXPECT_EQ(made["start_time"], "2030-01-31T00:00:00Z");
  EXPECT_EQ(made["overlap_policy"], "BUFFER_ONE");
  EXPECT_EQ(made["catchup_policy"], "ALL");
  EXPECT_EQ(made["catchup_window"], "3600s");
  EXPECT_EQ(made["pause_on_failure"], true);
  EXPECT_EQ(made["spec"]["function"], "echo");
  EXPECT_EQ(made["spec"]["queue"], "mail");
  EXPECT_EQ(made["spec"]["priority"], 3);
  EXPECT_EQ(made["spec"]["labels"]["a"], "1");
}

TEST_F(Schedules, AreShownAndListed) {
  Make("nightly");
  ASSERT_EQ(Run({"schedules", "create", "acme/hourly", "echo", "--every", "1h"}), 0) << err_;
  EXPECT_EQ(Run({"schedules", "-o", "name"}), 0);
  EXPECT_EQ(out_, "tenants/default/schedules/nightly\n");
  EXPECT_EQ(Run({"schedules", "list", "--tenant", "-", "-o", "name"}), 0);
  EXPECT_EQ(out_, "tenants/acme/schedules/hourly\ntenants/default/schedules/nightly\n");
  EXPECT_EQ(Run({"schedules", "list"}), 0);
  EXPECT_TRUE(StrContains(out_, "30 3 * * *")) << out_;
  for (const char* verb : {"get", "describe"}) {
    EXPECT_EQ(Run({"schedules", verb, "nightly"}), 0);
    EXPECT_TRUE(StrContains(out_, "tenants/default/schedules/nightly")) << out_;
    EXPECT_TRUE(StrContains(out_, "2096-10-02T07:06:40+00:00")) << out_;
    EXPECT_TRUE(StrContains(out_, "SKIP")) << out_;
  }
  ASSERT_EQ(Run({"schedules", "create", "large", "echo", "--every", "1h", "--input_payload",
                 "01M8ZJ3V7Q0G5K2T9XW4B6N8RD"}),
            0)
      << err_;
  EXPECT_EQ(Run({"schedules", "get", "large"}), 0);
  EXPECT_TRUE(StrContains(out_, "tenants/default/payloads/01M8ZJ3V7Q0G5K2T9XW4B6N8RD")) << out_;
  EXPECT_EQ(Run({"schedules", "create", "x", "echo", "1", "--every", "1h", "--input_payload", "p"}),
            2);
  EXPECT_EQ(Run({"schedules", "get", "none"}), 1);
  EXPECT_TRUE(StrContains(err_, "there is no tenants/default/schedules/none")) << err_;
}

TEST_F(Schedules, ADryRunMakesNone) {
  EXPECT_EQ(Run({"schedules", "create", "x", "echo", "--cron", "@daily", "--dry_run"}), 0);
  EXPECT_TRUE(StrContains(out_, "2096-10-02")) << out_;
  EXPECT_EQ(Run({"schedules", "get", "x"}), 1);
}

TEST_F(Schedules, AnUpdateChangesWhatIsGivenAlone) {
  Make("nightly");
  Json changed = RunJson({"schedules", "update", "nightly", "--every", "1h", "--cron", "none"});
  EXPECT_EQ(changed["interval"]["every"], "3600s");
  EXPECT_TRUE(changed["cron_expressions"].empty());
  EXPECT_EQ(changed["spec"]["function"], "echo");
  changed = RunJson({"schedules", "update", "nightly", "other", "--queue", "mail"});
  EXPECT_EQ(changed["spec"]["function"], "other");
  EXPECT_EQ(changed["interval"]["every"], "3600s");
  EXPECT_EQ(Run({"schedules", "update", "nightly"}), 2);
  EXPECT_EQ(Run({"schedules", "update", "nightly", "--queue", "mail"}), 2);
  EXPECT_TRUE(StrContains(err_, "--queue belongs to a task")) << err_;
}

TEST_F(Schedules, ArePausedResumedRunAndDeleted) {
  Make("nightly");
  EXPECT_EQ(Run({"schedules", "pause", "nightly", "--reason", "upkeep"}), 0);
  EXPECT_TRUE(StrContains(out_, "PAUSED")) << out_;
  EXPECT_TRUE(StrContains(out_, "upkeep")) << out_;
  EXPECT_EQ(Run({"schedules", "resume", "nightly"}), 0);
  EXPECT_TRUE(StrContains(out_, "ACTIVE")) << out_;
  EXPECT_EQ(Run({"schedules", "run", "nightly"}), 0);
  EXPECT_EQ(out_, "tenants/default/queues/default/tasks/T1\n");
  EXPECT_EQ(Run({"schedules", "get", "nightly"}), 0);
  EXPECT_TRUE(StrContains(out_, "default/T1  hand")) << out_;
  EXPECT_EQ(Run({"schedules", "delete", "nightly"}), 0);
  EXPECT_EQ(out_, "tenants/default/schedules/nightly is gone\n");
  EXPECT_EQ(Run({"schedules", "delete", "nightly"}), 1);
}

TEST_F(Schedules, RefuseWhatMakesNoSense) {
  const std::vector<std::string> create = {"schedules", "create", "x", "echo"};
  for (const std::vector<std::string>& flags :
       std::vector<std::vector<std::string>>{{"--every", "often"},
                                             {"--offset", "5m"},
                                             {"--overlap", "never"},
                                             {"--catchup", "some"},
                                             {"--on_failure", "cry"},
                                             {"--runs", "many"},
                                             {"--until", "later"}}) {
    std::vector<std::string> line = create;
    line.insert(line.end(), flags.begin(), flags.end());
    EXPECT_EQ(Run(line), 2) << flags[0];
  }
  EXPECT_EQ(Run({"schedules", "create", "x", "echo", "--cron", "never"}), 1);
  EXPECT_TRUE(StrContains(err_, "comes never")) << err_;
}

TEST_F(Schedules, NextTimesNeedNoDaemon) {
  variables_["GROVE_ADDRESS"] = "127.0.0.1:1";
  EXPECT_EQ(Run({"schedules", "next", "30 3 * * *", "--zone", "Europe/Berlin", "--count", "2",
                 "--after", "2026-03-27T12:00:00Z"}),
            0)
      << err_;
  EXPECT_EQ(out_, "2026-03-28T03:30:00+01:00\n2026-03-29T03:30:00+02:00\n");
  const Json json = RunJson(
      {"schedules", "next", "--every", "1h", "--count", "1", "--after", "2026-03-27T12:30:00Z"});
  EXPECT_EQ(json["times"], Json({"2026-03-27T13:00:00+00:00"}));
  EXPECT_EQ(Run({"schedules", "next", "61 * * * *"}), 1);
  EXPECT_TRUE(StrContains(err_, "the minute \"61\"")) << err_;
  EXPECT_EQ(Run({"schedules", "next", "0 0 30 2 *"}), 1);
  EXPECT_TRUE(StrContains(err_, "does not come")) << err_;
  EXPECT_EQ(Run({"schedules", "next", "@daily", "--zone", "Mars/Base"}), 1);
  EXPECT_EQ(Run({"schedules", "next"}), 1);
}

TEST_F(Schedules, AreCompleted) {
  Make("nightly");
  EXPECT_EQ(Run({"__complete", "schedules", "pause", ""}), 0);
  EXPECT_EQ(out_, "nightly\techo\n");
  EXPECT_EQ(Run({"__complete", "--", "tasks", "--schedule", ""}), 0);
  EXPECT_EQ(out_, "nightly\techo\n");
  EXPECT_EQ(Run({"__complete", "--", "schedules", "create", "x", "echo", "--overlap", "b"}), 0);
  EXPECT_EQ(out_, "buffer_one\t\n");
}

}  // namespace
}  // namespace grove::client::cli
