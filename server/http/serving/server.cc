#include "server/http/serving/server.h"

#include <algorithm>
#include <utility>

#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"

namespace grove::http {

Server::Server(ServerOptions options, Router router, ServerStats& stats)
    : options_(std::move(options)),
      router_(std::make_shared<const Router>(std::move(router))),
      stats_(stats),
      places_(options_.connections_max) {
  idle_.Set();
}

Server::~Server() {
  GROVE_CHECK(connections_.empty() && listeners_.empty(), "an HTTP server died while it serves");
}

void Server::Change(ServerOptions options, Router router) {
  GROVE_CHECK(options.connections_max == options_.connections_max,
              "the places for connections are as many as ever");
  options_ = std::move(options);
  router_ = std::make_shared<const Router>(std::move(router));
  if (stats_.by_route != nullptr) stats_.by_route->Forget();
}

// Of one listener: whether the other workers should have a go at it now.
class Server::FairTurns {
 public:
  FairTurns(const Server& server, Sharing sharing)
      : server_(server),
        shared_(sharing == Sharing::kWithOtherWorkers && server.options_.other_workers) {}

  // A connection was accepted: whether they should.
  bool IsOver() {
    if (!shared_) return false;
    if (left_ == 0) left_ = Allowance(server_.options_.other_workers());
    return left_ == 0 || --left_ == 0;
  }

  // Waits until this worker is no longer ahead, for kChanceMax at most. **Parks.**
  absl::Status LetOthersGoFirst(Event& eased) {
    const std::vector<WorkerLoad> before = server_.options_.other_workers();
    std::vector<WorkerLoad> now = before;
    for (absl::Duration waited; waited < kChanceMax; waited += kChanceLookPeriod) {
      if (server_.draining_ || (left_ = Allowance(now)) > 0) return absl::OkStatus();
      eased.Reset();
      absl::Status woken = WithSilentTimeout(kChanceLookPeriod, [&] { return eased.Wait(); });
      if (!woken.ok()) return woken;
      now = server_.options_.other_workers();
    }
    share_.NoteChance(before, now);
    left_ = 1;  // whatever they do: this one goes on
    return absl::OkStatus();
  }

 private:
  uint64_t Allowance(const std::vector<WorkerLoad>& others) const {
    return share_.Allowance(server_.stats_.open, others);
  }

  const Server& server_;
  const bool shared_;
  AcceptShare share_;
  uint64_t left_ = 0;
};

absl::Status Server::Serve(Listener listener, const Ingress* ingress, Sharing sharing) {
  struct Registration {
    Registration(absl::flat_hash_set<Listener*>& set, Listener& listener)
        : set(set), listener(listener) {
      set.insert(&listener);
    }
    ~Registration() { set.erase(&listener); }
    absl::flat_hash_set<Listener*>& set;
    Listener& listener;
  } registration(listeners_, listener);

  FairTurns turns(*this, sharing);
  absl::Duration pause = kAcceptPauseMin;
  while (!draining_) {
    absl::Status status = AcceptOne(listener, ingress);
    if (status.ok()) {
      pause = kAcceptPauseMin;
      if (!turns.IsOver()) continue;
      listener.EndBatch();
      if (status = turns.LetOthersGoFirst(eased_); !status.ok()) return status;
      continue;
    }
    if (draining_) break;
    if (!absl::IsResourceExhausted(status)) return status;
    ++stats_.accept_failures;
    if (options_.on_accept_failure) options_.on_accept_failure(status);
    if (absl::Status slept = Sleep(pause); !slept.ok()) return slept;
    pause = std::min(pause * 2, kAcceptPauseMax);
  }
  return absl::OkStatus();
}

absl::Status Server::AcceptOne(Listener& listener, const Ingress* ingress) {
  if (absl::Status place = TakePlace(listener); !place.ok()) return place;
  SocketAddress peer;
  absl::StatusOr<Socket> socket = listener.Accept(&peer);
  if (socket.ok()) return Start(*std::move(socket), peer, ingress);
  places_.Release();
  return socket.status();
}

// While all work, the listener is not in the poller: connections wake other workers. Once one
// waits, a connection that comes is ours to take, and whom it replaces is decided only then.
absl::Status Server::TakePlace(Listener& listener) {
  if (places_.TryAcquire()) return absl::OkStatus();
  ++stats_.connections_full;
  if (options_.on_full) options_.on_full();
  while (!draining_) {
    if (absl::Status room = MakeRoom(listener); !room.ok()) return room;
    Timeout timeout(kRoomLookPeriod);
    absl::Status place = places_.Acquire();
    if (!timeout.Caused(place)) return place;
  }
  return absl::AbortedError("the HTTP server is draining");
}

absl::Status Server::MakeRoom(Listener& listener) {
  if (LongestWaitingConnection() == nullptr) return absl::OkStatus();
  listener.EndBatch();  // for one that is there, not one that may be
  if (absl::Status waits = listener.AwaitConnection(); !waits.ok()) return waits;
  if (places_.free() > 0) return absl::OkStatus();
  Connection* const longest = LongestWaitingConnection();
  if (longest == nullptr) return absl::OkStatus();
  ++stats_.connections_evicted;
  longest->MakeRoom();
  return absl::OkStatus();
}

Connection* Server::LongestWaitingConnection() {
  const MonotonicNanos now = Hub::Current()->now();
  return longest_waiting_.Find(connections_,
                               now - absl::ToInt64Nanoseconds(options_.request_grace));
}

absl::Status Server::Adopt(Socket socket, const Ingress* ingress) {
  if (draining_) return absl::UnavailableError("the HTTP server is draining");
  if (!places_.TryAcquire()) {
    return absl::ResourceExhaustedError("the HTTP server has connections_max open");
  }
  const SocketAddress peer = socket.PeerAddress();
  return Start(std::move(socket), peer, ingress);
}

absl::Status Server::Start(Socket socket, const SocketAddress& peer, const Ingress* ingress) {
  // Counted here, not on the fiber: AwaitIdle() must not overlook one that has yet to run.
  ++stats_.open;
  ++stats_.connections;
  idle_.Reset();
  struct Closing {
    explicit Closing(Server& server) : server(&server) {}
    Closing(Closing&& other) noexcept : server(std::exchange(other.server, nullptr)) {}
    ~Closing() {
      if (server == nullptr) return;
      server->places_.Release();
      server->eased_.Set();
      if (--server->stats_.open > 0) return;
      server->idle_.Set();
      if (server->ending_ != nullptr) Hub::Current()->Unpark(*server->ending_);
    }
    Server* server;
  };
  auto body = [closing = Closing(*this), socket = std::move(socket), peer = peer.ToString(),
               ingress]() mutable {
    closing.server->RunConnection(std::move(socket), std::move(peer), ingress);
  };
  return Spawn("http.connection", std::move(body)).status();
}

void Server::RunConnection(Socket socket, std::string peer, const Ingress* ingress) {
  Connection connection(std::move(socket), std::move(peer), ingress, options_, router_, standing_,
                        stats_, blocks_);
  connections_.insert(&connection);
  if (draining_) connection.Drain();
  connection.Run();
  connections_.erase(&connection);
}

void Server::Drain() {
  draining_ = true;
  for (Listener* listener : listeners_) listener->Close();
  for (Connection* connection : connections_) connection->Drain();
}

void Server::Cancel() {
  for (Connection* connection : connections_) connection->Cancel();
}

void Server::AwaitEnd() {
  Hub& hub = *Hub::Current();
  ending_ = hub.running();
  while (stats_.open > 0) hub.ParkShielded({.kind = WaitFor::Kind::kServer, .object = this});
  ending_ = nullptr;
}

}  // namespace grove::http
