#include "server/process/log_setup.h"

#include "gtest/gtest.h"

namespace grove::process {
namespace {

config::v1::Log Config(const std::string& level, config::v1::Log::Format format) {
  config::v1::Log config;
  config.set_level(level);
  config.set_format(format);
  return config;
}

// One line of each level.
std::string Logged() {
  testing::internal::CaptureStderr();
  Log(LogLevel::kDebug, "d");
  Log(LogLevel::kInfo, "i");
  Log(LogLevel::kWarning, "w");
  Log(LogLevel::kError, "e");
  return testing::internal::GetCapturedStderr();
}

std::string LevelsLogged(const std::string& level) {
  SetUpLogAs("groved", Config(level, config::v1::Log::FORMAT_TEXT));
  const std::string lines = Logged();
  std::string levels;
  for (const std::string name : {"d", "i", "w", "e"}) {
    if (lines.find("groved \"" + name + "\"") != std::string::npos) levels += name;
  }
  return levels;
}

TEST(LogSetUp, TheLevelSaysWhatIsLogged) {
  EXPECT_EQ(LevelsLogged("debug"), "diwe");
  EXPECT_EQ(LevelsLogged("info"), "iwe");
  EXPECT_EQ(LevelsLogged("warning"), "we");
  EXPECT_EQ(LevelsLogged("error"), "e");
}

TEST(LogSetUp, TheLevelMayChangeLater) {
  SetUpLogAs("groved", Config("error", config::v1::Log::FORMAT_TEXT));
  SetLogLevel(LogLevel::kWarning);
  EXPECT_NE(Logged().find("groved \"w\""), std::string::npos);
  SetLogLevel(LogLevel::kError);
  EXPECT_EQ(Logged().find("groved \"w\""), std::string::npos);
}

TEST(LogSetUp, TheFormatIsTheConfigsAndTheNameTheProcesss) {
  SetUpLogAs("grove-control", Config("error", config::v1::Log::FORMAT_JSON));
  EXPECT_NE(Logged().find(R"("level":"error","process":"grove-control")"), std::string::npos);
}

}  // namespace
}  // namespace grove::process
