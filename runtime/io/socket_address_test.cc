#include "runtime/io/socket_address.h"

#include <netinet/in.h>

#include <cstring>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grove {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(SocketAddress, PrintsWhatItParses) {
  for (const char* text :
       {"127.0.0.1:8090", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:8091", "[::]:0",
        "[2001:db8::7]:443", "unix:/run/grove/http.sock", "unix:http.sock"}) {
    const absl::StatusOr<SocketAddress> address = SocketAddress::Parse(text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->ToString(), text);
  }
}

TEST(SocketAddress, TakesLocalhostForIpv4Loopback) {
  EXPECT_EQ(SocketAddress::Parse("localhost:80")->ToString(), "127.0.0.1:80");
}

TEST(SocketAddress, RefusesBadTextsAndSaysWhy) {
  const struct {
    const char* text;
    const char* why;
  } kCases[] = {
      {"", "it has no port"},
      {"127.0.0.1", "it has no port"},
      {"8090", "it has no port"},
      {":8090", "host '' is neither"},
      {"*:8090", "host '*' is neither"},
      {"example.org:80", "host 'example.org' is neither"},
      {"127.0.0.1:", "port '' is no number from 0 to 65535"},
      {"127.0.0.1:65536", "port '65536' is no number"},
      {"127.0.0.1:+80", "port '+80' is no number"},
      {"127.0.0.1: 80", "port ' 80' is no number"},
      {"127.0.0.1:http", "port 'http' is no number"},
      {"127.0.0.256:80", "host '127.0.0.256' is neither"},
      {"127.1:80", "host '127.1' is neither"},
      {"::1:80", "brackets belong around an IPv6 address"},
      {"[127.0.0.1]:80", "brackets belong around an IPv6 address"},
      {"[::1:80", "host '[::1' is neither"},
      {"[fe80::1%eth0]:80", "host 'fe80::1%eth0' is neither"},
      {"unix:", "the path is empty"},
  };
  for (const auto& c : kCases) {
    const absl::StatusOr<SocketAddress> address = SocketAddress::Parse(c.text);
    ASSERT_FALSE(address.ok()) << c.text;
    EXPECT_EQ(address.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(address.status().message()), HasSubstr(c.why)) << c.text;
    EXPECT_THAT(std::string(address.status().message()), HasSubstr("want HOST:PORT"));
  }
}

TEST(SocketAddress, RefusesNulBytes) {
  EXPECT_FALSE(SocketAddress::Parse(std::string_view("127.0.0.1\0x:80", 14)).ok());
  EXPECT_FALSE(SocketAddress::Parse(std::string_view("unix:/a\0b", 9)).ok());
}

TEST(SocketAddress, TakesAUnixPathThatJustFits) {
  EXPECT_TRUE(SocketAddress::Parse("unix:" + std::string(107, 'x')).ok());
  const auto longer = SocketAddress::Parse("unix:" + std::string(108, 'x'));
  ASSERT_FALSE(longer.ok());
  EXPECT_THAT(std::string(longer.status().message()), HasSubstr("108 bytes, and at most 107 fit"));
}

TEST(SocketAddress, IsOfThisMachineAloneWhereNobodyElseReachesIt) {
  for (const char* text : {"127.0.0.0:1", "127.255.255.255:1", "[::1]:1", "[::ffff:127.0.0.1]:1",
                           "unix:/a", "localhost:1"}) {
    EXPECT_TRUE(SocketAddress::Parse(text)->IsOfThisMachineAlone()) << text;
  }
  for (const char* text : {"126.255.255.255:1", "128.0.0.0:1", "0.0.0.0:1", "[::]:1", "[::2]:1",
                           "[::ffff:128.0.0.1]:1", "[fe80::1]:1", "[::127.0.0.1]:1"}) {
    EXPECT_FALSE(SocketAddress::Parse(text)->IsOfThisMachineAlone()) << text;
  }
}

TEST(SocketAddress, NamesWhatTheTextWasToBe) {
  EXPECT_THAT(std::string(SocketAddress::Parse("x").status().message()),
              StartsWith("'x' is no address: it has no port"));
  EXPECT_THAT(std::string(SocketAddress::Parse("x", "listen address").status().message()),
              StartsWith("'x' is no listen address: it has no port"));
}

TEST(SocketAddress, KnowsItsFamilyHostPortAndPath) {
  const SocketAddress v4 = *SocketAddress::Parse("1.2.3.4:5");
  EXPECT_EQ(v4.family(), AF_INET);
  EXPECT_EQ(v4.host()->ToString(), "1.2.3.4");
  EXPECT_EQ(v4.port(), 5);
  EXPECT_EQ(v4.path(), "");
  const SocketAddress v6 = *SocketAddress::Parse("[::1]:5");
  EXPECT_EQ(v6.family(), AF_INET6);
  EXPECT_EQ(v6.port(), 5);
  const SocketAddress local = *SocketAddress::Parse("unix:/a");
  EXPECT_EQ(local.family(), AF_UNIX);
  EXPECT_FALSE(local.host().has_value());
  EXPECT_EQ(local.port(), 0);
  EXPECT_EQ(local.path(), "/a");
}

TEST(SocketAddress, GetsAnotherPort) {
  for (const char* host : {"127.0.0.1", "::1"}) {
    SocketAddress address = SocketAddress::Of(*IpAddress::Parse(host), 1);
    address.set_port(258);
    EXPECT_EQ(address.port(), 258);
    EXPECT_EQ(address.host()->ToString(), host);
  }
}

TEST(SocketAddress, StandsInNetworkOrder) {
  const SocketAddress address = *SocketAddress::Parse("1.2.3.4:258");
  EXPECT_EQ(address.length, sizeof(sockaddr_in));
  sockaddr_in in;
  std::memcpy(&in, address.raw(), sizeof(in));
  EXPECT_EQ(in.sin_family, AF_INET);
  EXPECT_EQ(ntohs(in.sin_port), 258);
  EXPECT_EQ(ntohl(in.sin_addr.s_addr), 0x01020304u);
}

TEST(SocketAddress, OfNoFamilyIsNowhere) {
  EXPECT_FALSE(SocketAddress().host().has_value());
  EXPECT_FALSE(SocketAddress().IsLoopback());
  EXPECT_FALSE(SocketAddress().IsOfThisMachineAlone());
  EXPECT_EQ(SocketAddress::OfLocal(-1).family(), AF_UNSPEC);
}

}  // namespace
}  // namespace grove
