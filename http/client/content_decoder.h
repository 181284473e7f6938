// ContentDecoder: a body's Content-Encoding undone (RFC 9110, 8.4.1), piece by piece.
//
// A small body can hold a large one: each call yields at most kPieceBytes, and none holds more than
// its coding's window. Any thread, one at a time.
#ifndef GROVE_HTTP_CLIENT_CONTENT_DECODER_H_
#define GROVE_HTTP_CLIENT_CONTENT_DECODER_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace grove::http {

class ContentDecoder {
 public:
  static constexpr size_t kPieceBytes = 16 * 1024;
  // What Accept-Encoding may say.
  static constexpr std::string_view kCodings = "gzip, deflate, br, zstd";

  // Null: none of these.
  static std::unique_ptr<ContentDecoder> Of(std::string_view coding);

  virtual ~ContentDecoder() = default;
  // Takes from the front of `coded` and puts what comes of it into `piece`, which is empty if there
  // is not enough yet. kUnavailable: it is not of this coding; kResourceExhausted: no memory.
  virtual absl::Status Next(std::string_view& coded, std::string& piece) = 0;
  // More can come of what was taken already.
  virtual bool has_more() const = 0;
  // The coded form has ended; what follows is another member of it, or nothing.
  virtual bool at_end() const = 0;
};

// "the body's Content-Encoding does not hold: it is no gzip".
absl::Status NotCodedAs(std::string_view coding);

}  // namespace grove::http

#endif  // GROVE_HTTP_CLIENT_CONTENT_DECODER_H_
