#include "server/http/serving/server.h"

#include <algorithm>
#include <utility>

#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"

namespace grove::http {

Server::Server(ServerOptions options, Router router, ServerStats& stats)
    : options_(std::move(options)),
      router_(std::move(router)),
      stats_(stats),
      places_(options_.connections_max) {
  idle_.Set();
}

Server::~Server() {
  GROVE_CHECK(connections_.empty() && listeners_.empty(), "an HTTP server died while it serves");
}

absl::Status Server::Serve(Listener listener, const Ingress* ingress) {
  struct Registration {
    Registration(absl::flat_hash_set<Listener*>& set, Listener& listener)
        : set(set), listener(listener) {
      set.insert(&listener);
    }
    ~Registration() { set.erase(&listener); }
    absl::flat_hash_set<Listener*>& set;
    Listener& listener;
  } registration(listeners_, listener);

  absl::Duration pause = kAcceptPauseMin;
  while (!draining_) {
    if (absl::Status place = places_.Acquire(); !place.ok()) return place;
    absl::StatusOr<Socket> socket = listener.Accept();
    absl::Status status = socket.status();
    if (socket.ok()) {
      status = Start(*std::move(socket), ingress);
    } else {
      places_.Release();
    }
    if (status.ok()) {
      pause = kAcceptPauseMin;
      continue;
    }
    if (draining_) break;
    if (!absl::IsResourceExhausted(status)) return status;
    ++stats_.accept_failures;
    if (absl::Status slept = Sleep(pause); !slept.ok()) return slept;
    pause = std::min(pause * 2, kAcceptPauseMax);
  }
  return absl::OkStatus();
}

absl::Status Server::Adopt(Socket socket, const Ingress* ingress) {
  if (draining_) return absl::UnavailableError("the HTTP server is draining");
  if (!places_.TryAcquire()) {
    return absl::ResourceExhaustedError("the HTTP server has connections_max open");
  }
  return Start(std::move(socket), ingress);
}

absl::Status Server::Start(Socket socket, const Ingress* ingress) {
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
      if (--server->stats_.open == 0) server->idle_.Set();
    }
    Server* server;
  };
  auto body = [closing = Closing(*this), socket = std::move(socket), ingress]() mutable {
    closing.server->RunConnection(std::move(socket), ingress);
  };
  return Spawn("http.connection", std::move(body)).status();
}

void Server::RunConnection(Socket socket, const Ingress* ingress) {
  Connection connection(std::move(socket), ingress, options_, router_, standing_, stats_, blocks_);
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

}  // namespace grove::http
