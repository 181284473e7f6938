#include "server/supervisor/service_notice.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "runtime/switch/abseil_text.h"

namespace grove::supervisor {
namespace {

constexpr const char* kVariables[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"};

// A status is one line of the datagram.
std::string StatusLine(std::string_view status) {
  std::string line = StrCat("STATUS=", status);
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

}  // namespace

ServiceNotice ServiceNotice::TakeFromEnvironment() {
  ServiceNotice notice;
  for (const char* name : kVariables) {
    const char* value = getenv(name);
    if (value == nullptr) continue;
    notice.variables_.emplace_back(name, value);
    unsetenv(name);
  }
  int64_t watchdog_us = 0;
  bool is_ours = true;
  for (const auto& [name, value] : notice.variables_) {
    if (name == kVariables[0]) notice.socket_ = value;
    if (name == kVariables[1] && !SimpleAtoi(value, &watchdog_us)) watchdog_us = 0;
    if (name == kVariables[2]) is_ours = value == StrCat(getpid());
  }
  // Half of it, as sd_watchdog_enabled(3) recommends.
  if (is_ours && watchdog_us > 0) notice.ping_every_ = absl::Microseconds(watchdog_us) / 2;
  return notice;
}

void ServiceNotice::PutIntoEnvironment() const {
  for (const auto& [name, value] : variables_) setenv(name.c_str(), value.c_str(), 1);
}

void ServiceNotice::Serving(std::string_view status) {
  on_its_way_ = false;
  Send(StrCat("READY=1\nMAINPID=", getpid(), "\n", StatusLine(status)));
}

void ServiceNotice::Reloading(std::string_view status, MonotonicNanos now) {
  on_its_way_ = true;
  extend_at_ = now;
  Send(StrCat("RELOADING=1\nMONOTONIC_USEC=", now / 1000, "\n", StatusLine(status)));
}

void ServiceNotice::Stopping(std::string_view status) {
  on_its_way_ = true;
  extend_at_ = 0;
  Send(StrCat("STOPPING=1\n", StatusLine(status)));
}

void ServiceNotice::Say(std::string_view status) const {
  Send(StatusLine(status));
}

void ServiceNotice::Pass(MonotonicNanos now) {
  if (socket_.empty()) return;
  if (ping_every_ != absl::InfiniteDuration() && now >= ping_at_) {
    ping_at_ = DeadlineAfter(now, ping_every_);
    Send("WATCHDOG=1");
  }
  if (!on_its_way_ || now < extend_at_) return;
  extend_at_ = DeadlineAfter(now, kExtendEvery);
  Send(StrCat("EXTEND_TIMEOUT_USEC=", absl::ToInt64Microseconds(kExtension)));
}

MonotonicNanos ServiceNotice::due() const {
  if (socket_.empty()) return kNever;
  const MonotonicNanos ping_at = ping_every_ == absl::InfiniteDuration() ? kNever : ping_at_;
  return on_its_way_ ? std::min(ping_at, extend_at_) : ping_at;
}

void ServiceNotice::Send(std::string_view state) const {
  sockaddr_un address{};
  if (socket_.size() < 2 || socket_.size() >= sizeof(address.sun_path)) return;
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, socket_.data(), socket_.size());
  if (socket_[0] == '@') address.sun_path[0] = '\0';  // the abstract namespace
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return;
  sendto(fd, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&address),
         static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size()));
  close(fd);
}

}  // namespace grove::supervisor
