// Ingress: how a listener's connections begin, before their first byte of HTTP.
//
// First a PROXY header, if the peer is one of the proxies; then TLS, if the listener has it. Both
// within header_timeout, on the connection's own fiber. Hub thread only.
#ifndef GROVE_SERVER_HTTP_SERVING_INGRESS_H_
#define GROVE_SERVER_HTTP_SERVING_INGRESS_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/io/socket.h"
#include "runtime/tls/server_context.h"
#include "server/http/middleware/trusted_addresses.h"

namespace grove::http {

// May change while connections are served: they keep what they began with.
struct Ingress {
  // Unset: plain HTTP.
  std::optional<TlsServerContext> tls;
  // Peers that must send a PROXY header. What others send is never taken for one. Unset: nobody.
  std::optional<TrustedAddresses> proxies;
};

// Reads a PROXY header and no byte behind it: the client as ProxyHeader::client() has it.
// kInvalidArgument: it is none. kUnavailable: the connection ended before. Bounded by the Timeouts
// in scope. **Parks.**
absl::StatusOr<std::string> ReadProxyHeader(Socket& socket);

// The first byte to come, which stays to be read. kUnavailable: the connection ended before.
// **Parks.**
absl::StatusOr<char> PeekByte(Socket& socket);

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_SERVING_INGRESS_H_
