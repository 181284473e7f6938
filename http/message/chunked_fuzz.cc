// libFuzzer target: a chunked body comes out the same however it is split and however small the
// reader's buffer is.
//
// `./dev fuzz` builds it, and runs it from the corpus in testdata/fuzz on.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "http/message/chunked.h"

namespace {

using grove::http::ChunkedDecoder;

struct Outcome {
  std::string data;
  std::string trailers;
  ChunkedDecoder::Event end = ChunkedDecoder::Event::kNeedMore;
  size_t left = 0;  // bytes behind the body, if it ended

  bool operator==(const Outcome&) const = default;
};

template <typename NextPiece>
Outcome Decode(std::string_view stream, size_t data_max, NextPiece next_piece) {
  Outcome outcome;
  ChunkedDecoder decoder;
  decoder.Reset();
  while (!stream.empty() && outcome.end == ChunkedDecoder::Event::kNeedMore) {
    const size_t size = std::min(next_piece(), stream.size());
    // A block of its own, so that a sanitizer sees what reads past it.
    const std::unique_ptr<char[]> block(new char[size]);
    std::copy_n(stream.begin(), size, block.get());
    stream.remove_prefix(size);
    std::string_view bytes(block.get(), size);
    std::string_view data;
    while ((outcome.end = decoder.Next(bytes, data_max, data)) == ChunkedDecoder::Event::kData) {
      if (data.empty() || data.size() > data_max) std::abort();
      outcome.data += data;
    }
    outcome.left = bytes.size() + stream.size();
  }
  if (outcome.end == ChunkedDecoder::Event::kDone) {
    for (const auto& [name, value] : decoder.trailers()) {
      outcome.trailers.append(name).append(":").append(value).append("\n");
    }
  } else {
    outcome.left = 0;  // how much of a malformed body was looked at is nobody's business
  }
  return outcome;
}

void Require(bool same, const char* what) {
  if (same) return;
  std::fprintf(stderr, "decoded otherwise %s\n", what);
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size < 2) return 0;
  // The first byte seeds the splits, so that the rest stays a readable body.
  uint32_t state = bytes[0] + 1;
  const std::string_view stream(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  const Outcome whole = Decode(stream, SIZE_MAX, [&] { return stream.size(); });
  Require(whole == Decode(stream, SIZE_MAX, [] { return size_t{1}; }), "byte by byte");
  Require(whole == Decode(stream, 1, [&] { return stream.size(); }), "into a buffer of one byte");
  Require(whole == Decode(stream, 1 + bytes[0] % 7,
                          [&] {
                            state = state * 1664525 + 1013904223;
                            return size_t{1} + (state >> 24) % 32;
                          }),
          "in pieces");
  Require((whole.end == ChunkedDecoder::Event::kBad) == grove::http::IsMalformedChunked(stream),
          "ahead of its reader");
  return 0;
}
