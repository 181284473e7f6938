#include <nlohmann/json.hpp>

#include "client/cli/app_fixture.h"
#include "gmock/gmock.h"

namespace grove::client::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ChangeCommandsTest : public AppTest {
 protected:
  // Spawns one, and tells its short name.
  std::string Spawned(const std::string& function, const std::string& label = "") {
    std::vector<std::string> line = {"spawn", function};
    if (!label.empty()) line.push_back("--label=" + label);
    EXPECT_EQ(Run(line), 0) << err_;
    const std::string name = out_.substr(0, out_.find('\n'));
    return name.substr(name.rfind('/') + 1);
  }
  nlohmann::json Json() { return nlohmann::json::parse(out_); }
};

TEST_F(ChangeCommandsTest, EachActsOnTheTasksThatAreNamed) {
  const std::string a = Spawned("stuck"), b = Spawned("stuck");
  EXPECT_EQ(Run({"tasks", "pause", a, b, "--reason=later", "-o", "json"}), 0) << err_;
  EXPECT_EQ(Json()["tasks"].size(), 2u);
  EXPECT_EQ(Json()["tasks"][0]["pause_reason"], "later");
  EXPECT_EQ(Run({"tasks", "resume", a, "-o", "json"}), 0);
  EXPECT_EQ(Json()["name"], "tenants/default/queues/default/tasks/" + a);
  EXPECT_EQ(Run({"tasks", "update", a, "--priority=7", "-o", "json"}), 0);
  EXPECT_EQ(Json()["spec"]["priority"], 7);
  EXPECT_EQ(Run({"tasks", "update", a, "--set_limit_key=k", "--set_limit_key=l", "-o", "json"}), 0);
  EXPECT_EQ(Json()["spec"]["limit_keys"].size(), 2);
  EXPECT_EQ(Run({"tasks", "update", a, "--no_limit_keys", "-o", "json"}), 0);
  EXPECT_EQ(Json()["spec"]["limit_keys"].size(), 0);
  EXPECT_EQ(Run({"tasks", "force-cancel", a}), 0);
  EXPECT_THAT(out_, HasSubstr("CANCELLED"));
  EXPECT_EQ(Run({"tasks", "cancel", b}), 0);
  EXPECT_THAT(out_, HasSubstr("CANCELLED"));
  EXPECT_EQ(Run({"tasks", "retry", a}), 0);
  EXPECT_THAT(out_, HasSubstr("QUEUED"));
  EXPECT_EQ(Run({"tasks", "delete", a}), 0);
  EXPECT_EQ(Run({"get", a}), 1);
  EXPECT_EQ(Run({"tasks", "pause", a, b}), 1);
  EXPECT_THAT(err_, HasSubstr("1 of 2 failed"));
}

TEST_F(ChangeCommandsTest, ADryRunCountsAndChangesNothing) {
  Spawned("stuck", "pick=me");
  Spawned("stuck", "pick=other");
  EXPECT_EQ(Run({"tasks", "cancel", "--label=pick=me", "--dry-run"}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("would cancel: 1 task\n"));
  EXPECT_EQ(Run({"tasks", "--label=pick=me", "-o", "json"}), 0);
  EXPECT_THAT(out_, Not(HasSubstr("done")));
}

TEST_F(ChangeCommandsTest, AFilterNeedsAYes) {
  Spawned("stuck", "pick=me");
  EXPECT_EQ(Run({"tasks", "pause", "--label=pick=me"}), 2);
  EXPECT_THAT(err_, HasSubstr("--yes"));
  EXPECT_EQ(Run({"tasks", "--label=pick=me", "-o", "json"}), 0);
  EXPECT_THAT(out_, Not(HasSubstr("done")));
  EXPECT_EQ(Run({"tasks", "pause", "--label=pick=me", "--yes", "-o", "json"}), 0) << err_;
  EXPECT_EQ(Json()["changed"], "1") << "one document";
  EXPECT_EQ(Run({"tasks", "-o", "json"}), 0);
  EXPECT_THAT(out_, HasSubstr("\"done\": \"pause\""));
}

TEST_F(ChangeCommandsTest, OnATerminalAPersonIsAsked) {
  Spawned("stuck", "pick=me");
  person_is_there_ = true;
  EXPECT_EQ(Run({"tasks", "retry", "--label=pick=me"}, "n\n"), 1);
  EXPECT_THAT(err_, HasSubstr("retry 1 task"));
  EXPECT_THAT(err_, HasSubstr("nothing was changed"));
  EXPECT_EQ(Run({"tasks", "retry", "--label=pick=me"}, "y\n"), 0);
  EXPECT_THAT(out_, HasSubstr("retry: 1 task\n"));
}

TEST_F(ChangeCommandsTest, AllIsSaidOutLoud) {
  Spawned("stuck");
  EXPECT_EQ(Run({"tasks", "delete", "--yes"}), 2);
  EXPECT_THAT(err_, HasSubstr("--all"));
  EXPECT_EQ(Run({"tasks", "delete", "--all", "--yes"}), 0) << err_;
  EXPECT_EQ(Run({"tasks", "delete", "T1", "--state=FAILED"}), 2);
  EXPECT_EQ(Run({"tasks", "delete", "T1", "--dry-run"}), 2);
  EXPECT_EQ(Run({"tasks", "update", "--all"}), 2);
  EXPECT_THAT(err_, HasSubstr("what is to change?"));
}

TEST_F(ChangeCommandsTest, WrongFlagsSayWhatWouldBeRight) {
  for (const auto& [flag, what] :
       std::map<std::string, std::string>{{"--state=QUEUD", "did you mean QUEUED?"},
                                          {"--error=NOT_FUOND", "did you mean NOT_FOUND?"},
                                          {"--created_since=yesterday", "neither a duration"},
                                          {"--label=x", "KEY=VALUE"},
                                          {"--order=name", "-created"}}) {
    EXPECT_EQ(Run({"tasks", "list", flag}), 2) << flag;
    EXPECT_THAT(err_, HasSubstr(what)) << flag;
  }
  EXPECT_EQ(Run({"tasks", "list", "--created_since=5m", "--ended_until=2026-11-29T10:00:00Z",
                 "--error=not_found", "--worker=0", "--order=-ended"}),
            0)
      << err_;
}

TEST_F(ChangeCommandsTest, ExplainAndCount) {
  const std::string a = Spawned("stuck");
  EXPECT_EQ(Run({"tasks", "explain", a}), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("4 of 4"));
  EXPECT_THAT(out_, HasSubstr("BEHIND_OTHERS"));
  EXPECT_THAT(out_, HasSubstr("not known"));
  EXPECT_EQ(Run({"tasks", "explain", a, "-o", "json"}), 0);
  EXPECT_EQ(Json()["wait"]["cause"], "POOL_FULL");
  EXPECT_EQ(Run({"tasks", "count"}), 0);
  EXPECT_THAT(out_, HasSubstr("QUEUED"));
  EXPECT_EQ(Run({"tasks", "count", "-o", "json"}), 0);
  EXPECT_EQ(Json()["total"], "3");
}

TEST_F(ChangeCommandsTest, Queues) {
  EXPECT_EQ(Run({"queues", "pause", "mail", "--reason=deploy", "-o", "json"}), 0) << err_;
  EXPECT_EQ(Json()["pause_reason"], "deploy");
  EXPECT_EQ(Run({"queues", "resume", "mail"}), 0);
  EXPECT_THAT(out_, HasSubstr("ACTIVE"));
  EXPECT_EQ(Run({"queues", "purge", "mail", "--dry-run"}), 0);
  EXPECT_EQ(out_, "would purge: 5 tasks\n");
  EXPECT_EQ(Run({"queues", "purge", "mail"}), 2);
  EXPECT_EQ(Run({"queues", "purge", "mail", "--yes", "-o", "json"}), 0);
  EXPECT_EQ(Json()["purged"], "5");
}

}  // namespace
}  // namespace grove::client::cli
