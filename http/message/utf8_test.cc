#include "http/message/utf8.h"

#include <string>

#include "gtest/gtest.h"

namespace grove::http {
namespace {

// How many bytes of `text`, fed one by one, are taken before one is refused.
size_t TakenOf(std::string_view text) {
  Utf8Check check;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!check.Feed(text.substr(i, 1))) return i;
  }
  return text.size();
}

TEST(Utf8Check, TakesTheFirstAndLastCodePointOfEveryLength) {
  for (const std::string_view text :
       {std::string_view("\0", 1), std::string_view("\x7f"), std::string_view("\xc2\x80"),
        std::string_view("\xdf\xbf"), std::string_view("\xe0\xa0\x80"),
        std::string_view("\xed\x9f\xbf"), std::string_view("\xee\x80\x80"),
        std::string_view("\xef\xbf\xbf"), std::string_view("\xf0\x90\x80\x80"),
        std::string_view("\xf4\x8f\xbf\xbf"), std::string_view("\xce\xba\xe1\xbd\xb9\xcf\x83")}) {
    EXPECT_TRUE(IsUtf8(text));
    EXPECT_TRUE(IsUtf8(std::string(31, 'a').append(text).append("bc")));
    EXPECT_EQ(TakenOf(text), text.size());
  }
}

TEST(Utf8Check, RefusesAtTheFirstByteThatNothingCanMakeGood) {
  struct Case {
    std::string_view text;
    size_t taken;
  };
  for (const Case& c : {
           Case{"\x80", 0},
           Case{"\xbf", 0},
           Case{"\xc0\x80", 0},
           Case{"\xc1\xbf", 0},
           Case{"\xe0\x80\x80", 1},
           Case{"\xe0\x9f\xbf", 1},
           Case{"\xed\xa0\x80", 1},
           Case{"\xed\xbf\xbf", 1},
           Case{"\xf0\x80\x80\x80", 1},
           Case{"\xf0\x8f\xbf\xbf", 1},
           Case{"\xf4\x90\x80\x80", 1},
           Case{"\xf5\x80\x80\x80", 0},
           Case{"\xff", 0},
           Case{"\xfe", 0},
           Case{"\xf8\x88\x80\x80\x80", 0},
           Case{"\xe2\x82\x41", 2},
           Case{"\xc3(", 1},
           Case{"ab\xc3\xc3", 3},
       }) {
    EXPECT_EQ(TakenOf(c.text), c.taken);
    EXPECT_FALSE(IsUtf8(c.text));
    EXPECT_FALSE(IsUtf8(std::string(40, 'a').append(c.text).append(std::string(40, 'a'))));
  }
}

TEST(Utf8Check, MayEndOnlyBetweenCharacters) {
  Utf8Check check;
  EXPECT_TRUE(check.AtBoundary());
  EXPECT_TRUE(check.Feed("\xf0\x9f\x98"));
  EXPECT_FALSE(check.AtBoundary());
  EXPECT_TRUE(check.Feed("\x80"));
  EXPECT_TRUE(check.AtBoundary());
}

TEST(Utf8Check, StaysRefusedUntilItIsReset) {
  Utf8Check check;
  EXPECT_FALSE(check.Feed("\xff"));
  EXPECT_FALSE(check.Feed("a"));
  EXPECT_FALSE(check.AtBoundary());
  check.Reset();
  EXPECT_TRUE(check.Feed("a"));
}

}  // namespace
}  // namespace grove::http
