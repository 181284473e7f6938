#include "runtime/group/dag_graph.h"

#include <gtest/gtest.h>

namespace grove {
namespace {

using State = DagNode::State;

class DagGraphTest : public ::testing::Test {
 protected:
  absl::Status Add(std::string_view key, const std::vector<std::string>& depends) {
    return graph_.Add(key, depends, settled_).status();
  }
  State StateOf(std::string_view key) { return graph_.Find(key)->state; }
  std::vector<std::string> Done(std::string_view key) {
    std::vector<DagNode*> ready;
    graph_.Done(*graph_.Find(key), nullptr, ready);
    return KeysOf(ready);
  }
  std::vector<std::string> Fail(std::string_view key) {
    std::vector<DagNode*> failed;
    graph_.Fail(*graph_.Find(key), absl::NotFoundError("lost"), failed);
    return KeysOf(failed);
  }
  static std::vector<std::string> KeysOf(const std::vector<DagNode*>& nodes) {
    std::vector<std::string> keys;
    keys.reserve(nodes.size());
    for (const DagNode* node : nodes) keys.push_back(node->key);
    return keys;
  }
  std::string FailureOf(std::string_view key) {
    return std::string(DagGraph::FailureOf(*graph_.Find(key)).message());
  }

  DagGraph graph_{100};
  std::vector<DagNode*> settled_;
};

using Keys = std::vector<std::string>;

TEST_F(DagGraphTest, ANodeIsReadyWithTheLastOfItsDependencies) {
  ASSERT_TRUE(Add("a", {}).ok());
  ASSERT_TRUE(Add("b", {}).ok());
  ASSERT_TRUE(Add("c", {"a", "b", "a"}).ok());
  EXPECT_EQ(StateOf("a"), State::kReady);
  EXPECT_EQ(StateOf("c"), State::kWaiting);
  EXPECT_EQ(Done("a"), Keys());
  EXPECT_EQ(graph_.WaitingFor("c"), Keys{"b"});
  EXPECT_EQ(Done("b"), Keys{"c"});
}

TEST_F(DagGraphTest, AFailureReachesAllDependantsAndNamesTheChain) {
  ASSERT_TRUE(Add("d", {"c"}).ok());
  ASSERT_TRUE(Add("c", {"b", "other"}).ok());
  ASSERT_TRUE(Add("b", {"a"}).ok());
  EXPECT_EQ(Fail("a"), (Keys{"a", "b", "c", "d"}));
  EXPECT_EQ(FailureOf("a"), "lost");
  EXPECT_EQ(
      FailureOf("d"),
      "\"d\" did not run: it needs \"c\", which needs \"b\", which needs \"a\", which failed: "
      "lost");
  EXPECT_TRUE(absl::IsNotFound(DagGraph::FailureOf(*graph_.Find("d"))));
  EXPECT_EQ(Done("other"), Keys());  // c has failed already
}

TEST_F(DagGraphTest, ANodeAddedToAFailedOneFailsWithThoseThatWaitForIt) {
  ASSERT_TRUE(Add("c", {"b"}).ok());
  ASSERT_TRUE(Add("a", {}).ok());
  Fail("a");
  ASSERT_TRUE(Add("b", {"a"}).ok());
  EXPECT_EQ(KeysOf(settled_), (Keys{"b", "c"}));
  EXPECT_EQ(StateOf("c"), State::kFailed);
}

TEST_F(DagGraphTest, RefusesACycleAndNamesIt) {
  EXPECT_EQ(Add("a", {"a"}).message(), "\"a\" depends on itself");
  ASSERT_TRUE(Add("a", {"b"}).ok());
  ASSERT_TRUE(Add("b", {"c"}).ok());
  const absl::Status cycle = Add("c", {"other", "a"});
  EXPECT_TRUE(absl::IsInvalidArgument(cycle));
  EXPECT_NE(cycle.message().find("\"c\" -> \"a\" -> \"b\" -> \"c\""), std::string::npos) << cycle;
  EXPECT_EQ(graph_.Find("other"), nullptr);
  EXPECT_TRUE(Add("c", {"other"}).ok());
}

TEST_F(DagGraphTest, ASettledNodeClosesNoCycle) {
  ASSERT_TRUE(Add("a", {"b"}).ok());
  ASSERT_TRUE(Add("x", {}).ok());
  Done("x");
  EXPECT_TRUE(Add("b", {"x"}).ok());
}

TEST_F(DagGraphTest, AKeyIsAddedOnce) {
  ASSERT_TRUE(Add("a", {"b"}).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(Add("a", {})));
  EXPECT_TRUE(Add("b", {}).ok());  // only depended upon so far
}

TEST_F(DagGraphTest, AForgottenNodeIsAddedAnewAndItsDependantsWaitOn) {
  ASSERT_TRUE(Add("b", {"a"}).ok());
  ASSERT_TRUE(Add("c", {"b"}).ok());
  graph_.Forget(*graph_.Find("b"));
  ASSERT_TRUE(Add("b", {"a", "x"}).ok());
  EXPECT_EQ(Done("a"), Keys());  // counts once, though b was added twice
  EXPECT_EQ(Done("x"), Keys{"b"});
  EXPECT_EQ(Done("b"), Keys{"c"});
}

TEST_F(DagGraphTest, KnowsNoMoreKeysThanItsLimit) {
  DagGraph small(2);
  ASSERT_TRUE(small.Add("a", {"b"}, settled_).ok());
  EXPECT_TRUE(small.FindOrMake("b").ok());
  EXPECT_TRUE(absl::IsResourceExhausted(small.FindOrMake("c").status()));
  EXPECT_TRUE(absl::IsResourceExhausted(small.Add("b", {"c"}, settled_).status()));
  EXPECT_EQ(small.Find("b")->state, State::kUnknown);
}

TEST_F(DagGraphTest, ALongChainFailsWithoutRecursionAndItsTextIsShort) {
  DagGraph graph(100'001);
  for (int i = 1; i <= 100'000; ++i) {
    ASSERT_TRUE(graph.Add(std::to_string(i), {std::to_string(i - 1)}, settled_).ok());
  }
  std::vector<DagNode*> failed;
  graph.Fail(*graph.Find("0"), absl::NotFoundError("lost"), failed);
  EXPECT_EQ(failed.size(), 100'001u);
  const std::string text(DagGraph::FailureOf(*failed.back()).message());
  EXPECT_NE(text.find("\"99999\", which needs"), std::string::npos);
  EXPECT_NE(text.find("\"0\", which failed: lost"), std::string::npos);
  EXPECT_LT(text.size(), 1000u);
}

}  // namespace
}  // namespace grove
