// ServerOptions and ServerStats: what bounds an HTTP server, and what it counts.
#ifndef GROVE_SERVER_HTTP_SERVING_OPTIONS_H_
#define GROVE_SERVER_HTTP_SERVING_OPTIONS_H_

#include <array>
#include <cstdint>
#include <functional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/http/handler/access_log.h"
#include "server/http/handler/handler.h"
#include "server/http/serving/counting.h"

namespace grove::http {

struct ServerOptions {
  // Open at once; further ones wait in the backlog.
  int64_t connections_max = 10'000;
  // For a request's first byte; then the connection is closed.
  absl::Duration idle_timeout = absl::Seconds(75);
  // From a request's first byte to its head's end; then 408.
  absl::Duration header_timeout = absl::Seconds(10);
  // The longest silence while a body is read, and while the client does not take bytes: 64 KiB of a
  // response (kOutputSliceBytes), or what is left of it, must be taken within this time.
  absl::Duration io_timeout = absl::Seconds(30);
  // What a client must send of a body, on average over io_timeout of our waiting; then 408. Keeps
  // one that drips a byte now and then from holding a fiber for ever. (Apache's mod_reqtimeout
  // asks for 500 B/s, Kestrel for 240.)
  uint64_t body_rate_min_bytes_per_s = 100;
  // Answered on one connection; the last response says "Connection: close". Spreads clients anew
  // over workers.
  uint64_t requests_per_connection_max = 1'000'000;
  // While draining, for a request that may be on its way: the first of a client that has connected,
  // or the next of one that was answered less than this ago.
  absl::Duration request_grace = absl::Milliseconds(500);
  // When the server ends a connection on its own account, it reads on for this long after its last
  // answer, so that the client sees that and no reset.
  absl::Duration linger_timeout = absl::Seconds(1);
  // 413 beyond.
  uint64_t body_max_bytes = 8 << 20;
  // Called when a handler fails: with its error, or kInternal and what() of its exception. May be
  // empty; must not park.
  std::function<void(const Request&, const absl::Status&)> on_failure;
  // Told of every request at its end; must outlive the server. Null: nobody.
  AccessLog* access_log = nullptr;
  // Called when a connection of `peer` ends with its PROXY header or TLS handshake, and why. May
  // be empty; must not park.
  std::function<void(std::string_view peer, const absl::Status&)> on_failed_ingress;
};

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
  uint64_t handler_failures = 0;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  uint64_t accept_failures = 0;
  // Clients that took too long with a head (408), with a body (408), or to take a response.
  uint64_t head_timeouts = 0;
  uint64_t body_timeouts = 0;
  uint64_t response_timeouts = 0;
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

  void CountResponse(int status) {
    if (status < 100 || status >= 600) return;
    const size_t index = static_cast<size_t>(status) - 100;
    ++responses[index];
    statuses_seen[index / 64] |= uint64_t{1} << index % 64;
  }
  void CountMethod(std::string_view method);
  void CountDuration(int64_t nanos);
  uint64_t ResponsesWith(int status) const { return responses[status - 100]; }
};

inline void ServerStats::CountMethod(std::string_view method) {
  size_t index = 0;
  while (index + 1 < kCountedMethods.size() && kCountedMethods[index] != method) ++index;
  ++methods[index];
}

inline void ServerStats::CountDuration(int64_t nanos) {
  size_t bucket = 0;
  while (bucket < kDurationBounds.size() &&
         static_cast<double>(nanos) > kDurationBounds[bucket] * 1e9) {
    ++bucket;
  }
  ++durations[bucket];
  duration_nanos += static_cast<uint64_t>(nanos);
}

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_SERVING_OPTIONS_H_
