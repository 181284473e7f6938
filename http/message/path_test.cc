#include "http/message/path.h"

#include "gtest/gtest.h"

namespace grove::http {
namespace {

TEST(CanonicalPath, DecodesEscapesButSlashAndPercent) {
  const std::pair<const char*, const char*> table[] = {
      {"/", "/"},
      {"/a%62c", "/abc"},
      {"/%7euser", "/~user"},
      {"/a%2fb", "/a%2Fb"},
      {"/100%25", "/100%25"},
      {"/%252F", "/%252F"},
      {"/caf%C3%a9", "/caf\xc3\xa9"},
      {"/a%20b", "/a b"},
      {"//a//", "//a//"},
  };
  for (const auto& [path, canonical] : table) EXPECT_EQ(*CanonicalPath(path), canonical) << path;
}

// RFC 3986, 5.2.4 and 6.2.2.3.
TEST(CanonicalPath, ResolvesDotSegmentsAfterDecoding) {
  const std::pair<const char*, const char*> table[] = {
      {"/a/b/c/./../../g", "/a/g"},
      {"/.", "/"},
      {"/./", "/"},
      {"/a/.", "/a/"},
      {"/a/..", "/"},
      {"/a/b/..", "/a/"},
      {"/a/../b", "/b"},
      {"/a/%2E%2e/b", "/b"},
      {"/a//../b", "/a/b"},
      {"/...", "/..."},
      {"/.a/..b", "/.a/..b"},
      {"/a/..%2Fb", "/a/..%2Fb"},
  };
  for (const auto& [path, canonical] : table) EXPECT_EQ(*CanonicalPath(path), canonical) << path;
}

TEST(CanonicalPath, RefusesBadEscapesNulAndClimbing) {
  for (const char* path : {"/%", "/%2", "/%g0", "/%0g", "/a%", "/%00", "/a%00b", "/..", "/../a",
                           "/a/../..", "/a/../../b", "/%2e%2e"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(CanonicalPath(path).status())) << path;
  }
}

TEST(IsCanonicalPath, KnowsWhatWouldChange) {
  for (const char* path : {"/", "/a", "/a/b.c", "/.a", "/..a", "/...", "/a/", "//"}) {
    EXPECT_TRUE(IsCanonicalPath(path)) << path;
    EXPECT_EQ(*CanonicalPath(path), path);
  }
  for (const char* path : {"/%61", "/.", "/..", "/./a", "/a/../b", "/a/..", "/x.y/.", "/.a/../b"}) {
    EXPECT_FALSE(IsCanonicalPath(path)) << path;
  }
}

TEST(DecodeSegment, DecodesWhatTheCanonicalFormKeeps) {
  EXPECT_EQ(DecodeSegment("a%2Fb%25"), "a/b%");
  EXPECT_EQ(DecodeSegment("%252F"), "%2F");
  EXPECT_EQ(DecodeSegments("a%2Fb/c%25"), "a%2Fb/c%");
}

TEST(EncodePath, EscapesWhatRfc3986AllowsInNoPath) {
  EXPECT_EQ(EncodePath("/a-b._~!$&'()*+,;=:@/%2F%25"), "/a-b._~!$&'()*+,;=:@/%2F%25");
  EXPECT_EQ(EncodePath("/\\ev il?#<\"\xc3\xa9\x01"), "/%5Cev%20il%3F%23%3C%22%C3%A9%01");
  EXPECT_EQ(EncodeQuery("a=/?b\"<\\#%22"), "a=/?b%22%3C%5C%23%22");
}

}  // namespace
}  // namespace grove::http
