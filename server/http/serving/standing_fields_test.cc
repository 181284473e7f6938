#include "server/http/serving/standing_fields.h"

#include "gtest/gtest.h"

namespace grove::http {
namespace {

TEST(FormatHttpDate, IsThatOfTheRfc) {
  EXPECT_EQ(FormatHttpDate(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(FormatHttpDate(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(FormatHttpDate(1709164800), "Thu, 29 Feb 2024 00:00:00 GMT");
}

TEST(StandingFields, FollowTheSecond) {
  StandingFields fields;
  EXPECT_EQ(fields.DateAt(0), "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n");
  EXPECT_EQ(fields.DateAt(1), "Date: Thu, 01 Jan 1970 00:00:01 GMT\r\n");
  EXPECT_EQ(fields.OkHeadAt(2),
            "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:02 GMT\r\nServer: grove\r\n");
}

TEST(StatusLine, HasThePhraseOrNone) {
  EXPECT_EQ(StatusLine(200), "HTTP/1.1 200 OK\r\n");
  EXPECT_EQ(StatusLine(299), "HTTP/1.1 299 \r\n");
}

}  // namespace
}  // namespace grove::http
