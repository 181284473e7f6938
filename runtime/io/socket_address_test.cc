#include <string>

#include "runtime/hub/hub_fixture.h"
#include "runtime/io/listener.h"
#include "runtime/io/socket_address.h"

namespace grove {
namespace {

TEST(SocketAddress, ParsesWhatItPrints) {
  for (const char* text : {"127.0.0.1:80", "0.0.0.0:0", "[::1]:65535", "[2001:db8::1]:443",
                           "unix:/run/grove.sock", "unix:relative"}) {
    const absl::StatusOr<SocketAddress> address = SocketAddress::Parse(text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->ToString(), text);
  }
}

TEST(SocketAddress, RefusesEverythingElseAndSaysWhatItTakes) {
  for (const char* text :
       {"", "127.0.0.1", ":80", "::1:80", "[::1]", "[::1]80", "127.0.0.1:65536", "127.0.0.1:-1",
        "127.0.0.1: 80", "127.0.0.1:", "127.0.0.1:http", "localhost:80", "[127.0.0.1]:80"}) {
    const absl::Status refused = SocketAddress::Parse(text).status();
    EXPECT_TRUE(absl::IsInvalidArgument(refused)) << text;
    EXPECT_NE(refused.message().find("127.0.0.1:80"), refused.message().npos);
  }
}

TEST(SocketAddress, KnowsLoopback) {
  for (const char* text :
       {"127.0.0.1:80", "127.255.255.255:0", "[::1]:80", "[::ffff:127.0.0.1]:80"})
    EXPECT_TRUE(SocketAddress::Parse(text)->IsLoopback()) << text;
  for (const char* text : {"126.255.255.255:80", "128.0.0.0:80", "0.0.0.0:80", "[::]:80",
                           "[::2]:80", "[::ffff:128.0.0.1]:80", "unix:/127.0.0.1"})
    EXPECT_FALSE(SocketAddress::Parse(text)->IsLoopback()) << text;
  EXPECT_FALSE(SocketAddress().IsLoopback());
}

TEST(SocketAddress, AUnixPathFitsToItsLastByte) {
  EXPECT_TRUE(SocketAddress::Parse("unix:" + std::string(107, 'p')).ok());
  EXPECT_TRUE(
      absl::IsInvalidArgument(SocketAddress::Parse("unix:" + std::string(108, 'p')).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(SocketAddress::Parse("unix:").status()));
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

}  // namespace
}  // namespace grove
