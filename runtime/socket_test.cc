#include "runtime/socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "runtime/hub_fixture.h"
#include "runtime/listener.h"
#include "runtime/timeout.h"

namespace grove {
namespace {

class SocketTest : public HubTest {
 protected:
  static std::pair<Socket, Socket> Pair() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    return {*Socket::Adopt(fds[0]), *Socket::Adopt(fds[1])};
  }

  static SocketAddress Loopback() {
    SocketAddress address;
    auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
    v4.sin_family = AF_INET;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.length = sizeof(v4);
    return address;
  }

  static SocketAddress BoundAddress(int fd) {
    SocketAddress address;
    address.length = sizeof(address.storage);
    getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.length);
    return address;
  }
};

TEST_F(SocketTest, ParksTheReaderUntilDataComesAndSeesTheEnd) {
  (void)Run([] {
    auto [a, b] = Pair();
    auto reader = *Spawn("reader", [&b = b] {
      char buffer[16];
      EXPECT_EQ(*b.Read(buffer), 5u);
      EXPECT_EQ(*b.Read(buffer), 0u);
    });
    Yield();
    EXPECT_EQ(reader->waiting_for().kind, WaitFor::Kind::kRead);
    EXPECT_TRUE(a.Write("hello").ok());
    EXPECT_TRUE(a.ShutdownWrite().ok());
    EXPECT_TRUE(reader.Join().ok());
  });
}

TEST_F(SocketTest, DataAndEndArrivingTogetherAreBothSeen) {
  (void)Run([] {
    auto [a, b] = Pair();
    Yield();
    EXPECT_TRUE(a.Write("x").ok());
    a.Close();
    (void)Sleep(absl::Seconds(1));  // one event tells of both
    char buffer[16];
    EXPECT_EQ(*b.Read(buffer), 1u);
    EXPECT_EQ(*b.Read(buffer), 0u);
  });
}

TEST_F(SocketTest, WritesMoreThanTheKernelBuffers) {
  (void)Run([] {
    auto [a, b] = Pair();
    const std::string sent(4 << 20, 'g');
    auto writer = *Spawn("writer", [&a = a, &sent] {
      EXPECT_TRUE(a.Write(sent).ok());
      a.Close();
    });
    std::string got(sent.size(), '\0');
    EXPECT_TRUE(b.ReadFull(got).ok());
    EXPECT_EQ(got, sent);
    EXPECT_TRUE(writer.Join().ok());
  });
}

TEST_F(SocketTest, AWriterStillParksAfterThePeerHasStoppedSending) {
  (void)Run([] {
    auto [a, b] = Pair();
    EXPECT_TRUE(b.ShutdownWrite().ok());
    (void)Sleep(absl::Seconds(1));  // the hang-up is seen
    auto writer = *Spawn("writer", [&a = a] {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(a.Write(std::string(4 << 20, 'g'))));
    });
    EXPECT_TRUE(writer.Join().ok());
  });
}

TEST_F(SocketTest, ASecondReaderGetsAnErrorNamingBoth) {
  (void)Run([] {
    auto [a, b] = Pair();
    char buffer[1];
    auto first = *Spawn("first", [&b = b, &buffer] { (void)b.Read(buffer); });
    Yield();
    const absl::Status status = b.Read(buffer).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status));
    EXPECT_NE(status.message().find("first"), absl::string_view::npos);
    EXPECT_NE(status.message().find("main"), absl::string_view::npos);
    first.Cancel();
    EXPECT_TRUE(first.Join().ok());
  });
}

TEST_F(SocketTest, ClosingUnderAReaderWakesItAndARecycledNumberDoesNot) {
  (void)Run([] {
    auto [a, b] = Pair();
    auto reader = *Spawn("reader", [&b = b] {
      char buffer[1];
      EXPECT_TRUE(absl::IsAborted(b.Read(buffer).status()));
    });
    Yield();
    b.Close();
    auto [c, d] = Pair();  // takes the number over
    EXPECT_TRUE(d.Write("not for the old reader").ok());
    EXPECT_TRUE(reader.Join().ok());
  });
}

TEST_F(SocketTest, ATimeoutEndsAReadAndTheSocketStaysUsable) {
  (void)Run([] {
    auto [a, b] = Pair();
    char buffer[4];
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(b.Read(buffer).status()));
    }
    EXPECT_TRUE(a.Write("late").ok());
    EXPECT_EQ(*b.Read(buffer), 4u);
  });
}

TEST_F(SocketTest, ConnectsThroughAListener) {
  (void)Run([] {
    auto listener = *Listener::Adopt(*BindListener(Loopback()));
    const SocketAddress address = BoundAddress(listener.fd());
    auto server = *Spawn("server", [&] {
      for (int i = 0; i < 3; ++i) {
        auto connection = *listener.Accept();
        EXPECT_TRUE(connection.Write("welcome").ok());
      }
    });
    for (int i = 0; i < 3; ++i) {
      auto client = *Socket::Connect(address);
      char buffer[7];
      EXPECT_TRUE(client.ReadFull(buffer).ok());
      EXPECT_EQ(client.PeerAddress().ToString(), address.ToString());
    }
    EXPECT_TRUE(server.Join().ok());
  });
}

TEST_F(SocketTest, ClosingAListenerWakesItsAcceptor) {
  (void)Run([] {
    auto listener = *Listener::Adopt(*BindListener(Loopback()));
    auto acceptor =
        *Spawn("acceptor", [&] { EXPECT_TRUE(absl::IsAborted(listener.Accept().status())); });
    Yield();
    listener.Close();
    EXPECT_TRUE(acceptor.Join().ok());
  });
}

TEST_F(SocketTest, ARefusedConnectionIsUnavailable) {
  (void)Run([] {
    const int fd = *BindListener(Loopback());
    const SocketAddress address = BoundAddress(fd);
    close(fd);
    EXPECT_TRUE(absl::IsUnavailable(Socket::Connect(address).status()));
  });
}

TEST_F(SocketTest, AStaleUnixPathIsReplacedAndALiveOneRefused) {
  char directory[] = "/tmp/grove_XXXXXX";  // short: sun_path holds 107 bytes
  ASSERT_NE(mkdtemp(directory), nullptr);
  const std::string path = std::string(directory) + "/s";
  SocketAddress address;
  auto& local = reinterpret_cast<sockaddr_un&>(address.storage);
  local.sun_family = AF_UNIX;
  path.copy(local.sun_path, sizeof(local.sun_path) - 1);
  address.length = sizeof(sockaddr_un);
  const int first = *BindListener(address);
  EXPECT_TRUE(absl::IsAlreadyExists(BindListener(address).status()));
  close(first);
  const absl::StatusOr<int> second = BindListener(address);
  ASSERT_TRUE(second.ok()) << second.status();
  close(*second);
  unlink(path.c_str());
  rmdir(directory);
}

}  // namespace
}  // namespace grove
