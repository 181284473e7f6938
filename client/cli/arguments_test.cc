#include "client/cli/arguments.h"

#include <gtest/gtest.h>

namespace grove::client::cli {
namespace {

const std::vector<FlagSpec> kFlags = {
    {"wait", "", ""}, {"queue", "Q", ""}, {"label", "K=V", ""}, {"output", "FORMAT", "", 'o'}};

absl::StatusOr<Arguments> Parse(const std::vector<std::string>& line) {
  return Arguments::Parse(line, kFlags, Arguments::Scope::kWholeLine);
}

TEST(Arguments, AcceptEveryFormOfAFlag) {
  for (const std::vector<std::string>& line : std::vector<std::vector<std::string>>{
           {"--output=json"}, {"--output", "json"}, {"-o", "json"}, {"-ojson"}, {"-o=json"}}) {
    EXPECT_EQ(Parse(line)->Value("output"), "json") << line[0];
  }
}

TEST(Arguments, KeepPositionalOnesInOrderAroundFlags) {
  const auto arguments = Parse({"echo", "--wait", "{}", "--queue", "-1", "--", "--wait"});
  ASSERT_TRUE(arguments.ok());
  EXPECT_EQ(arguments->positional(), (std::vector<std::string>{"echo", "{}", "--wait"}));
  EXPECT_TRUE(arguments->Has("wait"));
  EXPECT_EQ(arguments->Value("queue"), "-1");
}

TEST(Arguments, ALoneDashIsNoFlag) {
  EXPECT_EQ(Parse({"-"})->positional().size(), 1);
}

TEST(Arguments, ANegativeNumberIsNoFlag) {
  EXPECT_EQ(Parse({"scale", "-2"})->positional(), (std::vector<std::string>{"scale", "-2"}));
}

TEST(Arguments, TheLastOfARepeatedFlagWinsAndAllAreKept) {
  const auto arguments = Parse({"--label=a=1", "--label", "b=2", "--wait", "--wait=false"});
  EXPECT_EQ(arguments->Values("label"), (std::vector<std::string>{"a=1", "b=2"}));
  EXPECT_FALSE(arguments->Has("wait"));
}

TEST(Arguments, AnUnknownFlagNamesANearOne) {
  EXPECT_EQ(Parse({"--queu=x"}).status().message(), "unknown flag --queu; did you mean --queue?");
  EXPECT_EQ(Parse({"-x"}).status().message(),
            "unknown flag -x; an argument that begins with - goes behind --");
  EXPECT_TRUE(IsUsageError(Parse({"--queu=x"}).status()));
}

TEST(Arguments, RefuseMissingAndSuperfluousValues) {
  EXPECT_EQ(Parse({"--queue"}).status().message(), "--queue needs a value: Q");
  EXPECT_EQ(Parse({"--wait=5"}).status().message(), "--wait takes no value");
}

TEST(Arguments, LeadingFlagsEndBeforeTheVerb) {
  const auto arguments = Arguments::Parse({"-o", "json", "spawn", "--unknown"}, kFlags,
                                          Arguments::Scope::kLeadingFlags);
  ASSERT_TRUE(arguments.ok());
  EXPECT_EQ(arguments->rest(), (std::vector<std::string>{"spawn", "--unknown"}));
}

TEST(NearestName, StaysWithinAThirdOfTheName) {
  EXPECT_EQ(NearestName("spwan", {"tasks", "spawn"}), "spawn");
  EXPECT_EQ(NearestName("func", {"functions", "fibers"}), "functions");
  EXPECT_EQ(NearestName("xyz", {"tasks", "spawn"}), "");
}

}  // namespace
}  // namespace grove::client::cli
