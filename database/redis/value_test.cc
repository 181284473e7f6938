#include "database/redis/value.h"

#include <gtest/gtest.h>

#include "database/redis/error_reply.h"

namespace grove::redis {
namespace {

using Kind = Value::Kind;

TEST(ValueTest, GettersTakeWhatStandsForTheirType) {
  EXPECT_EQ(*Value(Kind::kString, "17").Integer(), 17);
  EXPECT_EQ(*Value::OfInteger(17).String(), "17");
  EXPECT_EQ(*Value::OfDouble(0.1).String(), "0.1");
  EXPECT_EQ(*Value(Kind::kString, "2.5").Double(), 2.5);
  EXPECT_EQ(*Value::OfInteger(2).Double(), 2.0);
  EXPECT_TRUE(*Value::OfInteger(1).Boolean());
  EXPECT_FALSE(*Value::OfBoolean(false).Boolean());
  EXPECT_TRUE(*Value(Kind::kStatus, "OK").Boolean());
  const Value list(Kind::kArray, {Value(Kind::kString, "a"), Value(), Value::OfInteger(3)});
  EXPECT_EQ(*list.Strings(), (std::vector<std::string>{"a", "", "3"}));
}

TEST(ValueTest, GettersSayWhatItIsInstead) {
  EXPECT_TRUE(absl::IsNotFound(Value().String().status()));
  const absl::Status wrong = Value(Kind::kMap, std::vector<Value>{}).Integer().status();
  EXPECT_TRUE(absl::IsFailedPrecondition(wrong));
  EXPECT_NE(wrong.message().find("map"), std::string::npos) << wrong;
  EXPECT_TRUE(absl::IsFailedPrecondition(Value(Kind::kString, "x1").Integer().status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(Value(Kind::kString, "").Double().status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(Value::OfInteger(2).Boolean().status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(Value::OfInteger(2).Strings().status()));
  EXPECT_TRUE(absl::IsUnauthenticated(Value(Kind::kError, "NOAUTH x").Integer().status()));
}

TEST(ErrorReplyTest, ItsFirstWordPicksTheCodeAndStaysReadable) {
  const absl::Status wrong = ErrorReplyStatus("WRONGTYPE Operation against a key");
  EXPECT_TRUE(absl::IsFailedPrecondition(wrong));
  EXPECT_EQ(wrong.message(), "redis: WRONGTYPE Operation against a key");
  EXPECT_EQ(ErrorWord(wrong), "WRONGTYPE");
  EXPECT_TRUE(absl::IsInvalidArgument(ErrorReplyStatus("ERR syntax error")));
  EXPECT_EQ(ErrorWord(ErrorReplyStatus("MYOWN word of a script")), "MYOWN");
  EXPECT_TRUE(absl::IsUnavailable(ErrorReplyStatus("LOADING")));
  EXPECT_TRUE(absl::IsResourceExhausted(ErrorReplyStatus("OOM command not allowed")));
  EXPECT_EQ(ErrorWord(absl::UnknownError("other")), "");
}

}  // namespace
}  // namespace grove::redis
