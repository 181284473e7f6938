#include "server/config/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grove::config {
namespace {

using ::testing::HasSubstr;

sockaddr_storage Socket(const std::string& ip) {
  sockaddr_storage out = {};
  auto* in = reinterpret_cast<sockaddr_in*>(&out);
  auto* in6 = reinterpret_cast<sockaddr_in6*>(&out);
  if (inet_pton(AF_INET, ip.c_str(), &in->sin_addr) == 1) {
    out.ss_family = AF_INET;
  } else if (inet_pton(AF_INET6, ip.c_str(), &in6->sin6_addr) == 1) {
    out.ss_family = AF_INET6;
  } else {
    ADD_FAILURE() << "bad test address " << ip;
  }
  return out;
}

bool Public(const std::string& ip) {
  const sockaddr_storage address = Socket(ip);
  return IsPublicAddress(reinterpret_cast<const sockaddr*>(&address));
}

bool Contains(const AddressRange& range, const std::string& ip) {
  const sockaddr_storage address = Socket(ip);
  return range.Contains(reinterpret_cast<const sockaddr*>(&address));
}

TEST(ListenAddress, FormatsWhatItParses) {
  for (const char* text :
       {"127.0.0.1:8090", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:8091", "[::]:0",
        "[2001:db8::7]:443", "unix:/run/grove/http.sock", "unix:http.sock"}) {
    const absl::StatusOr<ListenAddress> address = ListenAddress::Parse(text);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->Format(), text);
  }
}

TEST(ListenAddress, TakesLocalhostForIpv4Loopback) {
  EXPECT_EQ(ListenAddress::Parse("localhost:80")->Format(), "127.0.0.1:80");
}

TEST(ListenAddress, KnowsItsKindPortAndPath) {
  EXPECT_EQ(ListenAddress::Parse("1.2.3.4:5")->kind(), ListenAddress::Kind::kTcp4);
  EXPECT_EQ(ListenAddress::Parse("[::1]:5")->kind(), ListenAddress::Kind::kTcp6);
  EXPECT_EQ(ListenAddress::Parse("[::1]:5")->port(), 5);
  EXPECT_EQ(ListenAddress::Parse("unix:/a")->kind(), ListenAddress::Kind::kUnix);
  EXPECT_EQ(ListenAddress::Parse("unix:/a")->path(), "/a");
}

TEST(ListenAddress, RefusesBadTextsAndSaysWhy) {
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
    const absl::StatusOr<ListenAddress> address = ListenAddress::Parse(c.text);
    ASSERT_FALSE(address.ok()) << c.text;
    EXPECT_EQ(address.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(address.status().message()), HasSubstr(c.why)) << c.text;
    EXPECT_THAT(std::string(address.status().message()), HasSubstr("want HOST:PORT"));
  }
}

TEST(ListenAddress, RefusesNulBytes) {
  EXPECT_FALSE(ListenAddress::Parse(absl::string_view("127.0.0.1\0x:80", 14)).ok());
  EXPECT_FALSE(ListenAddress::Parse(absl::string_view("unix:/a\0b", 9)).ok());
}

TEST(ListenAddress, TakesAUnixPathThatJustFits) {
  EXPECT_TRUE(ListenAddress::Parse("unix:" + std::string(107, 'x')).ok());
  const auto longer = ListenAddress::Parse("unix:" + std::string(108, 'x'));
  ASSERT_FALSE(longer.ok());
  EXPECT_THAT(std::string(longer.status().message()), HasSubstr("108 bytes, and at most 107 fit"));
}

TEST(ListenAddress, IsLoopbackOnlyWhereThisMachineAloneReachesIt) {
  for (const char* text : {"127.0.0.0:1", "127.255.255.255:1", "[::1]:1", "[::ffff:127.0.0.1]:1",
                           "unix:/a", "localhost:1"}) {
    EXPECT_TRUE(ListenAddress::Parse(text)->IsLoopback()) << text;
  }
  for (const char* text : {"126.255.255.255:1", "128.0.0.0:1", "0.0.0.0:1", "[::]:1", "[::2]:1",
                           "[::ffff:128.0.0.1]:1", "[fe80::1]:1", "[::127.0.0.1]:1"}) {
    EXPECT_FALSE(ListenAddress::Parse(text)->IsLoopback()) << text;
  }
}

TEST(ListenAddress, SurvivesTheWayThroughASockaddr) {
  for (const std::string& text : {std::string("127.0.0.1:8090"), std::string("[2001:db8::7]:443"),
                                  std::string("unix:/a/b"), "unix:" + std::string(107, 'x')}) {
    sockaddr_storage storage;
    const socklen_t length = ListenAddress::Parse(text)->ToSockaddr(&storage);
    const auto back =
        ListenAddress::FromSockaddr(reinterpret_cast<const sockaddr*>(&storage), length);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->Format(), text);
  }
}

TEST(ListenAddress, FillsASockaddrInNetworkOrder) {
  sockaddr_storage storage;
  EXPECT_EQ(ListenAddress::Parse("1.2.3.4:258")->ToSockaddr(&storage), sizeof(sockaddr_in));
  sockaddr_in in;
  std::memcpy(&in, &storage, sizeof(in));
  EXPECT_EQ(in.sin_family, AF_INET);
  EXPECT_EQ(ntohs(in.sin_port), 258);
  EXPECT_EQ(ntohl(in.sin_addr.s_addr), 0x01020304u);
}

TEST(ListenAddress, RefusesForeignOrShortSockaddrs) {
  sockaddr_storage storage = Socket("127.0.0.1");
  const auto* address = reinterpret_cast<const sockaddr*>(&storage);
  EXPECT_FALSE(ListenAddress::FromSockaddr(address, sizeof(sockaddr_in) - 1).ok());
  EXPECT_FALSE(ListenAddress::FromSockaddr(address, 0).ok());
  storage.ss_family = AF_NETLINK;
  EXPECT_FALSE(ListenAddress::FromSockaddr(address, sizeof(storage)).ok());
}

TEST(AddressRange, ContainsBothItsEndsAndNoNeighbour) {
  const struct {
    const char* range;
    const char* first;
    const char* last;
    const char* before;
    const char* after;
  } kCases[] = {
      {"10.0.0.0/8", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"},
      {"100.64.0.0/10", "100.64.0.0", "100.127.255.255", "100.63.255.255", "100.128.0.0"},
      {"192.0.2.128/25", "192.0.2.128", "192.0.2.255", "192.0.2.127", "192.0.3.0"},
      {"192.0.2.7", "192.0.2.7", "192.0.2.7", "192.0.2.6", "192.0.2.8"},
      {"fd00::/8", "fd00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fcff::", "fe00::"},
      {"::1/128", "::1", "::1", "::", "::2"},
  };
  for (const auto& c : kCases) {
    const absl::StatusOr<AddressRange> range = AddressRange::Parse(c.range);
    ASSERT_TRUE(range.ok()) << range.status();
    EXPECT_TRUE(Contains(*range, c.first)) << c.range;
    EXPECT_TRUE(Contains(*range, c.last)) << c.range;
    EXPECT_FALSE(Contains(*range, c.before)) << c.range;
    EXPECT_FALSE(Contains(*range, c.after)) << c.range;
  }
}

TEST(AddressRange, CountsAMappedAddressAsTheIpv4OneInIt) {
  EXPECT_TRUE(Contains(*AddressRange::Parse("10.0.0.0/8"), "::ffff:10.1.2.3"));
  EXPECT_TRUE(Contains(*AddressRange::Parse("::ffff:10.0.0.0/104"), "10.1.2.3"));
  EXPECT_EQ(AddressRange::Parse("::ffff:10.0.0.0/104")->Format(), "10.0.0.0/8");
  EXPECT_FALSE(Contains(*AddressRange::Parse("::/0"), "::ffff:10.1.2.3"));
  EXPECT_FALSE(Contains(*AddressRange::Parse("::/0"), "10.1.2.3"));
}

TEST(AddressRange, TakesAllOfAFamily) {
  EXPECT_TRUE(Contains(*AddressRange::Parse("0.0.0.0/0"), "255.255.255.255"));
  EXPECT_TRUE(Contains(*AddressRange::Parse("::/0"), "ffff::1"));
}

TEST(AddressRange, ContainsNothingOfOtherFamilies) {
  sockaddr address = {};
  address.sa_family = AF_UNIX;
  EXPECT_FALSE(AddressRange::Parse("0.0.0.0/0")->Contains(&address));
}

TEST(AddressRange, RefusesBadTextsAndSaysWhy) {
  const struct {
    const char* text;
    const char* why;
  } kCases[] = {
      {"", "'' is no IP address"},
      {"10/8", "'10' is no IP address"},
      {"10.0.0.0/", "a number from 0 to 32"},
      {"10.0.0.0/33", "a number from 0 to 32"},
      {"10.0.0.0/-1", "a number from 0 to 32"},
      {"::/129", "a number from 0 to 128"},
      {"10.0.0.0/8/8", "a number from 0 to 32"},
      {"10.1.0.0/8", "did you mean 10.0.0.0/8?"},
      {"fd00::1/8", "did you mean fd00::/8?"},
      {"[::1]/128", "'[::1]' is no IP address"},
  };
  for (const auto& c : kCases) {
    const absl::StatusOr<AddressRange> range = AddressRange::Parse(c.text);
    ASSERT_FALSE(range.ok()) << c.text;
    EXPECT_THAT(std::string(range.status().message()), HasSubstr(c.why));
  }
}

TEST(IsPublicAddress, RefusesBothEndsOfEachSpecialRangeAndTakesTheNeighbours) {
  const struct {
    const char* before;  // "" where the neighbour is special too.
    const char* first;
    const char* last;
    const char* after;
  } kCases[] = {
      {"", "0.0.0.0", "0.255.255.255", "1.0.0.0"},
      {"9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"},
      {"100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"},
      {"126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"},
      {"169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"},
      {"172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"},
      {"191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"},
      {"192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"},
      {"192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"},
      {"192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"},
      {"198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"},
      {"198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"},
      {"203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"},
      {"223.255.255.255", "224.0.0.0", "255.255.255.255", ""},
      {"", "::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::"},
      {"2000:ffff::", "2001::", "2001:1ff:ffff::", "2001:200::"},
      {"2001:db7::", "2001:db8::", "2001:db8:ffff::", "2001:db9::"},
      {"2001:ffff::", "2002::", "2002:ffff::", "2003::"},
      {"3ffe:ffff::", "3fff::", "3fff:fff:ffff::", "3fff:1000::"},
      {"3fff:ffff::", "4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ""},
  };
  for (const auto& c : kCases) {
    EXPECT_FALSE(Public(c.first)) << c.first;
    EXPECT_FALSE(Public(c.last)) << c.last;
    EXPECT_TRUE(*c.before == '\0' || Public(c.before)) << c.before;
    EXPECT_TRUE(*c.after == '\0' || Public(c.after)) << c.after;
  }
}

TEST(IsPublicAddress, RefusesTheIpv6SpecialsByName) {
  for (const char* ip : {"::1", "::7f00:1", "::8.8.8.8", "fe80::1", "fec0::1", "fc00::1", "fd12::1",
                         "ff02::1", "64:ff9b:1::1", "100::1", "5f00::1", "2001:0:4136:e378::1",
                         "2001:2::1", "2001:20::1", "2002:808:808::1"}) {
    EXPECT_FALSE(Public(ip)) << ip;
  }
}

TEST(IsPublicAddress, JudgesMappedAndNat64AddressesByTheIpv4OneInThem) {
  EXPECT_TRUE(Public("::ffff:8.8.8.8"));
  EXPECT_FALSE(Public("::ffff:127.0.0.1"));
  EXPECT_FALSE(Public("::ffff:169.254.169.254"));
  EXPECT_TRUE(Public("64:ff9b::8.8.8.8"));
  EXPECT_FALSE(Public("64:ff9b::10.0.0.1"));
  EXPECT_FALSE(Public("64:ff9b::127.0.0.1"));
}

TEST(IsPublicAddress, TakesOrdinaryHosts) {
  EXPECT_TRUE(Public("8.8.8.8"));
  EXPECT_TRUE(Public("2606:4700:4700::1111"));
}

TEST(IsPublicAddress, RefusesOtherFamilies) {
  sockaddr address = {};
  address.sa_family = AF_UNIX;
  EXPECT_FALSE(IsPublicAddress(&address));
}

}  // namespace
}  // namespace grove::config
