#include "runtime/io/dial.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/listener.h"

namespace grove {
namespace {

class DialTest : public HubTest {
 protected:
  static SocketAddress Loopback(const char* host = "127.0.0.1") {
    return SocketAddress::Of(*IpAddress::Parse(host), 0);
  }
  static int Option(int fd, int level, int name) {
    int value = -1;
    socklen_t length = sizeof(value);
    getsockopt(fd, level, name, &value, &length);
    return value;
  }
  static SocketAddress Refusing() {
    const int fd = *BindListener(Loopback());
    const SocketAddress address = SocketAddress::OfLocal(fd);
    close(fd);
    return address;
  }
  // An address whose connections are neither taken nor refused: its backlog is full.
  struct Silent {
    Silent()
        : listener(*BindListener(Loopback(), {.backlog = 0})),
          address(SocketAddress::OfLocal(listener)) {
      for (int i = 0; i < 4; ++i) {
        fillers.push_back(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        (void)connect(fillers.back(), reinterpret_cast<sockaddr*>(&address.storage),
                      address.length);
      }
    }
    ~Silent() {
      for (const int fd : fillers) close(fd);
      close(listener);
    }
    const int listener;
    SocketAddress address;
    std::vector<int> fillers;
  };
  double Seconds(MonotonicNanos since) { return static_cast<double>(clock_.Now() - since) / 1e9; }
};

TEST_F(DialTest, ConnectsFromTheBoundAddress) {
  Run([] {
    Listener listener = *Listener::Adopt(*BindListener(Loopback()));
    const SocketAddress peer = SocketAddress::OfLocal(listener.fd());
    Socket client = *Socket::Connect(peer, {.bind = Loopback("127.0.0.2")});
    Socket server = *listener.Accept();
    EXPECT_EQ(server.PeerAddress().ToString().substr(0, 10), "127.0.0.2:");
    const absl::Status status = Socket::Connect(Refusing(), {.bind = Loopback("8.8.8.8")}).status();
    EXPECT_NE(status.message().find("bind 8.8.8.8:0"), std::string_view::npos) << status;
    EXPECT_TRUE(absl::IsUnavailable(Socket::Connect(Refusing(), {.bind = Loopback()}).status()));
  });
}

TEST_F(DialTest, AConnectWhoseDescriptorIsTakenAwayIsAborted) {
  Run([this] {
    Silent silent;
    absl::Status connected;
    auto client = *Spawn("client", [&] { connected = Socket::Connect(silent.address).status(); });
    Yield();
    ASSERT_EQ(client->waiting_for().kind, WaitFor::Kind::kConnect);
    hub_->descriptors().Unregister(client->waiting_for().fd);
    EXPECT_TRUE(client.Join().ok());
    EXPECT_TRUE(absl::IsAborted(connected)) << connected;
  });
}

TEST_F(DialTest, ConnectionsSendAtOnceAndAreProbedUnlessToldOtherwise) {
  Run([] {
    Listener listener = *Listener::Adopt(*BindListener(Loopback()));
    const SocketAddress peer = SocketAddress::OfLocal(listener.fd());
    Socket usual = *Socket::Connect(peer);
    EXPECT_EQ(Option(usual.fd(), IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_EQ(Option(usual.fd(), SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_EQ(Option(usual.fd(), IPPROTO_TCP, TCP_KEEPIDLE), 600);
    Socket plain =
        *Socket::Connect(peer, {.no_delay = false, .keep_alive_idle = absl::InfiniteDuration()});
    EXPECT_EQ(Option(plain.fd(), IPPROTO_TCP, TCP_NODELAY), 0);
    EXPECT_EQ(Option(plain.fd(), SOL_SOCKET, SO_KEEPALIVE), 0);
  });
}

TEST_F(DialTest, AnyGoesOnAtOnceWhenAnAttemptFails) {
  Run([&] {
    Listener listener = *Listener::Adopt(*BindListener(Loopback()));
    const SocketAddress good = SocketAddress::OfLocal(listener.fd());
    const MonotonicNanos start = clock_.Now();
    const SocketAddress all[] = {Refusing(), good};
    EXPECT_EQ(DialAny(all)->PeerAddress().ToString(), good.ToString());
    EXPECT_EQ(Seconds(start), 0);
  });
}

TEST_F(DialTest, AnyStartsTheNextAfterTheDelayAndCancelsTheRest) {
  Run([&] {
    Silent silent;
    Listener listener = *Listener::Adopt(*BindListener(Loopback()));
    const SocketAddress good = SocketAddress::OfLocal(listener.fd());
    const MonotonicNanos start = clock_.Now();
    const SocketAddress all[] = {silent.address, silent.address, good};
    Socket won = *DialAny(all);
    EXPECT_EQ(won.PeerAddress().ToString(), good.ToString());
    EXPECT_EQ(Seconds(start), 0.5);
    Yield();
    EXPECT_EQ(hub_->Stats().fibers_live, 1u);
    EXPECT_EQ(hub_->Stats().descriptors, 1u);  // the winner's
  });
}

TEST_F(DialTest, AnyNamesEachAddressThatFailed) {
  Run([] {
    const SocketAddress all[] = {Refusing(), Refusing()};
    const absl::Status status = DialAny(all).status();
    EXPECT_TRUE(absl::IsUnavailable(status));
    for (const SocketAddress& address : all) {
      EXPECT_NE(std::string(status.message()).find(address.ToString()), std::string::npos);
    }
    EXPECT_TRUE(absl::IsInvalidArgument(DialAny({}).status()));
  });
}

TEST_F(DialTest, AnyAlternatesFamiliesAndLeavesOutThoseThatCantBeBound) {
  Run([] {
    const SocketAddress v6 = *SocketAddress::Parse("[::1]:1");
    const SocketAddress first = Refusing();
    const SocketAddress last = Refusing();
    const SocketAddress all[] = {first, last, v6};
    const std::string text(DialAny(all).status().message());
    EXPECT_LT(text.find(first.ToString()), text.find(v6.ToString()));
    EXPECT_LT(text.find(v6.ToString()), text.find(last.ToString()));
    const std::string bound(DialAny(all, {.connect = {.bind = Loopback()}}).status().message());
    EXPECT_EQ(bound.find(v6.ToString()), std::string::npos);
    const SocketAddress only_v6[] = {v6};
    EXPECT_TRUE(
        absl::IsInvalidArgument(DialAny(only_v6, {.connect = {.bind = Loopback()}}).status()));
  });
}

TEST_F(DialTest, ATimeoutEndsAllAttempts) {
  Run([&] {
    Silent silent;
    const SocketAddress all[] = {silent.address, silent.address};
    Timeout timeout(absl::Seconds(1));
    EXPECT_TRUE(absl::IsDeadlineExceeded(DialAny(all).status()));
    EXPECT_TRUE(timeout.fired());
  });
}

}  // namespace
}  // namespace grove
