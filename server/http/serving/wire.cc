// Memory follows the bytes. A connection that waits for a request holds no buffer: FillIdle() takes
// one only when the kernel has something. While a handler runs, the request's views point into the
// bytes that were used up, so these are pinned: what is read then goes to another buffer, and the
// bytes not used yet follow into it.
#include "server/http/serving/wire.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>

namespace grove::http {
std::span<char> InputBuffer::Room(size_t bytes) {
  if (begin_ == end_) begin_ = end_ = 0;
  if (capacity_ - end_ < bytes) {
    const size_t unread_bytes = end_ - begin_;
    if (capacity_ >= unread_bytes + bytes) {
      std::memmove(bytes_.get(), bytes_.get() + begin_, unread_bytes);
    } else {
      Grow(unread_bytes + bytes);
      return {bytes_.get() + end_, capacity_ - end_};
    }
    begin_ = 0;
    end_ = unread_bytes;
  }
  return {bytes_.get() + end_, capacity_ - end_};
}

// To a block first; doubled while that does not do.
void InputBuffer::Grow(size_t bytes) {
  const bool block = bytes <= BlockPool::kBlockBytes && capacity_ == 0;
  const size_t wanted = block ? BlockPool::kBlockBytes : std::max(capacity_ * 2, bytes);
  BlockPool::Block grown = block ? pool_->Take() : BlockPool::Block(new char[wanted]);
  const std::string_view kept = unread();
  if (!kept.empty()) std::memcpy(grown.get(), kept.data(), kept.size());
  Release();
  bytes_ = std::move(grown);
  capacity_ = wanted;
  end_ = kept.size();
}

void InputBuffer::Release() {
  if (capacity_ > 0) pool_->Give(std::move(bytes_), capacity_);
  capacity_ = begin_ = end_ = 0;
}

Wire::~Wire() {
  input_.Release();
  pinned_.Release();
}

void Wire::Trim() {
  if (input_.empty() && !pinned_used_) input_.Release();
  output_.Trim();
}

absl::Status Wire::StartTls(const TlsServerContext& context) {
  handshake_fd_ = socket_.fd();
  absl::StatusOr<TlsStream> accepted = TlsStream::Accept(std::move(socket_), context);
  handshake_fd_ = -1;
  if (!accepted.ok()) return accepted.status();
  tls_.emplace(*std::move(accepted));
  stream_ = &*tls_;
  output_.SealWith(*tls_);
  return absl::OkStatus();
}

void Wire::StopReading() {
  reading_stopped_ = true;
  // What TLS does not know of would look to it as if somebody had cut the connection.
  if (tls_.has_value()) return tls_->ShutdownRead();
  shutdown(handshake_fd_ >= 0 ? handshake_fd_ : socket_.fd(), SHUT_RD);
}

absl::StatusOr<size_t> Wire::FillIdle(size_t room) {
  Trim();
  pinned_.Release();
  return Fill(room);
}

absl::StatusOr<size_t> Wire::Fill(size_t room_bytes) {
  if (pinned_used_) {
    // The bytes not used yet, if any, follow into the other buffer.
    const std::string_view unread = input_.unread();
    std::span<char> room = pinned_.Room(std::max(unread.size(), kFillRoomBytes));
    if (!unread.empty()) std::memcpy(room.data(), unread.data(), unread.size());
    pinned_.Filled(unread.size());
    input_.Consume(unread.size());
    std::swap(input_, pinned_);
    pinned_used_ = false;
  }
  if (!input_.has_memory() && !secure()) {
    // It takes memory when there is something to read, not for the wait. (TLS may hold bytes that
    // the kernel no longer tells of.)
    if (absl::Status ready = AwaitReadable(socket_.fd()); !ready.ok()) return ready;
  }
  const std::span<char> room = input_.Room(room_bytes);
  absl::StatusOr<size_t> got = stream_->Read(room);
  if (!got.ok()) return got;
  input_.Filled(*got);
  stats_.bytes_in += *got;
  read_bytes_ += *got;
  return got;
}

absl::StatusOr<size_t> Wire::ReadDirect(std::span<char> buffer) {
  absl::StatusOr<size_t> got = stream_->Read(buffer);
  if (!got.ok()) return got;
  stats_.bytes_in += *got;
  read_bytes_ += *got;
  return got;
}

}  // namespace grove::http
