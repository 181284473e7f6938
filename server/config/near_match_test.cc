#include "server/config/near_match.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace grove::config {
namespace {

const std::vector<std::string>& Names() {
  static const auto* names =
      new std::vector<std::string>{"listen", "insecure", "drain_timeout_ms", "tls", "log"};
  return *names;
}

TEST(NearMatch, FindsTheNameBehindASlipOfTheFinger) {
  EXPECT_EQ(NearMatch("listn", Names()), "listen");
  EXPECT_EQ(NearMatch("lisetn", Names()), "listen");
  EXPECT_EQ(NearMatch("tsl", Names()), "tls");
  EXPECT_EQ(NearMatch("insecured", Names()), "insecure");
}

TEST(NearMatch, IgnoresCaseAndSeparators) {
  EXPECT_EQ(NearMatch("drainTimeoutMs", Names()), "drain_timeout_ms");
  EXPECT_EQ(NearMatch("DRAIN-TIMEOUT-MS", Names()), "drain_timeout_ms");
}

TEST(NearMatch, TakesAThirdOfTheLengthInEditsAndNoMore) {
  EXPECT_EQ(NearMatch("lixxen", Names()), "listen");
  EXPECT_EQ(NearMatch("lixxxn", Names()), "");
}

TEST(NearMatch, FindsNothingForEmptyOrEndlessNames) {
  EXPECT_EQ(NearMatch("", Names()), "");
  EXPECT_EQ(NearMatch(std::string(100000, 'l'), Names()), "");
}

}  // namespace
}  // namespace grove::config
