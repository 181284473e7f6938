// EmbeddedServer: HTTP in a program of one's own, without a daemon around it.
//
//   http::Router router;
//   GROVE_RETURN_IF_ERROR(router.Add("GET", "/", Hello));
//   return http::Serve("127.0.0.1:8090", std::move(router), {.access_log = {.file = "-"}});
//
// An http::Server with what a program needs beside it: a listener, a log of requests, lines about
// failures on stderr, and an end in order. It forks nothing, blocks no signal and starts no thread
// but the access log's; grove::RunMain() cancels its caller at SIGTERM. Hub thread only.
#ifndef GROVE_SERVER_HTTP_EMBEDDED_EMBEDDED_SERVER_H_
#define GROVE_SERVER_HTTP_EMBEDDED_EMBEDDED_SERVER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "runtime/io/listener.h"
#include "server/access_log/access_log_file.h"
#include "server/http/handler/router.h"
#include "server/http/serving/ingress.h"
#include "server/http/serving/options.h"
#include "server/http/serving/stats.h"

namespace grove::http {

class Server;

struct EmbeddedOptions {
  // What bounds it. What it could not do goes to the log, unless the callback for it is set.
  ServerOptions server;
  // How connections begin: TLS, a PROXY header. Unset: with HTTP.
  std::optional<Ingress> ingress;
  // A line for each request. By default none is written.
  access_log::AccessLogOptions access_log;
  // For requests under way once it ends; then they are cut off.
  absl::Duration drain_timeout = absl::Seconds(30);
};

class EmbeddedServer {
 public:
  explicit EmbeddedServer(Router router, EmbeddedOptions options = {});
  // Requires: not serving.
  ~EmbeddedServer();
  EmbeddedServer(const EmbeddedServer&) = delete;
  EmbeddedServer& operator=(const EmbeddedServer&) = delete;

  // Serves until Stop() or until the caller is cancelled: then it accepts no more, closes idle
  // connections and lets requests under way end, however the caller is interrupted meanwhile. OK if
  // all of them did; kAborted: so many connections were cut off at the drain time-out. A Timeout in
  // scope does the same, and is returned. Else what is wrong with the listener ("accept: …") or the
  // access log ("access_log.file: …"). No fiber of it is left. Once only. At its end it blocks
  // until the access log is written, a second at most. **Parks.**
  absl::Status Serve(Listener listener);
  // From any fiber, a handler's too.
  void Stop();

  const ServerStats& stats() const { return stats_; }

 private:
  // Until no connection is open: those that were cut off.
  uint64_t Drain();

  EmbeddedOptions options_;
  Router router_;
  ServerStats stats_;
  std::unique_ptr<Server> server_;  // while serving
  bool stopped_ = false;
};

// A server of its own. **Parks.**
absl::Status Serve(Listener listener, Router router, EmbeddedOptions options = {});
// The same on an address (Listener::Listen(), also its errors). **Parks.**
absl::Status Serve(std::string_view address, Router router, EmbeddedOptions options = {});

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_EMBEDDED_EMBEDDED_SERVER_H_
