// What docs/runtime.md shows of time.
#include <optional>
#include <string>
#include <vector>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/scheduled_call.h"
#include "runtime/hub/timeout.h"
#include "runtime/repeat/looping_call.h"
#include "runtime/repeat/looping_value.h"
#include "runtime/repeat/periodic_tasks.h"
#include "runtime/repeat/retry.h"
#include "runtime/repeat/timed_group.h"
#include "runtime/sync/event.h"

namespace grove {
namespace {

using TimeExample = HubTest;

TEST_F(TimeExample, Timeouts) {
  Run([] {
    Event never;
    // [timeout]
    {
      Timeout timeout(absl::Seconds(5));  // bounds every park until the end of the scope
      EXPECT_TRUE(absl::IsDeadlineExceeded(never.Wait()));
      EXPECT_TRUE(timeout.fired());
      EXPECT_TRUE(absl::IsDeadlineExceeded(Sleep(absl::Seconds(1))));  // and every later one
    }
    absl::Status failed = WithTimeout(absl::Seconds(5), [&] { return never.Wait(); });
    EXPECT_TRUE(absl::IsDeadlineExceeded(failed));
    absl::StatusOr<int> answer = WithTimeout(
        absl::Seconds(5),
        [&]() -> absl::StatusOr<int> {
          if (absl::Status waited = never.Wait(); !waited.ok()) return waited;
          return 1;
        },
        42);  // in place of its own expiry, never of an outer one
    EXPECT_EQ(*answer, 42);
    EXPECT_TRUE(WithSilentTimeout(absl::Seconds(5), [&] { return never.Wait(); }).ok());
    // [/timeout]
  });
}

TEST_F(TimeExample, ScheduledCalls) {
  Run([] {
    Event rung;
    // [scheduled]
    ScheduleCall(absl::Seconds(1), [&] { rung.Set(); });  // outside any fiber: must not park
    ScheduledCall second = ScheduleCall(absl::Seconds(2), [] { ADD_FAILURE(); });
    EXPECT_TRUE(rung.Wait().ok());
    EXPECT_TRUE(second.Cancel());
    // [/scheduled]
  });
}

TEST_F(TimeExample, Loops) {
  Run([] {
    // [looping]
    int beats = 0;
    LoopingCall loop =
        LoopingCall::FixedInterval(absl::Seconds(10), [&]() -> absl::StatusOr<LoopStep> {
          return ++beats == 3 ? LoopStep::kDone : LoopStep::kContinue;
        });
    EXPECT_TRUE(loop.Start().ok());
    EXPECT_TRUE(loop.Wait().ok());

    int tries = 0;
    auto leader = LoopingValue<std::string>::Backoff(
        {.first = absl::Seconds(1), .max = absl::Minutes(1)}, SeededRandom(1),
        [&]() -> absl::StatusOr<std::optional<std::string>> {
          if (++tries < 4) return std::nullopt;  // not yet: wait longer
          return "node-2";
        },
        {.total_timeout = absl::Minutes(5)});
    EXPECT_TRUE(leader.Start().ok());
    EXPECT_EQ(*leader.Wait(), "node-2");
    // [/looping]
    EXPECT_EQ(beats, 3);
  });
}

TEST_F(TimeExample, Periodic) {
  Run([] {
    int swept = 0;
    // [periodic]
    PeriodicTasks tasks(SeededRandom(1));
    (void)tasks.Add({.name = "sweep", .spacing = absl::Seconds(60)}, [&] {
      ++swept;
      return absl::OkStatus();
    });
    EXPECT_TRUE(tasks.Start().ok());
    (void)Sleep(absl::Minutes(3.5));
    tasks.Stop();
    EXPECT_TRUE(tasks.Wait().ok());
    // [/periodic]
    EXPECT_EQ(swept, 3);
  });
}

TEST_F(TimeExample, Retries) {
  Run([] {
    // [retry]
    int calls = 0;
    absl::Status status = Retry({.retries_max = 5, .pause_step = absl::Seconds(10)}, [&] {
      return ++calls < 3 ? absl::UnavailableError("not up yet") : absl::OkStatus();
    });
    EXPECT_TRUE(status.ok());
    // [/retry]
    EXPECT_EQ(calls, 3);
  });
}

TEST_F(TimeExample, TimedGroups) {
  Run([] {
    // [timed group]
    TimedGroup group;  // what oslo.service calls a ThreadGroup
    (void)group.Spawn({.name = "worker"}, [] { return Sleep(absl::Seconds(3)); });
    (void)group.AddTimer([] {
      return LoopingCall::FixedInterval(absl::Seconds(1), [] { return LoopStep::kContinue; });
    });
    group.Stop();  // timers end, the worker is waited for
    EXPECT_TRUE(group.Wait().ok());
    // [/timed group]
  });
}

}  // namespace
}  // namespace grove
