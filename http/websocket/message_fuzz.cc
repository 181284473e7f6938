// libFuzzer target: whatever the bytes and the splits, the outcome is that of the whole, at either
// end; and a client makes of a server's frames what a server makes of the same with masks.
//
// `./dev fuzz` builds it, and runs it from the corpus in testdata/fuzz on.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "http/websocket/message_transcript.h"

namespace {

void Require(bool same, const char* what) {
  if (same) return;
  std::fprintf(stderr, "read otherwise %s\n", what);
  std::abort();
}

// Of both ends' readers.
std::vector<std::string> ReadEveryWay(std::string_view stream,
                                      const grove::http::websocket::ReaderSetup& setup,
                                      uint32_t seed) {
  namespace websocket = grove::http::websocket;
  uint32_t state = seed;
  const auto whole = websocket::Transcript(stream, setup, [&] { return stream.size(); });
  const auto pieces = websocket::Transcript(stream, setup, [&] {
    state = state * 1664525 + 1013904223;
    return size_t{1} + (state >> 24) % 32;
  });
  Require(whole == pieces, "in pieces");
  const auto bytewise = websocket::Transcript(stream, setup, [] { return size_t{1}; });
  Require(whole == bytewise, "byte by byte");
  return whole;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  namespace websocket = grove::http::websocket;
  if (size < 2) return 0;
  // The first byte seeds the splits, and its parity says whether compression was agreed on.
  websocket::ReaderSetup setup;
  setup.limits.message_bytes_max = 4096;
  setup.limits.fragments_max = 16;
  if (bytes[0] % 2 == 1) setup.deflate.emplace();
  const std::string_view stream(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  const uint32_t seed = bytes[0] + 1;
  const auto lines = ReadEveryWay(stream, setup, seed);
  ReadEveryWay(stream, websocket::Mirrored(setup), seed);
  if (const std::optional<std::string> unmasked = websocket::AsServers(stream)) {
    Require(ReadEveryWay(*unmasked, websocket::Mirrored(setup), seed) == lines, "by a client");
  }
  return 0;
}
