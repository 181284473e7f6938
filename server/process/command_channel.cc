#include "server/process/command_channel.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "runtime/switch/errno_status.h"
#include "server/link/frame.h"
#include "server/log.h"

namespace grove::process {
namespace {

using internal::v1::ChildMessage;
using internal::v1::SupervisorMessage;

constexpr size_t kPieceBytes = size_t{16} << 10;

}  // namespace

absl::StatusOr<std::pair<CommandChannel, int>> CommandChannel::Open(std::string child) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return ErrnoStatus(errno, "socketpair");
  }
  absl::StatusOr<CommandChannel> channel = Adopt(ends[0], std::move(child));
  if (channel.ok()) return std::pair(*std::move(channel), ends[1]);
  close(ends[1]);
  return channel.status();
}

absl::StatusOr<CommandChannel> CommandChannel::Adopt(int fd, std::string child, std::string unread,
                                                     std::string unsent) {
  CommandChannel channel(fd, std::move(child));
  channel.incoming_ = std::move(unread);
  channel.outgoing_ = std::move(unsent);
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) return ErrnoStatus(errno, "fcntl");
  return channel;
}

CommandChannel& CommandChannel::operator=(CommandChannel&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(child_, other.child_);
  std::swap(incoming_, other.incoming_);
  std::swap(outgoing_, other.outgoing_);
  std::swap(sent_, other.sent_);
  return *this;
}

std::vector<ChildMessage> CommandChannel::Read() {
  std::vector<ChildMessage> messages;
  std::array<char, kPieceBytes> piece;
  for (size_t total = 0; open() && total < kCommandReadBytesMax;) {
    const ssize_t got = recv(fd_, piece.data(), piece.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) break;
    // The child's death, or its wish: reaping tells which.
    if (got <= 0) {
      Close();
      break;
    }
    total += static_cast<size_t>(got);
    incoming_.append(piece.data(), static_cast<size_t>(got));
    TakeMessages(messages);
  }
  return messages;
}

void CommandChannel::TakeMessages(std::vector<ChildMessage>& messages) {
  std::string_view left = incoming_;
  while (left.size() >= link::kFrameHeaderBytes) {
    const size_t length = link::DecodeFrameLength(left);
    if (length > kChildMessageBytesMax) {
      return GiveUp(absl::StrCat("a message of ", length, " bytes; at most ", kChildMessageBytesMax,
                                 " are allowed"));
    }
    if (left.size() - link::kFrameHeaderBytes < length) break;
    ChildMessage message;
    if (!message.ParseFromArray(left.data() + link::kFrameHeaderBytes, static_cast<int>(length))) {
      return GiveUp("a message that is no ChildMessage");
    }
    messages.push_back(std::move(message));
    left.remove_prefix(link::kFrameHeaderBytes + length);
  }
  incoming_.erase(0, incoming_.size() - left.size());
}

bool CommandChannel::Send(const SupervisorMessage& message) {
  if (!open()) return false;
  const size_t bytes = message.ByteSizeLong();
  if (bytes > link::kFrameBytesMax) {
    GiveUp(absl::StrCat("a message of ", bytes, " bytes to it; at most ", link::kFrameBytesMax,
                        " are allowed"));
    return false;
  }
  if (waiting_bytes() > 0 && waiting_bytes() + bytes > kCommandBacklogBytesMax) {
    GiveUp(absl::StrCat("it does not read: ", waiting_bytes(), " bytes wait"));
    return false;
  }
  const auto header = link::EncodeFrameLength(static_cast<uint32_t>(bytes));
  outgoing_.append(header.data(), header.size());
  message.AppendToString(&outgoing_);
  Flush();
  return open();
}

void CommandChannel::Flush() {
  while (open() && waiting_bytes() > 0) {
    const ssize_t put = send(fd_, outgoing_.data() + sent_, waiting_bytes(), MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EAGAIN) break;
    // Nobody reads any more. What the child said before is still to be read.
    if (put < 0) sent_ = outgoing_.size();
    if (put > 0) sent_ += static_cast<size_t>(put);
  }
  if (sent_ * 2 < outgoing_.size()) return;
  outgoing_.erase(0, std::exchange(sent_, 0));
}

void CommandChannel::Close() {
  if (fd_ >= 0) close(std::exchange(fd_, -1));
  incoming_.clear();
  outgoing_.clear();
  sent_ = 0;
}

void CommandChannel::GiveUp(std::string_view why) {
  Log(LogLevel::kError, "command channel closed; the child goes on without it",
      {{"name", child_}, {"why", why}});
  Close();
}

}  // namespace grove::process
