// ByteRanges: which bytes a Range field asks for (RFC 9110, 14).
//
// Pure. Bounded: a field that asks for too many ranges, or for more bytes than there are, is
// ignored, as the RFC allows (14.2, 17.15): the whole representation is cheaper to send.
#ifndef GROVE_HTTP_MESSAGE_BYTE_RANGES_H_
#define GROVE_HTTP_MESSAGE_BYTE_RANGES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace grove::http {

inline constexpr size_t kByteRangesMax = 16;

struct ByteRange {
  uint64_t first = 0;
  uint64_t length = 0;  // at least 1
  bool operator==(const ByteRange&) const = default;
};

struct RangeRequest {
  enum class Kind : uint8_t {
    kWhole,          // no range, or one to ignore: 200
    kPart,           // `ranges`, in the order asked for: 206
    kUnsatisfiable,  // 416
  };
  Kind kind = Kind::kWhole;
  std::vector<ByteRange> ranges;
};

// `field`: the value of the one Range field. `size`: of the representation.
RangeRequest ParseRange(std::string_view field, uint64_t size);

// The value of Content-Range: "bytes 0-99/1234", "bytes */1234".
std::string ContentRange(const ByteRange& range, uint64_t size);
std::string UnsatisfiedContentRange(uint64_t size);

}  // namespace grove::http

#endif  // GROVE_HTTP_MESSAGE_BYTE_RANGES_H_
