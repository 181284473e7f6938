#include "server/supervisor/process_facts.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace grove::supervisor {
namespace {

TEST(DescribeEnd, NamesTheExitCodeOrTheSignal) {
  EXPECT_EQ(DescribeEnd(3 << 8), "exit code 3");
  EXPECT_EQ(DescribeEnd(SIGKILL), "signal 9 (Killed)");
}

TEST(DescribeState, TellsAStoppedProcessFromOneThatRuns) {
  EXPECT_EQ(DescribeState(getpid()), "R (running)");
  const pid_t child = fork();
  if (child == 0) {
    raise(SIGSTOP);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, WUNTRACED), child);
  EXPECT_EQ(DescribeState(child), "T (stopped)");
  kill(child, SIGKILL);
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(DescribeState(child), "gone");
}

}  // namespace
}  // namespace grove::supervisor
