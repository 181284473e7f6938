#include "runtime/process_pool/process_pool.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/socket.h"

namespace grove {
namespace {

using ::testing::HasSubstr;

// Time is invented: a bound of it is over at once if only a process could end the wait. So there is
// none but where a test is about it.
class ProcessPoolTest : public HubTest {
 protected:
  static ProcessPoolOptions Options() {
    ProcessPoolOptions options;
    options.command = {"runtime/process_pool/worker_fixture"};
    options.processes = 1;
    options.call_time_max = absl::InfiniteDuration();
    options.end_grace = absl::InfiniteDuration();
    return options;
  }
  void Make(ProcessPoolOptions options) { pool_ = *ProcessPool::Create(std::move(options)); }
  std::string Pid() { return pool_->Call("pid", "").value_or("none"); }
  // A call that runs until Let() is called.
  FiberHandle Hold() {
    FiberHandle holder =
        *Spawn("holder", [this] { EXPECT_EQ(*pool_->Call("await file", file_), "seen"); });
    while (pool_->stats().busy == 0) Yield();
    return holder;
  }
  void Let() const { close(open(file_.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)); }

  void TearDown() override {
    pool_ = nullptr;
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);  // no child, no zombie
    EXPECT_EQ(errno, ECHILD);
    HubTest::TearDown();
  }

  const std::string file_ = absl::StrCat(testing::TempDir(), "/process_pool_", getpid());
  std::unique_ptr<ProcessPool> pool_;
};

TEST_F(ProcessPoolTest, CallsFunctionsByNameAndKeepsTheProcess) {
  Run([this] {
    Make(Options());
    EXPECT_EQ(pool_->stats().processes, 0);  // none before the first call
    EXPECT_EQ(*pool_->Call("echo", "text"), "text");
    EXPECT_EQ(*pool_->Call("echo", ""), "");
    const std::string large(1 << 20, 'x');
    EXPECT_EQ(*pool_->Call("echo", large), large);
    EXPECT_EQ(Pid(), Pid());
    EXPECT_NE(Pid(), std::to_string(getpid()));
    EXPECT_EQ(pool_->stats().started, 1u);
    EXPECT_EQ(pool_->stats().completed, 6u);
    EXPECT_TRUE(pool_->Stop().ok());
    EXPECT_EQ(pool_->stats().processes, 0);
  });
}

TEST_F(ProcessPoolTest, ErrorsAndExceptionsAreTheCallsAndNoCrash) {
  Run([this] {
    Make(Options());
    const absl::Status failed = pool_->Call("fail", "no such image").status();
    EXPECT_EQ(failed, absl::NotFoundError("no such image"));
    EXPECT_EQ(pool_->Call("throw", "bad luck").status(), absl::UnknownError("bad luck"));
    EXPECT_TRUE(absl::IsNotFound(pool_->Call("no such function", "").status()));
    EXPECT_EQ(pool_->stats().started, 1u);
    EXPECT_EQ(pool_->stats().crashed, 0u);
    EXPECT_TRUE(pool_->Stop().ok());
  });
}

TEST_F(ProcessPoolTest, ACrashFailsItsCallAloneAndTheNextGetsAnotherProcess) {
  Run([this] {
    Make(Options());
    const std::string first = Pid();
    auto crash = *Spawn("crash", [&] {
      const absl::Status status = pool_->Call("signal", std::to_string(SIGSEGV)).status();
      EXPECT_TRUE(absl::IsInternal(status)) << status;
      EXPECT_THAT(status.message(), HasSubstr("SIGSEGV"));
      EXPECT_THAT(status.message(), HasSubstr(first));
    });
    auto queued = *Spawn("queued", [&] { EXPECT_EQ(*pool_->Call("echo", "queued"), "queued"); });
    EXPECT_TRUE(crash.Join().ok());
    EXPECT_TRUE(queued.Join().ok());
    EXPECT_NE(Pid(), first);
    const absl::Status exited = pool_->Call("exit", "3").status();
    EXPECT_TRUE(absl::IsInternal(exited));
    EXPECT_THAT(exited.message(), HasSubstr("exit code 3"));
    EXPECT_EQ(pool_->stats().crashed, 2u);
    EXPECT_TRUE(pool_->Stop().ok());
  });
}

TEST_F(ProcessPoolTest, WhatCrashesAgainAndAgainIsStartedAfterGrowingPauses) {
  Run([this] {
    ProcessPoolOptions options = Options();
    options.restart = {.first = absl::Seconds(10), .growth = 2, .jitter = 0};
    Make(std::move(options));
    const auto crash_at = [this] {
      EXPECT_TRUE(absl::IsInternal(pool_->Call("exit", "1").status()));
      return hub_->now() / 1'000'000'000;
    };
    const MonotonicNanos began = crash_at();
    EXPECT_EQ(crash_at() - began, 0);  // once is an accident
    EXPECT_EQ(crash_at() - began, 10);
    EXPECT_EQ(crash_at() - began, 30);
    EXPECT_EQ(*pool_->Call("echo", "well"), "well");  // after 40 s more, and all is forgotten
    EXPECT_EQ(crash_at() - began, 70);
    EXPECT_EQ(crash_at() - began, 70);
    EXPECT_TRUE(pool_->Stop().ok());
  });
}

TEST_F(ProcessPoolTest, AProcessThatDiedWithNothingToDoIsReplacedUnnoticed) {
  Run([this] {
    Make(Options());
    const std::string first = Pid();
    ASSERT_EQ(kill(std::stoi(first), SIGKILL), 0);
    siginfo_t ended;  // it has: not reaped, that is the pool's
    ASSERT_EQ(waitid(P_PID, static_cast<id_t>(std::stoi(first)), &ended, WEXITED | WNOWAIT), 0);
    EXPECT_NE(Pid(), first);
    EXPECT_EQ(pool_->stats().crashed, 0u);
    EXPECT_TRUE(pool_->Stop().ok());
  });
}

TEST_F(ProcessPoolTest, ACallThatTakesTooLongIsKilledAndNoOther) {
  Run([this] {
    ProcessPoolOptions options = Options();
    options.call_time_max = absl::Seconds(5);
    Make(std::move(options));
    const absl::Status status = pool_->Call("hang", "").status();
    EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
    EXPECT_THAT(status.message(), HasSubstr("longer than 5s"));
    EXPECT_EQ(pool_->stats().timed_out, 1u);
    EXPECT_EQ(pool_->stats().processes, 0);
    EXPECT_TRUE(pool_->Stop().ok());
  });
}

TEST_F(ProcessPoolTest, ACancelledCallsProcessIsKilled) {
  Run([this] {
    Make(Options());
    const std::string first = Pid();
    auto hanging = *Spawn(
        "hanging", [this] { EXPECT_TRUE(absl::IsCancelled(pool_->Call("hang", "").status())); });
    while (pool_->stats().busy == 0) Yield();
    hanging.Cancel();
    EXPECT_TRUE(hanging.Join().ok());
    EXPECT_NE(Pid(), first);
    EXPECT_EQ(pool_->stats().killed, 1u);
    EXPECT_EQ(pool_->stats().crashed, 0u);
    EXPECT_TRUE(pool_->Stop().ok());
  });
}

TEST_F(ProcessPoolTest, OrItRunsOnAndItsReplyIsDropped) {
  Run([this] {
    ProcessPoolOptions options = Options();
    options.on_interrupt = ProcessPoolOptions::OnInterrupt::kAbandon;
    Make(std::move(options));
    const std::string first = Pid();
    auto leaving = *Spawn("leaving", [this] {
      EXPECT_TRUE(absl::IsCancelled(pool_->Call("await file", file_).status()));
    });
    while (pool_->stats().busy == 0) Yield();
    leaving.Cancel();
    EXPECT_TRUE(leaving.Join().ok());
    EXPECT_EQ(pool_->stats().busy, 1);
    Let();
    EXPECT_EQ(Pid(), first);
    EXPECT_EQ(pool_->stats().abandoned, 1u);
    EXPECT_TRUE(pool_->Stop().ok());
  });
}

TEST_F(ProcessPoolTest, TheQueueIsBoundedAndACallThatLeavesItNeverRuns) {
  Run([this] {
    ProcessPoolOptions options = Options();
    options.queue_max = 1;
    Make(std::move(options));
    FiberHandle holder = Hold();
    auto queued = *Spawn("queued", [this] {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(pool_->Call("exit", "1").status()));
    });
    Yield();
    EXPECT_EQ(pool_->stats().queued, 1u);
    EXPECT_TRUE(absl::IsResourceExhausted(pool_->Call("exit", "1").status()));
    EXPECT_TRUE(queued.Join().ok());
    EXPECT_EQ(pool_->stats().queued, 0u);
    Let();
    EXPECT_TRUE(holder.Join().ok());
    EXPECT_EQ(*pool_->Call("echo", "on"), "on");
    const ProcessPoolStats stats = pool_->stats();
    EXPECT_EQ(stats.rejected, 1u);
    EXPECT_EQ(stats.dropped, 1u);
    EXPECT_EQ(stats.started, 1u);
    EXPECT_TRUE(pool_->Stop().ok());
  });
}

TEST_F(ProcessPoolTest, SeveralProcessesServeAtOnce) {
  Run([this] {
    ProcessPoolOptions options = Options();
    options.processes = 2;
    Make(std::move(options));
    FiberHandle holder = Hold();
    EXPECT_EQ(*pool_->Call("echo", "beside"), "beside");
    EXPECT_EQ(pool_->stats().processes, 2);
    Let();
    EXPECT_TRUE(holder.Join().ok());
    EXPECT_TRUE(pool_->Stop().ok());
  });
}

TEST_F(ProcessPoolTest, AProcessIsReplacedAfterSoManyCallsOrSoMuchMemory) {
  Run([this] {
    ProcessPoolOptions options = Options();
    options.calls_max = 3;
    options.rss_bytes_max = size_t{256} << 20;
    Make(std::move(options));
    std::set<std::string> pids;
    for (int i = 0; i < 6; ++i) pids.insert(Pid());
    EXPECT_EQ(pids.size(), 2u);
    EXPECT_EQ(pool_->stats().recycled, 2u);
    EXPECT_EQ(*pool_->Call("leak", "1"), "leaked");
    EXPECT_EQ(pool_->stats().recycled, 2u);
    EXPECT_EQ(*pool_->Call("leak", "300"), "leaked");  // the call itself is not harmed
    EXPECT_EQ(pool_->stats().recycled, 3u);
    while (pool_->stats().processes > 0) Yield();  // it ends after the reply
    EXPECT_TRUE(pool_->Stop().ok());
  });
}

TEST_F(ProcessPoolTest, RequestsAndRepliesAreBounded) {
  Run([this] {
    ProcessPoolOptions options = Options();
    options.message_bytes_max = 1000;
    Make(std::move(options));
    EXPECT_TRUE(absl::IsInvalidArgument(pool_->Call("echo", std::string(1001, 'x')).status()));
    EXPECT_EQ(pool_->Call("large", "1000")->size(), 1000u);
    const absl::Status status = pool_->Call("large", "1001").status();
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_EQ(*pool_->Call("echo", "on"), "on");
    EXPECT_TRUE(pool_->Stop().ok());
  });
}

TEST_F(ProcessPoolTest, AProgramThatCannotBeStartedOrServesNothingFailsTheCallAndSaysWhy) {
  Run([this] {
    ProcessPoolOptions options = Options();
    options.command = {"/no/such/program"};
    Make(std::move(options));
    for (int i = 0; i < 2; ++i) {
      const absl::Status status = pool_->Call("echo", "").status();
      EXPECT_TRUE(absl::IsUnavailable(status)) << status;
      EXPECT_THAT(status.message(), HasSubstr("/no/such/program"));
    }
    EXPECT_EQ(pool_->stats().start_failures, 2u);
    EXPECT_TRUE(pool_->Stop().ok());

    options = Options();
    options.command = {"true"};
    Make(std::move(options));
    EXPECT_TRUE(absl::IsInternal(pool_->Call("echo", "").status()));
    EXPECT_TRUE(pool_->Stop().ok());
    for (const auto& change : {+[](ProcessPoolOptions& o) { o.command.clear(); },
                               +[](ProcessPoolOptions& o) { o.processes = 0; }}) {
      options = Options();
      change(options);
      EXPECT_TRUE(absl::IsInvalidArgument(ProcessPool::Create(options).status()));
    }
  });
}

TEST_F(ProcessPoolTest, AProcessHasItsSocketAndNothingElseOfOurs) {
  Run([this] {
    const int leaky = open("/dev/null", O_RDONLY);  // without O_CLOEXEC
    Make(Options());
    EXPECT_EQ(*pool_->Call("descriptors", ""), "0 1 2 3 ");
    close(leaky);
    EXPECT_TRUE(pool_->Stop().ok());
  });
}

TEST_F(ProcessPoolTest, WhatACrashedProcessStartedDiesWithIt) {
  Run([this] {
    Make(Options());
    ASSERT_EQ(mkfifo(file_.c_str(), 0600), 0);
    Socket held = *Socket::Adopt(open(file_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    const absl::Status status = pool_->Call("daemon", file_).status();
    EXPECT_TRUE(absl::IsInternal(status)) << status;
    EXPECT_THAT(status.message(), HasSubstr("exit code 7"));
    char byte;
    EXPECT_EQ(*held.Read({&byte, 1}), 0u);  // nobody has it open any more
    unlink(file_.c_str());
    EXPECT_TRUE(pool_->Stop().ok());
  });
}

TEST_F(ProcessPoolTest, StopLetsCallsEndAndTakesNoMore) {
  Run([this] {
    Make(Options());
    FiberHandle holder = Hold();
    auto queued = *Spawn("queued", [this] { EXPECT_EQ(*pool_->Call("echo", "q"), "q"); });
    Yield();
    auto stopping = *Spawn("stopping", [this] { EXPECT_TRUE(pool_->Stop().ok()); });
    Yield();
    EXPECT_TRUE(absl::IsUnavailable(pool_->Call("echo", "late").status()));
    EXPECT_FALSE(stopping.ended());
    Let();
    EXPECT_TRUE(holder.Join().ok());
    EXPECT_TRUE(queued.Join().ok());
    EXPECT_TRUE(stopping.Join().ok());
    EXPECT_EQ(pool_->stats().processes, 0);
  });
}

TEST_F(ProcessPoolTest, AStopThatIsInterruptedKillsWhatRuns) {
  Run([this] {
    Make(Options());
    std::vector<FiberHandle> callers;
    for (int i = 0; i < 2; ++i) {
      callers.push_back(*Spawn("caller", [this] {
        EXPECT_TRUE(absl::IsUnavailable(pool_->Call("hang", "").status()));
      }));
    }
    while (pool_->stats().busy == 0) Yield();
    {
      Timeout patience(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(pool_->Stop()));
    }
    for (FiberHandle& caller : callers) EXPECT_TRUE(caller.Join().ok());
    EXPECT_EQ(pool_->stats().processes, 0);
  });
}

TEST_F(ProcessPoolTest, APoolThatDiesTakesItsProcessesAlong) {
  Run([this] {
    Make(Options());
    auto caller = *Spawn(
        "caller", [this] { EXPECT_TRUE(absl::IsUnavailable(pool_->Call("hang", "").status())); });
    while (pool_->stats().busy == 0) Yield();
    pool_ = nullptr;
    EXPECT_TRUE(caller.Join().ok());
  });
}

}  // namespace
}  // namespace grove
