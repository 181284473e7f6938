#include "server/http/serving/ingress.h"

#include <sys/socket.h>

#include <cerrno>
#include <span>

#include "http/message/proxy_header.h"
#include "runtime/hub/hub.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/switch/errno_status.h"

namespace grove::http {
namespace {

// Bytes that stay to be read, at least one. What follows the header may be a TLS handshake, which
// belongs to OpenSSL: hence nothing is read that may be part of it.
absl::StatusOr<size_t> Peek(Socket& socket, std::span<char> buffer) {
  for (;;) {
    const int fd = socket.fd();
    if (fd < 0) return absl::AbortedError("the connection was closed");
    const ssize_t got = recv(fd, buffer.data(), buffer.size(), MSG_PEEK | MSG_DONTWAIT);
    if (got > 0) return static_cast<size_t>(got);
    if (got == 0) return absl::UnavailableError("the connection ended before it began");
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return ErrnoStatus(errno, "recv");
    Hub::Current()->descriptors().NotReady(fd, Direction::kRead);
    if (absl::Status ready = AwaitReadable(fd); !ready.ok()) return ready;
  }
}

}  // namespace

absl::StatusOr<std::string> ReadProxyHeader(Socket& socket) {
  // Holds what balancers send in one piece; longer ones take a few turns.
  char buffer[512];
  ProxyHeader header;
  for (;;) {
    const absl::StatusOr<size_t> seen = Peek(socket, buffer);
    if (!seen.ok()) return seen.status();
    size_t used = 0;
    const ProxyHeader::Result result = header.Take({buffer, *seen}, used);
    if (result == ProxyHeader::Result::kMalformed) {
      return absl::InvalidArgumentError(StrCat("PROXY protocol: ", header.problem()));
    }
    if (absl::Status taken = socket.ReadFull({buffer, used}); !taken.ok()) return taken;
    if (result == ProxyHeader::Result::kDone) return header.client();
  }
}

absl::StatusOr<char> PeekByte(Socket& socket) {
  char byte = 0;
  const absl::StatusOr<size_t> seen = Peek(socket, {&byte, 1});
  if (!seen.ok()) return seen.status();
  return byte;
}

}  // namespace grove::http
