// FetchStats: what a FetchClient counts, and by what: kFetchOutcomes, kFetchBounds, kOriginBounds.
//
// Hub thread only.
#ifndef GROVE_SERVER_FUNCTIONS_FETCH_STATS_H_
#define GROVE_SERVER_FUNCTIONS_FETCH_STATS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/status/status.h"

namespace grove::functions {

// How long fetches take: upper bounds in seconds, from a cache next door to the default of
// fetch.timeout_ms.
inline constexpr std::array<double, 10> kFetchBounds = {0.001, 0.005, 0.02, 0.05, 0.1,
                                                        0.25,  0.5,   1,    5,    30};

// What came of a fetch; the last stands for all others.
struct FetchOutcome {
  absl::StatusCode code;
  std::string_view name;
};
inline constexpr std::array<FetchOutcome, 9> kFetchOutcomes = {{
    {absl::StatusCode::kOk, "ok"},
    {absl::StatusCode::kInvalidArgument, "malformed"},
    {absl::StatusCode::kPermissionDenied, "forbidden"},
    {absl::StatusCode::kResourceExhausted, "too_large"},
    {absl::StatusCode::kFailedPrecondition, "untrusted"},
    {absl::StatusCode::kUnavailable, "unavailable"},
    {absl::StatusCode::kDeadlineExceeded, "timed_out"},
    {absl::StatusCode::kCancelled, "cancelled"},
    {absl::StatusCode::kUnknown, "other"},
}};

// What puts a request off that its origin's bounds do not let out now.
enum class OriginBound { kConcurrency, kRate, kRetryAfter, kBreaker };
inline constexpr std::array<std::string_view, 4> kOriginBounds = {"concurrency", "rate",
                                                                  "retry_after", "breaker"};

struct OriginStats {
  std::array<uint64_t, kOriginBounds.size()> put_off{};  // by OriginBound
  uint64_t breaker_openings = 0;
};

struct FetchStats {
  uint64_t fetches = 0;   // asked for
  uint64_t failures = 0;  // of them: no response was had
  int64_t running = 0;
  int64_t waiting = 0;  // for their turn under concurrency_max, or a tenant's quota
  // Ended ones, by kFetchOutcomes; by kFetchBounds, and above.
  std::array<uint64_t, kFetchOutcomes.size()> outcomes{};
  std::array<uint64_t, kFetchBounds.size() + 1> durations{};
  uint64_t duration_nanos = 0;
  // Fetches that needed addresses, those that got none, and the wait for them.
  uint64_t lookups = 0;
  uint64_t lookup_failures = 0;
  // Of the lookups, those that no server had to be asked for (numbers, the hosts file, the cache),
  // and those that asked one.
  uint64_t cache_hits = 0;
  uint64_t cache_misses = 0;
  uint64_t lookup_micros = 0;
  // Connections: now, and since the start.
  int64_t connections = 0;
  int64_t connections_idle = 0;
  uint64_t connections_made = 0;
  uint64_t connections_reused = 0;
  // Of the connections, those that speak HTTP/2, and what went over such.
  int64_t http2_connections = 0;
  uint64_t http2_streams = 0;
  OriginStats origins;

  void CountEnd(absl::StatusCode code, int64_t nanos) {
    size_t outcome = 0;
    while (outcome + 1 < outcomes.size() && kFetchOutcomes[outcome].code != code) ++outcome;
    ++outcomes[outcome];
    size_t bucket = 0;
    while (bucket < kFetchBounds.size() && static_cast<double>(nanos) > kFetchBounds[bucket] * 1e9)
      ++bucket;
    ++durations[bucket];
    duration_nanos += static_cast<uint64_t>(nanos);
  }
};

}  // namespace grove::functions

#endif  // GROVE_SERVER_FUNCTIONS_FETCH_STATS_H_
