#include "http/websocket/deflate_codec.h"

#include "gtest/gtest.h"

namespace grove::http::websocket {
namespace {

std::string Deflate(Deflater& deflater, std::string_view message) {
  std::string payload;
  EXPECT_TRUE(deflater.Add(message, payload));
  EXPECT_TRUE(deflater.Finish(payload));
  return payload;
}

std::string Inflate(Inflater& inflater, std::string_view payload) {
  std::string message;
  const auto sink = [&](std::string_view bytes) {
    message.append(bytes);
    return true;
  };
  EXPECT_EQ(inflater.Add(payload, sink), Inflater::Result::kOk);
  EXPECT_EQ(inflater.Finish(sink), Inflater::Result::kOk);
  return message;
}

// Text that repeats at many distances, up to 4000 bytes.
std::string Sample() {
  std::string text;
  for (int i = 0; i < 4000; ++i) text += std::to_string(i * i % 977) + ",";
  return text;
}

TEST(DeflateCodec, BringsMessagesBackWithEveryWindowAndLevel) {
  for (int bits = 8; bits <= 15; ++bits) {
    for (const int level : {1, 6, 9}) {
      Deflater deflater(bits, level, true);
      Inflater inflater(bits, true);
      for (const std::string& message : {Sample(), std::string("short"), Sample()}) {
        EXPECT_EQ(Inflate(inflater, Deflate(deflater, message)), message) << bits;
      }
    }
  }
}

// inflate() of a window of 2^8 bytes refuses any distance beyond it; ours opens one of 2^9 at
// least, so the compressor's own restraint is what is looked at: runs alone shrink.
TEST(DeflateCodec, UsesNoDistanceThatAWindowOf256BytesLacks) {
  std::string block;
  for (int i = 0; i < 300; ++i) block += static_cast<char>(i * 89 % 251);
  Deflater tiny(8, 6, true);
  Deflater small(10, 6, true);
  EXPECT_GT(Deflate(tiny, block + block).size(), 2 * block.size() - 100);
  EXPECT_LT(Deflate(small, block + block).size(), block.size() + 100);
  EXPECT_LT(Deflate(tiny, std::string(1000, 'a')).size(), 50u);
}

TEST(DeflateCodec, KeepsItsContextOnlyIfAgreed) {
  Deflater with(15, 6, true);
  Deflater without(15, 6, false);
  const std::string first = Deflate(with, Sample());
  EXPECT_LT(Deflate(with, Sample()).size(), first.size() / 4);
  EXPECT_EQ(Deflate(without, Sample()), first);
  EXPECT_EQ(Deflate(without, Sample()), first);
}

TEST(DeflateCodec, LeavesOutTheTailOfTheFlush) {
  Deflater deflater(15, 6, true);
  EXPECT_EQ(Deflate(deflater, "Hello"), std::string("\xf2\x48\xcd\xc9\xc9\x07\x00", 7));
  EXPECT_EQ(Deflate(deflater, "Hello"), std::string("\xf2\x00\x11\x00\x00", 5));
}

TEST(DeflateCodec, StopsAtTheSinksWord) {
  Deflater deflater(15, 6, true);
  const std::string payload = Deflate(deflater, std::string(1 << 20, 'a'));
  Inflater inflater(15, true);
  size_t seen = 0;
  const auto sink = [&](std::string_view bytes) { return (seen += bytes.size()) < 10'000; };
  EXPECT_EQ(inflater.Add(payload, sink), Inflater::Result::kRefused);
  EXPECT_LT(seen, 20'000u);
}

TEST(DeflateCodec, SaysWhatIsMalformedOrCutShort) {
  const auto sink = [](std::string_view) { return true; };
  Inflater inflater(15, true);
  EXPECT_EQ(inflater.Add("\xff\xff", sink), Inflater::Result::kMalformed);
  Inflater other(15, true);
  EXPECT_EQ(other.Add("\xf2\x48", sink), Inflater::Result::kOk);
  EXPECT_EQ(other.Finish(sink), Inflater::Result::kMalformed);
}

}  // namespace
}  // namespace grove::http::websocket
