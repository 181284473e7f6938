#include "runtime/tls/bio.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_format.h"
#include "runtime/hub/hub.h"
#include "runtime/switch/errno_status.h"

namespace grove {
namespace {

DescriptorTable& Table() {
  return Hub::Current()->descriptors();
}

TlsBio& Self(BIO* bio) {
  return *static_cast<TlsBio*>(BIO_get_data(bio));
}

}  // namespace

BIO* TlsBio::NewBio() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "grove socket");
    BIO_meth_set_read(made, ReadCallback);
    BIO_meth_set_write(made, WriteCallback);
    BIO_meth_set_ctrl(made, ControlCallback);
    return made;
  }();
  BIO* bio = BIO_new(method);
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  return bio;
}

int TlsBio::ReadCallback(BIO* bio, char* buffer, int length) {
  BIO_clear_retry_flags(bio);
  return Self(bio).Receive(buffer, length, bio);
}

int TlsBio::WriteCallback(BIO* bio, const char* bytes, int length) {
  return Self(bio).Send(bytes, length);
}

long TlsBio::ControlCallback(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

int TlsBio::Receive(char* buffer, int length, BIO* bio) {
  if (!socket_.open() || (ended_ && !stopped_) || length <= 0) return 0;
  while (!drained_ && !ended_by_us()) {
    const ssize_t got = read(socket_.fd(), buffer, length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno != EAGAIN) {
      read_errno_ = errno;
      return -1;
    }
    ended_ = got == 0;
    // Less than asked for means drained: the next edge will tell, no call to see EAGAIN.
    drained_ = got != 0 && got < length;
    if (drained_) Table().NotReady(socket_.fd(), Direction::kRead);
    if (got > 0 || (got == 0 && !stopped_)) return static_cast<int>(got);
  }
  BIO_set_retry_read(bio);
  return -1;
}

void TlsBio::StopReading() {
  stopped_ = true;
  if (socket_.open()) shutdown(socket_.fd(), SHUT_RD);
}

ssize_t TlsBio::SendSome(const char* bytes, size_t length) {
  for (;;) {
    const ssize_t sent = send(socket_.fd(), bytes, length, MSG_NOSIGNAL);
    if (sent >= 0) return sent;
    if (errno == EINTR) continue;
    if (errno == EAGAIN) {
      Table().NotReady(socket_.fd(), Direction::kWrite);
    } else {
      write_errno_ = errno;
    }
    return -1;
  }
}

int TlsBio::Send(const char* bytes, int length) {
  if (length <= 0 || write_errno_ != 0 || !socket_.open()) return length;
  size_t taken = 0;
  if (!pending()) {
    const ssize_t sent = SendSome(bytes, length);
    if (sent > 0) taken = static_cast<size_t>(sent);
    if (taken == static_cast<size_t>(length) || write_errno_ != 0) return length;
  }
  if (pending_.size() - sent_ + length - taken > pending_bytes_max_) {
    write_errno_ = ENOBUFS;
    return length;
  }
  pending_.append(bytes + taken, length - taken);
  return length;
}

absl::Status TlsBio::AwaitReadable() {
  absl::Status ready = Table().Await(socket_.fd(), Direction::kRead, WaitFor::Kind::kRead);
  if (ready.ok()) drained_ = false;
  return ready;
}

absl::Status TlsBio::AwaitWritable() {
  return Table().Await(socket_.fd(), Direction::kWrite, WaitFor::Kind::kWrite);
}

absl::Status TlsBio::Flush() {
  while (pending() && write_errno_ == 0) {
    if (absl::Status ready = AwaitWritable(); !ready.ok()) return ready;
    const ssize_t sent = SendSome(pending_.data() + sent_, pending_.size() - sent_);
    if (sent > 0) sent_ += static_cast<size_t>(sent);
  }
  if (!pending() && !pending_.empty()) {
    pending_ = std::string();
    sent_ = 0;
  }
  return WriteError();
}

absl::Status TlsBio::WriteError() const {
  return write_errno_ == 0 ? absl::OkStatus() : ErrnoStatus(write_errno_, "write");
}

absl::Status TlsBio::ReadError(std::string_view call) const {
  if (read_errno_ != 0) return ErrnoStatus(read_errno_, call);
  if (!socket_.open()) return absl::AbortedError("the connection is closed");
  if (ended_) {
    return absl::UnavailableError(absl::StrFormat(
        "%s: the connection ended without close_notify; what came may be cut short", call));
  }
  return absl::OkStatus();
}

}  // namespace grove
