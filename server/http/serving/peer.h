// Peer: who is at the other end of a connection, and what it must show before its first request.
//
// Hub thread only.
#ifndef GROVE_SERVER_HTTP_SERVING_PEER_H_
#define GROVE_SERVER_HTTP_SERVING_PEER_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "runtime/io/socket.h"
#include "runtime/tls/certificate.h"
#include "server/http/serving/ingress.h"
#include "server/http/serving/stats.h"
#include "server/http/serving/wire.h"

namespace grove::http {

// What plain HTTP is answered where TLS was due.
inline constexpr char kPlainOnTls[] = "this port speaks HTTPS, and plain HTTP came";

class Peer {
 public:
  // `address`: as SocketAddress has it.
  explicit Peer(std::string address);
  Peer(const Peer&) = delete;  // client_ is a view into it
  Peer& operator=(const Peer&) = delete;

  // Takes a PROXY header and shakes hands, as `ingress` has it. kFailedPrecondition: plain HTTP
  // came where TLS was due; it can be answered. Bounded by the Timeouts in scope. **Parks.**
  absl::Status Begin(const Ingress& ingress, Wire& wire, ServerStats& stats);

  // "127.0.0.1:51724", "[::1]:51724", "unix:".
  std::string_view address() const { return address_; }
  // Of the same without its port, or the client that a trusted proxy named in its header.
  std::string_view client() const { return client_; }
  // Verified; null: it presented none.
  const TlsCertificate* certificate() const { return certificate_.get(); }

 private:
  absl::Status TakeProxyHeader(Wire& wire, ServerStats& stats);
  absl::Status StartTls(const TlsServerContext& context, Wire& wire, ServerStats& stats);

  const std::string address_;
  std::string proxied_;      // the client as a PROXY header tells it
  std::string_view client_;  // within one of the two
  std::unique_ptr<const TlsCertificate> certificate_;
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_SERVING_PEER_H_
