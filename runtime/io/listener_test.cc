#include "runtime/io/listener.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/io/socket.h"

namespace grove {
namespace {

// Listeners on a UNIX path in a directory of their own, and on loopback ports.
class ListenTest : public ::testing::Test {
 protected:
  ListenTest() {
    EXPECT_NE(mkdtemp(directory_), nullptr);
    path_ = std::string(directory_) + "/s";
    unix_ = *SocketAddress::Parse("unix:" + path_);
  }
  ~ListenTest() override {
    for (const int fd : open_) close(fd);
    unlink(path_.c_str());
    rmdir(directory_);
  }
  absl::StatusOr<int> Listen(const SocketAddress& address, const ListenOptions& options = {}) {
    absl::StatusOr<int> fd = BindListener(address, options);
    if (fd.ok()) open_.push_back(*fd);
    return fd;
  }
  void CloseAll() {
    for (const int fd : open_) close(fd);
    open_.clear();
  }
  static SocketAddress Loopback() { return *SocketAddress::Parse("127.0.0.1:0"); }
  static SocketAddress AnyV6() { return *SocketAddress::Parse("[::]:0"); }
  static int Option(int fd, int level, int name) {
    int value = -1;
    socklen_t length = sizeof(value);
    getsockopt(fd, level, name, &value, &length);
    return value;
  }
  mode_t Mode() const {
    struct stat file {};
    EXPECT_EQ(stat(path_.c_str(), &file), 0);
    return file.st_mode & 07777;
  }
  // Connects without waiting.
  void Knock() {
    open_.push_back(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    (void)connect(open_.back(), reinterpret_cast<sockaddr*>(&unix_.storage), unix_.length);
  }

  char directory_[32] = "/tmp/grove_XXXXXX";  // short: sun_path holds 107 bytes
  std::string path_;
  SocketAddress unix_;
  std::vector<int> open_;
};

std::string CongestionControlOf(int fd) {
  char name[16] = {};
  socklen_t length = sizeof(name);
  getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &length);
  return name;
}

TEST_F(ListenTest, UsesRenoOnLoopbackAndTheSystemsCongestionControlElsewhere) {
  const int plain = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  open_.push_back(plain);
  EXPECT_EQ(CongestionControlOf(*Listen(AnyV6())), CongestionControlOf(plain));
  const int listener = *Listen(Loopback());
  EXPECT_EQ(CongestionControlOf(listener), "reno");
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  open_.push_back(client);
  const SocketAddress address = SocketAddress::OfLocal(listener);
  ASSERT_EQ(connect(client, reinterpret_cast<const sockaddr*>(&address.storage), address.length),
            0);
  const int accepted = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  open_.push_back(accepted);
  EXPECT_EQ(CongestionControlOf(accepted), "reno");
}

TEST_F(ListenTest, AStaleUnixPathIsReplacedAndALiveOneRefused) {
  ASSERT_TRUE(Listen(unix_).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(Listen(unix_).status()));
  CloseAll();
  EXPECT_TRUE(Listen(unix_).ok());
}

TEST_F(ListenTest, AUnixPathWithAFullBacklogIsALiveOneAndIsNotWaitedFor) {
  ASSERT_TRUE(Listen(unix_, {.backlog = 0}).ok());
  for (int i = 0; i < 4; ++i) Knock();
  EXPECT_TRUE(absl::IsAlreadyExists(Listen(unix_).status()));
}

TEST_F(ListenTest, AFileThatIsNoSocketStays) {
  fclose(fopen(path_.c_str(), "w"));
  EXPECT_TRUE(absl::IsAlreadyExists(Listen(unix_).status()));
  EXPECT_EQ(access(path_.c_str(), F_OK), 0);
}

TEST_F(ListenTest, TheModeOfAUnixPathIsExactWhateverTheUmask) {
  const mode_t before = umask(0077);
  ASSERT_TRUE(Listen(unix_, {.unix_mode = 0660}).ok());
  EXPECT_EQ(Mode(), 0660u);
  CloseAll();
  umask(0);
  ASSERT_TRUE(Listen(unix_, {.unix_mode = 0600}).ok());
  umask(before);
  EXPECT_EQ(Mode(), 0600u);
}

TEST_F(ListenTest, APortIsSharedOnlyByThoseThatAllAskForIt) {
  const SocketAddress alone = SocketAddress::OfLocal(*Listen(Loopback()));
  EXPECT_FALSE(Listen(alone, {.reuse_port = true}).ok());
  CloseAll();
  ASSERT_TRUE(Listen(alone, {.reuse_port = true}).ok());
  EXPECT_TRUE(Listen(alone, {.reuse_port = true}).ok());
  EXPECT_FALSE(Listen(alone).ok());
}

// From now on this process has the setsockopt(2) of a kernel without SO_REUSEPORT.
void ForgetReusePort() {
  const sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setsockopt, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[2])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SO_REUSEPORT, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOPROTOOPT),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{std::size(filter), const_cast<sock_filter*>(filter)};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) _exit(100);
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) _exit(101);
}

TEST_F(ListenTest, AKernelThatCantShareAPortIsUnimplemented) {
  if (prctl(PR_GET_SECCOMP) != 0) GTEST_SKIP() << "no seccomp(2) here to take the option away";
  const SocketAddress address = SocketAddress::OfLocal(*Listen(Loopback()));
  CloseAll();
  EXPECT_EXIT(
      {
        ForgetReusePort();
        const absl::Status refused = Listen(address, {.reuse_port = true}).status();
        const bool others_work = Listen(address).ok();
        _exit(absl::IsUnimplemented(refused) && others_work ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST_F(ListenTest, OptionsThatContradictTheAddressAreRefused) {
  const absl::Status random_port = Listen(Loopback(), {.reuse_port = true}).status();
  EXPECT_TRUE(absl::IsInvalidArgument(random_port));
  EXPECT_NE(random_port.message().find("127.0.0.1:0"), std::string_view::npos) << random_port;
  EXPECT_TRUE(absl::IsInvalidArgument(Listen(AnyV6(), {.reuse_port = true}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Listen(unix_, {.reuse_port = true}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Listen(Loopback(), {.unix_mode = 0600}).status()));
}

// How many may wait to be accepted, as ss(8) shows it.
unsigned BacklogOf(int fd) {
  tcp_info info{};
  socklen_t length = sizeof(info);
  EXPECT_EQ(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
  return info.tcpi_sacked;
}

TEST_F(ListenTest, TheBacklogIs4096UnlessToldOtherwiseOrTheSystemsMostIsLess) {
  unsigned most = 0;
  std::ifstream("/proc/sys/net/core/somaxconn") >> most;
  EXPECT_EQ(BacklogOf(*Listen(Loopback())), std::min(4096u, most));
  EXPECT_EQ(BacklogOf(*Listen(Loopback(), {.backlog = 7})), 7u);
}

TEST_F(ListenTest, ADeferredConnectionIsThereOnceItsClientHasSentSomething) {
  const int listener = *Listen(Loopback(), {.defer_accept = absl::Seconds(1)});
  const SocketAddress address = SocketAddress::OfLocal(listener);
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(connect(client, address.raw(), address.length), 0);
  pollfd waits{.fd = listener, .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&waits, 1, 0), 0);
  ASSERT_EQ(write(client, "x", 1), 1);
  EXPECT_EQ(poll(&waits, 1, -1), 1);
  close(client);
}

TEST_F(ListenTest, OptionsReachTheSocket) {
  const int usual = *Listen(Loopback());
  EXPECT_EQ(Option(usual, SOL_SOCKET, SO_REUSEADDR), 1);
  EXPECT_EQ(Option(usual, IPPROTO_TCP, TCP_KEEPIDLE), 600);
  const int other =
      *Listen(Loopback(), {.reuse_address = false, .keep_alive_idle = absl::InfiniteDuration()});
  EXPECT_EQ(Option(other, SOL_SOCKET, SO_REUSEADDR), 0);
  EXPECT_EQ(Option(other, SOL_SOCKET, SO_KEEPALIVE), 0);
}

TEST_F(ListenTest, AnIpv6SocketTakesIpv4OnlyWhenAskedTo) {
  if (!Listen(AnyV6()).ok()) GTEST_SKIP() << "this machine has no IPv6";
  EXPECT_EQ(Option(*Listen(AnyV6()), IPPROTO_IPV6, IPV6_V6ONLY), 1);
  EXPECT_EQ(Option(*Listen(AnyV6(), {.v6_only = false}), IPPROTO_IPV6, IPV6_V6ONLY), 0);
}

class AcceptTest : public HubTest {
 protected:
  static int NoDelay(const Socket& socket) {
    int value = -1;
    socklen_t length = sizeof(value);
    getsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &value, &length);
    return value;
  }
};

TEST_F(AcceptTest, ConnectionsHaveTcpNoDelayThoughTheyCameBeforeTheListenerWasAdopted) {
  Run([] {
    const int bound = *BindListener(*SocketAddress::Parse("127.0.0.1:0"));
    Socket client = *Socket::Connect(SocketAddress::OfLocal(bound));
    Listener listener = *Listener::Adopt(bound);
    EXPECT_EQ(NoDelay(*listener.Accept()), 1);
  });
}

TEST_F(AcceptTest, ConnectionsOfAListenerThatSomebodyElseBoundHaveTcpNoDelay) {
  Run([] {
    const int bound = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(listen(bound, 1), 0);
    Listener listener = *Listener::Adopt(bound);
    const uint16_t port = listener.LocalAddress().port();
    Socket client = *Socket::Connect(SocketAddress::Of(*IpAddress::Parse("127.0.0.1"), port));
    EXPECT_EQ(NoDelay(*listener.Accept()), 1);
  });
}

TEST_F(AcceptTest, TellsWhoseConnectionItIsThoughTheClientHasReset) {
  Run([] {
    Listener listener = *Listener::Adopt(*BindListener(*SocketAddress::Parse("127.0.0.1:0")));
    Socket client = *Socket::Connect(listener.LocalAddress());
    const std::string address = SocketAddress::OfLocal(client.fd()).ToString();
    client.Abort();
    SocketAddress peer;
    ASSERT_TRUE(listener.Accept(&peer).ok());
    EXPECT_EQ(peer.ToString(), address);
  });
}

class LocalAddressTest : public HubTest {};

TEST_F(LocalAddressTest, TellsThePortThatTheKernelChose) {
  Run([] {
    Listener listener = *Listener::Adopt(*BindListener(*SocketAddress::Parse("127.0.0.1:0")));
    const std::string address = listener.LocalAddress().ToString();
    EXPECT_NE(address, "127.0.0.1:0");
    Socket client = *Socket::Connect(listener.LocalAddress());
    EXPECT_EQ(client.PeerAddress().ToString(), address);
  });
}

using ListenInOneTest = HubTest;

TEST_F(ListenInOneTest, ListensOnAnAddressThatIsWrittenDown) {
  Run([] {
    absl::StatusOr<Listener> listener = Listener::Listen("127.0.0.1:0");
    ASSERT_TRUE(listener.ok()) << listener.status();
    const SocketAddress address = listener->LocalAddress();
    EXPECT_NE(address.port(), 0);
    EXPECT_TRUE(Socket::Connect(address).ok());
    EXPECT_TRUE(listener->Accept().ok());
  });
}

TEST_F(ListenInOneTest, ItsErrorsNameTheAddress) {
  Run([] {
    const absl::Status unread = Listener::Listen("127.0.0.1").status();
    EXPECT_TRUE(absl::IsInvalidArgument(unread));
    EXPECT_NE(unread.message().find("127.0.0.1"), std::string_view::npos) << unread;
    Listener first = *Listener::Listen("127.0.0.1:0");
    const std::string address = first.LocalAddress().ToString();
    const absl::Status taken = Listener::Listen(address).status();
    EXPECT_NE(taken.message().find(address), std::string_view::npos) << taken;
    EXPECT_TRUE(
        absl::IsInvalidArgument(Listener::Listen("127.0.0.1:0", {.reuse_port = true}).status()));
  });
}

}  // namespace
}  // namespace grove
