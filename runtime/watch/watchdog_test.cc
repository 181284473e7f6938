#include "runtime/watch/watchdog.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "runtime/hub/hub_fixture.h"
#include "runtime/sync/event.h"

namespace grove {
namespace {

using ::testing::HasSubstr;

// TSan puts a read(2) of its own in between, which hides what called it.
#if defined(GROVE_TSAN)
constexpr bool kSeesThroughRead = false;
#else
constexpr bool kSeesThroughRead = true;
#endif
constexpr char kNoFrames[] = "TSan's own read(2) hides what called it";

// A real hub with a real watchdog, whose report lets the stalled fiber go on. On a busy machine any
// code may be held up and reported, so the fiber stalls anew until the wanted report has come:
// however slow the machine is, each test ends.
class WatchdogTest : public ::testing::Test {
 protected:
  WatchdogTest() : hub_(*Hub::Create()) { EXPECT_EQ(pipe2(pipe_, O_CLOEXEC), 0); }
  ~WatchdogTest() override {
    close(pipe_[0]);
    close(pipe_[1]);
  }

  // What a fiber "culprit" does under the watchdog, and what shall be in the stack of its report.
  struct Act {
    std::function<void()> stall;
    std::function<void()> release;
    std::function<void()> again = [] {};
    std::string fiber = "culprit";
    std::string function = "ReadAnEmptyPipe()";
    std::function<bool(const StallReport&)> wanted = [](const StallReport&) { return true; };
  };

  void Stall(const Act& act) {
    Watchdog watchdog(*hub_, {.threshold = absl::Milliseconds(20),
                              .report_interval = absl::ZeroDuration(),
                              .on_stall = [&](const StallReport& report) { OnStall(act, report); },
                              .on_end = [&](const StallEnd& end) { OnEnd(end); }});
    ASSERT_TRUE(watchdog.Start().ok());
    RunOn(*hub_, [&] {
      SpawnOptions options{.name = "culprit"};
      options.label = std::make_shared<const FiberLabel>(
          FiberLabel{.tenant = "acme", .task = "tenants/acme/tasks/7"});
      auto fiber = Spawn(options, [&] {
        for (act.stall(); !wanted_.load(); act.stall()) {
          act.again();
          Yield();
        }
      });
      fiber->Join().IgnoreError();
      // Its end is reported from another thread: the hub idles until then.
      ended_event_.Wait().IgnoreError();
    });
    watchdog.Stop();
    stats_ = watchdog.stats();
  }
  Act InRead() {
    return {.stall = [this] { ReadAnEmptyPipe(pipe_[0]); }, .release = [this] { WriteToPipe(); }};
  }
  void WriteToPipe() { EXPECT_EQ(write(pipe_[1], "x", 1), 1); }
  static void ReadAnEmptyPipe(int fd);

  void OnStall(const Act& act, const StallReport& report) {
    const bool wanted = report.identified && report.fiber_name == act.fiber &&
                        FormatStackTrace(report.stack).find(act.function) != std::string::npos &&
                        act.wanted(report);
    if (wanted && !wanted_.load()) {
      report_ = report;
      wanted_.store(true);
    }
    act.release();
  }
  void OnEnd(const StallEnd& end) {
    if (!wanted_.load() || end_.has_value()) return;
    end_ = end;
    hub_->Post([this] { ended_event_.Set(); });
  }

  int pipe_[2];
  std::unique_ptr<Hub> hub_;
  Event ended_event_;
  std::atomic<bool> wanted_{false};
  std::optional<StallReport> report_;
  std::optional<StallEnd> end_;
  StallStats stats_;
};

[[gnu::noinline]] void WatchdogTest::ReadAnEmptyPipe(int fd) {
  char byte;
  EXPECT_EQ(read(fd, &byte, 1), 1);
  asm volatile("");
}

TEST_F(WatchdogTest, NamesTheFiberAndItsStack) {
  if (!kSeesThroughRead) GTEST_SKIP() << kNoFrames;
  Stall(InRead());
  ASSERT_TRUE(report_.has_value());
  EXPECT_THAT(report_->spawn_site, HasSubstr("watchdog_test.cc:"));
  EXPECT_EQ(report_->tenant, "acme");
  EXPECT_EQ(report_->task, "tenants/acme/tasks/7");
  EXPECT_GE(report_->held, absl::Milliseconds(20));
  EXPECT_EQ(report_->stack.end, StackTrace::End::kEntry);
}

bool MachineTellsOfSystemCalls() {
  std::string line;
  return static_cast<bool>(std::getline(std::ifstream("/proc/self/syscall"), line));
}

TEST_F(WatchdogTest, NamesTheCallThatTheFiberSleepsIn) {
  if (!kSeesThroughRead) GTEST_SKIP() << kNoFrames;
  if (!MachineTellsOfSystemCalls()) GTEST_SKIP() << "/proc/PID/syscall can't be read here";
  Act act = InRead();
  // Held up on a busy machine, the fiber may be on its way into the call, or out of it.
  act.wanted = [](const StallReport& report) {
    return report.call.state == BlockedCall::State::kInCall;
  };
  Stall(act);
  ASSERT_TRUE(report_.has_value());
  EXPECT_EQ(report_->call.name, "read");
  EXPECT_EQ(report_->call.fd, pipe_[0]);
  EXPECT_THAT(report_->call.fd_target, HasSubstr("pipe:["));
}

TEST_F(WatchdogTest, SaysAfterwardsHowLongItTookAndCounts) {
  if (!kSeesThroughRead) GTEST_SKIP() << kNoFrames;
  Stall(InRead());
  ASSERT_TRUE(end_.has_value());
  EXPECT_EQ(end_->fiber, report_->fiber);
  EXPECT_EQ(end_->fiber_name, "culprit");
  EXPECT_GE(end_->held, report_->held);
  EXPECT_GE(stats_.stalls, 1u);
  EXPECT_GE(stats_.held, stats_.longest);
  EXPECT_GE(absl::Nanoseconds(stats_.longest), report_->held);
}

[[gnu::noinline]] void Spin(const std::atomic<bool>& enough) {
  while (!enough.load(std::memory_order_relaxed)) {
  }
}

TEST_F(WatchdogTest, InterruptsAFiberThatComputes) {
  std::atomic<bool> enough{false};
  Stall({.stall = [&] { Spin(enough); },
         .release = [&] { enough = true; },
         .again = [&] { enough = false; },
         .function = "Spin("});
  ASSERT_TRUE(report_.has_value());
  EXPECT_EQ(report_->stack.end, StackTrace::End::kEntry);
}

TEST_F(WatchdogTest, ReportsACallOutsideFibersToo) {
  if (!kSeesThroughRead) GTEST_SKIP() << kNoFrames;
  const auto stall = [&] {
    Event done;
    hub_->Post([&] {
      ReadAnEmptyPipe(pipe_[0]);
      done.Set();
    });
    done.Wait().IgnoreError();
  };
  Stall({.stall = stall, .release = [&] { WriteToPipe(); }, .fiber = ""});
  ASSERT_TRUE(report_.has_value());
  EXPECT_EQ(report_->fiber, 0u);
}

// While the hub idles the thread dozes; what it stalls in after that is found all the same.
TEST_F(WatchdogTest, WakesFromItsDozeWithTheHub) {
  if (!kSeesThroughRead) GTEST_SKIP() << kNoFrames;
  const auto stall = [&] {
    Event dozes;
    std::thread helper([&] {
      while (!hub_->pulse().dozing.load()) std::this_thread::yield();
      hub_->Post([&] { dozes.Set(); });
    });
    dozes.Wait().IgnoreError();
    helper.join();
    ReadAnEmptyPipe(pipe_[0]);
  };
  Stall({.stall = stall, .release = [&] { WriteToPipe(); }});
  EXPECT_TRUE(report_.has_value());
}

TEST_F(WatchdogTest, RefusesAThresholdItCannotSample) {
  Watchdog watchdog(*hub_, {.threshold = absl::Milliseconds(3)});
  EXPECT_EQ(watchdog.Start().code(), absl::StatusCode::kInvalidArgument);
  watchdog.Stop();
}

TEST_F(WatchdogTest, StartsAndStopsAgain) {
  Watchdog watchdog(*hub_, {});
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(watchdog.Start().ok());
    watchdog.Stop();
  }
  EXPECT_EQ(watchdog.stats().stalls, 0u);
}

// Asked for by nobody: neither ends the process nor is taken for a question.
TEST_F(WatchdogTest, IgnoresAStraySignal) {
  Watchdog watchdog(*hub_, {});
  ASSERT_TRUE(watchdog.Start().ok());
  EXPECT_EQ(raise(SIGURG), 0);
  watchdog.Stop();
  EXPECT_EQ(raise(SIGURG), 0);
}

}  // namespace
}  // namespace grove
