// What docs/runtime.md shows of watching and testing.
#include <string>
#include <vector>

#include "runtime/hub/hub_fixture.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/sync/mutex.h"
#include "runtime/watch/wait_graph.h"

namespace grove {
namespace {

// [registry]
std::vector<std::string> ListFibers(Hub& hub) {
  std::vector<std::string> lines;
  size_t cursor = 0;
  do {  // in slices, so that a million fibers don't hold the hub up
    cursor = hub.VisitFibers(cursor, 1000, [&](const Fiber& fiber) {
      lines.push_back(StrCat(fiber.id(), " ", fiber.name(), " ", WaitForText(fiber.waiting_for())));
    });
    Yield();
  } while (cursor != 0);
  return lines;
}
// [/registry]

// [fixture]
class SleeperTest : public HubTest {};  // a fake clock; its TearDown fails on anything left over

TEST_F(SleeperTest, SleepsForAnHourInNoTime) {
  Run([this] {
    const MonotonicNanos before = hub_->now();
    EXPECT_TRUE(Sleep(absl::Hours(1)).ok());
    EXPECT_EQ(hub_->now() - before, absl::ToInt64Nanoseconds(absl::Hours(1)));
  });
}
// [/fixture]

TEST_F(SleeperTest, ListsFibers) {
  Run([this] {
    auto sleeper = *Spawn("sleeper", [] { (void)Sleep(absl::Seconds(1)); });
    Yield();
    EXPECT_EQ(ListFibers(*hub_).back(), "2 sleeper timer");
    (void)sleeper.Join();
  });
}

TEST_F(SleeperTest, FindsADeadlock) {
  Run([this] {
    // [deadlock]
    Mutex a;
    Mutex b;
    const auto lock_both = [](Mutex& first, Mutex& second) {
      MutexLock outer(first);
      Yield();
      MutexLock inner(second);
    };
    auto left = *Spawn("left", [&] { lock_both(a, b); });
    auto right = *Spawn("right", [&] { lock_both(b, a); });
    (void)Sleep(absl::Seconds(1));
    for (const WaitCycle& cycle : FindCycles(*hub_)) {
      EXPECT_TRUE(cycle.deadlock());
      EXPECT_NE(ToString(cycle).find("deadlock: fiber"), std::string::npos);
      left.Cancel();
    }
    // [/deadlock]
    ASSERT_TRUE(left->cancelled());
    EXPECT_TRUE(left.Join().ok());
    EXPECT_TRUE(right.Join().ok());
  });
}

// [shuffle]
TEST(Transfer, HoldsInAnyOrderOfTheFibers) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    auto hub = *Hub::Create({.shuffle_seed = seed});
    int balance = 0;
    RunOn(*hub, [&] {
      auto add = *Spawn("add", [&] { ++balance; });
      auto take = *Spawn("take", [&] { --balance; });
      (void)add.Join();
      (void)take.Join();
    });
    ASSERT_EQ(balance, 0) << "seed " << seed;
  }
}
// [/shuffle]

}  // namespace
}  // namespace grove
