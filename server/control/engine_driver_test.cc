#include "server/control/engine_driver.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <numeric>

#include "gtest/gtest.h"
#include "server/control/driver_fixture.h"
#include "server/tasks/volatile_handover.h"

namespace grove::control {
namespace {

class EngineDriverTest : public DriverTest {
 protected:
  // Waits in the queue.
  uint64_t Observed() {
    const auto& cells = scoreboard_.series().function_cells.of[1];  // of the only function
    return std::accumulate(cells.begin() + metrics::FunctionCell::kWait,
                           cells.begin() + metrics::kTaskTimeCells - 1, uint64_t{0});
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
    EXPECT_EQ(scoreboard_.series().reasons.directory().key(1), "DRAINING");
    EXPECT_EQ(scoreboard_.series().reason_cells.of[1][0], 1u);
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

// The wall clock is set while a delay is under way.
TEST_F(EngineDriverTest, AClockThatIsSetMovesNoDelay) {
  for (const int64_t jump_s : {-3600, 3600}) {
    Drive([&] {
      ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
      v1::TaskSpec spec = Spec();
      spec.mutable_delay()->set_seconds(2);
      const auto spawned = driver_.Spawn("", v1::TaskSpec(spec));
      ASSERT_TRUE(spawned.ok());
      wall_us_ += jump_s * 1'000'000;
      Pass(absl::Milliseconds(1999));
      EXPECT_EQ(sent_[0].start_size(), 0) << jump_s;
      Pass(absl::Milliseconds(2));
      EXPECT_EQ(sent_[0].start_size(), 1) << jump_s;
      const auto task = engine_.Get(spawned->id, v1::TASK_VIEW_BASIC, driver_.Now());
      const int64_t shown_s = task->attempts(0).start_time().seconds();
      EXPECT_LE(std::abs(shown_s - wall_us_ / 1'000'000), 2);
      End(0, sent_[0].start(0).attempt());
      sent_.clear();
    });
  }
}

// Control was stopped for longer than a time-out; the worker's answer lies in the socket.
TEST_F(EngineDriverTest, AfterAStandstillItReadsWhatArrivedFirst) {
  Drive([&] {
    ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
    v1::TaskSpec spec = Spec();
    spec.mutable_timeout()->set_seconds(3);
    const auto spawned = driver_.Spawn("", v1::TaskSpec(spec));
    ASSERT_TRUE(spawned.ok() && driver_.AwaitRound().ok());
    internal::v1::WorkerFrame begun;
    begun.add_started()->set_attempt(sent_[0].start(0).attempt());
    driver_.FromWorker(0, begun);
    bool unread = true;
    driver_.set_unread([&] { return unread; });
    clock_.Advance(absl::Seconds(12));
    Pass(absl::Milliseconds(1));  // The next turn reads the clock.
    // The link's fiber gets to it some turns later.
    Pass(absl::Milliseconds(50));
    End(0, sent_[0].start(0).attempt());
    unread = false;
    Pass(absl::Milliseconds(100));
    EXPECT_EQ(engine_.Get(spawned->id, v1::TASK_VIEW_BASIC, driver_.Now())->state(),
              v1::TASK_STATE_SUCCEEDED);
  });
}

TEST_F(EngineDriverTest, AWorkerThatNeverFallsSilentHoldsNoDeadlineUpForLong) {
  Drive([&] {
    ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
    v1::TaskSpec spec = Spec();
    spec.mutable_timeout()->set_seconds(3);
    const auto spawned = driver_.Spawn("", v1::TaskSpec(spec));
    ASSERT_TRUE(spawned.ok() && driver_.AwaitRound().ok());
    internal::v1::WorkerFrame begun;
    begun.add_started()->set_attempt(sent_[0].start(0).attempt());
    driver_.FromWorker(0, begun);
    driver_.set_unread([] { return true; });
    clock_.Advance(absl::Seconds(12));
    Pass(absl::Milliseconds(1));  // The next turn reads the clock.
    Pass(kReadFirstMax + absl::Milliseconds(10));
    EXPECT_EQ(engine_.Get(spawned->id, v1::TASK_VIEW_BASIC, driver_.Now())->state(),
              v1::TASK_STATE_TIMED_OUT);
  });
}

TEST_F(EngineDriverTest, ATaskStartsWithTheInputThatTheStoreHas) {
  Drive([&] {
    internal::v1::Hello hello = Hello(0);
    hello.set_capacity(0);
    ASSERT_TRUE(driver_.WorkerUp(hello).ok());
    v1::TaskSpec spec = Spec(v1::DURABILITY_DURABLE);
    spec.set_content_type("text/plain");
    spec.set_input(std::string(1000, 'x'));
    ASSERT_TRUE(driver_.Spawn("", v1::TaskSpec(spec)).ok() && driver_.AwaitRound().ok());
    store_.Persist();
    ASSERT_TRUE(driver_.AwaitRound().ok());
    ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
    while (sent_[0].start_size() == 0) ASSERT_TRUE(driver_.AwaitRound().ok());
    EXPECT_EQ(sent_[0].start(0).input(), spec.input());
  });
}

TEST_F(EngineDriverTest, LinksAreReadSlowlyWhileTooMuchWaitsForTheDisk) {
  Drive([&] {
    ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
    EXPECT_TRUE(driver_.AwaitDisk().ok());
    v1::TaskSpec spec = Spec(v1::DURABILITY_DURABLE);
    spec.set_content_type("text/plain");
    spec.set_input(std::string(1 << 20, 'x'));
    while (!engine_.is_clogged()) ASSERT_TRUE(driver_.Spawn("", v1::TaskSpec(spec)).ok());
    ASSERT_TRUE(driver_.AwaitRound().ok());
    const MonotonicNanos before = clock_.Now();
    EXPECT_TRUE(driver_.AwaitDisk().ok());
    EXPECT_GE(clock_.Now() - before, absl::ToInt64Nanoseconds(kClogPause));
    FiberHandle disk = *Spawn("disk", [this] { store_.Persist(); });
    EXPECT_TRUE(driver_.AwaitDisk().ok());
    EXPECT_FALSE(engine_.is_clogged());
  });
}

TEST_F(EngineDriverTest, AfterAHandoverNothingChangesATask) {
  const int fd = memfd_create("volatile-tasks", MFD_CLOEXEC);
  Drive([&] {
    ASSERT_TRUE(driver_.WorkerUp(Hello(0)).ok());
    const absl::StatusOr<tasks::Spawned> spawned = driver_.Spawn("", Spec());
    ASSERT_TRUE(spawned.ok());
    ASSERT_TRUE(driver_.AwaitRound().ok());
    ASSERT_EQ(sent_[0].start_size(), 1);
    EXPECT_EQ(driver_.HandOver(fd).value_or(0), 1);
    EXPECT_EQ(driver_.Spawn("", Spec()).status().code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(driver_.Cancel(spawned->name, "").code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(driver_.WorkerUp(Hello(1)).code(), absl::StatusCode::kUnavailable);
    // Not acknowledged: the worker tells the successor, which has the attempt as running.
    End(0, sent_[0].start(0).attempt());
    Yield();
    EXPECT_EQ(sent_[0].acknowledged_size(), 0);
    EXPECT_FALSE(engine_.IsSettled(spawned->id));
  });
  tasks::VolatileTaskReader reader(fd);
  ASSERT_NE(reader.next(), nullptr);
  EXPECT_EQ(reader.next()->progress.worker, 0);
  close(fd);
}

}  // namespace
}  // namespace grove::control
