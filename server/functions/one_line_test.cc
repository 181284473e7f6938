#include "server/functions/one_line.h"

#include "gtest/gtest.h"

namespace grove::functions {
namespace {

TEST(OneLine, CollapsesBlanksAndDropsControls) {
  EXPECT_EQ(OneLine("  a \t\r\n b\x01\x7f"
                    "c\xc2\x85"
                    "d\xe2\x80\xa8"
                    "e  "),
            "a b c d e");
  EXPECT_EQ(OneLine("\n"), "");
  EXPECT_EQ(OneLine("\xc2"), "\xc2");
}

TEST(HtmlText, KeepsWhatIsNoMarkup) {
  EXPECT_EQ(HtmlText("1 < 2 && x <br/>y &unknown; &#x41;&#0;"), "1 < 2 && x y &unknown; A&#0;");
  EXPECT_EQ(HtmlText("<b"), "<b");
}

}  // namespace
}  // namespace grove::functions
