// Server: accepts connections and serves them, each on a fiber, through one router.
//
// Owns no listener and no thread: the owner runs Serve() on a fiber per listener. Hub thread only.
#ifndef GROVE_SERVER_HTTP_SERVING_SERVER_H_
#define GROVE_SERVER_HTTP_SERVING_SERVER_H_

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "runtime/io/listener.h"
#include "runtime/sync/event.h"
#include "runtime/sync/semaphore.h"
#include "server/http/handler/router.h"
#include "server/http/serving/block_pool.h"
#include "server/http/serving/connection.h"
#include "server/http/serving/ingress.h"
#include "server/http/serving/options.h"
#include "server/http/serving/standing_fields.h"

namespace grove::http {

// Out of descriptors or memory, accepting pauses: doubled from the first to the last.
inline constexpr absl::Duration kAcceptPauseMin = absl::Milliseconds(10);
inline constexpr absl::Duration kAcceptPauseMax = absl::Seconds(1);

class Server {
 public:
  // `stats` must outlive it.
  Server(ServerOptions options, Router router, ServerStats& stats);
  // Requires: no Serve() runs and no connection is open.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Accepts until Drain(): OK. Accepting waits while connections_max are open. kCancelled, or what
  // is wrong with the listener. `ingress`, null for plain HTTP, must outlive this. **Parks.**
  absl::Status Serve(Listener listener, const Ingress* ingress = nullptr);
  // Serves one connection that came another way. kResourceExhausted: it is closed.
  absl::Status Adopt(Socket socket, const Ingress* ingress = nullptr);
  // Stops accepting, closes idle connections; requests under way finish and end theirs.
  void Drain();
  // Until no connection is open. kDeadlineExceeded, kCancelled. **Parks.**
  absl::Status AwaitIdle() { return idle_.Wait(); }

  bool draining() const { return draining_; }

 private:
  // Spawns the connection's fiber. The place taken for it is free again when that has ended, or
  // could not be spawned.
  absl::Status Start(Socket socket, const Ingress* ingress);
  void RunConnection(Socket socket, const Ingress* ingress);

  const ServerOptions options_;
  const Router router_;
  ServerStats& stats_;
  StandingFields standing_;
  BlockPool blocks_;
  Semaphore places_;
  Event idle_;
  bool draining_ = false;
  absl::flat_hash_set<Connection*> connections_;
  absl::flat_hash_set<Listener*> listeners_;
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_SERVING_SERVER_H_
