#include "server/config/origin_pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace grove::config {
namespace {

bool Matches(std::string_view pattern, bool https, std::string_view host, uint16_t port) {
  const absl::StatusOr<OriginPattern> parsed = OriginPattern::Parse(pattern);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() && parsed->Matches(https, host, port);
}

TEST(OriginPattern, MatchesSchemeHostAndPort) {
  EXPECT_TRUE(Matches("https://api.Example.org", true, "api.example.org", 443));
  EXPECT_TRUE(Matches("https://api.example.org", true, "api.example.org", 8443));
  EXPECT_FALSE(Matches("https://api.example.org", false, "api.example.org", 80));
  EXPECT_FALSE(Matches("https://api.example.org:444", true, "api.example.org", 443));
  EXPECT_FALSE(Matches("https://example.org", true, "api.example.org", 443));
  EXPECT_TRUE(Matches("http://*.example.org:80", false, "a.b.example.org", 80));
  EXPECT_FALSE(Matches("http://*.example.org", false, "example.org", 80));
  EXPECT_FALSE(Matches("http://*.example.org", false, "badexample.org", 80));
  EXPECT_TRUE(Matches("http://*", false, "127.0.0.1", 8080));
  EXPECT_TRUE(Matches("http://[::1]:80", false, "::1", 80));
}

TEST(OriginPattern, RanksTheMoreSpecificHigher) {
  const auto rank = [](std::string_view text) { return OriginPattern::Parse(text)->rank(); };
  EXPECT_LT(rank("http://*"), rank("http://*:80"));
  EXPECT_LT(rank("http://*:80"), rank("http://*.org"));
  EXPECT_LT(rank("http://*.org:80"), rank("http://*.example.org"));
  EXPECT_LT(rank("http://*.example.org:80"), rank("http://a.example.org"));
  EXPECT_LT(rank("http://a.example.org"), rank("http://a.example.org:80"));
}

TEST(OriginPattern, SaysWhatWouldBeRight) {
  for (const char* bad : {"", "example.org", "ftp://a", "http://", "http://a/", "http://a:0",
                          "http://a:65536", "http://a:", "http://*a.org", "http://[::1",
                          "http://[a]", "http://a:80x", "http://[::1]80"}) {
    const absl::Status status = OriginPattern::Parse(bad).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("want https://HOST")) << bad;
  }
}

}  // namespace
}  // namespace grove::config
