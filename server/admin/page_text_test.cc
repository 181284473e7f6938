#include "server/admin/page_text.h"

#include "gtest/gtest.h"

namespace grove::admin {
namespace {

TEST(FormatPage, PutsLikeThingsInATable) {
  const Json page = {{"total", 2},
                     {"fibers",
                      {{{"name", "a"}, {"state", "parked"}},
                       {{"name", "longer"}, {"state", "running"}, {"tenant", "t"}}}}};
  EXPECT_EQ(FormatPage(page),
            "total: 2\n"
            "fibers:\n"
            "  NAME    STATE    TENANT\n"
            "  a       parked\n"
            "  longer  running  t\n");
}

TEST(FormatPage, PutsAStackBelowItsRow) {
  const Json page = {{"stacks", {{{"name", "a"}, {"stack", {"f()", "g()"}}}}}};
  EXPECT_EQ(FormatPage(page), "stacks:\n  NAME\n  a\n      f()\n      g()\n");
}

TEST(FormatPage, SaysWhatIsEmpty) {
  EXPECT_EQ(FormatPage(Json{{"stalls", Json::array()}}), "stalls: none\n");
}

TEST(FormatPage, LetsNoControlCharacterThrough) {
  EXPECT_EQ(FormatPage(Json{{"a", "b\x1b[2J\nc"}}), "a: b [2J c\n");
}

TEST(EscapeHtml, LeavesNothingThatIsMarkup) {
  EXPECT_EQ(EscapeHtml("<a href=\"x\">'&"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
}

}  // namespace
}  // namespace grove::admin
