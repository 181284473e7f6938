#include "server/http/serving/peer.h"

#include <utility>

#include "absl/strings/ascii.h"

namespace grove::http {
namespace {

// "127.0.0.1" of "127.0.0.1:51724", "::1" of "[::1]:51724"; "unix:" is its own. What comes by IPv4
// to a listener of both families is an address of IPv4 (RFC 4291, 2.5.5.2): limits, logs and
// trusted addresses know each host by one name.
std::string_view WithoutPort(std::string_view address) {
  constexpr std::string_view kMapped = "::ffff:";
  if (address.starts_with('[')) {
    const std::string_view host = address.substr(1, address.find(']') - 1);
    const bool mapped = host.starts_with(kMapped) && host.find('.') != host.npos;
    return mapped ? host.substr(kMapped.size()) : host;
  }
  return address.starts_with("unix:") ? address : address.substr(0, address.rfind(':'));
}

}  // namespace

Peer::Peer(std::string address) : address_(std::move(address)), client_(WithoutPort(address_)) {}

absl::Status Peer::Begin(const Ingress& ingress, Wire& wire, ServerStats& stats) {
  if (ingress.proxies.has_value() && ingress.proxies->Contains(client_)) {
    if (absl::Status taken = TakeProxyHeader(wire, stats); !taken.ok()) return taken;
  }
  return ingress.tls.has_value() ? StartTls(*ingress.tls, wire, stats) : absl::OkStatus();
}

absl::Status Peer::TakeProxyHeader(Wire& wire, ServerStats& stats) {
  absl::StatusOr<std::string> told = ReadProxyHeader(wire.socket());
  if (!told.ok()) {
    if (!absl::IsUnavailable(told.status())) ++stats.proxy_header_failures;
    return told.status();
  }
  if (told->empty()) return absl::OkStatus();
  proxied_ = *std::move(told);
  client_ = WithoutPort(proxied_);
  return absl::OkStatus();
}

absl::Status Peer::StartTls(const TlsServerContext& context, Wire& wire, ServerStats& stats) {
  const absl::StatusOr<char> first = PeekByte(wire.socket());
  if (!first.ok()) return first.status();
  absl::Status started;
  // A handshake's record begins with 22 (RFC 8446 5.1), a method with a letter.
  if (absl::ascii_isalpha(static_cast<unsigned char>(*first))) {
    started = absl::FailedPreconditionError(kPlainOnTls);
  } else {
    started = wire.StartTls(context);
  }
  ++(started.ok() ? stats.tls_handshakes : stats.tls_handshake_failures);
  if (started.ok() && wire.tls().peer_verified()) {
    certificate_ = std::make_unique<const TlsCertificate>(*wire.tls().peer_certificate());
  }
  return started;
}

}  // namespace grove::http
