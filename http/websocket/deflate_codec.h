// Deflater and Inflater: messages to and from permessage-deflate's form (RFC 7692, 7.2).
//
// Both take pieces, so that neither time nor memory is spent in one go; the memory of zlib is taken
// at the first use and, without context takeover, given back after each message. Pure.
#ifndef GROVE_HTTP_WEBSOCKET_DEFLATE_CODEC_H_
#define GROVE_HTTP_WEBSOCKET_DEFLATE_CODEC_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"

struct z_stream_s;

namespace grove::http::websocket {

class Deflater {
 public:
  // `window_bits` 8 to 15, `level` 1 to 9.
  Deflater(int window_bits, int level, bool context_takeover);
  ~Deflater();

  // Appends the next piece's compressed form; after the last piece of a message, `out` is its
  // payload. False without memory.
  bool Add(std::string_view piece, std::string& out);
  bool Finish(std::string& out);

 private:
  bool Open();
  bool Run(std::string_view piece, int flush, std::string& out);
  void Release();

  const int window_bits_;
  const int level_;
  const bool context_takeover_;
  std::unique_ptr<z_stream_s> stream_;
};

class Inflater {
 public:
  enum class Result { kOk, kMalformed, kRefused, kNoMemory };
  // Takes what was inflated, in small pieces; false: enough.
  using Sink = absl::FunctionRef<bool(std::string_view bytes)>;

  Inflater(int window_bits, bool context_takeover);
  ~Inflater();

  // A piece of a message's payload. kRefused: the sink did.
  Result Add(std::string_view piece, Sink sink);
  // After a message's last piece. kMalformed also where the payload is cut short.
  Result Finish(Sink sink);

 private:
  bool Open();
  void Release();

  const int window_bits_;
  const bool context_takeover_;
  std::unique_ptr<z_stream_s> stream_;
};

}  // namespace grove::http::websocket

#endif  // GROVE_HTTP_WEBSOCKET_DEFLATE_CODEC_H_
