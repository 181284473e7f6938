// Socket: a ZeroMQ socket of any type, used from fibers.
//
// Calls look blocking and park only their fiber; Timeout scopes bound them, Cancel() ends them. A
// call that ends so has sent and taken nothing. One fiber may receive while another sends; a second
// one in the same direction gets kFailedPrecondition naming both (put a Mutex or a Queue in front).
//
// libzmq tells of changes by one descriptor for both directions (ZMQ_FD), by edges, and what it
// tells is "look", no more. The rules that keep wake-ups from getting lost:
//   - nobody parks but after libzmq has said EAGAIN having taken in all that its threads have told;
//   - that is taken in by any call, a send or a receive of the other fiber too, which uses up the
//     edge: whoever has made one looks at ZMQ_EVENTS again for the fiber that waits;
//   - who is woken tries again, and parks again if that was in vain.
// Without a fiber that waits ZMQ_EVENTS is not asked, since that costs a system call.
// Hub thread only; it belongs to the hub it was opened on.
#ifndef GROVE_ZEROMQ_SOCKET_H_
#define GROVE_ZEROMQ_SOCKET_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/hub/descriptor_table.h"
#include "zeromq/context.h"
#include "zeromq/frame.h"
#include "zeromq/socket_options.h"

namespace grove::zeromq {

class Monitor;

class Socket final : private DescriptorTable::ReadyWatch {
 public:
  // kInvalidArgument names an option; kResourceExhausted: out of sockets or descriptors; kAborted:
  // the context is closed. `context` must outlive it.
  static absl::StatusOr<std::unique_ptr<Socket>> Open(Context& context, SocketType type,
                                                      const SocketOptions& options = {});
  // Closes. Requires: no fiber is in a call of it.
  ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  // --- Addresses: "tcp://127.0.0.1:5555", "ipc:///run/app.sock", "inproc://name" ----------------

  // The address it is bound to: of "tcp://127.0.0.1:*" with its port. Never parks.
  absl::StatusOr<std::string> Bind(std::string_view address);
  // The connection is made, and made again, by libzmq: that this is OK says nothing of the peer.
  // Names of hosts are looked up by libzmq's thread, which waits meanwhile. Never parks.
  absl::Status Connect(std::string_view address);
  // As they were given, or as Bind() returned. kNotFound: it is not bound or connected there.
  absl::Status Unbind(std::string_view address);
  absl::Status Disconnect(std::string_view address);

  // --- Messages ---------------------------------------------------------------------------------

  // All of it or nothing: on errors `message` is as it was, but for kUnavailable: the peer left in
  // the middle of it, and nobody receives it. kNotFound: a ROUTER has no such peer.
  // kFailedPrecondition: not this type, or not this one's turn (REQ, REP); another fiber sends.
  // kAborted: closed. **Parks** at the high water mark, and where there is no peer, if its type
  // waits then.
  absl::Status Send(Message&& message);
  // Of one frame: Send("text"), Send(std::move(bytes)).
  absl::Status Send(Frame&& frame);
  // The next message, whole. Errors as of Send(). **Parks.**
  absl::StatusOr<Message> Receive();
  // As above, into `message`, whose memory is used again. After an error it is empty.
  absl::Status Receive(Message& message);

  // Of SUB: messages whose first frame begins with `prefix`; each as often as it is subscribed.
  absl::Status Subscribe(std::string_view prefix);
  absl::Status Unsubscribe(std::string_view prefix);

  // --- The end ----------------------------------------------------------------------------------

  // Wakes whoever waits. What was sent leaves within the linger, behind the scenes. Never parks. No
  // effect if closed.
  void Close();

  bool open() const { return raw_ != nullptr; }
  SocketType type() const { return type_; }
  // Times a fiber parked here: for tests and metrics.
  uint64_t parks() const { return parks_; }

 private:
  friend class Monitor;
  class Turn;

  // So many messages in a row that none had to be waited for, and the other fibers get their turn:
  // a socket that is always ready would hold the hub up.
  static constexpr uint32_t kBusyMax = 256;

  Socket(Context& context, SocketType type, void* raw);
  // kAborted unless. Requires: on its hub.
  absl::Status CheckOpen() const;
  absl::Status Set(int option, std::string_view value, std::string_view what);
  absl::Status SendFirst(zmq_msg_t* part, int flags);
  absl::Status SendRest(Message& message);
  absl::Status ReceiveFirst(zmq_msg_t* part);
  // Lets others run now and then.
  absl::Status Breathe();
  // ZMQ_EVENTS, after libzmq has taken in what its threads have told; wakes whoever it concerns.
  int TakeIn();
  void TakeInForOther(Direction direction);
  void TakeInForAll();
  // Until there may be something new. **Parks.**
  absl::Status Await(Direction direction);
  void OnReady() override;
  void OnUnregistered() override {}
  absl::Status Failed(int error, std::string_view call) const;

  Context& context_;
  const SocketType type_;
  Hub& hub_;
  void* raw_;
  int fd_ = -1;
  bool watched_ = false;
  Fiber* users_[2] = {nullptr, nullptr};    // in a call, by direction
  Fiber* waiters_[2] = {nullptr, nullptr};  // parked
  uint32_t busy_ = 0;
  uint64_t parks_ = 0;
  Monitor* monitor_ = nullptr;
  Authenticator* authenticator_ = nullptr;  // that judges its clients, while it is open
};

}  // namespace grove::zeromq

#endif  // GROVE_ZEROMQ_SOCKET_H_
