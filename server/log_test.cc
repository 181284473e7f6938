#include "server/log.h"

#include "gtest/gtest.h"

namespace grove {
namespace {

const absl::Time kTime = absl::FromUnixMicros(1'795'248'930'123'456);

std::string Text(std::string_view message, std::initializer_list<LogField> fields) {
  return FormatLogLine(LogFormat::kText, kTime, LogLevel::kInfo, "worker-0", message, fields);
}

std::string Json(std::string_view message, std::initializer_list<LogField> fields) {
  return FormatLogLine(LogFormat::kJson, kTime, LogLevel::kError, "groved", message, fields);
}

TEST(Log, TextLineCarriesTimeLevelProcessMessageAndFields) {
  EXPECT_EQ(Text("worker ready", {{"pid", 4711}, {"fibers", 5}}),
            "2026-11-21T08:15:30.123456Z info worker-0 \"worker ready\" pid=4711 fibers=5\n");
}

TEST(Log, QuotesValuesThatNeedIt) {
  EXPECT_EQ(Text("m", {{"a", ""}, {"b", "x y"}, {"c", "k=v"}, {"d", "say \"hi\""}}),
            "2026-11-21T08:15:30.123456Z info worker-0 \"m\" a=\"\" b=\"x y\" c=\"k=v\" "
            "d=\"say \\\"hi\\\"\"\n");
}

TEST(Log, EscapesControlCharactersSoThatALineStaysALine) {
  EXPECT_EQ(Text("a\nb", {{"v", "\x1b[31m"}, {"c1", "\xc2\x9b"}}),
            "2026-11-21T08:15:30.123456Z info worker-0 \"a\\nb\" v=\"\\x1b[31m\" "
            "c1=\"\\xc2\\x9b\"\n");
}

TEST(Log, KeepsTextBeyondAscii) {
  EXPECT_NE(Text("m", {{"v", "grün"}}).find("v=\"grün\""), std::string::npos);
}

TEST(Log, JsonLineIsOneObject) {
  EXPECT_EQ(Json("it said \"no\"", {{"code", 3}}),
            "{\"time\":\"2026-11-21T08:15:30.123456Z\",\"level\":\"error\",\"process\":\"groved\","
            "\"message\":\"it said \\\"no\\\"\",\"code\":\"3\"}\n");
}

TEST(Log, JsonEscapesBytesThatAreNotUtf8) {
  EXPECT_NE(Json("m", {{"v", "a\xff\x01"}}).find("\"v\":\"a\\u00ff\\u0001\""), std::string::npos);
}

TEST(Log, CutsLongValues) {
  const std::string line = Text("m", {{"v", std::string(100'000, 'x')}});
  EXPECT_LT(line.size(), 4300u);
  EXPECT_NE(line.find("x...\"\n"), std::string::npos);
}

}  // namespace
}  // namespace grove
