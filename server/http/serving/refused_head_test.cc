#include "server/http/serving/refused_head.h"

#include <string>

#include "gtest/gtest.h"

namespace grove::http {
namespace {

TEST(RefusedHead, LineEndsAtItsEndOrWhereNoMoreCame) {
  EXPECT_EQ(RequestLineOf("GET / HTTP/1.1\r\nHost: a\r\n"), "GET / HTTP/1.1");
  EXPECT_EQ(RequestLineOf("GET / HT"), "GET / HT");
  EXPECT_EQ(RequestLineOf("GET /\nx"), "GET /");
}

TEST(RefusedHead, EmptyLinesBeforeARequestAreNone) {
  EXPECT_EQ(RequestLineOf("\r\n\r\nGET / HTTP/1.1\r\n"), "GET / HTTP/1.1");
  EXPECT_EQ(RequestLineOf("\r\n"), "");
}

TEST(RefusedHead, LineIsBounded) {
  const std::string most(kRequestLineBytesMax, 'a');
  EXPECT_EQ(RequestLineOf(most), most);
  EXPECT_EQ(RequestLineOf(most + "b"), most);
}

TEST(RefusedHead, TellsTheTargetsParts) {
  const RequestHead head = HeadOf("PUT /a?b=c?d HTTP/9");
  EXPECT_EQ(head.method, "PUT");
  EXPECT_EQ(head.target, "/a?b=c?d");
  EXPECT_EQ(head.path, "/a");
  EXPECT_EQ(head.query, "b=c?d");
}

TEST(RefusedHead, WithoutASpaceThereIsAMethodAlone) {
  const RequestHead head = HeadOf("\x16\x03\x01");
  EXPECT_EQ(head.method, "\x16\x03\x01");
  EXPECT_EQ(head.target, "");
}

}  // namespace
}  // namespace grove::http
