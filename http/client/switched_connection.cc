#include "http/client/switched_connection.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>

#include "runtime/io/socket.h"
#include "runtime/switch/abseil_text.h"

namespace grove::http {
namespace {

iovec Part(std::string_view bytes) {
  return {const_cast<char*>(bytes.data()), bytes.size()};
}

}  // namespace

absl::StatusOr<size_t> SwitchedConnection::Fill(size_t /*room*/) {
  if (reading_stopped_) return size_t{0};
  if (lease_->unread().empty()) {
    lease_->Trim();
    // TLS may hold bytes that the kernel no longer tells of.
    absl::Status ready = stream_.plain() ? AwaitReadable(stream_.fd()) : absl::OkStatus();
    if (!ready.ok()) return ready;
    if (reading_stopped_) return size_t{0};
  }
  absl::StatusOr<size_t> got = lease_->Fill();
  // Over TLS the end that StopReading() makes looks as if somebody had cut the connection.
  if (reading_stopped_) return size_t{0};
  return got;
}

absl::Status SwitchedConnection::Write(std::string_view head, std::string_view body) {
  if (!broken_.ok()) {
    return absl::UnavailableError(StrCat("sending failed before: ", broken_.message()));
  }
  std::array<iovec, 2> parts = {Part(head), Part(body)};
  // Half of what belongs together may have been sent: nothing may follow it.
  broken_ = stream_.Writev(std::span(parts).first(body.empty() ? 1 : 2));
  if (!broken_.ok()) {
    StopReading();
    return broken_;
  }
  written_ += static_cast<int64_t>(head.size() + body.size());
  return absl::OkStatus();
}

Transport::Progress SwitchedConnection::progress() const {
  int waiting = 0;
  if (ioctl(stream_.fd(), SIOCOUTQ, &waiting) != 0) waiting = 0;
  return {.written = written_, .taken = std::max<int64_t>(written_ - waiting, 0)};
}

void SwitchedConnection::StopReading() {
  reading_stopped_ = true;
  shutdown(stream_.fd(), SHUT_RD);
}

void SwitchedConnection::ShutdownWrite() {
  if (!broken_.ok()) return;
  broken_ = absl::UnavailableError("the end of the stream was sent");
  // A connection that is broken already has nothing to end.
  stream_.ShutdownWrite().IgnoreError();
}

void SwitchedConnection::Close() {
  reading_stopped_ = true;
  stream_.Close();
}

}  // namespace grove::http
