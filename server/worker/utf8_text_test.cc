#include "server/worker/utf8_text.h"

#include "gtest/gtest.h"

namespace grove::worker {
namespace {

TEST(Utf8Text, LeavesCharactersAsTheyAre) {
  EXPECT_EQ(Utf8Text("", 10), "");
  EXPECT_EQ(Utf8Text("a\u00e4\u20ac\U0001f333\n", 100), "a\u00e4\u20ac\U0001f333\n");
}

TEST(Utf8Text, ReplacesWhatBelongsToNoCharacter) {
  EXPECT_EQ(Utf8Text("caf\xe9!", 100), "caf\ufffd!") << "Latin-1";
  EXPECT_EQ(Utf8Text("\xe2\x82", 100), "\ufffd\ufffd") << "cut amid a character";
  EXPECT_EQ(Utf8Text("\xed\xa0\x80", 100), "\ufffd\ufffd\ufffd") << "a surrogate";
  EXPECT_EQ(Utf8Text("\xc0\xaf", 100), "\ufffd\ufffd") << "overlong";
}

TEST(Utf8Text, CutsBetweenTwoCharacters) {
  EXPECT_EQ(Utf8Text("\u00e4\u00e4", 3), "\u00e4");
  EXPECT_EQ(Utf8Text("\u00e4\u00e4", 4), "\u00e4\u00e4");
  EXPECT_EQ(Utf8Text("ab\xff", 4), "ab");
}

}  // namespace
}  // namespace grove::worker
