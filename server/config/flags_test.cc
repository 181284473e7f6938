#include "server/config/flags.h"

#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

ABSL_FLAG(int, crawl_depth, 3, "how deep this application crawls");
ABSL_FLAG(bool, polite, true, "whether it waits");

namespace grove::config {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ParseFlagsTest : public ::testing::Test {
 protected:
  absl::StatusOr<DaemonFlags> Parse(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "groved");
    std::vector<char*> argv;
    argv.reserve(arguments.size() + 1);
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    return ParseFlags(static_cast<int>(arguments.size()), argv.data());
  }

  std::string ErrorOf(std::vector<std::string> arguments) {
    const absl::StatusOr<DaemonFlags> flags = Parse(std::move(arguments));
    EXPECT_EQ(flags.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(flags.status().message());
  }

 private:
  absl::FlagSaver saver_;
};

TEST_F(ParseFlagsTest, LeavesOpenWhatWasNotGiven) {
  const DaemonFlags flags = *Parse({});
  EXPECT_FALSE(flags.http || flags.control || flags.admin || flags.workers || flags.state_dir ||
               flags.run_dir || flags.log_format || flags.log_level || flags.drain_timeout_ms);
  EXPECT_FALSE(flags.insecure || flags.check || flags.help || flags.help_config || flags.version);
  EXPECT_EQ(flags.config + flags.control_binary, "");
}

TEST_F(ParseFlagsTest, CarriesEveryFlag) {
  const absl::StatusOr<DaemonFlags> parsed =
      Parse({"--http=a", "--control", "b", "-admin=c", "--workers=4", "--state_dir=d",
             "--run_dir=e", "--config=f", "--control_binary=g", "--insecure", "--check",
             "--log_format=json", "--log_level=debug", "--drain_timeout_ms=5", "--help_config"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(*parsed->http + *parsed->control + *parsed->admin, "abc");
  EXPECT_EQ(*parsed->state_dir + *parsed->run_dir + parsed->config + parsed->control_binary,
            "defg");
  EXPECT_EQ(*parsed->workers, 4);
  EXPECT_EQ(*parsed->drain_timeout_ms, 5);
  EXPECT_EQ(*parsed->log_format + *parsed->log_level, "jsondebug");
  EXPECT_TRUE(parsed->insecure && parsed->check && parsed->help_config);
}

TEST_F(ParseFlagsTest, TakesTheLastOfTwo) {
  EXPECT_EQ(Parse({"--http=a", "--http=b"})->http, "b");
}

TEST_F(ParseFlagsTest, SaysInOneLineWhatIsWrong) {
  const struct {
    std::vector<std::string> arguments;
    const char* error;
  } kCases[] = {
      {{"--htp=x"}, "unknown flag --htp; did you mean --http? --help lists them"},
      {{"--state-dir=x"}, "unknown flag --state-dir; did you mean --state_dir?"},
      {{"--xyzzyxyzzy"}, "unknown flag --xyzzyxyzzy; --help lists them"},
      {{"--nohttp"}, "unknown flag --nohttp"},
      {{"--noinsecure=true"}, "unknown flag --noinsecure"},
      {{"--flagfile=x"}, "unknown flag --flagfile"},
      {{"--a\nb"}, "unknown flag --a\\nb"},
      {{"serve"}, "unexpected argument 'serve'; only flags are taken"},
      {{"--check", "false"}, "unexpected argument 'false'"},
      {{"--", "x"}, "unexpected argument 'x'"},
      {{""}, "unexpected argument ''"},
      {{"-"}, "unexpected argument '-'"},
      {{"--http"}, "--http needs a value"},
      {{"--http="}, "--http has an empty value"},
      {{"--workers="}, "--workers has an empty value"},
      {{"--workers=many"}, "--workers=many: no such value for this flag"},
      {{"--workers=99999999999999999999"}, "--workers=99999999999999999999: no such value"},
      {{"--insecure=perhaps"}, "--insecure=perhaps: no such value"},
      {{"--crawl_depth=deep"}, "--crawl_depth=deep: no such value"},
  };
  for (const auto& c : kCases) {
    const std::string error = ErrorOf(c.arguments);
    EXPECT_THAT(error, HasSubstr(c.error));
    EXPECT_THAT(error, Not(HasSubstr("\n")));
  }
}

TEST_F(ParseFlagsTest, TakesSwitchesOnAndOff) {
  EXPECT_TRUE(Parse({"--insecure"})->insecure);
  EXPECT_FALSE(Parse({"--insecure", "--noinsecure"})->insecure);
  EXPECT_TRUE(Parse({"--insecure=true"})->insecure);
  EXPECT_FALSE(Parse({"--insecure=false"})->insecure);
}

TEST_F(ParseFlagsTest, TakesALoneTerminator) {
  EXPECT_TRUE(Parse({"--check", "--"})->check);
}

TEST_F(ParseFlagsTest, SetsTheFlagsOfTheApplication) {
  ASSERT_TRUE(Parse({"--crawl_depth=8", "--nopolite"}).ok());
  EXPECT_EQ(absl::GetFlag(FLAGS_crawl_depth), 8);
  EXPECT_FALSE(absl::GetFlag(FLAGS_polite));
}

TEST_F(ParseFlagsTest, StopsAtHelpAndVersion) {
  EXPECT_TRUE(Parse({"--help", "--nonsense"})->help);
  EXPECT_TRUE(Parse({"-h"})->help);
  EXPECT_TRUE(Parse({"--version", "--help"})->version);
  EXPECT_FALSE(Parse({"--version", "--help"})->help);
  EXPECT_FALSE(Parse({"--nonsense", "--help"}).ok());
}

TEST(FlagsUsage, ListsEveryFlagOfTheDaemonAndOfTheApplication) {
  const std::string usage = FlagsUsage("groved");
  int ours = 0;
  for (const auto& [name, flag] : absl::GetAllFlags()) {
    if (absl::StrContains(flag->Filename(), "absl/")) continue;
    if (absl::EndsWith(flag->Filename(), "config/flags.cc")) ++ours;
    EXPECT_TRUE(absl::StrContains(usage, absl::StrCat("\n  --", name))) << name;
  }
  EXPECT_EQ(ours, 14);
  EXPECT_THAT(usage, HasSubstr("  --http=HOST:PORT|unix:PATH\n      HTTP listener\n"
                               "      default: 127.0.0.1:8090\n"));
  EXPECT_THAT(usage, HasSubstr("Flags of the application:\n  --crawl_depth=VALUE\n"
                               "      how deep this application crawls\n      default: 3\n"));
}

}  // namespace
}  // namespace grove::config
