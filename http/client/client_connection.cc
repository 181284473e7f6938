#include "http/client/client_connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "runtime/hub/hub.h"

namespace grove::http {

std::unique_ptr<char[]> BufferCache::Take() {
  if (kept_.empty()) return std::unique_ptr<char[]>(new char[kClientReadBytes]);
  std::unique_ptr<char[]> buffer = std::move(kept_.back());
  kept_.pop_back();
  return buffer;
}

void BufferCache::Put(std::unique_ptr<char[]> buffer) {
  if (kept_.size() < kKeptMax) kept_.push_back(std::move(buffer));
}

ClientConnection::ClientConnection(std::unique_ptr<Stream> stream, BufferCache& buffers)
    : stream_(std::move(stream)), buffers_(buffers), made_at_(Hub::Current()->now()) {}

ClientConnection::~ClientConnection() {
  if (buffer_ != nullptr && capacity_ == kClientReadBytes) buffers_.Put(std::move(buffer_));
  // The table's watch points here.
  if (on_gone_ != nullptr && !gone_ && Hub::Current() != nullptr) {
    Hub::Current()->descriptors().WatchHangup(stream_->fd(), nullptr);
  }
}

void ClientConnection::Grow() {
  if (buffer_ == nullptr) {
    buffer_ = buffers_.Take();
    capacity_ = kClientReadBytes;
    begin_ = end_ = 0;
    return;
  }
  if (begin_ > 0) {
    memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= std::exchange(begin_, 0);
  }
  if (end_ < capacity_) return;
  std::unique_ptr<char[]> larger(new char[capacity_ * 2]);
  memcpy(larger.get(), buffer_.get(), end_);
  buffer_ = std::move(larger);
  capacity_ *= 2;
}

absl::StatusOr<size_t> ClientConnection::Fill() {
  if (begin_ == end_) begin_ = end_ = 0;
  if (end_ == capacity_) Grow();
  absl::StatusOr<size_t> got = stream_->Read({buffer_.get() + end_, capacity_ - end_});
  if (got.ok()) end_ += *got;
  return got;
}

absl::StatusOr<size_t> ClientConnection::Read(std::span<char> out) {
  if (begin_ == end_) return stream_->Read(out);
  const size_t bytes = std::min(out.size(), end_ - begin_);
  memcpy(out.data(), buffer_.get() + begin_, bytes);
  Consume(bytes);
  return bytes;
}

void ClientConnection::Trim() {
  if (begin_ != end_) return;
  if (buffer_ != nullptr && capacity_ == kClientReadBytes) buffers_.Put(std::move(buffer_));
  buffer_ = nullptr;
  capacity_ = begin_ = end_ = 0;
}

void ClientConnection::Rest(absl::AnyInvocable<void()> on_gone) {
  Trim();
  on_gone_ = std::move(on_gone);
  Hub::Current()->descriptors().WatchHangup(stream_->fd(), this);
}

bool ClientConnection::Wake() {
  if (gone_) return false;
  DescriptorTable& table = Hub::Current()->descriptors();
  table.WatchHangup(stream_->fd(), nullptr);
  on_gone_ = nullptr;
  // Over TLS session tickets may lie there, which are no one's answer.
  if (!stream_->plain() || !table.MayBeReady(stream_->fd(), Direction::kRead)) return true;
  char byte = 0;
  table.CountCall();
  if (recv(stream_->fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN) return false;
  table.NotReady(stream_->fd(), Direction::kRead);
  return true;
}

std::pair<std::unique_ptr<Stream>, std::string> ClientConnection::Release() {
  std::string unread(buffer_.get() + begin_, end_ - begin_);
  begin_ = end_ = 0;
  return {std::move(stream_), std::move(unread)};
}

void ClientConnection::OnHangup() {
  gone_ = true;
  on_gone_();
}

}  // namespace grove::http
