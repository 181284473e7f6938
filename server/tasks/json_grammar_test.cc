#include "server/tasks/json_grammar.h"

#include <string>

#include "gtest/gtest.h"

namespace grove::tasks {
namespace {

using std::string_literals::operator""s;

std::string Repeat(std::string_view text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

TEST(CheckJson, TakesWhatTheGrammarHas) {
  for (const std::string& text : {"null"s,
                                  "true"s,
                                  "false"s,
                                  "0"s,
                                  "-0"s,
                                  "\"\""s,
                                  "[]"s,
                                  "{}"s,
                                  " \t\r\n[ ]\n"s,
                                  "[[]]"s,
                                  "[1,2 , 3]"s,
                                  "{\"\":0}"s,
                                  "{\"a\":1,\"a\":1}"s,
                                  "{ \"a\" : [ { } , null ] }"s,
                                  "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\uABcd\""s,
                                  "\"\x7f\""s,
                                  "\"\xc3\xa9\""s,
                                  "\"\xe2\x82\xac\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\""s,
                                  "\"\xf0\x9f\x8c\xb3\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""s,
                                  "\xef\xbb\xbf{}"s}) {
    EXPECT_TRUE(CheckJson(text).ok()) << text << ": " << CheckJson(text);
  }
}

// Grammatical, though few programs can use them.
TEST(CheckJson, JudgesNoValue) {
  for (const std::string& text :
       {"1e999"s, "-1e+999"s, "1E-999"s, "123456789012345678901234567890"s, "0.1e1"s, "20e0"s,
        "-1.5E0"s, "0." + std::string(1000, '1'), std::string(100'000, '9'), "\"\\ud800\""s,
        "\"\\udc00\\ud800\""s, "\"\\uD800\\u0061\""s, "\"\\uFFFE\""s, "{\"\\ud834\":[1e400]}"s}) {
    EXPECT_TRUE(CheckJson(text).ok()) << text.substr(0, 50);
  }
}

TEST(CheckJson, RefusesWhatTheGrammarHasNot) {
  for (const std::string& text : {""s,           " "s,           "\xef\xbb\xbf"s,
                                  "\xef\xbb{}"s, "nul"s,         "nulll"s,
                                  "True"s,       "NaN"s,         "Infinity"s,
                                  "-Infinity"s,  "undefined"s,   "'a'"s,
                                  "a"s,          "1 2"s,         "[1]x"s,
                                  "[1]]"s,       "{}}"s,         "{}{}"s,
                                  "[1,]"s,       "[,1]"s,        "[,]"s,
                                  "[1,,2]"s,     "[1 2]"s,       "[1:2]"s,
                                  "[\"a\""s,     "["s,           "[1"s,
                                  "[}"s,         "{"s,           "{\"a\"}"s,
                                  "{\"a\":}"s,   "{\"a\" 1}"s,   "{\"a\":1,}"s,
                                  "{,}"s,        "{a:1}"s,       "{1:1}"s,
                                  "{null:1}"s,   "{\"a\":1]"s,   "{\"a\":1 \"b\":2}"s,
                                  "{\"a\"::1}"s, "{\"a\":1,,}"s, "{[]:1}"s,
                                  "[1]//x"s,     "/**/1"s,       "#1"s,
                                  "[\v]"s,       "[\f]"s,        "\xc2\xa0[]"s,
                                  "[]\0"s,       "\0"s,          "[\xe2\x81\xa0]"s}) {
    EXPECT_TRUE(absl::IsInvalidArgument(CheckJson(text))) << text;
  }
}

TEST(CheckJson, RefusesMalformedNumbers) {
  for (const std::string& text :
       {"-"s,   "+1"s,  "++1"s,   "--1"s,  "01"s,  "-01"s,  "00"s,    "1."s,          "-1."s,
        ".1"s,  "-.1"s, "1.e1"s,  "1e"s,   "1e+"s, "1eE2"s, "1e1.5"s, "1 .5"s,        "- 1"s,
        "0x1"s, "0x"s,  "1_000"s, "1e 2"s, "1a"s,  "0.3e"s, "0e+-1"s, "\xef\xbc\x91"s}) {
    EXPECT_TRUE(absl::IsInvalidArgument(CheckJson(text))) << text;
  }
}

TEST(CheckJson, RefusesMalformedStrings) {
  for (const std::string& text : {"\""s,
                                  "\"a"s,
                                  "\"\\\""s,
                                  "\"\\"s,
                                  "\"\\x41\""s,
                                  "\"\\a\""s,
                                  "\"\\'\""s,
                                  "\"\\0\""s,
                                  "\"\\U0041\""s,
                                  "\"\\u\""s,
                                  "\"\\u004\""s,
                                  "\"\\u00g0\""s,
                                  "\"\\u"s,
                                  "\"\\ud800\\\""s,
                                  "\"\\\0\""s,
                                  "\"a\tb\""s,
                                  "\"a\nb\""s,
                                  "\"\x1f\""s,
                                  "\"a\0b\""s,
                                  "\"\x80\""s,
                                  "\"\xff\""s,
                                  "\"\xc3\""s,
                                  "\"\xc0\xaf\""s,
                                  "\"\xc1\xbf\""s,
                                  "\"\xe0\x9f\xbf\""s,
                                  "\"\xe2\x82\""s,
                                  "\"\xed\xa0\x80\""s,
                                  "\"\xf0\x8f\xbf\xbf\""s,
                                  "\"\xf4\x90\x80\x80\""s,
                                  "\"\xf5\x80\x80\x80\""s,
                                  "\"\xf0\x9f\x8c\""s,
                                  "\"\\\xc3\xa9\""s,
                                  "{\"\xff\":1}"s}) {
    EXPECT_TRUE(absl::IsInvalidArgument(CheckJson(text))) << text;
  }
}

TEST(CheckJson, RefusesEveryBeginningOfAText) {
  const std::string text = "{\"a\\u00e9\":[1.5e-3,true,{\"\xc3\xa9\":null}],\"b\":\"c\"}";
  ASSERT_TRUE(CheckJson(text).ok());
  for (size_t length = 0; length < text.size(); ++length) {
    EXPECT_FALSE(CheckJson(text.substr(0, length)).ok()) << length;
  }
}

TEST(CheckJson, BoundsTheDepth) {
  const auto nested = [](std::string_view open, std::string_view close, int depth) {
    return Repeat(open, depth - 1) + "[]" + Repeat(close, depth - 1);
  };
  for (const auto& [open, close] : {std::pair("[", "]"), std::pair("{\"a\":", "}")}) {
    EXPECT_TRUE(CheckJson(nested(open, close, kJsonDepthMax)).ok()) << open;
    EXPECT_FALSE(CheckJson(nested(open, close, kJsonDepthMax + 1)).ok()) << open;
  }
  EXPECT_TRUE(CheckJson("[" + Repeat("[[]],", 5000) + "0]").ok()) << "side by side is not deep";
  EXPECT_FALSE(CheckJson(Repeat("[", 1 << 20)).ok());
}

TEST(CheckJson, SaysWhereAndWhy) {
  EXPECT_EQ(CheckJson("[1 2]").message(), "at byte 3: a ',' or ']' is expected");
  EXPECT_EQ(CheckJson("{\"a\":1").message(), "at byte 6: a ',' or '}' is expected");
  EXPECT_EQ(CheckJson("{} x").message(), "at byte 3: the end is expected");
  EXPECT_EQ(CheckJson("").message(), "at byte 0: a value is expected");
}

}  // namespace
}  // namespace grove::tasks
