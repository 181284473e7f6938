// Monitor: what happens to a socket's connections, as a stream of events.
//
//   auto monitor = Monitor::Open(socket);
//   for (auto event = monitor->Next(); event.ok(); event = monitor->Next()) …
//
// Nothing is dropped: events that nobody takes pile up, so who opens one reads it. It ends with the
// socket, and may die before or after it. Hub thread only; one fiber at a time.
#ifndef GROVE_ZEROMQ_MONITOR_H_
#define GROVE_ZEROMQ_MONITOR_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "zeromq/socket.h"

namespace grove::zeromq {

struct MonitorEvent {
  enum class Kind : uint16_t {
    kConnected = 0x0001,
    kConnectDelayed = 0x0002,
    kConnectRetried = 0x0004,  // value: milliseconds until then
    kListening = 0x0008,
    kBindFailed = 0x0010,  // value: errno
    kAccepted = 0x0020,
    kAcceptFailed = 0x0040,  // value: errno
    kClosed = 0x0080,
    kCloseFailed = 0x0100,  // value: errno
    kDisconnected = 0x0200,
    kHandshakeFailedNoDetail = 0x0800,  // value: errno
    kHandshakeSucceeded = 0x1000,
    kHandshakeFailedProtocol = 0x2000,  // value: ZMQ_PROTOCOL_ERROR_…
    kHandshakeFailedAuth = 0x4000,      // value: the answer of who judged: 300, 400, 500
  };
  Kind kind;
  uint32_t value;  // a descriptor, where nothing else is said
  std::string address;
};

class Monitor {
 public:
  // kAlreadyExists: it has one. kAborted: it is closed.
  static absl::StatusOr<std::unique_ptr<Monitor>> Open(Socket& socket);
  // Requires: no fiber is in Next().
  ~Monitor();
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

  // kOutOfRange: the socket is closed, and all was told. kDeadlineExceeded, kCancelled. **Parks.**
  absl::StatusOr<MonitorEvent> Next();

 private:
  friend class Socket;

  Monitor(Socket& watched, std::unique_ptr<Socket> events)
      : watched_(&watched), events_(std::move(events)) {}
  // The socket closes, which ends the stream.
  void Detach() { watched_ = nullptr; }

  Socket* watched_;  // null once it is closed
  const std::unique_ptr<Socket> events_;
  bool ended_ = false;
};

}  // namespace grove::zeromq

#endif  // GROVE_ZEROMQ_MONITOR_H_
