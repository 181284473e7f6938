// ChunkedDecoder: the chunked transfer coding, from bytes (RFC 9112, 7.1).
//
// Incremental and without I/O; data comes out as views into what went in. Trailers are kept apart
// from header fields and copied, since their bytes do not outlive the call. Bounded in everything
// but the data itself, which the caller counts.
#ifndef GROVE_HTTP_MESSAGE_CHUNKED_H_
#define GROVE_HTTP_MESSAGE_CHUNKED_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/message/field.h"

namespace grove::http {

// A chunk's size with its extensions, without the line end.
inline constexpr size_t kChunkLineBytesMax = 1024;
// Extensions of a whole body: they are ignored, so nobody should make us read many.
inline constexpr size_t kChunkExtensionBytesMax = 16 * 1024;
inline constexpr size_t kTrailersBytesMax = 16 * 1024;
inline constexpr size_t kTrailersMax = 64;

class ChunkedDecoder {
 public:
  enum class Event { kData, kNeedMore, kDone, kBad };

  // For the next body; views of the last one's trailers end here.
  void Reset();
  // Takes from the front of `bytes`. kData: `data` holds some, at most `data_max` (at least 1).
  // kNeedMore: all is taken.
  // kDone: the rest of `bytes` belongs to what follows the body. kBad: malformed or over a limit.
  Event Next(std::string_view& bytes, size_t data_max, std::string_view& data);

  // After kDone.
  std::span<const Field> trailers() const { return trailers_; }

 private:
  enum class Stage { kSize, kData, kDataEnd, kTrailers, kDone, kBad };

  Event Fail();
  // The next line with its LF; nothing if it is not complete or too long.
  bool TakeLine(std::string_view& bytes, std::string_view& line);
  bool ParseSizeLine(std::string_view line);
  bool TakeTrailer(std::string_view line);
  void CollectTrailers();

  Stage stage_ = Stage::kSize;
  uint64_t left_ = 0;  // of the chunk's data
  size_t extension_bytes_ = 0;
  size_t trailer_count_ = 0;
  std::string line_;  // what came of an incomplete line
  std::string trailer_bytes_;
  std::vector<Field> trailers_;
};

// Whether no chunked body begins with `bytes`: more of them would not help.
bool IsMalformedChunked(std::string_view bytes);

}  // namespace grove::http

#endif  // GROVE_HTTP_MESSAGE_CHUNKED_H_
