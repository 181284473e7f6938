#include "http/websocket/mask.h"

#include <string>

#include <set>

#include "gtest/gtest.h"

namespace grove::http::websocket {
namespace {

constexpr MaskKey kKey = {'\x01', '\x02', '\x04', '\x80'};

std::string ByteByByte(std::string bytes, size_t offset) {
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] ^= kKey[(offset + i) % 4];
  return bytes;
}

TEST(Mask, IsThatOfTheRfcAtEveryLengthOffsetAndAlignment) {
  std::string bytes(80, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7);
  for (size_t length = 0; length < 70; ++length) {
    for (size_t offset = 0; offset < 8; ++offset) {
      std::string masked = bytes.substr(offset, length);
      ApplyMask(masked, kKey, offset);
      EXPECT_EQ(masked, ByteByByte(bytes.substr(offset, length), offset));
      std::string within = bytes;
      ApplyMask(std::span(within).subspan(offset, length), kKey, offset);
      EXPECT_EQ(within.substr(offset, length), masked);
      EXPECT_EQ(within.substr(offset + length), bytes.substr(offset + length));
    }
  }
}

TEST(Mask, AppliedTwiceIsNothing) {
  std::string bytes = "a text that is longer than a block of sixteen";
  ApplyMask(bytes, kKey, 3);
  ApplyMask(bytes, kKey, 3);
  EXPECT_EQ(bytes, "a text that is longer than a block of sixteen");
}

TEST(MaskKeys, AreNewEachTime) {
  MaskKeys keys;
  std::set<MaskKey> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(keys.Next());
  // Two of 4 billion may be alike by chance.
  EXPECT_GE(seen.size(), 998u);
}

}  // namespace
}  // namespace grove::http::websocket
