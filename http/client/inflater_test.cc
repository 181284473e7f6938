#include "http/client/inflater.h"

#include <zlib.h>

#include <algorithm>
#include <string>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"

namespace grove::http {
namespace {

// With a window of `bits`: 31 gzip, 15 zlib, -15 neither.
std::string Deflated(const std::string& text, int bits) {
  z_stream zlib{};
  EXPECT_EQ(deflateInit2(&zlib, 6, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
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

// In steps of `step` bytes.
absl::StatusOr<std::string> Inflated(std::string_view coded, size_t step, size_t* most = nullptr) {
  Inflater inflater;
  std::string text;
  std::string piece;
  while (!coded.empty() || inflater.has_more()) {
    std::string_view some = coded.substr(0, step);
    coded.remove_prefix(some.size());
    do {
      if (absl::Status status = inflater.Next(some, piece); !status.ok()) return status;
      if (most != nullptr) *most = std::max(*most, piece.size());
      text += piece;
    } while (!some.empty() || inflater.has_more());
  }
  if (!inflater.at_end()) return absl::OutOfRangeError("cut short");
  return text;
}

TEST(Inflater, UndoesAllThatIsCalledGzipOrDeflate) {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += std::to_string(i * 7919 % 1000);
  for (const int bits : {31, 15, -15}) {
    for (const size_t step : {1, 7, 1000, 1'000'000}) {
      const absl::StatusOr<std::string> inflated = Inflated(Deflated(text, bits), step);
      ASSERT_TRUE(inflated.ok()) << bits << " " << step << inflated.status();
      EXPECT_EQ(*inflated, text) << bits << " " << step;
    }
  }
}

TEST(Inflater, TakesSeveralMembers) {
  EXPECT_EQ(*Inflated(Deflated("one ", 31) + Deflated("two", 31), 1000), "one two");
}

TEST(Inflater, YieldsLittleAtATime) {
  size_t most = 0;
  EXPECT_EQ(Inflated(Deflated(std::string(5'000'000, 'x'), 31), 1'000'000, &most)->size(),
            5'000'000);
  EXPECT_EQ(most, Inflater::kPieceBytes);
}

TEST(Inflater, SeesWhatIsBrokenOrCutShort) {
  const std::string coded = Deflated(std::string(1000, 'x') + "end", 31);
  EXPECT_TRUE(absl::IsOutOfRange(Inflated(coded.substr(0, coded.size() - 9), 1000).status()));
  std::string wrong = coded;
  wrong[wrong.size() - 6] ^= 1;  // its checksum
  EXPECT_TRUE(absl::IsUnavailable(Inflated(wrong, 1000).status()));
  EXPECT_FALSE(Inflated("plain text", 1000).ok());
}

}  // namespace
}  // namespace grove::http
