// ServerOptions: what bounds an HTTP server, and whom it tells.
#ifndef GROVE_SERVER_HTTP_SERVING_OPTIONS_H_
#define GROVE_SERVER_HTTP_SERVING_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "http/message/target.h"
#include "runtime/trace/span.h"
#include "server/http/handler/access_log.h"
#include "server/http/handler/handler.h"
#include "server/http/serving/accept_share.h"

namespace grove::http {

struct ServerOptions {
  // Open at once. For a further one the connection that has waited for its client longest makes
  // room, if it has for request_grace; else the new one waits in the backlog.
  int64_t connections_max = 10'000;
  // For a request's first byte; then the connection is closed.
  absl::Duration idle_timeout = absl::Seconds(75);
  // From a request's first byte to its head's end; then 408.
  absl::Duration header_timeout = absl::Seconds(10);
  // The longest silence while a body is read, and while the client does not take bytes: of these it
  // must take 64 KiB for each such time, on average (TakingPace).
  absl::Duration io_timeout = absl::Seconds(30);
  // What a client must send of a body, on average over io_timeout of our waiting; then 408. Keeps
  // one that drips a byte now and then from holding a fiber for ever. (Apache's mod_reqtimeout
  // asks for 500 B/s, Kestrel for 240.)
  uint64_t body_rate_min_bytes_per_s = 100;
  // Answered on one connection; the last response says "Connection: close". Spreads clients anew
  // over workers.
  uint64_t requests_per_connection_max = 1'000'000;
  // While draining, or when it should make room for another connection, for a request that may be
  // on its way: the first of a client that has connected, or the next of one that was answered less
  // than this ago.
  absl::Duration request_grace = absl::Milliseconds(500);
  // When the server ends a connection on its own account, it reads on for at most this long after
  // its last answer, so that a client that still sends sees that and no reset; while draining for
  // lingering_timeout.
  absl::Duration lingering_time = absl::Seconds(30);
  // And no longer than a silence of this; while draining of kDrainSilenceMax. (Both as nginx has
  // them.)
  absl::Duration lingering_timeout = absl::Seconds(5);
  // 413 beyond.
  uint64_t body_max_bytes = 8 << 20;
  // What may stand in a request's target.
  TargetText target_text = TargetText::kUri;
  // The scheme ("http", "https") that trusted proxies say the client used; empty if none says so.
  // For a target that names another than the connection's own: 421 unless it is this one. May be
  // empty; must not park.
  std::function<std::string(const Request&)> forwarded_scheme;
  // Called when a handler fails: with its error, or kInternal and what() of its exception. May be
  // empty; must not park, as all that follow.
  std::function<void(const Request&, const absl::Status&)> on_failure;
  // Called when a handler ends with what its client did: left or took nothing amid the answer, sent
  // a body that is malformed, too long or too slow. Anybody can cause that at will. May be empty.
  std::function<void(const Request&, const absl::Status&)> on_client_failure;
  // connections_max are open, and no more are accepted for now. Called each time. May be empty.
  std::function<void()> on_full;
  // A connection could not be accepted: out of descriptors or memory. May be empty.
  std::function<void(const absl::Status&)> on_accept_failure;
  // The workers that accept from the same listeners, at places that stay the same. Empty: there are
  // none.
  std::function<std::vector<WorkerLoad>()> other_workers;
  // Told of every request at its end; must outlive the server. Null: nobody.
  AccessLog* access_log = nullptr;
  // Each request is a span of it; must outlive the server. Null: a trace that a request names is
  // passed on to what its handler asks, and nothing told.
  Tracer* tracer = nullptr;
  // Called when a connection of `peer` ends with its PROXY header or TLS handshake, and why. May
  // be empty.
  std::function<void(std::string_view peer, const absl::Status&)> on_failed_ingress;
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_SERVING_OPTIONS_H_
