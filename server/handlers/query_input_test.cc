#include "server/handlers/query_input.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grove::handlers {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<QueryInput> Parse(std::string_view query) {
  return QueryInput::Parse(query, {"n", "x"});
}

TEST(PercentDecode, DecodesPairsOfDigitsAlone) {
  EXPECT_EQ(PercentDecode("a%2fb%2F+%00"), std::string("a/b/+\0", 6));
  for (const char* text : {"%", "%2", "%2x", "%x2", "a%"}) {
    EXPECT_EQ(PercentDecode(text), std::nullopt) << text;
  }
}

TEST(QueryInput, ReadsNumbersWithinTheirBounds) {
  const auto input = Parse("n=3&x=%31.5");
  ASSERT_TRUE(input.ok()) << input.status();
  EXPECT_EQ(*input->Integer("n", 3, 3, 0), 3);
  EXPECT_EQ(*input->Number("x", 1.5, 1.5, 0), 1.5);
  EXPECT_FALSE(input->Integer("n", 4, 9, 0).ok());
  EXPECT_FALSE(input->Integer("n", 0, 2, 0).ok());
}

TEST(QueryInput, FallsBackWhereAParameterIsAbsent) {
  const auto input = Parse("");
  EXPECT_EQ(*input->Integer("n", 3, 3, 7), 7);
  EXPECT_EQ(*input->Number("x", 0, 1, 0.5), 0.5);
  EXPECT_FALSE(*input->Flag("x"));
}

TEST(QueryInput, RefusesWithTheParametersName) {
  for (const auto& [query, what] : std::initializer_list<std::pair<const char*, const char*>>{
           {"y=1", "?y: unknown; known are: n, x"},
           {"n=1&n=1", "?n: stands twice"},
           {"n=%zz", "hexadecimal"},
           {"%00=1", "?\?: unknown"}}) {
    EXPECT_THAT(Parse(query).status().message(), HasSubstr(what)) << query;
  }
  EXPECT_THAT(Parse("n=1x")->Integer("n", 0, 9, 0).status().message(),
              HasSubstr("?n: '1x' is no integer from 0 to 9"));
  for (const char* number : {"n=nan", "n=inf", "n=", "n=1e99"}) {
    EXPECT_FALSE(Parse(number)->Number("n", 0, 9, 0).ok()) << number;
  }
  EXPECT_FALSE(Parse("n=2")->Flag("n").ok());
}

}  // namespace
}  // namespace grove::handlers
