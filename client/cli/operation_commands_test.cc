#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "client/cli/app_fixture.h"

namespace grove::client::cli {
namespace {

using absl::StrContains;

using Operations = AppTest;

TEST_F(Operations, ScaleSaysWhatWasDone) {
  EXPECT_EQ(Run({"scale", "8"}), 0);
  EXPECT_EQ(out_, "from 2 to 8 workers\n");
  EXPECT_EQ(Run({"scale", "+1"}), 0);
  EXPECT_EQ(out_, "from 2 to 3 workers\n");
  EXPECT_EQ(Run({"scale", "-1"}), 0);
  EXPECT_EQ(out_, "from 2 to 1 workers\n");
  EXPECT_EQ(err_, "");
}

TEST_F(Operations, ScaleRefusesWhatIsNoNumberOfWorkers) {
  for (const char* typed : {"0", "+0", "-0", "257", "many", "+-1", ""}) {
    EXPECT_EQ(Run({"scale", typed}), 2) << typed;
  }
}

TEST_F(Operations, RestartTakesWorkersOrAllOrControl) {
  EXPECT_EQ(Run({"restart", "1"}), 0);
  EXPECT_EQ(out_, "replaced workers/1\n");
  EXPECT_EQ(Run({"restart", "--all"}), 0);
  EXPECT_EQ(out_, "replaced all 2\n");
  EXPECT_EQ(Run({"restart", "--control"}), 0);
  EXPECT_EQ(out_, "replaced grove-control\n");
  EXPECT_EQ(Run({"restart"}), 2);
  EXPECT_EQ(Run({"restart", "1", "--all"}), 2);
  EXPECT_EQ(Run({"restart", "9"}), 1);
  EXPECT_TRUE(StrContains(err_, "no workers/9; the last one is workers/1")) << err_;
}

TEST_F(Operations, AReloadThatFailsPrintsAllThatIsWrong) {
  EXPECT_EQ(Run({"reload"}), 1);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(err_,
            "  grove.yaml:3: workers: 0 is below 1\n"
            "  grove.yaml:9: http.listen: no address\n"
            "grovectl: reload: operations/1 FAILED: see the lines above; the config before stays "
            "in force\n");
}

TEST_F(Operations, OneWhosePlaceWasTakenFails) {
  EXPECT_EQ(Run({"upgrade"}), 1);
  EXPECT_EQ(err_, "grovectl: upgrade: operations/1 SUPERSEDED; operations/9 took its place\n");
}

TEST_F(Operations, LogLevelIsSetOrGivenBack) {
  EXPECT_EQ(Run({"loglevel", "debug"}), 0);
  EXPECT_EQ(out_, "log level debug\n");
  EXPECT_EQ(Run({"loglevel"}), 0);
  EXPECT_EQ(out_, "log level info\n");
}

TEST_F(Operations, AWaitOutlastsARestartOfControl) {
  server_.BreakWatches(2);
  EXPECT_EQ(Run({"scale", "8"}), 0);
  EXPECT_EQ(out_, "from 2 to 8 workers\n");
  EXPECT_TRUE(StrContains(err_, "fell silent; the operation goes on")) << err_;
  EXPECT_TRUE(StrContains(err_, "is back")) << err_;
}

TEST_F(Operations, ATerminalShowsHowFarItIs) {
  person_is_there_ = true;
  EXPECT_EQ(Run({"scale", "8"}), 0);
  EXPECT_TRUE(StrContains(err_, "operations/1 RUNNING: from 2 to 8 workers [1/2]")) << err_;
}

TEST_F(Operations, NoWaitPrintsItsName) {
  EXPECT_EQ(Run({"reload", "--no_wait"}), 0);
  EXPECT_EQ(out_, "operations/1\n");
  EXPECT_EQ(Run({"reload", "--no_wait", "-o", "json"}), 0);
  EXPECT_EQ(nlohmann::json::parse(out_)["state"], "RUNNING");
}

TEST_F(Operations, ProgramsGetTheOperation) {
  EXPECT_EQ(Run({"scale", "8", "-o", "json"}), 0);
  const auto json = nlohmann::json::parse(out_);
  EXPECT_EQ(json["name"], "operations/1");
  EXPECT_EQ(json["state"], "SUCCEEDED");
  EXPECT_EQ(Run({"scale", "8", "-o", "name"}), 0);
  EXPECT_EQ(out_, "operations/2\n");
}

TEST_F(Operations, ADaemonThatFallsSilentHasDrained) {
  EXPECT_EQ(Run({"drain"}), 0);
  EXPECT_EQ(out_, "drained: the daemon has ended\n");
}

TEST_F(Operations, ATerminalIsAskedBeforeADrain) {
  person_is_there_ = true;
  EXPECT_EQ(Run({"drain"}, "n\n"), 1);
  EXPECT_TRUE(StrContains(err_, "Drain it? [y/N]")) << err_;
  EXPECT_TRUE(StrContains(err_, "drain: not drained")) << err_;
  EXPECT_EQ(Run({"operations", "-o", "json"}), 0);
  EXPECT_EQ(nlohmann::json::parse(out_)["operations"].size(), 0u);
  EXPECT_EQ(Run({"drain", "--yes"}), 0);
  EXPECT_FALSE(StrContains(err_, "Drain it?"));
  EXPECT_EQ(Run({"drain", "--old_generation"}), 0);
  EXPECT_EQ(out_, "all are replaced\n");
}

TEST_F(Operations, AreListedAndShown) {
  EXPECT_EQ(Run({"scale", "8"}), 0);
  EXPECT_EQ(Run({"reload"}), 1);
  EXPECT_EQ(Run({"operations"}), 0);
  EXPECT_TRUE(StrContains(out_, "2          RELOAD  FAILED")) << out_;
  EXPECT_TRUE(StrContains(out_, "1          SCALE   SUCCEEDED")) << out_;
  EXPECT_EQ(Run({"operations", "-o", "name"}), 0);
  EXPECT_EQ(out_, "operations/2\noperations/1\n");
  EXPECT_EQ(Run({"operation", "1"}), 0);
  EXPECT_TRUE(StrContains(out_, "from 2 to 8 workers")) << out_;
  EXPECT_EQ(Run({"operation", "operations/2", "--watch"}), 1);
  EXPECT_EQ(Run({"operation", "7"}), 1);
  EXPECT_TRUE(StrContains(err_, "NOT_FOUND")) << err_;
  EXPECT_EQ(Run({"operation", "first"}), 2);
}

TEST_F(Operations, TheConfigIsPrintedAsItIs) {
  EXPECT_EQ(Run({"config"}), 0);
  EXPECT_EQ(out_, "workers: 2\n");
  EXPECT_EQ(Run({"config", "--defaults"}), 0);
  EXPECT_EQ(out_, "workers: 2\ndrain_timeout_ms: 30000\n");
  EXPECT_EQ(Run({"config", "grove.yaml"}), 2);
}

TEST_F(Operations, ADiffEndsAsDiffDoes) {
  EXPECT_EQ(Run({"config", "--diff"}), 1);
  EXPECT_EQ(out_,
            "- tenants[acme].pools[mail].size: 10\n"
            "+ tenants[acme].pools[mail].size: 20  # in place\n"
            "- runtime.stack_bytes: (default)\n"
            "+ runtime.stack_bytes: 131072  # replaces the workers\n");
  EXPECT_EQ(err_, "");
  EXPECT_EQ(Run({"config", "same", "--diff"}), 0);
  EXPECT_EQ(out_, "");
  EXPECT_EQ(Run({"config", "--diff", "/etc/grove/bad"}), 2);
  EXPECT_EQ(err_,
            "  bad:1: workers: 0 is below 1\n  bad:2: unknown key \"x\"\n"
            "grovectl: config: see the lines above (INVALID_ARGUMENT, CONFIG_INVALID)\n");
}

TEST_F(Operations, ADiffHasColorsWhereTheyAreWanted) {
  EXPECT_EQ(Run({"config", "--diff", "--color=always"}), 1);
  EXPECT_TRUE(StrContains(out_, "\033[31m- runtime.stack_bytes")) << out_;
  EXPECT_TRUE(StrContains(out_, "\033[32m+ runtime.stack_bytes")) << out_;
}

}  // namespace
}  // namespace grove::client::cli
