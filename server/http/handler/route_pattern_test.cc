#include "server/http/handler/route_pattern.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grove::http {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(RoutePattern, NamesItsParameters) {
  EXPECT_THAT(RoutePattern::Parse("/a/{b}/{c...}")->names(), ElementsAre("b", "c"));
  EXPECT_TRUE(RoutePattern::Parse("/a/{b}/{c...}")->ends_in_rest());
  EXPECT_FALSE(RoutePattern::Parse("/a/{b}")->ends_in_rest());
  EXPECT_TRUE(RoutePattern::Parse("/a/b/")->literal());
  EXPECT_EQ(RoutePattern::Parse("/caf%c3%a9")->path, "/caf\xc3\xa9");
}

TEST(RoutePattern, RefusesWhatIsNone) {
  const std::pair<const char*, const char*> table[] = {
      {"", "starts with '/'"},
      {"a", "starts with '/'"},
      {"/a b", "blank"},
      {"/a?b", "?"},
      {"/%zz", "malformed escape"},
      {"/..", "climbs"},
      {"/v{n}", "around a whole segment"},
      {"/{n}v", "around a whole segment"},
      {"/{a}{b}", "around a whole segment"},
      {"/a}", "around a whole segment"},
      {"/{}", "named by"},
      {"/{1a}", "named by"},
      {"/{a-b}", "named by"},
      {"/{...}", "named by"},
      {"/{a...}/b", "stands last"},
      {"/{a...}/", "stands last"},
      {"/{a}/{a}", "same name"},
  };
  for (const auto& [path, why] : table) {
    const absl::Status status = RoutePattern::Parse(path).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << path;
    EXPECT_THAT(std::string(status.message()), HasSubstr(why)) << path;
  }
  std::string deep;
  for (size_t i = 0; i < kPatternSegmentsMax; ++i) deep += "/a";
  EXPECT_TRUE(RoutePattern::Parse(deep).ok());
  EXPECT_FALSE(RoutePattern::Parse(deep + "/a").ok());
}

TEST(HostPattern, IsANameOrASuffix) {
  EXPECT_EQ(*ParseHostPattern("Example.ORG"), "example.org");
  EXPECT_EQ(*ParseHostPattern("*.Example.org"), "*.example.org");
  EXPECT_EQ(*ParseHostPattern("[::1]"), "[::1]");
  for (const char* host :
       {"", "*", "*.", "a.*", "*a.b", "a:80", "a/b", ".a", "a.", "*.[::1]", "[]", "a b", "[g]"}) {
    EXPECT_FALSE(ParseHostPattern(host).ok()) << host;
  }
}

TEST(PlainHost, DropsPortCaseAndTrailingDot) {
  const std::pair<const char*, const char*> table[] = {
      {"Example.ORG", "example.org"}, {"a:80", "a"},      {"a.", "a"}, {"a.:80", "a"},
      {"[::1]:80", "[::1]"},          {"[::1]", "[::1]"}, {"", ""},
  };
  char buffer[256];
  for (const auto& [host, plain] : table) EXPECT_EQ(PlainHost(host, buffer), plain) << host;
  EXPECT_EQ(PlainHost(std::string(256, 'a'), buffer).size(), 256);
  EXPECT_EQ(PlainHost(std::string(257, 'a'), buffer), "");
}

}  // namespace
}  // namespace grove::http
