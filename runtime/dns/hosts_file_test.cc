#include "runtime/dns/hosts_file.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

namespace grove {
namespace {

std::string Spell(const std::vector<SocketAddress>& addresses) {
  std::string text;
  for (const SocketAddress& address : addresses) text += address.ToString() + " ";
  return text;
}

TEST(ParseHosts, TakesEveryNameOfALineInAnyCaseAndKeepsTheOrder) {
  const HostsTable table = ParseHosts(
      "192.0.2.1\tOne one.example.  \r\n"
      "# 192.0.2.9 one\n\n"
      "2001:db8::1 one # two\n"
      "not-an-address one\n"
      "192.0.2.2 last");
  EXPECT_EQ(table.size(), 3u);
  EXPECT_EQ(Spell(table.at("one")), "192.0.2.1:0 [2001:db8::1]:0 ");
  EXPECT_EQ(Spell(table.at("one.example")), "192.0.2.1:0 ");
  EXPECT_EQ(Spell(table.at("last")), "192.0.2.2:0 ");
}

TEST(ParseAddress, KnowsZonesAndRefusesHalfAddresses) {
  SocketAddress address;
  EXPECT_TRUE(ParseAddress("fe80::1%7", address));
  EXPECT_TRUE(ParseAddress("fe80::1%lo", address));
  for (const char* text : {"", "1.2.3", "1.2.3.4.5", "::g", "fe80::1%", "fe80::1%nowhere",
                           "127.0.0.1%lo", "example"}) {
    EXPECT_FALSE(ParseAddress(text, address)) << text;
  }
}

class HostsFileTest : public ::testing::Test {
 protected:
  ~HostsFileTest() override { unlink(path_); }
  static char* Made(char* path) {
    close(mkstemp(path));
    return path;
  }
  void Write(const std::string& text) { std::ofstream(path_) << text; }
  std::string Find(const char* name, int family = AF_UNSPEC) {
    return Spell(hosts_.Find(name, family, now_));
  }
  void Pass(absl::Duration time) { now_ = DeadlineAfter(now_, time); }

  char path_[32] = "/tmp/grove_hosts_XXXXXX";
  HostsFile hosts_{Made(path_)};
  MonotonicNanos now_ = 1;
};

TEST_F(HostsFileTest, AChangeIsSeenAfterTheRecheckNotBefore) {
  Write("192.0.2.1 a\n");
  EXPECT_EQ(Find("a"), "192.0.2.1:0 ");
  Write("192.0.2.22 a\n");
  Pass(kHostsRecheck - absl::Nanoseconds(1));
  EXPECT_EQ(Find("a"), "192.0.2.1:0 ");
  Pass(absl::Nanoseconds(1));
  EXPECT_EQ(Find("a"), "192.0.2.22:0 ");
}

TEST_F(HostsFileTest, AFileThatIsGoneHasNoNames) {
  Write("192.0.2.1 a\n");
  EXPECT_EQ(Find("a"), "192.0.2.1:0 ");
  unlink(path_);
  Pass(kHostsRecheck);
  EXPECT_EQ(Find("a"), "");
}

TEST_F(HostsFileTest, AFamilyChoosesAmongTheAddresses) {
  Write("192.0.2.1 a\n2001:db8::1 a\n");
  EXPECT_EQ(Find("a", AF_INET), "192.0.2.1:0 ");
  EXPECT_EQ(Find("a", AF_INET6), "[2001:db8::1]:0 ");
  EXPECT_EQ(Find("b"), "");
}

TEST_F(HostsFileTest, WhatLiesBehindTheLimitIsNotLookedAt) {
  const std::string filler(kHostsBytesMax - 30, '#');
  Write("192.0.2.1 a\n" + filler + "\n192.0.2.2 cut.example\n192.0.2.3 b\n");
  EXPECT_EQ(Find("a"), "192.0.2.1:0 ");
  EXPECT_EQ(Find("cut"), "");
  EXPECT_EQ(Find("cut.exam"), "");
  EXPECT_EQ(Find("b"), "");
}

}  // namespace
}  // namespace grove
