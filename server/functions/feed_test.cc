#include "server/functions/feed.h"

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grove::functions {
namespace {

using ::testing::HasSubstr;

std::string Sample(const std::string& name) {
  std::ifstream file("server/functions/testdata/" + name, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  EXPECT_TRUE(file.good()) << name;
  return bytes.str();
}

std::string TitleOf(const std::string& bytes) {
  const absl::StatusOr<std::string> title = FeedTitle(bytes);
  return title.ok() ? *title : "error: " + std::string(title.status().message());
}

TEST(FeedTitle, ReadsRss2AndNeitherImageNorForeignTitles) {
  EXPECT_EQ(TitleOf(Sample("rss2.xml")), "Example News & Weather");
}

TEST(FeedTitle, ReadsRss091InWindows1252AndLoadsNoDtd) {
  EXPECT_EQ(TitleOf(Sample("rss091.xml")), "Café “Vienna” – 5 €");
}

TEST(FeedTitle, ReadsRss1) {
  EXPECT_EQ(TitleOf(Sample("rss1.rdf")), "Bug Tracker: open issues");
}

TEST(FeedTitle, ReadsAtomHtmlAsText) {
  EXPECT_EQ(TitleOf(Sample("atom.xml")), "Less & more — a blog");
}

TEST(FeedTitle, ReadsAtomXhtmlAndNotAnEntrysTitle) {
  EXPECT_EQ(TitleOf(Sample("atom_xhtml.xml")), "Über strong coffee");
}

TEST(FeedTitle, ReadsUtf16) {
  const std::string ascii = "<rss><channel><title>Wide</title></channel></rss>";
  std::string wide = "\xff\xfe";
  for (const char c : ascii) wide += {c, '\0'};
  EXPECT_EQ(TitleOf(wide), "Wide");
}

TEST(FeedTitle, NeedsNothingThatFollowsTheTitle) {
  EXPECT_EQ(TitleOf("<rss><channel><title>Early</title><link>http://"), "Early");
}

TEST(FeedTitle, NamesTheRootOfWhatIsNoFeed) {
  EXPECT_EQ(TitleOf("<html><title>x</title></html>"),
            "error: not a feed: the root element is <html>");
  EXPECT_EQ(TitleOf("<feed><title>no namespace</title></feed>"),
            "error: not a feed: the root element is <feed>");
  EXPECT_EQ(TitleOf(Sample("page.html")), "error: not a feed: it is an HTML page");
  EXPECT_EQ(TitleOf(""), "error: not a feed: the document has no element");
}

TEST(FeedTitle, SaysWhereTheXmlIsBroken) {
  EXPECT_THAT(TitleOf(Sample("truncated.xml")), HasSubstr("not well-formed XML in line 2"));
  EXPECT_THAT(TitleOf("<rss><channel></rss>"), HasSubstr("mismatched tag"));
}

TEST(FeedTitle, SaysThatThereIsNone) {
  EXPECT_EQ(TitleOf("<rss><channel><item><title>Item</title></item></channel></rss>"),
            "error: the feed has no title");
  EXPECT_EQ(TitleOf("<rss><channel><title> \n </title></channel></rss>"),
            "error: the feed has no title");
}

TEST(FeedTitle, RefusesEntitiesThatGrow) {
  EXPECT_THAT(TitleOf(Sample("laughs.xml")), HasSubstr("amplification"));
}

TEST(FeedTitle, LoadsNoExternalEntity) {
  EXPECT_EQ(TitleOf(Sample("external_entity.xml")), "Users:");
}

TEST(FeedTitle, BoundsDepth) {
  const auto nested = [](int inner) {
    std::string feed = "<rss>";
    for (int i = 0; i < inner; ++i) feed += "<x>";
    for (int i = 0; i < inner; ++i) feed += "</x>";
    return feed + "<channel><title>Deep</title></channel></rss>";
  };
  EXPECT_EQ(TitleOf(nested(kFeedDepthMax - 1)), "Deep");
  EXPECT_THAT(TitleOf(nested(kFeedDepthMax)), HasSubstr("deeper than 64"));
}

TEST(FeedTitle, CutsALongTitleAtACharacter) {
  std::string umlauts;
  for (size_t i = 0; i < kFeedTitleMaxBytes; ++i) umlauts += "ü";
  const std::string title =
      TitleOf(absl::StrCat("<rss><channel><title>x", umlauts, "</title></channel></rss>"));
  EXPECT_EQ(title, absl::StrCat("x", umlauts.substr(0, kFeedTitleMaxBytes - 2), "…"));
}

}  // namespace
}  // namespace grove::functions
