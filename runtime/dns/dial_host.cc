#include "runtime/dns/dial_host.h"

#include "absl/strings/str_format.h"

namespace grove {

static_assert(kDnsAddressesMax <= kDialAddressesMax, "what is resolved must be diallable");

absl::StatusOr<Socket> DialHost(Resolver& resolver, std::string_view host, uint16_t port,
                                const DialOptions& options) {
  ResolveOptions wanted;
  if (options.connect.bind.has_value()) wanted.family = options.connect.bind->storage.ss_family;
  absl::StatusOr<std::vector<SocketAddress>> addresses = resolver.Resolve(host, port, wanted);
  if (!addresses.ok()) return addresses.status();
  absl::StatusOr<Socket> socket = DialAny(*addresses, options);
  if (socket.ok()) return socket;
  return absl::Status(socket.status().code(), absl::StrFormat("dial %s port %d: %s", host, port,
                                                              socket.status().message()));
}

}  // namespace grove
