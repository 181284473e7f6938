#include "http/websocket/mask.h"

#include <openssl/rand.h>

#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "runtime/hub/check.h"

namespace grove::http::websocket {

void ApplyMask(std::span<char> bytes, const MaskKey& key, size_t offset) {
  // The key as it repeats from `offset` on, wide enough for one step.
  char wide[16];
  for (size_t i = 0; i < sizeof(wide); ++i) wide[i] = key[(offset + i) % 4];
  char* p = bytes.data();
  char* const end = p + bytes.size();
#if defined(__SSE2__)
  __m128i mask;
  std::memcpy(&mask, wide, sizeof(mask));
  for (; end - p >= 16; p += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_xor_si128(block, mask));
  }
#endif
  uint64_t word_mask;
  std::memcpy(&word_mask, wide, sizeof(word_mask));
  for (; end - p >= 8; p += 8) {
    uint64_t word;
    std::memcpy(&word, p, sizeof(word));
    word ^= word_mask;
    std::memcpy(p, &word, sizeof(word));
  }
  for (size_t i = 0; p != end; ++p, ++i) *p = static_cast<char>(*p ^ wide[i]);
}

MaskKey MaskKeys::Next() {
  if (left_ == 0) {
    const int drawn = RAND_bytes(reinterpret_cast<unsigned char*>(keys_.data()), sizeof(keys_));
    GROVE_CHECK(drawn == 1, "there is no randomness for a mask");
    left_ = keys_.size();
  }
  return keys_[--left_];
}

}  // namespace grove::http::websocket
