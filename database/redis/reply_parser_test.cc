#include "database/redis/reply_parser.h"

#include <gtest/gtest.h>

#include <string>

namespace grove::redis {
namespace {

// What one whole reply is.
Value Parsed(std::string_view bytes) {
  ReplyParser parser;
  parser.Feed(bytes);
  absl::StatusOr<std::optional<Value>> value = parser.Next();
  EXPECT_TRUE(value.ok() && value->has_value()) << bytes << ": " << value.status();
  EXPECT_EQ(parser.buffered(), 0u) << bytes;
  return value.ok() && value->has_value() ? **value : Value();
}

absl::Status Failure(std::string_view bytes, const ReplyLimits& limits = {}) {
  ReplyParser parser(limits);
  parser.Feed(bytes);
  absl::Status failed = parser.Next().status();
  EXPECT_EQ(parser.Next().status(), failed) << "it must not go on after an error";
  return failed;
}

TEST(ReplyParserTest, KnowsEveryType) {
  EXPECT_EQ(Parsed("+OK\r\n"), Value(Value::Kind::kStatus, "OK"));
  EXPECT_EQ(Parsed("-ERR no\r\n"), Value(Value::Kind::kError, "ERR no"));
  EXPECT_EQ(Parsed("!6\r\nERR no\r\n"), Value(Value::Kind::kError, "ERR no"));
  EXPECT_EQ(Parsed(":-7\r\n"), Value::OfInteger(-7));
  EXPECT_EQ(Parsed(":+7\r\n"), Value::OfInteger(7));
  EXPECT_EQ(Parsed(",1.5\r\n"), Value::OfDouble(1.5));
  EXPECT_GT(*Parsed(",inf\r\n").Double(), 1e308);
  EXPECT_NE(*Parsed(",nan\r\n").Double(), *Parsed(",nan\r\n").Double());
  EXPECT_EQ(Parsed("#t\r\n"), Value::OfBoolean(true));
  EXPECT_EQ(Parsed("#f\r\n"), Value::OfBoolean(false));
  EXPECT_EQ(Parsed("(123456789012345678901234567890\r\n"),
            Value(Value::Kind::kBigNumber, "123456789012345678901234567890"));
  EXPECT_EQ(Parsed("$4\r\na\r\nb\r\n"), Value(Value::Kind::kString, "a\r\nb"));
  EXPECT_EQ(Parsed("$0\r\n\r\n"), Value(Value::Kind::kString, ""));
  EXPECT_EQ(Parsed("=7\r\ntxt:abc\r\n"), Value(Value::Kind::kString, "abc"));
  for (const char* null : {"_\r\n", "$-1\r\n", "*-1\r\n"}) EXPECT_TRUE(Parsed(null).null());
}

TEST(ReplyParserTest, NestsAggregates) {
  const Value value = Parsed("%2\r\n+a\r\n*2\r\n:1\r\n~1\r\n:2\r\n+b\r\n>0\r\n");
  ASSERT_EQ(value.kind(), Value::Kind::kMap);
  ASSERT_NE(value.Find("a"), nullptr);
  EXPECT_EQ(*value.Find("a")->elements()[1].elements()[0].Integer(), 2);
  EXPECT_EQ(value.Find("b")->kind(), Value::Kind::kPush);
  EXPECT_EQ(value.Find("c"), nullptr);
  EXPECT_EQ(Parsed("*0\r\n").kind(), Value::Kind::kArray);
}

TEST(ReplyParserTest, DropsAttributesWhereverTheyStand) {
  EXPECT_EQ(Parsed("|1\r\n+ttl\r\n:60\r\n$1\r\nx\r\n"), Value(Value::Kind::kString, "x"));
  EXPECT_EQ(Parsed("*2\r\n:1\r\n|1\r\n+ttl\r\n*1\r\n:60\r\n:2\r\n").elements().size(), 2u);
  EXPECT_EQ(Parsed("*1\r\n|0\r\n:2\r\n").elements().size(), 1u);
}

TEST(ReplyParserTest, TakesBytesInAnyPieces) {
  const std::string bytes =
      "*3\r\n$5\r\nhello\r\n|1\r\n+k\r\n+v\r\n%1\r\n+a\r\n,2.5\r\n_\r\n+next\r\n";
  for (size_t step = 1; step <= bytes.size(); ++step) {
    ReplyParser parser;
    std::vector<Value> values;
    for (size_t at = 0; at < bytes.size(); at += step) {
      parser.Feed(std::string_view(bytes).substr(at, step));
      for (;;) {
        absl::StatusOr<std::optional<Value>> value = parser.Next();
        ASSERT_TRUE(value.ok()) << step << ": " << value.status();
        if (!value->has_value()) break;
        values.push_back(**std::move(value));
      }
    }
    ASSERT_EQ(values.size(), 2u) << step;
    EXPECT_EQ(values[0].elements().size(), 3u);
    EXPECT_EQ(*values[0].elements()[1].Find("a")->Double(), 2.5);
    EXPECT_EQ(values[1].text(), "next");
  }
}

TEST(ReplyParserTest, RefusesWhatIsNoResp) {
  for (const char* bytes : {"HTTP/1.1 400 Bad Request\r\n",
                            "\r\n",
                            "+\n",
                            "+OK\n",
                            ":\r\n",
                            ":1x\r\n",
                            ":1.5\r\n",
                            "$x\r\n",
                            "$-2\r\n",
                            "$3\r\nabcd\r\n",
                            "$1\r\nabc",
                            "*-2\r\n",
                            "*x\r\n",
                            "#x\r\n",
                            ",x\r\n",
                            "_x\r\n",
                            "=3\r\nabc\r\n",
                            "=5\r\nabcde\r\n",
                            "*?\r\n",
                            "$?\r\n"}) {
    EXPECT_TRUE(absl::IsUnavailable(Failure(bytes))) << bytes << ": " << Failure(bytes);
  }
  EXPECT_TRUE(absl::IsUnavailable(Failure("+" + std::string(70'000, 'x'))));
}

TEST(ReplyParserTest, BoundsBytesAndDepthWhateverCountsClaim) {
  const ReplyLimits limits = {.bytes_max = 10'000, .depth_max = 3};
  EXPECT_TRUE(absl::IsResourceExhausted(Failure("$10001\r\n", limits)));
  EXPECT_TRUE(absl::IsResourceExhausted(Failure("*1000000000\r\n", limits)));
  EXPECT_TRUE(absl::IsResourceExhausted(Failure("$18446744073709551615\r\n", limits)));
  EXPECT_TRUE(absl::IsResourceExhausted(Failure("%18446744073709551615\r\n", limits)));
  EXPECT_TRUE(absl::IsResourceExhausted(Failure("*1\r\n*1\r\n*1\r\n*1\r\n", limits)));
  // Small ones that sum up.
  std::string many = "*100\r\n";
  for (int i = 0; i < 100; ++i) many += "$60\r\n" + std::string(60, 'x') + "\r\n";
  EXPECT_TRUE(absl::IsResourceExhausted(Failure(many, limits)));
  // Of one reply, not of all.
  ReplyParser parser(limits);
  for (int i = 0; i < 100; ++i) {
    parser.Feed("$5000\r\n" + std::string(5000, 'x') + "\r\n");
    absl::StatusOr<std::optional<Value>> value = parser.Next();
    ASSERT_TRUE(value.ok() && value->has_value());
  }
}

}  // namespace
}  // namespace grove::redis
