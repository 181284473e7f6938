#include "runtime/io/ip_address.h"

#include <netinet/in.h>

#include <cstring>
#include <string>

#include "gtest/gtest.h"

namespace grove {
namespace {

bool Public(const std::string& ip) {
  return IpAddress::Parse(ip).value().IsPublic();
}

TEST(IpAddress, PrintsWhatItParses) {
  for (const char* text : {"0.0.0.0", "255.255.255.255", "::", "::1", "2001:db8::7",
                           "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8"}) {
    ASSERT_TRUE(IpAddress::Parse(text).has_value()) << text;
    EXPECT_EQ(IpAddress::Parse(text)->ToString(), text);
  }
}

TEST(IpAddress, TakesTheWholeTextOrNothing) {
  for (const std::string& text :
       {std::string(), std::string("127.1"), std::string("127.0.0.256"), std::string(" 127.0.0.1"),
        std::string("[::1]"), std::string("fe80::1%eth0"), std::string("localhost"),
        std::string("127.0.0.1\0x", 11), std::string(46, '1'), std::string(4096, ':')}) {
    EXPECT_FALSE(IpAddress::Parse(text).has_value()) << text;
  }
}

TEST(IpAddress, ComesFromASockaddrAtAnyAlignment) {
  sockaddr_in6 in6 = {};
  in6.sin6_family = AF_INET6;
  in6.sin6_addr = in6addr_loopback;
  alignas(8) char buffer[sizeof(in6) + 1];
  std::memcpy(buffer + 1, &in6, sizeof(in6));
  EXPECT_EQ(IpAddress::Of(reinterpret_cast<const sockaddr*>(buffer + 1))->ToString(), "::1");
}

TEST(IpAddress, IsNoneOfOtherFamilies) {
  sockaddr address = {};
  address.sa_family = AF_UNIX;
  EXPECT_FALSE(IpAddress::Of(&address).has_value());
}

TEST(IpAddress, KnowsLoopback) {
  for (const char* ip : {"127.0.0.0", "127.255.255.255", "::1", "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(IpAddress::Parse(ip)->IsLoopback()) << ip;
  }
  for (const char* ip : {"126.255.255.255", "128.0.0.0", "0.0.0.0", "::", "::2", "::ffff:128.0.0.1",
                         "fe80::1", "::127.0.0.1"}) {
    EXPECT_FALSE(IpAddress::Parse(ip)->IsLoopback()) << ip;
  }
}

TEST(IpAddress, IsPublicBesideEachSpecialRangeAndNotInIt) {
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

TEST(IpAddress, IsNotPublicAmongTheIpv6Specials) {
  for (const char* ip : {"::1", "::7f00:1", "::8.8.8.8", "fe80::1", "fec0::1", "fc00::1", "fd12::1",
                         "ff02::1", "64:ff9b:1::1", "100::1", "5f00::1", "2001:0:4136:e378::1",
                         "2001:2::1", "2001:20::1", "2002:808:808::1"}) {
    EXPECT_FALSE(Public(ip)) << ip;
  }
}

TEST(IpAddress, IsPublicAsTheIpv4OneInAMappedOrNat64Address) {
  EXPECT_TRUE(Public("::ffff:8.8.8.8"));
  EXPECT_FALSE(Public("::ffff:127.0.0.1"));
  EXPECT_FALSE(Public("::ffff:169.254.169.254"));
  EXPECT_TRUE(Public("64:ff9b::8.8.8.8"));
  EXPECT_FALSE(Public("64:ff9b::10.0.0.1"));
  EXPECT_FALSE(Public("64:ff9b::127.0.0.1"));
}

TEST(IpAddress, IsPublicForOrdinaryHosts) {
  EXPECT_TRUE(Public("8.8.8.8"));
  EXPECT_TRUE(Public("2606:4700:4700::1111"));
}

}  // namespace
}  // namespace grove
