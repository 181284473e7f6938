#include "server/topics/exchange.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/time/time.h"
#include "runtime/group/fiber_group.h"
#include "runtime/hub/hub.h"
#include "runtime/io/foreign_descriptor.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"
#include "server/topics/socket_path.h"

namespace grove::topics {
namespace {

constexpr uint32_t kFrameVersion = 1;
// What the kernel has for them is bounded by net.core.wmem_max, which is 208 KiB by default.
constexpr int kSendBuffer = 1 << 20;
constexpr int kBacklog = 512;
// Taken from one connection before other fibers have their turn.
constexpr int kBatch = 64;
// Where no descriptor is left.
constexpr absl::Duration kAcceptPause = absl::Milliseconds(100);

// Before the topic and the bytes. In this machine's order: it never leaves it.
struct FrameHeader {
  uint32_t version;
  uint32_t topic_bytes;
  uint64_t lost;  // by the same worker for this one, since its last message
  int64_t worker;
};

constexpr size_t kFrameBytesMax = sizeof(FrameHeader) + kNameBytesMax + kMessageBytesMax;

absl::StatusOr<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(
        StrCat(path, ": a socket's path may have ", sizeof(address.sun_path) - 1, " bytes"));
  }
  memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

int NewSocket() {
  return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

// The folder keeps others out; this keeps out whoever got in all the same.
bool IsOurs(int fd) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
}

absl::Status BindAndListen(int fd, const std::string& path) {
  absl::StatusOr<sockaddr_un> address = AddressOf(path);
  if (!address.ok()) return address.status();
  unlink(path.c_str());
  if (bind(fd, reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) != 0) {
    return ErrnoStatus(errno, StrCat("bind ", path));
  }
  // Nobody can connect before listen(2).
  if (chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0)
    return ErrnoStatus(errno, StrCat("chmod ", path));
  if (listen(fd, kBacklog) != 0) return ErrnoStatus(errno, StrCat("listen at ", path));
  return absl::OkStatus();
}

}  // namespace

Exchange::Exchange(Options options) : options_(std::move(options)) {}

Exchange::~Exchange() {
  for (const auto& [slot, peer] : peers_) {
    if (peer.fd >= 0) close(peer.fd);
  }
  if (listening_fd_ < 0) return;
  close(listening_fd_);
  // Where a successor listens already, its name stays.
  name_.Remove();
}

std::string Exchange::PathOf(int slot) const {
  return SocketPath(options_.folder, slot);
}

absl::Status Exchange::Open() {
  const int fd = NewSocket();
  if (fd < 0) return ErrnoStatus(errno, "socket");
  absl::Status status = BindAndListen(fd, PathOf(options_.slot));
  if (!status.ok()) {
    close(fd);
    return status;
  }
  listening_fd_ = fd;
  name_ = SocketName::Of(PathOf(options_.slot));
  frame_.resize(kFrameBytesMax + 1);
  return absl::OkStatus();
}

absl::Status Exchange::Run() {
  return FiberGroup::Run(
      FiberGroup::OnFailure::kLetRestRun, [this](FiberGroup& group) -> absl::Status {
        absl::StatusOr<ForeignDescriptor> listening = ForeignDescriptor::Register(listening_fd_);
        if (!listening.ok()) return listening.status();
        for (;;) {
          if (absl::Status status = listening->AwaitReadable(); !status.ok()) return status;
          const int fd = accept4(listening_fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
          if (fd < 0) {
            if (errno != EMFILE && errno != ENFILE && errno != ENOMEM) continue;
            if (absl::Status status = Sleep(kAcceptPause); !status.ok()) return status;
          } else if (!IsOurs(fd) ||
                     !group.Spawn("topics.hear", [this, fd] { Hear(fd).IgnoreError(); }).ok()) {
            close(fd);  // a worker of ours connects anew
          }
        }
      });
}

absl::Status Exchange::Hear(int fd) {
  const absl::Cleanup closing = [fd] { close(fd); };
  absl::StatusOr<ForeignDescriptor> connection = ForeignDescriptor::Register(fd);
  if (!connection.ok()) return connection.status();
  const absl::Cleanup unregistering = [&] { connection->Unregister(); };
  for (;;) {
    if (absl::Status status = connection->AwaitReadable(); !status.ok()) return status;
    for (int i = 0; i < kBatch; ++i) {
      const ssize_t got = recv(fd, frame_.data(), frame_.size(), MSG_DONTWAIT);
      if (got == 0) return absl::OkStatus();
      if (got < 0 && errno != EAGAIN && errno != EINTR) return ErrnoStatus(errno, "recv");
      if (got < 0) break;
      Take({frame_.data(), static_cast<size_t>(got)});
    }
    Yield();
  }
}

void Exchange::Take(std::string_view frame) {
  FrameHeader header{};
  const bool whole = frame.size() >= sizeof(header) && frame.size() <= kFrameBytesMax;
  if (whole) memcpy(&header, frame.data(), sizeof(header));
  if (!whole || header.version != kFrameVersion ||
      header.topic_bytes > frame.size() - sizeof(header)) {
    ++stats_.unreadable;
    subscribers_->AddLost(1);
    return;
  }
  frame.remove_prefix(sizeof(header));
  if (header.lost > 0) subscribers_->AddLost(header.lost);
  const std::string_view topic = frame.substr(0, header.topic_bytes);
  if (!subscribers_->has(topic)) return;
  const Subscribers::Delivery delivery = subscribers_->Deliver(
      topic, {.worker = static_cast<int>(header.worker),
              .shared = std::make_shared<const std::string>(frame.substr(header.topic_bytes))});
  stats_.delivered += delivery.delivered;
  stats_.dropped += delivery.dropped;
}

absl::Status Exchange::Publish(std::string_view topic, std::string_view bytes) {
  if (absl::Status status = CheckName(topic); !status.ok()) return status;
  if (absl::Status status = CheckMessage(bytes); !status.ok()) return status;
  ++stats_.published;
  if (subscribers_->has(topic)) {
    const Subscribers::Delivery delivery = subscribers_->Deliver(
        topic, {.worker = options_.slot, .shared = std::make_shared<const std::string>(bytes)});
    stats_.delivered += delivery.delivered;
    stats_.dropped += delivery.dropped;
  }
  const std::vector<int> live = options_.live_slots();
  for (const int slot : live) {
    if (slot != options_.slot) Tell(slot, topic, bytes);
  }
  Forget(live);
  return absl::OkStatus();
}

absl::StatusOr<Subscription> Exchange::Subscribe(std::string_view topic, size_t waiting_max) {
  if (absl::Status status = CheckName(topic); !status.ok()) return status;
  if (waiting_max == 0) {
    return absl::InvalidArgumentError("a subscription needs room for one message at least");
  }
  return Subscription(subscribers_, topic, waiting_max);
}

void Exchange::Tell(int slot, std::string_view topic, std::string_view bytes) {
  Peer& peer = peers_[slot];
  Sent sent = peer.fd >= 0 ? Send(peer, topic, bytes) : Sent::kNobody;
  if (sent == Sent::kNobody) {
    sent = Connect(slot, peer);
    if (sent == Sent::kYes) sent = Send(peer, topic, bytes);
  }
  if (sent == Sent::kFull) {
    ++peer.lost;
    ++stats_.unsent;
  }
}

Exchange::Sent Exchange::Connect(int slot, Peer& peer) {
  const absl::StatusOr<sockaddr_un> address = AddressOf(PathOf(slot));
  if (!address.ok()) return Sent::kNobody;
  const int fd = NewSocket();
  if (fd < 0) return Sent::kFull;
  // As much as there is to have.
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof(kSendBuffer));
  if (connect(fd, reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)) == 0) {
    peer.fd = fd;
    return Sent::kYes;
  }
  const bool full = errno == EAGAIN;
  close(fd);
  // It starts, or has just died: it has no subscribers.
  if (!full) peer.lost = 0;
  return full ? Sent::kFull : Sent::kNobody;
}

Exchange::Sent Exchange::Send(Peer& peer, std::string_view topic, std::string_view bytes) {
  FrameHeader header{.version = kFrameVersion,
                     .topic_bytes = static_cast<uint32_t>(topic.size()),
                     .lost = peer.lost,
                     .worker = options_.slot};
  std::array<iovec, 3> parts{{{&header, sizeof(header)},
                              {const_cast<char*>(topic.data()), topic.size()},
                              {const_cast<char*>(bytes.data()), bytes.size()}}};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  ssize_t sent = 0;
  do {
    sent = sendmsg(peer.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) {
    peer.lost = 0;
    return Sent::kYes;
  }
  if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM || errno == EMSGSIZE) {
    return Sent::kFull;
  }
  // It has died. Its successor has missed nothing.
  close(std::exchange(peer.fd, -1));
  peer.lost = 0;
  return Sent::kNobody;
}

void Exchange::Forget(const std::vector<int>& live) {
  if (peers_.size() < live.size()) return;  // at most all but the own one
  std::erase_if(peers_, [&](const auto& each) {
    const auto& [slot, peer] = each;
    if (std::find(live.begin(), live.end(), slot) != live.end()) return false;
    if (peer.fd >= 0) close(peer.fd);
    return true;
  });
}

}  // namespace grove::topics
