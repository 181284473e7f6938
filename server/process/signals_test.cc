#include "server/process/signals.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "gtest/gtest.h"

namespace grove::process {
namespace {

bool Has(const std::vector<int>& numbers, int number) {
  return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
}

TEST(Signals, WhatWasLeftIgnoredIsNot) {
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGCHLD, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    ResetSignals();
    const bool reset = signal(SIGCHLD, SIG_DFL) == SIG_DFL && signal(SIGUSR1, SIG_DFL) == SIG_DFL;
    _exit(reset && signal(SIGPIPE, SIG_DFL) == SIG_IGN ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(Signals, AHandlerOfTheProgramStays) {
  const auto handler = [](int) {};
  const auto before = signal(SIGUSR2, handler);
  ResetSignals();
  EXPECT_EQ(signal(SIGUSR2, before), static_cast<void (*)(int)>(handler));
}

TEST(Signals, AllThatEndOrStopAreTakenOnce) {
  const std::vector<int> numbers = WithSignalsOfNoUse({SIGTERM, SIGCHLD});
  for (const int number : {SIGTERM, SIGCHLD, SIGQUIT, SIGUSR2, SIGTTIN, SIGTTOU, SIGWINCH}) {
    EXPECT_EQ(std::count(numbers.begin(), numbers.end(), number), 1) << number;
  }
  for (const int number : {SIGKILL, SIGSTOP, SIGSEGV, SIGABRT, SIGURG, SIGTSTP, SIGCONT}) {
    EXPECT_FALSE(Has(numbers, number)) << number;
  }
  EXPECT_FALSE(Has(WithSignalsOfNoUse({}), SIGCHLD));
}

// Each of the others has a default that leaves a process alone, or is none of those above.
TEST(Signals, NothingIsForgotten) {
  const std::vector<int> numbers = WithSignalsOfNoUse({});
  for (int number = 1; number < 32; ++number) {
    const bool left_out = number == SIGKILL || number == SIGSTOP || number == SIGTSTP ||
                          number == SIGCONT || number == SIGCHLD || number == SIGURG ||
                          number == SIGPIPE || number == SIGABRT || number == SIGSEGV ||
                          number == SIGBUS || number == SIGILL || number == SIGFPE ||
                          number == SIGTRAP || number == SIGSYS;
    EXPECT_NE(Has(numbers, number), left_out) << number;
  }
}

}  // namespace
}  // namespace grove::process
