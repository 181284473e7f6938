#include "server/config/plain_text.h"

#include "gtest/gtest.h"

namespace grove::config {
namespace {

TEST(PlainText, IsUtf8WithoutControlCharacters) {
  for (const char* text : {"", "a b", "\xc3\xa9", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(IsPlainText(text)) << text;
    EXPECT_EQ(AsPlainText(text), text);
  }
  for (const char* text : {"\n", "a\x7f", "\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
    EXPECT_FALSE(IsPlainText(text));
    EXPECT_TRUE(IsPlainText(AsPlainText(text))) << AsPlainText(text);
  }
}

TEST(PlainText, ShowsWhatIsNotPlainByItsBytes) {
  EXPECT_EQ(AsPlainText(std::string_view("a\0b\n", 4)), "a\\x00b\\x0a");
  EXPECT_EQ(AsPlainText("\xc3\xa9\xc3'"), "\xc3\xa9\\xc3'");
}

}  // namespace
}  // namespace grove::config
