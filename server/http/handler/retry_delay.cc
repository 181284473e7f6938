#include "server/http/handler/retry_delay.h"

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/strings/cord.h"

namespace grove::http {
namespace {

constexpr char kType[] = "type.googleapis.com/google.rpc.RetryInfo";
// RetryInfo { Duration retry_delay = 1; }  Duration { int64 seconds = 1; int32 nanos = 2; }
constexpr uint64_t kDelayKey = 1 << 3 | 2;
constexpr uint64_t kSecondsKey = 1 << 3;
constexpr uint64_t kNanosKey = 2 << 3;
constexpr int64_t kNanosPerSecond = 1'000'000'000;

void PutVarint(std::string& to, uint64_t number) {
  for (; number >= 0x80; number >>= 7) to.push_back(static_cast<char>(number | 0x80));
  to.push_back(static_cast<char>(number));
}

std::optional<uint64_t> TakeVarint(std::string_view& from) {
  uint64_t number = 0;
  for (int shift = 0; shift < 64 && !from.empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(from.front());
    from.remove_prefix(1);
    number |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return number;
  }
  return std::nullopt;
}

std::optional<absl::Duration> ParseDuration(std::string_view bytes) {
  int64_t seconds = 0;
  int64_t nanos = 0;
  while (!bytes.empty()) {
    const std::optional<uint64_t> key = TakeVarint(bytes);
    const std::optional<uint64_t> number = TakeVarint(bytes);
    if (!key || !number) return std::nullopt;
    if (*key == kSecondsKey) seconds = static_cast<int64_t>(*number);
    if (*key == kNanosKey) nanos = static_cast<int64_t>(*number);
  }
  if (seconds < 0 || nanos < 0 || nanos >= kNanosPerSecond) return std::nullopt;
  return absl::Seconds(seconds) + absl::Nanoseconds(nanos);
}

}  // namespace

absl::Status WithRetryDelay(absl::Status status, absl::Duration delay) {
  const int64_t seconds = absl::ToInt64Seconds(delay);
  const int64_t nanos = absl::ToInt64Nanoseconds(delay - absl::Seconds(seconds));
  std::string duration;
  if (seconds > 0) {
    PutVarint(duration, kSecondsKey);
    PutVarint(duration, static_cast<uint64_t>(seconds));
  }
  if (nanos > 0) {
    PutVarint(duration, kNanosKey);
    PutVarint(duration, static_cast<uint64_t>(nanos));
  }
  std::string payload;
  PutVarint(payload, kDelayKey);
  PutVarint(payload, duration.size());
  status.SetPayload(kType, absl::Cord(payload + duration));
  return status;
}

std::optional<absl::Duration> RetryDelayOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kType);
  if (!payload) return std::nullopt;
  const std::string bytes(*payload);
  std::string_view rest = bytes;
  const std::optional<uint64_t> key = TakeVarint(rest);
  const std::optional<uint64_t> length = TakeVarint(rest);
  if (key != kDelayKey || !length || *length != rest.size()) return std::nullopt;
  return ParseDuration(rest);
}

}  // namespace grove::http
