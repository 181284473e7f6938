// Numbers and times as PostgreSQL's binary forms have them: big endian, microseconds since 2000.
#ifndef GROVE_DATABASE_POSTGRES_WIRE_NUMBERS_H_
#define GROVE_DATABASE_POSTGRES_WIRE_NUMBERS_H_

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace grove::postgres {

// 2000-01-01 00:00:00 UTC (the server's datatype/timestamp.h).
inline constexpr absl::Time kServerEpoch = absl::FromUnixSeconds(946'684'800);

template <typename Unsigned>
void StoreBig(char* at, Unsigned value) {
  for (size_t i = sizeof(value); i-- > 0; value = static_cast<Unsigned>(value >> 4 >> 4)) {
    at[i] = static_cast<char>(value);
  }
}

template <typename Unsigned>
Unsigned LoadBig(const char* at) {
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof(Unsigned); ++i) value = value << 8 | static_cast<uint8_t>(at[i]);
  return static_cast<Unsigned>(value);
}

}  // namespace grove::postgres

#endif  // GROVE_DATABASE_POSTGRES_WIRE_NUMBERS_H_
