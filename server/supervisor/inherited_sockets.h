// InheritedSockets: listening sockets that whoever started the daemon bound for it (systemd's
// socket activation, sd_listen_fds(3)).
//
// LISTEN_FDS of them begin at descriptor 3, if LISTEN_PID is this process; LISTEN_FDNAMES may name
// them. Each must find its listener: one that nobody serves would leave clients hanging.
#ifndef GROVE_SERVER_SUPERVISOR_INHERITED_SOCKETS_H_
#define GROVE_SERVER_SUPERVISOR_INHERITED_SOCKETS_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/io/socket_address.h"

namespace grove::supervisor {

class InheritedSockets {
 public:
  // The first descriptor (SD_LISTEN_FDS_START).
  static constexpr int kFirst = 3;
  // More are a slip: a daemon has a few listeners.
  static constexpr int kSocketsMax = 256;

  struct Socket {
    int fd;
    std::string name;  // empty: none
    SocketAddress address;
  };

  InheritedSockets() = default;
  // What the environment announces, which no longer does then: children must not take the sockets
  // for theirs. None if it is meant for another process. kInvalidArgument: it is malformed, or a
  // descriptor is no listening stream socket.
  static absl::StatusOr<InheritedSockets> TakeFromEnvironment();
  // The same without an environment: `names` as LISTEN_FDNAMES, from descriptor `first` on.
  static absl::StatusOr<InheritedSockets> Adopt(int first, int count, std::string_view names);
  InheritedSockets(InheritedSockets&& other) noexcept
      : sockets_(std::exchange(other.sockets_, {})) {}
  InheritedSockets& operator=(InheritedSockets&& other) noexcept;
  // Closes those that nobody took.
  ~InheritedSockets();

  // Moves the socket named `name`, else the one bound to `wanted`, out: its descriptor is the
  // caller's. Null descriptor (-1) if there is none.
  int Take(std::string_view name, const SocketAddress& wanted, SocketAddress* address);
  // kInvalidArgument names those that nobody took.
  absl::Status CheckAllTaken() const;

 private:
  std::vector<Socket> sockets_;
};

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_INHERITED_SOCKETS_H_
