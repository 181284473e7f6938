// Fuzzer of what a server may answer: the head, where the body ends, and its coding.
//
// `./dev fuzz` builds it, and runs it from the corpus in testdata/fuzz on. Whatever the split of
// the bytes, the outcome is that of the whole.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "http/client/content_decoder.h"
#include "http/client/response_parser.h"
#include "http/client/url.h"
#include "runtime/hub/check.h"
#include "runtime/switch/abseil_text.h"

namespace grove::http {
namespace {

using Result = ResponseParser::Result;

// A line of all that the parser says once it has said something.
std::string Told(const ResponseParser& parser, Result result) {
  if (result == Result::kBad) return "bad";
  std::string text = StrCat(parser.head_bytes(), " ", parser.head().status, " ",
                            parser.head().version_minor, " ", parser.head().reason);
  for (const Field& field : parser.head().fields) {
    StrAppend(&text, "\n", field.name, "=", field.value);
  }
  for (const char* method : {"GET", "HEAD", "CONNECT"}) {
    ResponseFraming framing;
    const bool framed = parser.Frame(method, framing).ok();
    StrAppend(&text, "\n", framed, static_cast<int>(framing.body), " ", framing.content_length, " ",
              framing.keep_alive);
  }
  return text;
}

std::string Parsed(std::string bytes, size_t step) {
  ResponseParser parser;
  std::string so_far;
  for (size_t at = 0; at < bytes.size(); at += step) {
    // In other memory each time, as a buffer that grows.
    std::string next = so_far + bytes.substr(at, step);
    const Result result = parser.Parse(next);
    if (result != Result::kNeedMore) return Told(parser, result);
    so_far = std::move(next);
  }
  return "more";
}

void Decode(std::string_view coding, std::string_view coded) {
  const std::unique_ptr<ContentDecoder> decoder = ContentDecoder::Of(coding);
  std::string piece;
  // Each call takes some, or has more of what it took.
  for (int calls = 0; !coded.empty() || decoder->has_more(); ++calls) {
    const size_t before = coded.size();
    const bool had_more = decoder->has_more();
    if (!decoder->Next(coded, piece).ok()) return;
    GROVE_CHECK(piece.size() <= ContentDecoder::kPieceBytes, "a decoder yields too much");
    GROVE_CHECK(coded.size() < before || !piece.empty() || had_more, "a decoder takes nothing");
    if (calls > 1000) return;
  }
}

// What a Location leads to can be parsed again, and is the same then.
void Follow(std::string_view reference) {
  const absl::StatusOr<Url> next = Url::Parse("http://a/b/c?d")->Follow(reference);
  if (!next.ok()) return;
  const absl::StatusOr<Url> again = Url::Parse(next->ToString());
  GROVE_CHECK(again.ok() && again->ToString() == next->ToString(), "a followed URL is none");
}

}  // namespace
}  // namespace grove::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string whole = grove::http::Parsed(std::string(bytes), bytes.size() + 1);
  for (const size_t step : {1, 7}) {
    if (size > 2000 && step == 1) continue;
    GROVE_CHECK(grove::http::Parsed(std::string(bytes), step) == whole,
                "a head is another one when it comes in pieces");
  }
  for (const char* coding : {"gzip", "br", "zstd"}) grove::http::Decode(coding, bytes);
  grove::http::Follow(bytes.substr(0, 300));
  return 0;
}
