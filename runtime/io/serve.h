// StreamServer: accepts connections and runs a handler for each, in a fiber of its own.
//
//   return Serve("127.0.0.1:6000", Echo);  // absl::Status Echo(Socket& connection)
//
//   StreamServer server({.concurrency = 1000});  // as an object: for Stop() and connections()
//   absl::Status ended = server.Serve(listener, Echo);
//
// What a handler returns or throws ends its connection only, and is reported. Beyond `concurrency`
// connections wait in the kernel's backlog. No fiber of it outlives Serve(). Hub thread only.
#ifndef GROVE_RUNTIME_IO_SERVE_H_
#define GROVE_RUNTIME_IO_SERVE_H_

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "runtime/hub/fiber.h"
#include "runtime/io/listener.h"
#include "runtime/io/socket.h"
#include "runtime/sync/semaphore.h"

namespace grove {

struct ServeOptions {
  // Connections at once.
  int64_t concurrency = 1000;
  // Of the connections' fibers; must outlive them.
  std::string_view name = "connection";
  // A handler failed: its status, or kUnknown with the text of what it threw. Neither callback may
  // park or throw. Without this one, exceptions are counted and logged as those of any fiber.
  std::function<void(const SocketAddress& peer, const absl::Status& error)> on_error;
  // The process can't accept now (descriptors, memory, fibers); the next try is after `retry_in`.
  std::function<void(const absl::Status& error, absl::Duration retry_in)> on_accept_error;
};

// What a handler returns to end the server: as StreamServer::Stop(), and not an error.
absl::Status StopServe();
bool IsStopServe(const absl::Status& status);

class StreamServer {
 public:
  using Handler = std::function<absl::Status(Socket& connection)>;
  // After the first failure to accept; doubles from one to the next, up to the second.
  static constexpr absl::Duration kRetryFirst = absl::Milliseconds(10);
  static constexpr absl::Duration kRetryMost = absl::Seconds(1);

  explicit StreamServer(ServeOptions options);
  // Requires: not serving.
  ~StreamServer();
  StreamServer(const StreamServer&) = delete;
  StreamServer& operator=(const StreamServer&) = delete;

  // OK once stopped, or once the listener is closed, and all handlers have returned. A Timeout in
  // scope or a Cancel() cancels the handlers and is returned when they have ended. Else what makes
  // accepting impossible. The listener stays open. Requires: not serving. **Parks.**
  absl::Status Serve(Listener& listener, Handler handler);
  // Accepts no more; Serve() returns when the handlers have. From any fiber, a handler's too.
  void Stop();

  int64_t connections() const { return connections_; }

 private:
  struct Place;
  struct Thrown {
    FiberHandle fiber;
    SocketAddress peer;
  };
  absl::Status AcceptLoop(Listener& listener);
  absl::Status AcceptOne(Listener& listener);
  absl::Status Start(Socket socket);
  absl::Status Handle(Place& place, Socket& socket);
  absl::Status AwaitEnd();
  void ReportThrown();
  void CancelAll();

  // Constant after construction.
  const ServeOptions options_;

  // Hub thread only.
  Handler handler_;
  Semaphore free_;
  bool stopped_ = false;
  Fiber* serving_ = nullptr;  // runs Serve()
  FiberHandle acceptor_;
  Place* places_ = nullptr;  // of the acceptor and the connections; doubly linked
  int64_t connections_ = 0;
  std::vector<Thrown> thrown_;  // to be reported by serving_
};

// A server of its own, until one of its handlers returns StopServe(): as StreamServer::Serve().
// **Parks.**
absl::Status Serve(Listener& listener, StreamServer::Handler handler, ServeOptions options = {});
// The same on an address (Listener::Listen(), also its errors), which is free again when it
// returns. **Parks.**
absl::Status Serve(std::string_view address, StreamServer::Handler handler,
                   ServeOptions options = {});

}  // namespace grove

#endif  // GROVE_RUNTIME_IO_SERVE_H_
