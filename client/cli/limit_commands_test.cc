#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "client/cli/app_fixture.h"

namespace grove::client::cli {
namespace {

using absl::StrContains;
using Json = nlohmann::json;

class LimitVerbsTest : public AppTest {
 protected:
  Json RunJson(std::vector<std::string> line) {
    line.insert(line.end(), {"-o", "json"});
    EXPECT_EQ(Run(line), 0) << err_;
    return Json::parse(out_);
  }
};

TEST_F(LimitVerbsTest, AreSetListedAndDeleted) {
  const Json set = RunJson({"limits", "set", "customer-*", "--running_max=3", "--spawns_per_second",
                            "5", "--spawn_burst=20"});
  EXPECT_EQ(set["pattern"], "customer-*");
  EXPECT_EQ(set["running_max"], "3");
  EXPECT_EQ(set["spawn_burst"], "20");
  const Json listed = RunJson({"limits"});
  EXPECT_EQ(listed["limits"].size(), 1u);
  EXPECT_EQ(listed["keys"][0]["key"], "customer-7");
  EXPECT_EQ(Run({"limits", "list"}), 0);
  EXPECT_TRUE(StrContains(out_, "LIMIT ")) << out_;
  EXPECT_TRUE(StrContains(out_, "5/s, 20 at once")) << out_;
  EXPECT_TRUE(StrContains(out_, "customer-7")) << out_;
  EXPECT_TRUE(StrContains(out_, "2 of 3")) << out_;
  EXPECT_EQ(Run({"limits", "delete", "customer-*"}), 0) << err_;
  EXPECT_EQ(out_, "limit customer-* of tenants/default is gone\n");
  EXPECT_EQ(Run({"limits", "delete", "customer-*"}), 1);
  EXPECT_TRUE(StrContains(err_, "has no limit")) << err_;
}

TEST_F(LimitVerbsTest, AreOfATenantAndKeysBeginSo) {
  ASSERT_EQ(Run({"limits", "set", "a/*", "--queued_max=9", "--tenant", "default"}), 0) << err_;
  EXPECT_TRUE(RunJson({"limits", "--key", "other"})["keys"].empty());
  EXPECT_EQ(Run({"limits", "--tenant", "nobody"}), 1);
  EXPECT_TRUE(StrContains(err_, "there is no tenants/nobody")) << err_;
}

TEST_F(LimitVerbsTest, RefuseWhatBoundsNothing) {
  EXPECT_EQ(Run({"limits", "set", "a"}), 2);
  EXPECT_TRUE(StrContains(err_, "nothing to bound")) << err_;
  EXPECT_EQ(Run({"limits", "set", "a", "--running_max=many"}), 2);
  EXPECT_EQ(Run({"limits", "set", "a", "--running_max=-1"}), 2);
  EXPECT_EQ(Run({"limits", "set"}), 2);
}

TEST_F(LimitVerbsTest, QuotasAreATenantsSettings) {
  ASSERT_EQ(Run({"tenants", "create", "acme", "--running_max=4"}), 0) << err_;
  EXPECT_EQ(RunJson({"tenants", "get", "acme"})["quotas"]["running_max"], "4");
  const Json changed = RunJson({"tenants", "update", "acme", "--queued_max", "100"});
  EXPECT_EQ(changed["quotas"]["running_max"], "4") << "what is given, and no more";
  EXPECT_EQ(changed["quotas"]["queued_max"], "100");
  EXPECT_EQ(Run({"tenants", "update", "acme", "--running_max=0"}), 0) << err_;
  EXPECT_EQ(Run({"tenants", "get", "acme"}), 0);
  EXPECT_TRUE(StrContains(out_, "0 of 100")) << out_;
  EXPECT_EQ(Run({"tenants", "update", "acme", "--running_max=few"}), 2);
}

TEST_F(LimitVerbsTest, ASpawnNamesKeysAndACost) {
  const Json task = RunJson(
      {"spawn", "echo", "1", "--limit_key=customer-7", "--limit_key=route-a", "--slot_cost=3"});
  EXPECT_EQ(task["spec"]["limit_keys"], Json({"customer-7", "route-a"}));
  EXPECT_EQ(task["spec"]["slot_cost"], 3);
  EXPECT_EQ(Run({"spawn", "echo", "1", "--slot_cost=0"}), 2);
}

TEST_F(LimitVerbsTest, ASpawnNamesWhatItComesAfterAndItsSequence) {
  const std::string first = RunJson({"spawn", "echo", "1"})["name"];
  const Json task = RunJson(
      {"spawn", "echo", "1", "--after", first, "--if_succeeded", "--sequence=import", "--halt"});
  EXPECT_EQ(task["spec"]["after"], Json({first}));
  EXPECT_EQ(task["spec"]["after_condition"], "SUCCEEDED");
  EXPECT_EQ(task["spec"]["sequence"]["key"], "import");
  EXPECT_EQ(task["spec"]["sequence"]["on_failure"], "HALT");
  EXPECT_EQ(Run({"get", std::string(task["name"])}), 0) << err_;
  EXPECT_TRUE(StrContains(out_, first + ", if succeeded")) << out_;
  EXPECT_TRUE(StrContains(out_, "import, halts it if it fails")) << out_;
  EXPECT_EQ(Run({"spawn", "echo", "1", "--if_succeeded"}), 2);
  EXPECT_EQ(Run({"spawn", "echo", "1", "--halt"}), 2);
}

TEST_F(LimitVerbsTest, ABatchHasACompletion) {
  const Json names = RunJson({"spawn", "echo", "1", "--count=2", "--completion=echo"})["names"];
  ASSERT_EQ(names.size(), 3u);
  const Json last = RunJson({"get", std::string(names[2])});
  EXPECT_EQ(last["spec"]["after"], Json({names[0], names[1]}));
  EXPECT_EQ(Run({"spawn", "echo", "1", "--completion=echo"}), 2);
  EXPECT_EQ(Run({"spawn", "echo", "1", "--count=2", "--completion_input=1"}), 2);
}

}  // namespace
}  // namespace grove::client::cli
