#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/match.h"
#include "client/cli/app_fixture.h"
#include "client/fake_streams.h"

namespace grove::client::cli {
namespace {

class WatchCommands : public AppTest {
 protected:
  // Of the first line of the output.
  nlohmann::json FirstJson() const {
    return nlohmann::json::parse(out_.substr(0, out_.find('\n')), nullptr, false);
  }
  int64_t Lines() const { return std::count(out_.begin(), out_.end(), '\n'); }
};

TEST_F(WatchCommands, AWatchedListPrintsALineForEachTask) {
  EXPECT_EQ(Run({"spawn", "echo"}), 0);
  EXPECT_EQ(Run({"spawn", "stuck"}), 0);
  EXPECT_EQ(Run({"tasks", "--watch", "--count=2"}), 0);
  EXPECT_EQ(out_,
            "SUCCEEDED  default/T1  echo\n"
            "RUNNING    default/T2  stuck\n");
}

TEST_F(WatchCommands, JsonLinesSayWhatHappened) {
  EXPECT_EQ(Run({"spawn", "echo"}), 0);
  EXPECT_EQ(Run({"tasks", "watch", "--existing", "--count=1", "-o", "jsonl"}), 0);
  EXPECT_EQ(FirstJson()["event"], "existing");
  EXPECT_EQ(FirstJson()["task"]["state"], "SUCCEEDED");
  EXPECT_EQ(Lines(), 1);
  EXPECT_EQ(Run({"tasks", "watch", "--existing", "--count=1", "-o", "name"}), 0);
  EXPECT_EQ(out_, "tenants/default/queues/default/tasks/T1\n");
}

TEST_F(WatchCommands, AWatchGoesOnAfterAnOutageAndSaysSo) {
  EXPECT_EQ(Run({"spawn", "echo"}), 0);
  server_.streams().BreakWatches(1);
  EXPECT_EQ(Run({"tasks", "watch", "--existing", "--count=2", "-o", "jsonl"}), 0);
  EXPECT_EQ(Lines(), 3) << out_;
  EXPECT_TRUE(absl::StrContains(out_, "\"changed\"")) << out_;
  EXPECT_TRUE(absl::StrContains(err_, "fell silent")) << err_;
  EXPECT_EQ(server_.streams().resume_tokens(), (std::vector<std::string>{"", "watch-1"}));
}

TEST_F(WatchCommands, AWatchEndsWithItsTime) {
  EXPECT_EQ(Run({"tasks", "watch", "--timeout=0.05"}), 0);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(err_, "");
}

TEST_F(WatchCommands, FlagsThatDoNotGoTogetherAreRefused) {
  EXPECT_EQ(Run({"tasks", "--watch", "-o", "json"}), 2);
  EXPECT_EQ(Run({"tasks", "--watch", "--limit=3"}), 2);
  EXPECT_EQ(Run({"tasks", "--count=3"}), 2);
  EXPECT_EQ(Run({"queues", "--interval=3"}), 2);
  EXPECT_EQ(Run({"queues", "--watch", "-o", "yaml"}), 2);
}

TEST_F(WatchCommands, WatchedQueuesArePrintedAsTheyChange) {
  EXPECT_EQ(Run({"queues", "--watch", "--count=1", "-o", "jsonl"}), 0);
  EXPECT_EQ(FirstJson()["name"], "tenants/-/queues/-");
  EXPECT_EQ(Run({"queues", "mail", "--watch", "--count=1", "--interval=5"}), 0);
  EXPECT_TRUE(absl::StrContains(out_, "default/mail")) << out_;
}

}  // namespace
}  // namespace grove::client::cli
