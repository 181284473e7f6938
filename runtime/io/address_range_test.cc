#include "runtime/io/address_range.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grove {
namespace {

using ::testing::HasSubstr;

bool Contains(const AddressRange& range, const std::string& ip) {
  return range.Contains(IpAddress::Parse(ip).value());
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
  EXPECT_EQ(AddressRange::Parse("::ffff:10.0.0.0/104")->ToString(), "10.0.0.0/8");
  EXPECT_FALSE(Contains(*AddressRange::Parse("::/0"), "::ffff:10.1.2.3"));
  EXPECT_FALSE(Contains(*AddressRange::Parse("::/0"), "10.1.2.3"));
}

TEST(AddressRange, TakesAllOfAFamily) {
  EXPECT_TRUE(Contains(*AddressRange::Parse("0.0.0.0/0"), "255.255.255.255"));
  EXPECT_TRUE(Contains(*AddressRange::Parse("::/0"), "ffff::1"));
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

}  // namespace
}  // namespace grove
