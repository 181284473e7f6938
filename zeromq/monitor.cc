#include "zeromq/monitor.h"

#include <zmq.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace grove::zeromq {

absl::StatusOr<std::unique_ptr<Monitor>> Monitor::Open(Socket& socket) {
  if (!socket.open()) return absl::AbortedError("zeromq: the socket is closed");
  if (socket.monitor_ != nullptr) {
    return absl::AlreadyExistsError("zeromq: the socket has a monitor already");
  }
  // libzmq's own thread would wait at a high water mark: without one it never does.
  absl::StatusOr<std::unique_ptr<Socket>> events =
      Socket::Open(socket.context_, SocketType::kPair,
                   {.receive_high_water = 0, .linger = absl::ZeroDuration()});
  if (!events.ok()) return events.status();
  static std::atomic<uint64_t> number{0};
  const std::string address = absl::StrCat("inproc://grove.zeromq.monitor.", ++number);
  if (zmq_socket_monitor(socket.raw_, address.c_str(), ZMQ_EVENT_ALL) != 0) {
    return socket.Failed(errno, "monitor");
  }
  if (absl::Status connected = (*events)->Connect(address); !connected.ok()) {
    zmq_socket_monitor(socket.raw_, nullptr, 0);
    return connected;
  }
  std::unique_ptr<Monitor> monitor(new Monitor(socket, *std::move(events)));
  socket.monitor_ = monitor.get();
  return monitor;
}

Monitor::~Monitor() {
  if (watched_ == nullptr) return;
  // Before its reader goes: libzmq's thread would wait for one.
  zmq_socket_monitor(watched_->raw_, nullptr, 0);
  watched_->monitor_ = nullptr;
}

absl::StatusOr<MonitorEvent> Monitor::Next() {
  if (!ended_) {
    absl::StatusOr<Message> message = events_->Receive();
    if (!message.ok()) return message.status();
    // Two frames: event and value as they lie in memory, and the address.
    uint16_t kind = 0;
    MonitorEvent event{};
    const std::string_view head = (*message)[0].view();
    if (message->size() != 2 || head.size() != sizeof(kind) + sizeof(event.value)) {
      return absl::InternalError("zeromq: libzmq tells of an event in a form that is not known");
    }
    memcpy(&kind, head.data(), sizeof(kind));
    memcpy(&event.value, head.data() + sizeof(kind), sizeof(event.value));
    event.kind = static_cast<MonitorEvent::Kind>(kind);
    event.address = (*message)[1].text();
    if (kind != ZMQ_EVENT_MONITOR_STOPPED) return event;
    ended_ = true;
  }
  return absl::OutOfRangeError("zeromq: the socket is closed");
}

}  // namespace grove::zeromq
