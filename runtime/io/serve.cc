#include "runtime/io/serve.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/cord.h"
#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"
#include "runtime/repeat/backoff.h"

namespace grove {
namespace {

constexpr char kStopServe[] = "grove.runtime/stop-serve";

// The process's state, not the listener's: it may pass.
bool MayPass(const absl::Status& status) {
  return absl::IsResourceExhausted(status) || absl::IsUnavailable(status);
}

}  // namespace

absl::Status StopServe() {
  absl::Status status = absl::CancelledError("the handler stops the server");
  status.SetPayload(kStopServe, absl::Cord());
  return status;
}

bool IsStopServe(const absl::Status& status) {
  return status.GetPayload(kStopServe).has_value();
}

// What a fiber of the server holds from its spawn to its end, also if its body never starts.
struct StreamServer::Place {
  Place(StreamServer& s, SocketAddress p, bool c) : server(s), peer(p), is_connection(c) {
    next = server.places_;
    if (next != nullptr) next->prev = this;
    server.places_ = this;
    server.connections_ += is_connection;
  }
  ~Place() {
    (prev != nullptr ? prev->next : server.places_) = next;
    if (next != nullptr) next->prev = prev;
    server.connections_ -= is_connection;
    if (is_connection) server.free_.Release();
    if (started && !returned && server.options_.on_error) {
      server.thrown_.push_back({std::move(fiber), peer});
    }
    if (server.places_ == nullptr || !server.thrown_.empty()) {
      Hub::Current()->Unpark(*server.serving_);
    }
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  StreamServer& server;
  const SocketAddress peer;
  const bool is_connection;
  FiberHandle fiber;  // its own; dropped here, before the fiber ends
  bool started = false;
  bool returned = false;  // else it ends by an exception
  Place* prev = nullptr;
  Place* next = nullptr;
};

StreamServer::StreamServer(ServeOptions options)
    : options_(std::move(options)), free_(std::max<int64_t>(options_.concurrency, 1)) {}

StreamServer::~StreamServer() {
  GROVE_CHECK(serving_ == nullptr, "a StreamServer died while it serves");
}

void StreamServer::Stop() {
  stopped_ = true;
  if (acceptor_) acceptor_.Cancel();
}

absl::Status StreamServer::Serve(Listener& listener, Handler handler) {
  GROVE_CHECK(serving_ == nullptr, "a StreamServer serves one listener at a time");
  if (stopped_) return absl::OkStatus();
  serving_ = Hub::Current()->running();
  handler_ = std::move(handler);
  auto place = std::make_unique<Place>(*this, SocketAddress(), false);
  absl::StatusOr<FiberHandle> acceptor =
      Spawn("acceptor", [this, &listener, place = std::move(place)] {
        place->started = true;
        absl::Status status = AcceptLoop(listener);
        place->returned = true;
        return status;
      });
  absl::Status status = acceptor.status();
  if (acceptor.ok()) {
    acceptor_ = *acceptor;
    for (Place* own = places_; own != nullptr; own = own->next) own->fiber = acceptor_;
    status = AwaitEnd();
    const absl::Status accepting = acceptor_.Join();  // has ended: does not park
    acceptor_ = FiberHandle();
    if (status.ok() && !stopped_ && !absl::IsAborted(accepting)) status = accepting;
  }
  serving_ = nullptr;
  return status;
}

// Until no fiber of the server is left; however this fiber is interrupted, since they use `this`.
absl::Status StreamServer::AwaitEnd() {
  Hub& hub = *Hub::Current();
  const WaitFor waiting_for{.kind = WaitFor::Kind::kServer, .object = this};
  for (absl::Status status;;) {
    ReportThrown();
    if (places_ == nullptr) return status;
    if (!status.ok()) {
      hub.ParkShielded(waiting_for);
    } else if (const Wake wake = hub.Park(waiting_for); wake != Wake::kReady) {
      status = WakeStatus(wake, "serve");
      CancelAll();
    }
  }
}

void StreamServer::CancelAll() {
  for (Place* place = places_; place != nullptr; place = place->next) place->fiber.Cancel();
}

void StreamServer::ReportThrown() {
  // Their fibers have ended: they could only let this one run by ending.
  for (Thrown& thrown : std::exchange(thrown_, {})) {
    options_.on_error(thrown.peer, thrown.fiber.Join());
  }
}

absl::Status StreamServer::AcceptLoop(Listener& listener) {
  Backoff pauses = Backoff::Doubling(kRetryFirst, kRetryMost);
  while (!stopped_) {
    absl::Status status = AcceptOne(listener);
    if (status.ok()) {
      pauses.Reset();
      continue;
    }
    if (!MayPass(status)) return status;
    const absl::Duration retry_in = pauses.Next();
    if (options_.on_accept_error) options_.on_accept_error(status, retry_in);
    if (absl::Status slept = Sleep(retry_in); !slept.ok()) return slept;
  }
  return absl::OkStatus();
}

absl::Status StreamServer::AcceptOne(Listener& listener) {
  if (absl::Status place = free_.Acquire(); !place.ok()) return place;
  absl::StatusOr<Socket> socket = listener.Accept();
  if (socket.ok()) return Start(*std::move(socket));
  free_.Release();
  return socket.status();
}

// Requires: `free_` has been acquired; the connection's Place releases it.
absl::Status StreamServer::Start(Socket socket) {
  auto owned = std::make_unique<Place>(*this, socket.PeerAddress(), true);
  Place& place = *owned;
  absl::StatusOr<FiberHandle> spawned =
      Spawn(options_.name, [this, owned = std::move(owned), socket = std::move(socket)]() mutable {
        return Handle(*owned, socket);
      });
  if (spawned.ok()) place.fiber = *spawned;
  return spawned.status();
}

absl::Status StreamServer::Handle(Place& place, Socket& socket) {
  place.started = true;
  absl::Status status = handler_(socket);
  place.returned = true;
  socket.Close();
  if (IsStopServe(status)) {
    Stop();
    return absl::OkStatus();
  }
  const bool is_our_cancel = absl::IsCancelled(status) && place.fiber->cancelled();
  if (!status.ok() && !is_our_cancel && options_.on_error) options_.on_error(place.peer, status);
  return status;
}

absl::Status Serve(Listener& listener, StreamServer::Handler handler, ServeOptions options) {
  StreamServer server(std::move(options));
  return server.Serve(listener, std::move(handler));
}

absl::Status Serve(std::string_view address, StreamServer::Handler handler, ServeOptions options) {
  absl::StatusOr<Listener> listener = Listener::Listen(address);
  if (!listener.ok()) return listener.status();
  return Serve(*listener, std::move(handler), std::move(options));
}

}  // namespace grove
