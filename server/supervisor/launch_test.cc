#include "server/supervisor/launch.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mutex>
#include <thread>

#include "gtest/gtest.h"
#include "server/process/exit_code.h"

namespace grove::supervisor {
namespace {

int ExitCodeOf(pid_t pid) {
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

sigset_t EmptyMask() {
  sigset_t mask;
  sigemptyset(&mask);
  return mask;
}

TEST(Launch, AWorkerExitsWithWhatItsBodyReturns) {
  auto pid = ForkWorker([] { return 17; });
  ASSERT_TRUE(pid.ok()) << pid.status();
  EXPECT_EQ(ExitCodeOf(*pid), 17);
}

TEST(Launch, RefusesToForkBesideOtherThreads) {
  std::mutex blocked;
  blocked.lock();
  std::thread other([&] { std::lock_guard wait(blocked); });
  auto pid = ForkWorker([] { return 0; });
  blocked.unlock();
  other.join();
  ASSERT_FALSE(pid.ok());
  EXPECT_EQ(pid.status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(Launch, ControlInheritsWhatIsNamedAndNothingElse) {
  int given[2], kept[2];
  ASSERT_EQ(pipe2(given, O_CLOEXEC), 0);
  ASSERT_EQ(pipe2(kept, O_CLOEXEC), 0);
  const std::string script = "test -e /proc/self/fd/" + std::to_string(given[1]) +
                             " && ! test -e /proc/self/fd/" + std::to_string(kept[1]);
  auto pid = StartControl("/bin/sh", -1, {"-c", script}, {given[1]}, EmptyMask());
  ASSERT_TRUE(pid.ok()) << pid.status();
  EXPECT_EQ(ExitCodeOf(*pid), 0);
  for (const int fd : {given[0], given[1], kept[0], kept[1]}) close(fd);
}

TEST(Launch, ControlThatCannotRunEndsWith127) {
  auto pid = StartControl("/absent/grove-control", -1, {}, {}, EmptyMask());
  ASSERT_TRUE(pid.ok());
  EXPECT_EQ(ExitCodeOf(*pid), process::kExitCannotRun);
}

}  // namespace
}  // namespace grove::supervisor
