// Server: accepts connections and serves them, each on a fiber, through one router.
//
// Owns no listener and no thread: the owner runs Serve() on a fiber per listener. Hub thread only.
#ifndef GROVE_SERVER_HTTP_SERVING_SERVER_H_
#define GROVE_SERVER_HTTP_SERVING_SERVER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "runtime/io/listener.h"
#include "runtime/sync/event.h"
#include "runtime/sync/semaphore.h"
#include "server/http/handler/router.h"
#include "server/http/serving/block_pool.h"
#include "server/http/serving/connection.h"
#include "server/http/serving/ingress.h"
#include "server/http/serving/longest_waiting.h"
#include "server/http/serving/options.h"
#include "server/http/serving/standing_fields.h"

namespace grove::http {

// Out of descriptors or memory, accepting pauses: doubled from the first to the last.
inline constexpr absl::Duration kAcceptPauseMin = absl::Milliseconds(10);
inline constexpr absl::Duration kAcceptPauseMax = absl::Seconds(1);
// With connections_max open, all of which work, how often it is looked whether one waits by now.
inline constexpr absl::Duration kRoomLookPeriod = absl::Milliseconds(100);
// How long a worker that is ahead of the others leaves connections to them, and how often it looks
// whether they have taken some.
inline constexpr absl::Duration kChanceMax = absl::Milliseconds(8);
inline constexpr absl::Duration kChanceLookPeriod = absl::Microseconds(250);

// Who else accepts from a listener.
enum class Sharing : uint8_t { kAlone, kWithOtherWorkers };

class Server {
 public:
  // `stats` must outlive it.
  Server(ServerOptions options, Router router, ServerStats& stats);
  // Requires: no Serve() runs and no connection is open.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Accepts until Drain(): OK. While connections_max are open, only as others make room.
  // kCancelled, or what is wrong with the listener. `ingress`, null for plain HTTP, must outlive
  // this.
  // **Parks.**
  absl::Status Serve(Listener listener, const Ingress* ingress = nullptr,
                     Sharing sharing = Sharing::kAlone);
  // Serves one connection that came another way. kResourceExhausted: it is closed.
  absl::Status Adopt(Socket socket, const Ingress* ingress = nullptr);
  // Requests from now on are answered and bounded by these. Those under way keep their router, and
  // a WebSocket as long as it lives. Of what a connection has from its beginning (target_text) the
  // open ones keep theirs. Requires: connections_max stays the same.
  void Change(ServerOptions options, Router router);
  // Stops accepting, closes idle connections; requests under way finish and end theirs.
  void Drain();
  // Until no connection is open. kDeadlineExceeded, kCancelled. **Parks.**
  absl::Status AwaitIdle() { return idle_.Wait(); }
  // Cancels what serves the connections, whatever each is at: for those that a drain did not end.
  void Cancel();
  // Until no connection is open, however the caller is interrupted meanwhile: in place of
  // AwaitIdle() before the server goes away. Of one fiber at a time. **Parks.**
  void AwaitEnd();

  bool draining() const { return draining_; }

 private:
  class FairTurns;

  // Takes a place for a connection of `listener`, by making room if need be. kAborted: draining.
  absl::Status TakePlace(Listener& listener);
  // Once a connection waits: asks the one that has waited longest to end. OK: a place may be free.
  absl::Status MakeRoom(Listener& listener);
  Connection* LongestWaitingConnection();
  absl::Status AcceptOne(Listener& listener, const Ingress* ingress);
  // Spawns the connection's fiber. The place taken for it is free again when that has ended, or
  // could not be spawned.
  absl::Status Start(Socket socket, const SocketAddress& peer, const Ingress* ingress);
  void RunConnection(Socket socket, std::string peer, const Ingress* ingress);

  ServerOptions options_;
  std::shared_ptr<const Router> router_;
  ServerStats& stats_;
  StandingFields standing_;
  BlockPool blocks_;
  Semaphore places_;
  Event idle_;
  Event eased_;              // a connection has ended
  Fiber* ending_ = nullptr;  // in AwaitEnd()
  bool draining_ = false;
  absl::flat_hash_set<Connection*> connections_;
  LongestWaiting<absl::flat_hash_set<Connection*>> longest_waiting_;
  absl::flat_hash_set<Listener*> listeners_;
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_SERVING_SERVER_H_
