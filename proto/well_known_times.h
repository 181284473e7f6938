// ToMicros, SetMicros: microseconds to and from the protobuf well-known types.
#ifndef GROVE_PROTO_WELL_KNOWN_TIMES_H_
#define GROVE_PROTO_WELL_KNOWN_TIMES_H_

#include <cstdint>

#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace grove::proto {

// Requires a duration within some thousand years. Rounds away from zero: a nanosecond is not
// nothing.
inline int64_t ToMicros(const google::protobuf::Duration& duration) {
  const int32_t nanos = duration.nanos();
  return duration.seconds() * 1000000 + (nanos >= 0 ? (nanos + 999) / 1000 : (nanos - 999) / 1000);
}

inline int64_t ToMicros(const google::protobuf::Timestamp& time) {
  return time.seconds() * 1000000 + time.nanos() / 1000;
}

inline void SetMicros(int64_t us, google::protobuf::Duration* duration) {
  duration->set_seconds(us / 1000000);
  duration->set_nanos(static_cast<int32_t>(us % 1000000 * 1000));
}

// Requires a time since the epoch.
inline void SetMicros(int64_t us, google::protobuf::Timestamp* time) {
  time->set_seconds(us / 1000000);
  time->set_nanos(static_cast<int32_t>(us % 1000000 * 1000));
}

}  // namespace grove::proto

#endif  // GROVE_PROTO_WELL_KNOWN_TIMES_H_
