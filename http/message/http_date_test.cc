#include "http/message/http_date.h"

#include "gtest/gtest.h"

namespace grove::http {
namespace {

constexpr std::time_t kExample = 784111777;  // RFC 9110's
constexpr std::time_t kNow = 1'800'000'000;  // 2027

TEST(HttpDate, ReadsTheThreeForms) {
  for (const char* text : {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                           "Sun Nov  6 08:49:37 1994"}) {
    EXPECT_EQ(ParseHttpDate(text, kNow), kExample) << text;
  }
}

TEST(HttpDate, TakesATwoDigitYearForTheNearestNotFarInTheFuture) {
  const auto year_of = [](const char* text) {
    const std::time_t seconds = ParseHttpDate(text, kNow).value_or(0);
    return FormatHttpDate(seconds).substr(12, 4);
  };
  EXPECT_EQ(year_of("Sunday, 06-Nov-77 08:49:37 GMT"), "2077");
  EXPECT_EQ(year_of("Sunday, 06-Nov-78 08:49:37 GMT"), "1978");
  EXPECT_EQ(year_of("Sunday, 06-Nov-00 08:49:37 GMT"), "2000");
}

TEST(HttpDate, ReadsWhatItWrites) {
  for (const std::time_t seconds : {std::time_t{0}, kExample, kNow}) {
    EXPECT_EQ(ParseHttpDate(FormatHttpDate(seconds), kNow), seconds);
  }
}

TEST(HttpDate, RefusesEverythingElse) {
  for (const char* text : {"", "now", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET",
                           "Sun, 06 Nov 1994 08:49:37 GMT, x", "Sun, 32 Nov 1994 08:49:37 GMT",
                           "784111777", "\"Sun, 06 Nov 1994 08:49:37 GMT\""}) {
    EXPECT_EQ(ParseHttpDate(text, kNow), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace grove::http
