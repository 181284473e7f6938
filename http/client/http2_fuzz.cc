// Fuzzer of what a server may send over HTTP/2.
//
// `./dev fuzz` builds it, and runs it from the corpus in testdata/fuzz on. The first byte of an
// input says how the rest is split. Whatever comes, no stream keeps more than its window, what has
// failed is not whole, and with the connection all end.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "http/client/http2_session.h"
#include "http/client/response_parser.h"
#include "runtime/hub/check.h"

namespace grove::http {
namespace {

constexpr int32_t kWindow = 70'000;

// Heard by a client with three requests under way, of which one sends a body.
void Hear(std::string_view bytes, size_t step) {
  Http2Limits limits;
  limits.stream_window_bytes = kWindow;
  Http2Session session(limits);
  std::array<Http2Stream, 3> streams;
  const std::string body(100'000, 'x');
  streams[1].outgoing = body;
  for (size_t i = 0; i < streams.size(); ++i) {
    const HttpFields fields = {{":method", i == 1 ? "POST" : "GET"},
                               {":scheme", "https"},
                               {":authority", "a"},
                               {":path", "/"}};
    if (!session.Submit(fields, i == 1, streams[i]).ok()) return;
  }
  std::string out;
  bool alive = session.Produce(out, 1 << 20).ok();
  for (size_t at = 0; alive && at < bytes.size(); at += step) {
    alive = session.Receive(bytes.substr(at, step), 0).ok();
    out.clear();
    alive = session.Produce(out, 1 << 20).ok() && alive && !session.done();
  }
  for (Http2Stream& stream : streams) {
    GROVE_CHECK(stream.body.size() <= kWindow, "more is kept than a window");
    GROVE_CHECK(stream.fields.size() <= kResponseFieldsMax, "more fields than allowed");
    GROVE_CHECK(!stream.ended || stream.has_head, "an answer without a head is whole");
    GROVE_CHECK(!stream.ended || stream.failure.ok(), "an answer that failed is whole");
  }
  session.Fail(absl::UnavailableError("over"));
  for (Http2Stream& stream : streams) {
    GROVE_CHECK(stream.closed, "a stream outlives its connection");
    session.GiveUp(stream);
  }
}

}  // namespace
}  // namespace grove::http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t step = 1 + data[0] % 64;
  grove::http::Hear(bytes, bytes.size() + 1);
  grove::http::Hear(bytes, step);
  return 0;
}
