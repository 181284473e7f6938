#include "server/control/page_token.h"

#include "gtest/gtest.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

TEST(PageToken, GivesBackItsPosition) {
  const std::string token = EncodePageToken("ListFibers workers/-", {3, 1ull << 40});
  auto position = DecodePageToken("ListFibers workers/-", token);
  ASSERT_TRUE(position.ok()) << position.status();
  EXPECT_EQ(position->worker, 3u);
  EXPECT_EQ(position->after, 1ull << 40);
}

TEST(PageToken, EmptyIsTheStart) {
  auto position = DecodePageToken("list", "");
  ASSERT_TRUE(position.ok());
  EXPECT_EQ(position->worker, 0u);
  EXPECT_EQ(position->after, 0u);
}

TEST(PageToken, OfAnotherListIsRefused) {
  const std::string token = EncodePageToken("ListFibers workers/0", {0, 5});
  const absl::Status status = DecodePageToken("ListFibers workers/1", token).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(tasks::RefusalReason(status), "PAGE_TOKEN_INVALID");
}

TEST(PageToken, EveryEditedCharacterIsNoticed) {
  const std::string token = EncodePageToken("list", {1, 77});
  for (size_t i = 0; i < token.size(); ++i) {
    std::string edited = token;
    edited[i] = edited[i] == 'B' ? 'D' : 'B';
    // The last character's low bits are padding; an edit of nothing else decodes to the same bytes.
    auto position = DecodePageToken("list", edited);
    if (position.ok()) {
      EXPECT_EQ(i, token.size() - 1);
      EXPECT_EQ(position->after, 77u);
    }
  }
}

TEST(PageToken, GarbageIsRefused) {
  EXPECT_FALSE(DecodePageToken("list", "x").ok());
  EXPECT_FALSE(DecodePageToken("list", "!!!!").ok());
  EXPECT_FALSE(DecodePageToken("list", std::string(1000, 'A')).ok());
}

TEST(PageSize, ZeroIsTheDefaultAndLargeIsCut) {
  EXPECT_EQ(*PageSize(0, 100, 1000), 100);
  EXPECT_EQ(*PageSize(1, 100, 1000), 1);
  EXPECT_EQ(*PageSize(1000, 100, 1000), 1000);
  EXPECT_EQ(*PageSize(1001, 100, 1000), 1000);
  EXPECT_FALSE(PageSize(-1, 100, 1000).ok());
}

}  // namespace
}  // namespace grove::control
