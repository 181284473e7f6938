// Mask: the exclusive-or that every client's payload is masked with (RFC 6455, 5.3).
#ifndef GROVE_HTTP_WEBSOCKET_MASK_H_
#define GROVE_HTTP_WEBSOCKET_MASK_H_

#include <array>
#include <cstddef>
#include <span>

namespace grove::http::websocket {

using MaskKey = std::array<char, 4>;

// Masks or unmasks `bytes` in place, whose first stands at `offset` of the payload.
void ApplyMask(std::span<char> bytes, const MaskKey& key, size_t offset);

// Keys that nobody can foretell, a fresh one for each frame: else a page's script could choose what
// an intermediary reads (RFC 6455, 10.3). One user at a time.
class MaskKeys {
 public:
  MaskKey Next();

 private:
  // Drawn together: a draw costs about a microsecond, whatever its size.
  std::array<MaskKey, 32> keys_{};
  size_t left_ = 0;
};

}  // namespace grove::http::websocket

#endif  // GROVE_HTTP_WEBSOCKET_MASK_H_
