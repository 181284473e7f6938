#include "server/supervisor/inherited_sockets.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "gtest/gtest.h"

namespace grove::supervisor {
namespace {

// Sockets at neighbouring descriptors, as a service manager hands them over.
class InheritedSocketsTest : public ::testing::Test {
 protected:
  static constexpr int kAt = 700;

  SocketAddress Bound(int index, int type = SOCK_STREAM, bool listening = true) {
    const int fd = socket(AF_INET, type, 0);
    const SocketAddress any = *SocketAddress::Parse("127.0.0.1:0");
    EXPECT_EQ(bind(fd, any.raw(), any.length), 0);
    EXPECT_EQ(listening ? listen(fd, 1) : 0, 0);
    EXPECT_EQ(dup2(fd, kAt + index), kAt + index);
    close(fd);
    return SocketAddress::OfLocal(kAt + index);
  }
  static std::string ErrorOf(const absl::StatusOr<InheritedSockets>& sockets) {
    return sockets.ok() ? "no error" : std::string(sockets.status().message());
  }

  const SocketAddress elsewhere_ = *SocketAddress::Parse("127.0.0.1:1");
  SocketAddress told_ = elsewhere_;
};

TEST_F(InheritedSocketsTest, AreFoundByNameAndElseByAddress) {
  const SocketAddress first = Bound(0);
  const SocketAddress second = Bound(1);
  auto sockets = InheritedSockets::Adopt(kAt, 2, "http:groved.socket");
  ASSERT_TRUE(sockets.ok()) << sockets.status();
  EXPECT_EQ(sockets->Take("https", elsewhere_, &told_), -1);
  const int named = sockets->Take("http", elsewhere_, &told_);
  EXPECT_EQ(named, kAt);
  EXPECT_EQ(told_, first);
  const int bound = sockets->Take("", second, &told_);
  EXPECT_EQ(bound, kAt + 1);
  EXPECT_TRUE(sockets->CheckAllTaken().ok());
  EXPECT_EQ(fcntl(named, F_GETFD), FD_CLOEXEC);
  close(named);
  close(bound);
}

TEST_F(InheritedSocketsTest, AreTakenOnce) {
  const SocketAddress only = Bound(0);
  auto sockets = InheritedSockets::Adopt(kAt, 1, "");
  ASSERT_TRUE(sockets.ok()) << sockets.status();
  EXPECT_EQ(sockets->Take("", only, &told_), kAt);
  EXPECT_EQ(sockets->Take("", only, &told_), -1);
  close(kAt);
}

TEST_F(InheritedSocketsTest, ThoseThatNobodyTakesAreNamedAndClosed) {
  const SocketAddress first = Bound(0);
  {
    auto sockets = InheritedSockets::Adopt(kAt, 1, "control");
    ASSERT_TRUE(sockets.ok()) << sockets.status();
    const std::string message(sockets->CheckAllTaken().message());
    EXPECT_NE(message.find(first.ToString() + " (control)"), std::string::npos) << message;
  }
  EXPECT_EQ(fcntl(kAt, F_GETFD), -1);
}

TEST_F(InheritedSocketsTest, MustBeListeningStreams) {
  Bound(0, SOCK_STREAM, /*listening=*/false);
  EXPECT_NE(ErrorOf(InheritedSockets::Adopt(kAt, 1, "")).find("no listening stream socket"),
            std::string::npos);
  Bound(0, SOCK_DGRAM, /*listening=*/false);
  EXPECT_NE(ErrorOf(InheritedSockets::Adopt(kAt, 1, "")).find("no listening stream socket"),
            std::string::npos);
  close(kAt);
  EXPECT_NE(ErrorOf(InheritedSockets::Adopt(kAt, 1, "")).find("descriptor 700 (LISTEN_FDS)"),
            std::string::npos);
}

TEST_F(InheritedSocketsTest, NeedAsManyNamesAsSockets) {
  Bound(0);
  EXPECT_EQ(ErrorOf(InheritedSockets::Adopt(kAt, 1, "a:b")),
            "LISTEN_FDNAMES has 2 names for 1 sockets");
  close(kAt);
}

TEST_F(InheritedSocketsTest, TheEnvironmentCountsOnlyForItsOwnProcessAndIsCleared) {
  setenv("LISTEN_PID", std::to_string(getpid() + 1).c_str(), 1);
  setenv("LISTEN_FDS", "1", 1);
  setenv("LISTEN_FDNAMES", "http", 1);
  auto sockets = InheritedSockets::TakeFromEnvironment();
  ASSERT_TRUE(sockets.ok()) << sockets.status();
  EXPECT_TRUE(sockets->CheckAllTaken().ok());
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) {
    EXPECT_EQ(getenv(name), nullptr) << name;
  }
  setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
  setenv("LISTEN_FDS", "many", 1);
  EXPECT_EQ(ErrorOf(InheritedSockets::TakeFromEnvironment()),
            "LISTEN_FDS='many': want a number of sockets up to 256");
}

}  // namespace
}  // namespace grove::supervisor
