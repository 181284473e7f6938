#include "server/control/engine_driver.h"

#include <numeric>

#include "gtest/gtest.h"
#include "server/control/driver_fixture.h"

namespace grove::control {
namespace {

class EngineDriverTest : public DriverTest {
 protected:
  // Waits in the queue.
  uint64_t Observed() const {
    const auto& counts = driver_.queue_wait().counts();
    return std::accumulate(counts.begin(), counts.end(), uint64_t{0});
  }
};

TEST_F(EngineDriverTest, CarriesOutARoundAfterEveryEvent) {
  Drive([&] {
    ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
    ASSERT_TRUE(driver_.Spawn("", Spec()).ok());
    EXPECT_EQ(sent_[0].start_size(), 0);
    ASSERT_TRUE(driver_.AwaitRound().ok());
    EXPECT_EQ(sent_[0].start_size(), 1);
  });
}

TEST_F(EngineDriverTest, EventsOfOneTurnAreOneRound) {
  Drive([&] {
    ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(driver_.Spawn("", Spec()).ok());
    ASSERT_TRUE(driver_.AwaitRound().ok());
    EXPECT_EQ(sent_[0].start_size(), 3);
  });
}

TEST_F(EngineDriverTest, RefusesSpawnsWhileItDrains) {
  Drive([&] {
    ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
    driver_.Drain(1);
    EXPECT_TRUE(absl::IsUnavailable(driver_.Spawn("", Spec()).status()));
    EXPECT_EQ(driver_.rejected().at("DRAINING"), 1);
  });
}

TEST_F(EngineDriverTest, StartsNothingOnAWorkerThatComesWhileItDrains) {
  Drive([&] {
    ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
    driver_.WorkerDown(0);
    ASSERT_TRUE(driver_.Spawn("", Spec()).ok());
    driver_.Drain(1);
    ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
    ASSERT_TRUE(driver_.AwaitRound().ok());
    EXPECT_EQ(sent_[0].start_size(), 0);
  });
}

TEST_F(EngineDriverTest, NotifiesWhoWaitsForAnEnd) {
  Drive([&] {
    ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
    const auto spawned = driver_.Spawn("", Spec());
    ASSERT_TRUE(spawned.ok() && driver_.AwaitRound().ok());
    bool notified = false;
    auto wait = driver_.ends().Add({spawned->id}, kNever, [&](TaskWaits::End end) {
      notified = end == TaskWaits::End::kAllNotified;
    });
    ASSERT_TRUE(wait.ok());
    End(0, sent_[0].start(0).attempt());
    ASSERT_TRUE(driver_.AwaitRound().ok());
    EXPECT_TRUE(notified);
  });
}

TEST_F(EngineDriverTest, AcknowledgesADurableSpawnWhenTheStoreHasIt) {
  Drive([&] {
    ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
    const auto spawned = driver_.Spawn("", Spec(v1::DURABILITY_DURABLE));
    ASSERT_TRUE(spawned.ok() && !spawned->acknowledged);
    bool acknowledged = false;
    ASSERT_TRUE(driver_.acknowledgements()
                    .Add({spawned->id}, kNever, [&](TaskWaits::End) { acknowledged = true; })
                    .ok());
    ASSERT_TRUE(driver_.AwaitRound().ok());
    EXPECT_EQ(store_.written().size(), 1u);
    EXPECT_FALSE(acknowledged);
    store_.Persist();
    ASSERT_TRUE(driver_.AwaitRound().ok());
    EXPECT_TRUE(acknowledged);
  });
}

TEST_F(EngineDriverTest, ObservesTheWaitOfFirstStartsAlone) {
  Drive([&] {
    ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
    ASSERT_TRUE(driver_.Spawn("", Spec()).ok());
    ASSERT_TRUE(driver_.AwaitRound().ok());
    EXPECT_EQ(Observed(), 1u);
    // Interrupted, it starts again.
    driver_.WorkerDown(0);
    ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
    ASSERT_TRUE(driver_.AwaitRound().ok());
    EXPECT_EQ(sent_[0].start_size(), 2);
    EXPECT_EQ(Observed(), 1u);
  });
}

TEST_F(EngineDriverTest, FlushHearsWhatTheStoreSaidLast) {
  Drive([&] {
    ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
    const auto spawned = driver_.Spawn("", Spec(v1::DURABILITY_DURABLE));
    TaskWaits::End end = TaskWaits::End::kTimedOut;
    ASSERT_TRUE(driver_.acknowledgements()
                    .Add({spawned->id}, kNever, [&](TaskWaits::End how) { end = how; })
                    .ok());
    OffloadPool offload({.threads = 1});
    EXPECT_TRUE(driver_.Flush(offload).ok());
    EXPECT_EQ(end, TaskWaits::End::kAllNotified);
  });
}

}  // namespace
}  // namespace grove::control
