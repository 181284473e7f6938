#include "server/control/open_sockets.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace grove::control {
namespace {

TEST(OpenSockets, ForgetsThoseThatWereClosed) {
  OpenSockets open;
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
  open.Add(fds[0]);
  open.Add(fds[1]);
  open.ForgetClosed();
  EXPECT_EQ(open.count(), 2);
  close(fds[0]);
  EXPECT_EQ(open.count(), 2);
  open.ForgetClosed();
  EXPECT_EQ(open.count(), 1);
  close(fds[1]);
  open.ForgetClosed();
  EXPECT_EQ(open.count(), 0);
}

TEST(OpenSockets, ANumberThatIsAnothersIsNotTheSame) {
  OpenSockets open;
  int first[2], second[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, first), 0);
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, second), 0);
  open.Add(first[0]);
  ASSERT_EQ(dup2(second[0], first[0]), first[0]);
  open.ForgetClosed();
  EXPECT_EQ(open.count(), 0);
  open.Add(first[0]);
  const int file = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(dup2(file, first[0]), first[0]);
  open.ForgetClosed();
  EXPECT_EQ(open.count(), 0);
  for (int fd : {first[0], first[1], second[0], second[1], file}) close(fd);
}

}  // namespace
}  // namespace grove::control
