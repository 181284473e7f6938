#include "zeromq/socket.h"

#include <zmq.h>

#include <cerrno>

#include "absl/strings/str_format.h"
#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"
#include "runtime/switch/abseil_text.h"
#include "zeromq/authenticator.h"
#include "zeromq/monitor.h"
#include "zeromq/zmq_error.h"

namespace grove::zeromq {
namespace {

int RawType(SocketType type) {
  switch (type) {
    case SocketType::kPair:
      return ZMQ_PAIR;
    case SocketType::kPub:
      return ZMQ_PUB;
    case SocketType::kSub:
      return ZMQ_SUB;
    case SocketType::kXPub:
      return ZMQ_XPUB;
    case SocketType::kXSub:
      return ZMQ_XSUB;
    case SocketType::kReq:
      return ZMQ_REQ;
    case SocketType::kRep:
      return ZMQ_REP;
    case SocketType::kDealer:
      return ZMQ_DEALER;
    case SocketType::kRouter:
      return ZMQ_ROUTER;
    case SocketType::kPush:
      return ZMQ_PUSH;
    case SocketType::kPull:
      return ZMQ_PULL;
    case SocketType::kStream:
      return ZMQ_STREAM;
  }
  return -1;
}

constexpr int kWanted[2] = {ZMQ_POLLIN, ZMQ_POLLOUT};

Direction Other(Direction direction) {
  return direction == Direction::kRead ? Direction::kWrite : Direction::kRead;
}

std::string Named(const Fiber& fiber) {
  return absl::StrFormat("fiber %d \"%s\" (spawned at %s:%d)", fiber.id(), fiber.name(),
                         fiber.spawn_site().file_name(),
                         static_cast<int>(fiber.spawn_site().line()));
}

}  // namespace

// One call in one direction, from its start to its end.
class Socket::Turn {
 public:
  Turn(Socket& socket, Direction direction) : user_(socket.users_[static_cast<int>(direction)]) {
    Fiber* const self = socket.hub_.running();
    if (&socket.hub_ == Hub::Current() && socket.open() && user_ == nullptr) [[likely]] {
      user_ = self;
      mine_ = true;
      return;
    }
    status_ = socket.CheckOpen();
    if (!status_.ok()) return;
    const std::string_view does = direction == Direction::kRead ? "receives" : "sends";
    status_ = absl::FailedPreconditionError(
        absl::StrFormat("zeromq: %s %s on the %s socket already; %s must not", Named(*user_), does,
                        SocketTypeName(socket.type_), Named(*self)));
  }
  ~Turn() {
    if (mine_) user_ = nullptr;
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  const absl::Status& status() const { return status_; }

 private:
  Fiber*& user_;
  bool mine_ = false;
  absl::Status status_;
};

// --- Life ---------------------------------------------------------------------------------------

absl::StatusOr<std::unique_ptr<Socket>> Socket::Open(Context& context, SocketType type,
                                                     const SocketOptions& options) {
  context.CheckIsThisProcess();
  if (context.closing_ != nullptr) return absl::AbortedError("zeromq: the context is closed");
  void* const raw = zmq_socket(context.raw_, RawType(type));
  if (raw == nullptr) return ZmqStatus(errno, StrCat("zeromq: open ", SocketTypeName(type)));
  std::unique_ptr<Socket> socket(new Socket(context, type, raw));
  if (absl::Status set = ApplySocketOptions(raw, type, options); !set.ok()) return set;
  if (options.curve_server.has_value() && options.curve_server->authenticator != nullptr) {
    Authenticator& authenticator = *options.curve_server->authenticator;
    if (!authenticator.socket_->open()) {
      return absl::FailedPreconditionError("zeromq: curve_server.authenticator is closed");
    }
    socket->authenticator_ = &authenticator;
    ++authenticator.servers_;
  }
  int fd = -1;
  size_t bytes = sizeof(fd);
  if (zmq_getsockopt(raw, ZMQ_FD, &fd, &bytes) != 0) return socket->Failed(errno, "ZMQ_FD");
  absl::Status added = socket->hub_.descriptors().Register(fd, Poller::Mode::kEdge);
  if (!added.ok()) return added;
  socket->fd_ = fd;
  return socket;
}

Socket::Socket(Context& context, SocketType type, void* raw)
    : context_(context), type_(type), hub_(Hub::CurrentOrDie()), raw_(raw) {
  ++context_.open_;
}

Socket::~Socket() {
  for (const Fiber* user : users_)
    GROVE_CHECK(user == nullptr, "a zeromq::Socket died while fibers use it");
  Close();
}

void Socket::Close() {
  if (raw_ == nullptr) return;
  if (monitor_ != nullptr) monitor_->Detach();
  // Before libzmq's thread closes the descriptor: its number may be another's then.
  if (fd_ >= 0 && Hub::Current() == &hub_) hub_.descriptors().Unregister(fd_);
  zmq_close(std::exchange(raw_, nullptr));
  --context_.open_;
  if (authenticator_ != nullptr) --std::exchange(authenticator_, nullptr)->servers_;
  for (Fiber*& waiter : waiters_) {
    if (waiter != nullptr) hub_.Unpark(*std::exchange(waiter, nullptr));
  }
}

absl::Status Socket::Failed(int error, std::string_view call) const {
  return ZmqStatus(error, StrCat("zeromq: ", call, " of a ", SocketTypeName(type_), " socket"));
}

// --- Addresses ----------------------------------------------------------------------------------

// libzmq attaches peers in these calls or soon after: without an edge of ZMQ_FD a sender that waits
// for one may go on.
void Socket::TakeInForAll() {
  if (waiters_[0] != nullptr || waiters_[1] != nullptr) (void)TakeIn();
}

absl::Status Socket::CheckOpen() const {
  GROVE_CHECK(&hub_ == Hub::Current(),
              "a zeromq::Socket was used outside of its hub, or in a forked child");
  if (open()) return absl::OkStatus();
  return absl::AbortedError(
      absl::StrFormat("zeromq: the %s socket is closed", SocketTypeName(type_)));
}

absl::StatusOr<std::string> Socket::Bind(std::string_view address) {
  if (absl::Status is_open = CheckOpen(); !is_open.ok()) return is_open;
  if (zmq_bind(raw_, std::string(address).c_str()) != 0) {
    return ZmqStatus(errno, StrCat("zeromq: bind ", address));
  }
  TakeInForAll();
  char bound[1024];
  size_t bytes = sizeof(bound);
  if (zmq_getsockopt(raw_, ZMQ_LAST_ENDPOINT, bound, &bytes) != 0) {
    return Failed(errno, "ZMQ_LAST_ENDPOINT");
  }
  return std::string(bound);
}

absl::Status Socket::Connect(std::string_view address) {
  if (absl::Status is_open = CheckOpen(); !is_open.ok()) return is_open;
  if (zmq_connect(raw_, std::string(address).c_str()) != 0) {
    return ZmqStatus(errno, StrCat("zeromq: connect ", address));
  }
  TakeInForAll();
  return absl::OkStatus();
}

absl::Status Socket::Unbind(std::string_view address) {
  if (absl::Status is_open = CheckOpen(); !is_open.ok()) return is_open;
  if (zmq_unbind(raw_, std::string(address).c_str()) == 0) return absl::OkStatus();
  return ZmqStatus(errno, StrCat("zeromq: unbind ", address));
}

absl::Status Socket::Disconnect(std::string_view address) {
  if (absl::Status is_open = CheckOpen(); !is_open.ok()) return is_open;
  if (zmq_disconnect(raw_, std::string(address).c_str()) == 0) return absl::OkStatus();
  return ZmqStatus(errno, StrCat("zeromq: disconnect ", address));
}

absl::Status Socket::Subscribe(std::string_view prefix) {
  return Set(ZMQ_SUBSCRIBE, prefix, "subscribe");
}

absl::Status Socket::Unsubscribe(std::string_view prefix) {
  return Set(ZMQ_UNSUBSCRIBE, prefix, "unsubscribe");
}

absl::Status Socket::Set(int option, std::string_view value, std::string_view what) {
  if (absl::Status is_open = CheckOpen(); !is_open.ok()) return is_open;
  if (zmq_setsockopt(raw_, option, value.data(), value.size()) != 0) return Failed(errno, what);
  TakeInForAll();
  return absl::OkStatus();
}

// --- Waiting ------------------------------------------------------------------------------------

int Socket::TakeIn() {
  int events = 0;
  size_t bytes = sizeof(events);
  while (zmq_getsockopt(raw_, ZMQ_EVENTS, &events, &bytes) != 0) {
    // The context is closing, or libzmq is in trouble: whoever waits hears it from their own call.
    if (errno == EINTR) continue;
    events = ZMQ_POLLIN | ZMQ_POLLOUT;
    break;
  }
  for (int side = 0; side < 2; ++side) {
    if (waiters_[side] == nullptr || (events & kWanted[side]) == 0) continue;
    hub_.Unpark(*std::exchange(waiters_[side], nullptr));
  }
  return events;
}

void Socket::TakeInForOther(Direction direction) {
  if (waiters_[static_cast<int>(Other(direction))] != nullptr) (void)TakeIn();
}

void Socket::OnReady() {
  watched_ = false;
  // Who waits alone finds out by trying, for which libzmq takes all in. Of two one must not use up
  // the edge unseen by the other.
  if (waiters_[0] == nullptr || waiters_[1] == nullptr) {
    for (Fiber*& waiter : waiters_) {
      if (waiter != nullptr) hub_.UnparkCold(*std::exchange(waiter, nullptr));
    }
    return;
  }
  (void)TakeIn();
  if (waiters_[0] == nullptr && waiters_[1] == nullptr) return;
  // Some still wait: for the next edge, which comes after the look above.
  hub_.descriptors().NotReady(fd_, Direction::kRead);
  watched_ = hub_.descriptors().WatchReady(fd_, Direction::kRead, *this, nullptr).ok();
}

absl::Status Socket::Await(Direction direction) {
  const int side = static_cast<int>(direction);
  if (!watched_) {
    DescriptorTable& table = hub_.descriptors();
    table.NotReady(fd_, Direction::kRead);
    absl::Status watched = table.WatchReady(fd_, Direction::kRead, *this, nullptr);
    if (!watched.ok()) return watched;
    watched_ = true;
  }
  Fiber* const self = hub_.running();
  waiters_[side] = self;
  ++parks_;
  busy_ = 0;
  const WaitFor::Kind kind =
      direction == Direction::kRead ? WaitFor::Kind::kRead : WaitFor::Kind::kWrite;
  const Wake wake = hub_.Park({.kind = kind, .fd = fd_});
  if (waiters_[side] == self) waiters_[side] = nullptr;
  if (absl::Status is_open = CheckOpen(); !is_open.ok()) return is_open;
  if (wake == Wake::kReady) return absl::OkStatus();
  return WakeStatus(wake, direction == Direction::kRead ? "zeromq receive" : "zeromq send");
}

absl::Status Socket::Breathe() {
  busy_ = 0;
  hub_.Yield();
  if (absl::Status is_open = CheckOpen(); !is_open.ok()) return is_open;
  const Wake wake = hub_.interruption();
  return wake == Wake::kReady ? absl::OkStatus() : WakeStatus(wake, "zeromq");
}

// --- Messages -----------------------------------------------------------------------------------

absl::Status Socket::Send(Frame&& frame) {
  const Turn turn(*this, Direction::kWrite);
  if (!turn.status().ok()) return turn.status();
  absl::Status sent = SendFirst(&frame.raw_, 0);
  if (open()) TakeInForOther(Direction::kWrite);
  return sent;
}

absl::Status Socket::Send(Message&& message) {
  if (message.empty()) return absl::InvalidArgumentError("zeromq: a message has a frame at least");
  const Turn turn(*this, Direction::kWrite);
  if (!turn.status().ok()) return turn.status();
  absl::Status sent = SendFirst(&message[0].raw_, message.size() > 1 ? ZMQ_SNDMORE : 0);
  if (sent.ok()) sent = SendRest(message);
  if (open()) TakeInForOther(Direction::kWrite);
  return sent;
}

absl::Status Socket::SendFirst(zmq_msg_t* part, int flags) {
  if (++busy_ >= kBusyMax) [[unlikely]] {
    if (absl::Status breathed = Breathe(); !breathed.ok()) return breathed;
  }
  // A send looks at what the threads have told only now and then. Once that is taken in a second
  // EAGAIN stands, whatever ZMQ_EVENTS says: that of a ROUTER does not know which peer is meant.
  bool taken_in = false;
  for (;;) {
    if (zmq_msg_send(part, raw_, flags | ZMQ_DONTWAIT) >= 0) return absl::OkStatus();
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return Failed(errno, "send");
    if (!std::exchange(taken_in, true)) {
      (void)TakeIn();
      continue;
    }
    if (absl::Status ready = Await(Direction::kWrite); !ready.ok()) return ready;
    taken_in = false;
  }
}

// Never waits: libzmq counts whole messages, so that there is room for the rest of one. If its peer
// has left meanwhile it says EAGAIN once, and drops the frames that come after.
absl::Status Socket::SendRest(Message& message) {
  bool lost = false;
  for (size_t at = 1; at < message.size(); ++at) {
    const int flags = ZMQ_DONTWAIT | (at + 1 < message.size() ? ZMQ_SNDMORE : 0);
    zmq_msg_t* const part = &message[at].raw_;
    while (zmq_msg_send(part, raw_, flags) < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return Failed(errno, "send");
      lost = true;
      // A PAIR drops nothing by itself: what came after would be another message.
      if (type_ == SocketType::kPair) at = message.size();
      break;
    }
  }
  if (!lost) return absl::OkStatus();
  return absl::UnavailableError(absl::StrFormat(
      "zeromq: the peer of the %s socket left in the middle of a message", SocketTypeName(type_)));
}

absl::StatusOr<Message> Socket::Receive() {
  Message message;
  if (absl::Status received = Receive(message); !received.ok()) return received;
  return message;
}

absl::Status Socket::Receive(Message& message) {
  const Turn turn(*this, Direction::kRead);
  if (!turn.status().ok()) {
    message.clear();
    return turn.status();
  }
  // Not cleared: to free and make the one frame of most messages costs as much as to receive it.
  message.resize(1);
  absl::Status received = ReceiveFirst(&message[0].raw_);
  while (received.ok() && zmq_msg_more(&message.back().raw_) != 0) {
    // Messages come whole: what follows is there.
    message.emplace_back();
    while (zmq_msg_recv(&message.back().raw_, raw_, ZMQ_DONTWAIT) < 0) {
      if (errno == EINTR) continue;
      received = Failed(errno, "receive the rest");
      break;
    }
  }
  if (open()) TakeInForOther(Direction::kRead);
  if (!received.ok()) message.clear();
  return received;
}

absl::Status Socket::ReceiveFirst(zmq_msg_t* part) {
  if (++busy_ >= kBusyMax) [[unlikely]] {
    if (absl::Status breathed = Breathe(); !breathed.ok()) return breathed;
  }
  for (;;) {
    if (zmq_msg_recv(part, raw_, ZMQ_DONTWAIT) >= 0) return absl::OkStatus();
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return Failed(errno, "receive");
    // A receive that finds nothing takes in all that was told, and looks again: EAGAIN stands. But
    // that may have been news for the sender.
    TakeInForOther(Direction::kRead);
    if (absl::Status ready = Await(Direction::kRead); !ready.ok()) return ready;
  }
}

}  // namespace grove::zeromq
