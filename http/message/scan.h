// Scan: the character classes of HTTP/1.1 and the fast ways to find where a run of them ends.
//
// Pure; each function looks at [p, end) only and returns `end` if the run fills it.
#ifndef GROVE_HTTP_MESSAGE_SCAN_H_
#define GROVE_HTTP_MESSAGE_SCAN_H_

#include <array>
#include <cstdint>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace grove::http {

namespace scan_internal {
// Letters, digits and `others`.
constexpr std::array<bool, 256> MakeTable(std::string_view others) {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[c] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[c] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[c] = true;
  for (const char c : others) table[static_cast<uint8_t>(c)] = true;
  return table;
}
inline constexpr std::array<bool, 256> kToken = MakeTable("!#$%&'*+-.^_`|~");
inline constexpr std::array<bool, 256> kUri = MakeTable("-._~:/?[]@!$&'()*+,;=");
}  // namespace scan_internal

// tchar (RFC 9110, 5.6.2): what methods, field names and codings are made of.
inline bool IsTokenChar(char c) {
  return scan_internal::kToken[static_cast<uint8_t>(c)];
}
// VCHAR, SP, HTAB or obs-text (RFC 9110, 5.5).
[[gnu::always_inline]] inline bool IsValueChar(char c) {
  const auto byte = static_cast<uint8_t>(c);
  return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}
inline bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
inline bool IsBlank(char c) {
  return c == ' ' || c == '\t';
}

inline const char* SkipToken(const char* p, const char* end) {
#if defined(__SSE2__)
  // Letters, digits and '-' at once; the other token characters are rare.
  const __m128i letters = _mm_set1_epi8('z' - 'a');
  const __m128i digits = _mm_set1_epi8('9' - '0');
  while (end - p >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i from_a =
        _mm_sub_epi8(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
    const __m128i from_0 = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
    const __m128i common =
        _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(from_a, letters), from_a),
                                  _mm_cmpeq_epi8(_mm_min_epu8(from_0, digits), from_0)),
                     _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-')));
    const int other = ~_mm_movemask_epi8(common) & 0xffff;
    p += other == 0 ? 16 : __builtin_ctz(other);
    if (other == 0) continue;
    if (!IsTokenChar(*p)) return p;
    ++p;
  }
#endif
  while (p != end && IsTokenChar(*p)) ++p;
  return p;
}

inline bool IsToken(std::string_view text) {
  return !text.empty() &&
         SkipToken(text.data(), text.data() + text.size()) == text.data() + text.size();
}

#if defined(__SSE2__)
namespace scan_internal {
// A bit for each byte that no field value may hold.
inline int NoValueChars(__m128i bytes) {
  const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
  const __m128i tab = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t'));
  const __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
  return _mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(tab, control), del));
}
}  // namespace scan_internal
#endif

// The first byte that no field value may hold: a control character other than HTAB.
inline const char* SkipValue(const char* p, const char* end) {
#if defined(__SSE2__)
  for (; end - p >= 16; p += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    if (const int mask = scan_internal::NoValueChars(bytes); mask != 0) {
      return p + __builtin_ctz(mask);
    }
  }
  // Most values are shorter than that.
  if (end - p >= 8) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    if (const int mask = scan_internal::NoValueChars(bytes) & 0xff; mask != 0) {
      return p + __builtin_ctz(mask);
    }
    p += 8;
  }
#endif
  while (p != end && IsValueChar(*p)) ++p;
  return p;
}

inline bool IsValue(std::string_view text) {
  return SkipValue(text.data(), text.data() + text.size()) == text.data() + text.size();
}

// Where a request's target ends: at the first control character or space.
inline const char* SkipTarget(const char* p, const char* end) {
#if defined(__SSE2__)
  const __m128i last_blank = _mm_set1_epi8(0x20);
  const __m128i del = _mm_set1_epi8(0x7f);
  for (; end - p >= 16; p += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i bad = _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(bytes, last_blank), bytes),
                                     _mm_cmpeq_epi8(bytes, del));
    if (const int mask = _mm_movemask_epi8(bad); mask != 0) return p + __builtin_ctz(mask);
  }
#endif
  while (p != end && static_cast<uint8_t>(*p) > 0x20 && *p != 0x7f) ++p;
  return p;
}

// The first byte that stands in no URI as itself (RFC 3986, 2), or '#', which ends its path and
// query, or '%'. Brackets pass, though RFC 3986 has them in hosts alone: browsers send them in
// queries as they are, and no recipient reads them otherwise. Requires: SkipTarget() passed all.
inline const char* SkipUri(const char* p, const char* end) {
#if defined(__SSE2__)
  const auto equals = [](__m128i bytes, char c) { return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c)); };
  // Two characters that differ in one bit.
  const auto either = [&](__m128i bytes, char bit, char c) {
    return equals(_mm_or_si128(bytes, _mm_set1_epi8(bit)), c);
  };
  const __m128i brace = _mm_set1_epi8('{');
  for (; end - p >= 16; p += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i braces_and_above = _mm_cmpeq_epi8(_mm_max_epu8(bytes, brace), bytes);
    const __m128i bad = _mm_or_si128(
        _mm_or_si128(_mm_or_si128(either(bytes, 1, '#'), either(bytes, 2, '>')),
                     _mm_or_si128(either(bytes, 2, '^'), equals(bytes, '`'))),
        _mm_or_si128(_mm_andnot_si128(equals(bytes, '~'), braces_and_above), equals(bytes, '%')));
    if (const int mask = _mm_movemask_epi8(bad); mask != 0) return p + __builtin_ctz(mask);
  }
#endif
  while (p != end && scan_internal::kUri[static_cast<uint8_t>(*p)]) ++p;
  return p;
}

inline std::string_view TrimBlanks(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsBlank(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace grove::http

#endif  // GROVE_HTTP_MESSAGE_SCAN_H_
