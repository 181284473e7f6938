// What a client is told that begins to speak HTTP/2, with prior knowledge (RFC 9113, 3.3).
//
// In its own language, since a client of HTTP/2 takes an answer of HTTP/1.1 for a broken frame: an
// empty SETTINGS, as every server begins (3.4), and a GOAWAY with HTTP_1_1_REQUIRED (7), which says
// that nothing was processed and how to ask again. Pure.
#ifndef GROVE_SERVER_HTTP_SERVING_HTTP2_REFUSAL_H_
#define GROVE_SERVER_HTTP_SERVING_HTTP2_REFUSAL_H_

#include <string_view>

namespace grove::http {

// Whether a connection that began with `bytes` is HTTP/2's: the preface's first line is enough, as
// no request of HTTP/1 may be made of it.
inline bool IsHttp2Preface(std::string_view bytes) {
  return bytes.starts_with("PRI * HTTP/2.0\r\n");
}

// Each frame: length in 3 bytes, type, flags, stream in 4 bytes (RFC 9113, 4.1).
inline constexpr std::string_view kHttp2Refusal(
    "\0\0\0\x04\0\0\0\0\0"                      // SETTINGS
    "\0\0\x23\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0d"  // GOAWAY: no stream, HTTP_1_1_REQUIRED
    "this server speaks HTTP/1.1",              // for people (6.8)
    9 + 17 + 27);

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_SERVING_HTTP2_REFUSAL_H_
