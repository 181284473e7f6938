#include "http/message/byte_ranges.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace grove::http {
namespace {

using Kind = RangeRequest::Kind;

// Of 10,000 bytes, as in RFC 9110, 14.1.2.
std::string Ranges(std::string_view field, uint64_t size = 10'000) {
  const RangeRequest request = ParseRange(field, size);
  if (request.kind == Kind::kWhole) return "whole";
  if (request.kind == Kind::kUnsatisfiable) return "unsatisfiable";
  std::string text;
  for (const ByteRange& range : request.ranges) {
    absl::StrAppend(&text, text.empty() ? "" : " ", range.first, "+", range.length);
  }
  return text;
}

TEST(ByteRanges, ReadTheRfcsExamples) {
  EXPECT_EQ(Ranges("bytes=0-499"), "0+500");
  EXPECT_EQ(Ranges("bytes=500-999"), "500+500");
  EXPECT_EQ(Ranges("bytes=-500"), "9500+500");
  EXPECT_EQ(Ranges("bytes=9500-"), "9500+500");
  EXPECT_EQ(Ranges("bytes=0-0,-1"), "0+1 9999+1");
  EXPECT_EQ(Ranges("bytes= 0-999, 4500-5499, -1000"), "0+1000 4500+1000 9000+1000");
  EXPECT_EQ(Ranges("bytes=500-700,601-999"), "500+201 601+399");
}

TEST(ByteRanges, AreCutAtTheEnd) {
  EXPECT_EQ(Ranges("bytes=9999-"), "9999+1");
  EXPECT_EQ(Ranges("bytes=9000-20000"), "9000+1000");
  EXPECT_EQ(Ranges("bytes=-20000"), "0+10000");
  EXPECT_EQ(Ranges("bytes=0-99999999999999999999999999"), "0+10000");
}

TEST(ByteRanges, OutsideAreLeftOutOrUnsatisfiable) {
  EXPECT_EQ(Ranges("bytes=10000-"), "unsatisfiable");
  EXPECT_EQ(Ranges("bytes=99999999999999999999999999-"), "unsatisfiable");
  EXPECT_EQ(Ranges("bytes=-0"), "unsatisfiable");
  EXPECT_EQ(Ranges("bytes=10000-,0-1"), "0+2");
}

TEST(ByteRanges, OfNothingAreIgnored) {
  EXPECT_EQ(Ranges("bytes=0-", 0), "whole");
  EXPECT_EQ(Ranges("bytes=-5", 0), "whole");
}

TEST(ByteRanges, MalformedAreIgnored) {
  for (const char* field :
       {"", "bytes", "bytes=", "bytes=,", "bytes=a-b", "bytes=1", "bytes=-", "bytes=5-4",
        "lines=0-1", "bytes 0-1", "bytes=0-1-2", "bytes=+0-1", "bytes=0-1;x", "bytes=0-1,x",
        "bytes =0-1", "bytes=0x0-1", "bytes=0 - 1"}) {
    EXPECT_EQ(Ranges(field), "whole") << field;
  }
}

TEST(ByteRanges, TakeTheUnitInAnyCaseAndEmptyListElements) {
  EXPECT_EQ(Ranges("BYTES=0-1"), "0+2");
  EXPECT_EQ(Ranges("bytes=,0-1, ,2-3,"), "0+2 2+2");
}

TEST(ByteRanges, TooManyOrTooMuchIsTheWhole) {
  std::string field = "bytes=0-0";
  for (size_t i = 1; i < kByteRangesMax; ++i) absl::StrAppend(&field, ",", i, "-", i);
  EXPECT_NE(Ranges(field), "whole");
  EXPECT_EQ(Ranges(field + ",50-50"), "whole");
  EXPECT_EQ(Ranges("bytes=0-,-1"), "whole");
  EXPECT_EQ(Ranges("bytes=0-9998,-1"), "0+9999 9999+1");
}

TEST(ContentRange, CountsFromZeroAndIncludesTheLast) {
  EXPECT_EQ(ContentRange({0, 500}, 10'000), "bytes 0-499/10000");
  EXPECT_EQ(ContentRange({9999, 1}, 10'000), "bytes 9999-9999/10000");
  EXPECT_EQ(UnsatisfiedContentRange(7), "bytes */7");
}

}  // namespace
}  // namespace grove::http
