#include "server/process/crash_report.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "gtest/gtest.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/sync/event.h"
#include "server/process/fiber_dump.h"
#include "server/process/signal_safe_line.h"

namespace grove::process {
namespace {

void CrashInAFiber() {
  InstallCrashReport();
  const auto hub = *Hub::Create();
  RunOn(*hub, [] {
    SpawnOptions options{.name = "victim"};
    options.label = std::make_shared<const FiberLabel>(
        FiberLabel{.tenant = "acme", .task = "tenants/acme/tasks/7"});
    EXPECT_TRUE(Spawn(options, [] { abort(); })->Join().ok());
  });
}

TEST(CrashReportDeathTest, NamesTheFiberItsTaskAndWhereItWasSpawned) {
  EXPECT_DEATH(CrashInAFiber(),
               "crashed in fiber [0-9]+ \"victim\", spawned at .*crash_report_test.cc:[0-9]+, "
               "task tenants/acme/tasks/7");
}

// Each call holds a frame of its own: the sum after the recursion keeps it from being a loop.
int Recurse(volatile int* depth) {
  volatile char frame[512] = {};
  *depth = *depth + 1;
  if (*depth > 1'000'000) return 0;  // far more than any stack holds
  return Recurse(depth) + frame[*depth % 512];
}

void OverflowInAFiber() {
  InstallCrashReport();
  const auto hub = *Hub::Create();
  RunOn(*hub, [] {
    volatile int depth = 0;
    EXPECT_TRUE(Spawn("deep", [&depth] { Recurse(&depth); })->Join().ok());
  });
}

TEST(CrashReportDeathTest, TellsAStackOverflowFromAnyOtherCrash) {
  EXPECT_DEATH(OverflowInAFiber(),
               "stack overflow in fiber [0-9]+ \"deep\", spawned at .*crash_report_test.cc:[0-9]+");
}

// A hub whose main fiber loops for ever, while others wait.
[[noreturn]] void GetStuck(int ready_fd) {
  InstallCrashReport();
  const auto hub = *Hub::Create();
  hub->Run([&] {
       Event never;
       for (int i = 0; i < 5; ++i) {
         EXPECT_TRUE(Spawn("waiter", [&] { never.Wait().IgnoreError(); }).ok());
       }
       Yield();
       close(ready_fd);
       for (;;) asm volatile("");
     })
      .IgnoreError();
  _exit(0);
}

// As the supervisor does with a child that is stuck, and ends as that child ended.
void KillAStuckChild() {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) GetStuck(ready[1]);
  close(ready[1]);
  char none;
  ASSERT_EQ(read(ready[0], &none, 1), 0);
  kill(child, SIGABRT);
  int status = 0;
  waitpid(child, &status, 0);
  _exit(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT ? 7 : 1);
}

TEST(CrashReportDeathTest, AStuckProcessShowsAllFibersAndThoseThatStandAlikeOnce) {
  EXPECT_EXIT(KillAStuckChild(), testing::ExitedWithCode(7),
              "grove: stuck in fiber 1 .*\n"
              "grove: waits in fiber [0-9]+ \"waiter\", spawned at .*crash_report_test.cc:[0-9]+\n"
              "grove:   #0 .*\n(grove:   #.*\n)*"
              "grove: 4 more stand where fiber [0-9]+ does\n");
}

TEST(CrashReportDeathTest, AStderrThatNobodyReadsHoldsNothingUp) {
  int full[2];
  ASSERT_EQ(pipe2(full, O_NONBLOCK), 0);
  while (write(full[1], "x", 1) == 1) {
  }
  fcntl(full[1], F_SETFL, 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(full[1], STDERR_FILENO);
    const auto hub = *Hub::Create();
    RunOn(*hub, [&] { DumpFibers(*hub, SignalSafeNow() + 1'000'000); });
    _exit(SignalSafeLine().Add("x").Write(SignalSafeNow() + 1'000'000) ? 1 : 7);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

}  // namespace
}  // namespace grove::process
