#include "server/process/daemon_number.h"

#include <sys/wait.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace grove::process {
namespace {

// What a child of this process gets.
uint32_t OfAChild() {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    const uint32_t number = DaemonNumber();
    _exit(write(ends[1], &number, sizeof(number)) == sizeof(number) ? 0 : 1);
  }
  close(ends[1]);
  uint32_t number = 0;
  EXPECT_EQ(read(ends[0], &number, sizeof(number)), static_cast<ssize_t>(sizeof(number)));
  close(ends[0]);
  EXPECT_EQ(waitpid(child, nullptr, 0), child);
  return number;
}

TEST(DaemonNumber, IsTheSameForAllChildrenOfOneProcess) {
  EXPECT_EQ(OfAChild(), OfAChild());
}

TEST(DaemonNumber, IsAnotherForChildrenOfAnother) {
  EXPECT_NE(OfAChild(), DaemonNumber());
}

}  // namespace
}  // namespace grove::process
