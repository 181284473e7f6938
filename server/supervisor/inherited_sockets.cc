#include "server/supervisor/inherited_sockets.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "runtime/switch/abseil_text.h"

namespace grove::supervisor {
namespace {

std::string TakeVariable(const char* name) {
  const char* value = getenv(name);
  std::string text = value == nullptr ? "" : value;
  unsetenv(name);
  return text;
}

int OptionOf(int fd, int option) {
  int value = 0;
  socklen_t length = sizeof(value);
  return getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 ? value : -1;
}

absl::StatusOr<SocketAddress> ListeningAddress(int fd) {
  if (OptionOf(fd, SO_TYPE) != SOCK_STREAM || OptionOf(fd, SO_ACCEPTCONN) != 1) {
    return absl::InvalidArgumentError("it is no listening stream socket (Accept=no is needed)");
  }
  const SocketAddress bound = SocketAddress::OfLocal(fd);
  if (bound.host().has_value() || !bound.path().empty()) return bound;
  return absl::InvalidArgumentError("not an address of IPv4, IPv6 or a UNIX path");
}

}  // namespace

absl::StatusOr<InheritedSockets> InheritedSockets::TakeFromEnvironment() {
  const std::string pid = TakeVariable("LISTEN_PID");
  const std::string fds = TakeVariable("LISTEN_FDS");
  const std::string names = TakeVariable("LISTEN_FDNAMES");
  int64_t meant_for = 0;
  if (!SimpleAtoi(pid, &meant_for) || meant_for != getpid()) return InheritedSockets();
  int count = 0;
  if (!SimpleAtoi(fds, &count) || count < 0 || count > kSocketsMax) {
    return absl::InvalidArgumentError(
        StrCat("LISTEN_FDS='", fds, "': want a number of sockets up to ", kSocketsMax));
  }
  return Adopt(kFirst, count, names);
}

absl::StatusOr<InheritedSockets> InheritedSockets::Adopt(int first, int count,
                                                         std::string_view names) {
  std::vector<std::string> named;
  if (!names.empty()) named = absl::StrSplit(Abseil(names), ':');
  if (!named.empty() && named.size() != static_cast<size_t>(count)) {
    return absl::InvalidArgumentError(
        StrCat("LISTEN_FDNAMES has ", named.size(), " names for ", count, " sockets"));
  }
  InheritedSockets inherited;
  for (int i = 0; i < count; ++i) {
    const int fd = first + i;
    absl::StatusOr<SocketAddress> address = ListeningAddress(fd);
    if (!address.ok()) {
      return absl::InvalidArgumentError(
          StrCat("the inherited descriptor ", fd, " (LISTEN_FDS): ", address.status().message()));
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    inherited.sockets_.push_back({fd, named.empty() ? "" : named[i], *std::move(address)});
  }
  return inherited;
}

InheritedSockets& InheritedSockets::operator=(InheritedSockets&& other) noexcept {
  std::swap(sockets_, other.sockets_);
  return *this;
}

InheritedSockets::~InheritedSockets() {
  for (const Socket& socket : sockets_) close(socket.fd);
}

int InheritedSockets::Take(std::string_view name, const SocketAddress& wanted,
                           SocketAddress* address) {
  const auto named = [&](const Socket& socket) { return !name.empty() && socket.name == name; };
  const auto bound = [&](const Socket& socket) { return socket.address == wanted; };
  auto found = std::find_if(sockets_.begin(), sockets_.end(), named);
  if (found == sockets_.end()) found = std::find_if(sockets_.begin(), sockets_.end(), bound);
  if (found == sockets_.end()) return -1;
  const int fd = found->fd;
  *address = found->address;
  sockets_.erase(found);
  return fd;
}

absl::Status InheritedSockets::CheckAllTaken() const {
  if (sockets_.empty()) return absl::OkStatus();
  std::vector<std::string> left;
  for (const Socket& socket : sockets_) {
    const std::string name = socket.name.empty() ? "without a name" : socket.name;
    left.push_back(StrCat(socket.address.ToString(), " (", name, ")"));
  }
  return absl::InvalidArgumentError(
      StrCat("inherited sockets (LISTEN_FDS) that no listener is for: ", absl::StrJoin(left, ", "),
             "; http.listeners wants one with the socket's name ",
             "or address, and control and admin bind their own"));
}

}  // namespace grove::supervisor
