#include "zeromq/frame.h"

#include <gtest/gtest.h>

namespace grove::zeromq {
namespace {

TEST(Frame, HoldsTheBytesItIsMadeOf) {
  EXPECT_TRUE(Frame().empty());
  EXPECT_EQ(Frame("text").text(), "text");
  EXPECT_EQ(Frame(std::string_view("a\0b", 3)).size(), 3u);
}

TEST(Frame, KeepsALargeStringAndCopiesASmallOne) {
  std::string small(Frame::kCopyMax, 's');
  std::string large(Frame::kCopyMax + 1, 'l');
  const char* const small_at = small.data();
  const char* const large_at = large.data();
  EXPECT_NE(Frame(std::move(small)).view().data(), small_at);
  const Frame kept(std::move(large));
  EXPECT_EQ(kept.view().data(), large_at);
  EXPECT_EQ(kept.text(), std::string(Frame::kCopyMax + 1, 'l'));
}

TEST(Frame, IsMovedAndShared) {
  Frame first(std::string(5000, 'x'));
  const char* const bytes = first.view().data();
  Frame shared = first.Share();
  EXPECT_EQ(shared.view().data(), bytes);
  Frame moved = std::move(first);
  EXPECT_EQ(moved.view().data(), bytes);
  EXPECT_TRUE(first.empty());
  moved = Frame("other");
  EXPECT_EQ(shared.size(), 5000u);  // lives on
  EXPECT_EQ(moved, "other");
}

TEST(Frame, MessagesAreMadeOfTextsAndFrames) {
  const Message message = MessageOf("a", std::string("b"), Frame("c"), std::string_view("d"));
  ASSERT_EQ(message.size(), 4u);
  EXPECT_EQ(message[2], "c");
  EXPECT_EQ(message[0].Property("Peer-Address"), "");
}

}  // namespace
}  // namespace grove::zeromq
