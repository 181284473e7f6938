#include "http/client/content_decoder.h"

#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <string>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"

namespace grove::http {
namespace {

std::string Gzipped(const std::string& text) {
  z_stream zlib{};
  EXPECT_EQ(deflateInit2(&zlib, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string coded(deflateBound(&zlib, text.size()) + 32, '\0');
  zlib.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  zlib.avail_in = static_cast<uInt>(text.size());
  zlib.next_out = reinterpret_cast<Bytef*>(coded.data());
  zlib.avail_out = static_cast<uInt>(coded.size());
  EXPECT_EQ(deflate(&zlib, Z_FINISH), Z_STREAM_END);
  coded.resize(zlib.total_out);
  deflateEnd(&zlib);
  return coded;
}

std::string Brotlied(const std::string& text, int window = 22) {
  size_t size = BrotliEncoderMaxCompressedSize(text.size()) + 1024;
  std::string coded(size, '\0');
  EXPECT_TRUE(BrotliEncoderCompress(5, window, BROTLI_MODE_GENERIC, text.size(),
                                    reinterpret_cast<const uint8_t*>(text.data()), &size,
                                    reinterpret_cast<uint8_t*>(coded.data())));
  coded.resize(size);
  return coded;
}

std::string Zstded(const std::string& text, int window_log = 0) {
  ZSTD_CCtx* const zstd = ZSTD_createCCtx();
  if (window_log != 0) {
    // The window is written down, however short the text.
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_windowLog, window_log);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_contentSizeFlag, 0);
  }
  std::string coded(ZSTD_compressBound(text.size()), '\0');
  ZSTD_inBuffer in = {text.data(), text.size(), 0};
  ZSTD_outBuffer out = {coded.data(), coded.size(), 0};
  // In two steps: with all at hand it would choose a smaller window.
  ZSTD_compressStream2(zstd, &out, &in, ZSTD_e_continue);
  EXPECT_EQ(ZSTD_compressStream2(zstd, &out, &in, ZSTD_e_end), 0u);
  coded.resize(out.pos);
  ZSTD_freeCCtx(zstd);
  return coded;
}

std::string Coded(std::string_view coding, const std::string& text) {
  return coding == "br" ? Brotlied(text) : coding == "zstd" ? Zstded(text) : Gzipped(text);
}

// In steps of `step` bytes.
absl::StatusOr<std::string> Decoded(std::string_view coding, std::string_view coded, size_t step,
                                    size_t* most = nullptr) {
  const std::unique_ptr<ContentDecoder> decoder = ContentDecoder::Of(coding);
  std::string text;
  std::string piece;
  while (!coded.empty() || decoder->has_more()) {
    std::string_view some = coded.substr(0, step);
    coded.remove_prefix(some.size());
    do {
      if (absl::Status status = decoder->Next(some, piece); !status.ok()) return status;
      if (most != nullptr) *most = std::max(*most, piece.size());
      text += piece;
    } while (!some.empty() || decoder->has_more());
  }
  if (!decoder->at_end()) return absl::OutOfRangeError("cut short");
  return text;
}

class EachCoding : public ::testing::TestWithParam<const char*> {};

TEST_P(EachCoding, IsUndoneInPieces) {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += std::to_string(i * 7919 % 1000);
  const std::string coded = Coded(GetParam(), text);
  for (const size_t step : {1, 7, 1000, 1'000'000}) {
    const absl::StatusOr<std::string> decoded = Decoded(GetParam(), coded, step);
    ASSERT_TRUE(decoded.ok()) << step << decoded.status();
    EXPECT_EQ(*decoded, text) << step;
  }
  EXPECT_EQ(*Decoded(GetParam(), Coded(GetParam(), ""), 1), "");
}

TEST_P(EachCoding, YieldsABombInPieces) {
  const std::string bomb = Coded(GetParam(), std::string(64 << 20, 'a'));
  EXPECT_LT(bomb.size(), 100'000u);
  size_t most = 0;
  const absl::StatusOr<std::string> decoded = Decoded(GetParam(), bomb, bomb.size(), &most);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->size(), 64u << 20);
  EXPECT_LE(most, ContentDecoder::kPieceBytes);
}

TEST_P(EachCoding, SaysThatItIsCutShortOrNone) {
  const std::string coded = Coded(GetParam(), "something that is long enough to be cut");
  EXPECT_EQ(Decoded(GetParam(), coded.substr(0, coded.size() - 1), 3).status().code(),
            absl::StatusCode::kOutOfRange);
  const absl::Status none = Decoded(GetParam(), "\xff\xff this is none of them", 100).status();
  EXPECT_EQ(none.code(), absl::StatusCode::kUnavailable) << none;
}

INSTANTIATE_TEST_SUITE_P(All, EachCoding, ::testing::Values("gzip", "br", "zstd"));

TEST(ContentDecoder, KnowsTheirNamesAlone) {
  for (const char* coding : {"GZIP", "x-gzip", "deflate", "Br", "zstd"}) {
    EXPECT_NE(ContentDecoder::Of(coding), nullptr) << coding;
  }
  for (const char* other : {"", "identity", "compress", "gzip, br", "dcz"}) {
    EXPECT_EQ(ContentDecoder::Of(other), nullptr) << other;
  }
}

TEST(BrotliDecoder, TakesNothingBehindItsEnd) {
  const std::string coded = Brotlied("one") + "x";
  EXPECT_EQ(Decoded("br", coded, 1).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Decoded("br", coded, 100).status().code(), absl::StatusCode::kUnavailable);
}

TEST(ZstdDecoder, TakesSeveralFrames) {
  EXPECT_EQ(*Decoded("zstd", Zstded("one ") + Zstded("two"), 1), "one two");
  EXPECT_EQ(*Decoded("zstd", Zstded("one ") + Zstded("two"), 100), "one two");
}

TEST(ZstdDecoder, RefusesAWindowBeyondThatOfHttp) {
  EXPECT_TRUE(Decoded("zstd", Zstded("small", 23), 100).ok());
  EXPECT_EQ(Decoded("zstd", Zstded("small", 24), 100).status().code(),
            absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace grove::http
