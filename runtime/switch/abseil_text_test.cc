#include "runtime/switch/abseil_text.h"

#include <cstdint>
#include <string>
#include <string_view>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grove {
namespace {

using ::testing::ElementsAre;

TEST(AbseilText, GoesThereAndBackWithoutACopy) {
  const std::string_view text("with\0NUL", 8);
  EXPECT_EQ(Abseil(text).data(), text.data());
  EXPECT_EQ(Std(Abseil(text)), text);
  EXPECT_EQ(Std(Abseil(std::string_view())), "");
}

TEST(AbseilText, StrCatTakesTextsOfEitherKindAndNumbers) {
  const std::string_view ours = "ours";
  const std::string owned = "owned";
  EXPECT_EQ(StrCat(ours, " ", Abseil(ours), " ", owned, " ", "literal", " ", 7, " ", 1.5),
            "ours ours owned literal 7 1.5");
  EXPECT_EQ(StrCat(), "");
}

TEST(AbseilText, StrAppendAppends) {
  std::string text = "a";
  StrAppend(&text, std::string_view("b"), 'c' - 'a', "d");
  EXPECT_EQ(text, "ab2d");
}

TEST(AbseilText, SimpleAtoiTakesTheWholeTextOrNothing) {
  int32_t number = 0;
  EXPECT_TRUE(SimpleAtoi(std::string_view("42x").substr(0, 2), &number));
  EXPECT_EQ(number, 42);
  EXPECT_FALSE(SimpleAtoi(std::string_view("42x"), &number));
}

TEST(AbseilText, StrSplitGivesOnePieceMoreThanSeparators) {
  EXPECT_THAT(StrSplit("a,,b", ','), ElementsAre("a", "", "b"));
  EXPECT_THAT(StrSplit("", ','), ElementsAre(""));
}

TEST(AbseilText, ConsumePrefixTakesOnlyWhatIsThere) {
  std::string_view text = "--name";
  EXPECT_TRUE(ConsumePrefix(&text, "--"));
  EXPECT_EQ(text, "name");
  EXPECT_FALSE(ConsumePrefix(&text, "--"));
  EXPECT_EQ(text, "name");
}

}  // namespace
}  // namespace grove
