// libFuzzer target: whatever the bytes and the splits, the outcome is that of the whole.
//
// `./dev fuzz` builds it, and runs it from the corpus in testdata/fuzz on.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "http/message/parser_transcript.h"

namespace {

void Require(bool same, const char* what) {
  if (same) return;
  std::fprintf(stderr, "parsed otherwise %s\n", what);
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size < 2) return 0;
  // The first byte seeds the splits, so that the rest stays a readable stream; its highest bit lets
  // UTF-8 stand in targets.
  uint32_t state = bytes[0] + 1;
  using grove::http::TargetText;
  const TargetText text = bytes[0] >= 0x80 ? TargetText::kUriAndUtf8 : TargetText::kUri;
  const std::string_view stream(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  auto whole = grove::http::ReadStream(
                   stream, [&] { return stream.size(); }, text)
                   .Lines();
  auto pieces = grove::http::ReadStream(
                    stream,
                    [&] {
                      state = state * 1664525 + 1013904223;
                      return size_t{1} + (state >> 24) % 32;
                    },
                    text)
                    .Lines();
  Require(whole == pieces, "in pieces");
  auto bytewise = grove::http::ReadStream(
                      stream, [] { return size_t{1}; }, text)
                      .Lines();
  Require(whole == bytewise, "byte by byte");
  return 0;
}
