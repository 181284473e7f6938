// Transport: a connection that a request switched to another protocol, as who goes on with it sees
// it, at either end.
//
// Bytes in both directions, whatever carries them: the seam between such protocols and wire forms.
// A handler's is valid until the handler returns, after which the connection is closed. Hub thread
// only.
#ifndef GROVE_HTTP_TRANSPORT_TRANSPORT_H_
#define GROVE_HTTP_TRANSPORT_TRANSPORT_H_

#include <cstddef>
#include <functional>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace grove::http {

class Transport {
 public:
  virtual ~Transport() = default;
  // What was read and not yet used, beginning with what came behind the request. May be changed in
  // place; valid until Consume or Fill.
  virtual std::span<char> unread() = 0;
  virtual void Consume(size_t bytes) = 0;
  // Reads more behind the unread bytes, with room for `room` at least; 0 at the end of the stream,
  // or after StopReading(). kUnavailable: the peer is gone. One fiber at a time. **Parks.**
  virtual absl::StatusOr<size_t> Fill(size_t room) = 0;
  // Sends `head` and then `body`; small ones leave together with others when the fiber parks.
  // kUnavailable: the peer is gone; kDeadlineExceeded: it takes no bytes; then nothing more is
  // ever sent. One fiber at a time. **Parks** if there is much to send.
  virtual absl::Status Write(std::string_view head, std::string_view body) = 0;
  // How far sending is, in bytes since the connection began.
  struct Progress {
    int64_t written = 0;  // by Write()
    int64_t taken = 0;    // of these by the peer, as far as the kernel tells
  };
  virtual Progress progress() const = 0;
  // Wakes Fill(). From any fiber or timer.
  virtual void StopReading() = 0;
  // Called once, when the server drains: bring it to an end. Must not park. Null: nobody to tell.
  virtual void set_on_drain(std::function<void()> on_drain) = 0;
};

}  // namespace grove::http

#endif  // GROVE_HTTP_TRANSPORT_TRANSPORT_H_
