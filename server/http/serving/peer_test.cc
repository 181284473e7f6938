#include "server/http/serving/peer.h"

#include "gtest/gtest.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/io/listener.h"

namespace grove::http {
namespace {

using PeerTest = HubTest;

TEST_F(PeerTest, AHostHasOneNameWhateverListenerItComesTo) {
  for (const char* listens : {"127.0.0.1:0", "[::]:0"}) {
    Run([&] {
      absl::StatusOr<int> bound = BindListener(*SocketAddress::Parse(listens), {.v6_only = false});
      if (!bound.ok()) return;  // no IPv6 here
      Listener listener = *Listener::Adopt(*bound);
      const uint16_t port = SocketAddress::OfLocal(listener.fd()).port();
      Socket client = *Socket::Connect(SocketAddress::Of(*IpAddress::Parse("127.0.0.1"), port));
      SocketAddress peer;
      ASSERT_TRUE(listener.Accept(&peer).ok());
      EXPECT_EQ(Peer(peer.ToString()).client(), "127.0.0.1") << listens;
    });
  }
}

TEST_F(PeerTest, AnIpv6HostHasItsName) {
  Run([&] {
    absl::StatusOr<int> bound = BindListener(*SocketAddress::Parse("[::1]:0"));
    if (!bound.ok()) return;  // no IPv6 here
    Listener listener = *Listener::Adopt(*bound);
    Socket client = *Socket::Connect(SocketAddress::OfLocal(listener.fd()));
    SocketAddress peer;
    ASSERT_TRUE(listener.Accept(&peer).ok());
    EXPECT_EQ(Peer(peer.ToString()).client(), "::1");
  });
}

}  // namespace
}  // namespace grove::http
