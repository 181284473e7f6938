#include "server/work_pools.h"

#include "gmock/gmock.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove {
namespace {

using ::testing::HasSubstr;

class WorkPoolsTest : public HubTest {
 protected:
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    pools_.Visit([&](const WorkPoolNumbers& pool) {
      names.push_back(std::string(pool.kind) + " " + std::string(pool.name));
    });
    return names;
  }
  WorkPoolNumbers NumbersOf(std::string_view name) const {
    WorkPoolNumbers numbers;
    pools_.Visit([&](const WorkPoolNumbers& pool) {
      if (pool.name == name) numbers = pool;
    });
    return numbers;
  }

  WorkPools pools_;
};

TEST_F(WorkPoolsTest, FindsPoolsByNameAndKindAndNamesThoseThereAre) {
  Run([&] {
    ASSERT_TRUE(pools_
                    .Open({.offload = {{.name = "disk"}, {.name = "crypt"}},
                           .processes = {{.name = "native", .command = {"/nowhere"}}}})
                    .ok());
    EXPECT_TRUE(pools_.Offload("disk").ok());
    EXPECT_TRUE(pools_.Processes("native").ok());
    const absl::Status missing = pools_.Offload("native").status();
    EXPECT_TRUE(absl::IsNotFound(missing));
    EXPECT_THAT(std::string(missing.message()), HasSubstr("it has crypt, disk"));
    EXPECT_THAT(std::string(NoWorkPools().Processes("x").status().message()),
                HasSubstr("it has none"));
    EXPECT_EQ(Names(),
              (std::vector<std::string>{"processes native", "threads crypt", "threads disk"}));
    EXPECT_TRUE(pools_.StopProcesses().ok());
  });
  pools_.StopThreads();
}

TEST_F(WorkPoolsTest, CountsWhatRunsAndWhatIsRefused) {
  Run([&] {
    ASSERT_TRUE(pools_
                    .Open({.offload = {{.threads = 3, .queue_max = 0, .name = "none"},
                                       {.threads = 2, .name = "disk"}}})
                    .ok());
    EXPECT_TRUE((*pools_.Offload("disk"))->Run([] {}).ok());
    EXPECT_TRUE(absl::IsResourceExhausted((*pools_.Offload("none"))->Run([] {})));
  });
  pools_.StopThreads();
  EXPECT_EQ(NumbersOf("disk").size, 2);
  EXPECT_EQ(NumbersOf("disk").calls, 1u);
  EXPECT_EQ(NumbersOf("disk").busy, 0);
  EXPECT_EQ(NumbersOf("disk").refused, 0u);
  EXPECT_EQ(NumbersOf("none").refused, 1u);
  EXPECT_EQ(NumbersOf("none").calls, 0u);
}

TEST_F(WorkPoolsTest, AProcessThatEndsIsAFailureOfItsPool) {
  Run([&] {
    ASSERT_TRUE(pools_
                    .Open({.processes = {{.name = "false",
                                          .command = {"/bin/false"},
                                          .call_time_max = absl::InfiniteDuration()},
                                         {.name = "full", .command = {"/x"}, .queue_max = 0}}})
                    .ok());
    EXPECT_TRUE(absl::IsInternal((*pools_.Processes("false"))->Call("f", "").status()));
    EXPECT_TRUE(absl::IsResourceExhausted((*pools_.Processes("full"))->Call("f", "").status()));
    EXPECT_TRUE(pools_.StopProcesses().ok());
    EXPECT_TRUE(absl::IsUnavailable((*pools_.Processes("false"))->Call("f", "").status()));
  });
  EXPECT_EQ(NumbersOf("false").size, 2);
  EXPECT_EQ(NumbersOf("false").failures, 1u);
  EXPECT_EQ(NumbersOf("false").busy, 0);
  EXPECT_EQ(NumbersOf("full").refused, 1u);
}

TEST_F(WorkPoolsTest, AnInterruptedStopEndsTheProcessesToo) {
  Run([&] {
    ASSERT_TRUE(
        pools_.Open({.processes = {{.name = "cat", .command = {"/bin/sleep", "3600"}}}}).ok());
    absl::Status called;
    auto caller =
        *Spawn("caller", [&] { called = (*pools_.Processes("cat"))->Call("f", "").status(); });
    while (NumbersOf("cat").busy == 0) Yield();
    {
      Timeout at_once(absl::ZeroDuration());
      EXPECT_TRUE(absl::IsDeadlineExceeded(pools_.StopProcesses()));
    }
    caller.Join().IgnoreError();
    EXPECT_TRUE(absl::IsUnavailable(called)) << called;
  });
}

}  // namespace
}  // namespace grove
