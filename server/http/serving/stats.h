// ServerStats: what an HTTP server counts, and by what: kDurationBounds and kCountedMethods.
//
// Hub thread only; who publishes the numbers reads them there.
#ifndef GROVE_SERVER_HTTP_SERVING_STATS_H_
#define GROVE_SERVER_HTTP_SERVING_STATS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/message/refusal.h"
#include "server/http/serving/route_stats.h"

namespace grove::http {

// How long requests took: upper bounds in seconds, those that Prometheus' clients start with and
// one below, as an answer out of memory takes well under a millisecond.
inline constexpr std::array<double, 13> kDurationBounds = {
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10};

// Methods that are counted one by one; the last stands for all others.
inline constexpr std::array<std::string_view, 8> kCountedMethods = {
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"};

// Where a client can take too long: with a head (408), with a body (408), to take a response.
enum class TimedOut : uint8_t { kHead, kBody, kResponse };
inline constexpr std::array<std::string_view, 3> kTimedOut = {"head", "body", "response"};

// Counters but for `open`, `idle`, `running` and `switched`, which are levels. Hub thread only; who
// publishes them reads them there.
struct ServerStats {
  uint64_t connections = 0;
  uint64_t open = 0;
  // Of the open ones, those that wait for a request's first byte.
  uint64_t idle = 0;
  uint64_t requests = 0;
  uint64_t running = 0;
  // Connections that speak another protocol now; their requests do not count as running.
  uint64_t switched = 0;
  // By status code, from 100 on.
  std::array<uint64_t, 500> responses{};
  // A bit for each of them that is not 0: few ever are.
  std::array<uint64_t, 8> statuses_seen{};
  // Requests refused before a handler saw them.
  uint64_t refused = 0;
  // Of these, by RefusalKind.
  std::array<uint64_t, kRefusalKinds.size()> refusals{};
  uint64_t handler_failures = 0;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  uint64_t accept_failures = 0;
  // Times that connections_max were open when another could have been accepted.
  uint64_t connections_full = 0;
  // Connections that were closed, since they waited longest, to make room for others.
  uint64_t connections_evicted = 0;
  // WebSockets that were closed for the memory of unfinished messages.
  uint64_t websockets_over_budget = 0;
  // Clients that took too long, by TimedOut.
  std::array<uint64_t, kTimedOut.size()> timeouts{};
  // Requests whose client went away before the answer was whole.
  uint64_t clients_gone = 0;
  // By kCountedMethods.
  std::array<uint64_t, kCountedMethods.size()> methods{};
  // By kDurationBounds, and above; without WebSockets, whose length says nothing of the server.
  std::array<uint64_t, kDurationBounds.size() + 1> durations{};
  uint64_t duration_nanos = 0;
  uint64_t tls_handshakes = 0;
  // Begun, and not for want of a byte: connections that say nothing at all are no failures.
  uint64_t tls_handshake_failures = 0;
  uint64_t proxy_header_failures = 0;
  // Counts answers by route too; null: nobody wants to know.
  RouteStats* by_route = nullptr;

  void CountResponse(int status) {
    if (status < 100 || status >= 600) return;
    const size_t index = static_cast<size_t>(status) - 100;
    ++responses[index];
    statuses_seen[index / 64] |= uint64_t{1} << index % 64;
  }
  void CountRefusal(RefusalKind kind) {
    ++refused;
    ++refusals[static_cast<size_t>(kind)];
  }
  void CountTimeout(TimedOut where) { ++timeouts[static_cast<size_t>(where)]; }
  // A request has ended. `route`: the pattern that matched, if any. `status`: 0 if it got no
  // answer. `nanos`: negative if how long it took says nothing of the server.
  void CountEnd(std::string_view route, std::string_view method, int status, int64_t nanos);
  uint64_t TimeoutsOf(TimedOut where) const { return timeouts[static_cast<size_t>(where)]; }
  uint64_t RefusalsOf(RefusalKind kind) const { return refusals[static_cast<size_t>(kind)]; }
  uint64_t ResponsesWith(int status) const { return responses[status - 100]; }
};

inline void ServerStats::CountEnd(std::string_view route, std::string_view method, int status,
                                  int64_t nanos) {
  size_t index = 0;
  while (index + 1 < kCountedMethods.size() && kCountedMethods[index] != method) ++index;
  ++methods[index];
  size_t bucket = RouteStats::kNoDuration;
  if (nanos >= 0) {
    bucket = 0;
    while (bucket < kDurationBounds.size() &&
           static_cast<double>(nanos) > kDurationBounds[bucket] * 1e9) {
      ++bucket;
    }
    ++durations[bucket];
    duration_nanos += static_cast<uint64_t>(nanos);
  }
  if (by_route != nullptr && status != 0) by_route->Count(route, index, status, bucket, nanos);
}

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_SERVING_STATS_H_
