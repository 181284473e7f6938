// TlsServerContext: what a TLS server presents and demands, for TlsStream::Accept.
//
// Certificates by server name, ALPN, client certificates, session tickets. A session is resumed
// under the name that it was begun for alone (RFC 6066 3; of TLS 1.3 too). Safe defaults: TLS 1.2
// and 1.3, forward secrecy, no compression, no renegotiation, no early data. Connections keep what
// they began with: a context may be reloaded, replaced or destroyed under them.
// Used on one thread at a time.
#ifndef GROVE_RUNTIME_TLS_SERVER_CONTEXT_H_
#define GROVE_RUNTIME_TLS_SERVER_CONTEXT_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/tls/certificate.h"
#include "runtime/tls/handshake_gate.h"
#include "runtime/tls/version.h"

struct ssl_ctx_st;  // OpenSSL's SSL_CTX

namespace grove {

enum class TlsClientCertificate { kNone, kOptional, kRequired };

struct TlsServerOptions {
  // At least one; the first also serves clients that name no host, or an unknown one. Several may
  // serve one name with keys of different types: the client's abilities choose.
  std::vector<TlsCertificateFiles> certificates;
  // By preference, as "http/1.1". A client that offers only others is refused (RFC 7301 3.2); one
  // that offers none is served, and TlsStream::alpn() is empty.
  std::vector<std::string> alpn;
  // One that is presented must stand the check, also if it is optional.
  TlsClientCertificate client_certificate = TlsClientCertificate::kNone;
  // PEM file of the authorities that client certificates must come from; needed unless kNone.
  std::string client_ca_file;
  // PEM file with the lists of what these have revoked, of each of them; empty: nothing is. Without
  // a valid list of an authority its certificates are refused.
  std::string client_crl_file;
  TlsVersion version_min = TlsVersion::k12;
  // For TLS 1.2, in OpenSSL's notation.
  std::string ciphers = kTlsCiphersDefault;
  // For the key exchange, by OpenSSL's names, the dearest first. Empty: kTlsGroupsDefault.
  std::vector<std::string> groups;
  // Seals session tickets; see TlsTicketKeys. Empty: random ones, so no other process resumes this
  // one's sessions, nor this one after a restart; Reload() keeps them.
  std::string ticket_keys;
  // A session may be resumed for that long; so long a client's certificate is not looked at again.
  absl::Duration session_lifetime = absl::Hours(2);
  // What the handshakes of a hub pass one after the other; shared by its contexts. Null: one of
  // this context's own.
  std::shared_ptr<TlsHandshakeGate> gate;
};

class TlsServerContext {
 public:
  // Most certificates of one context; each costs some 10 kB.
  static constexpr size_t kCertificatesMax = 10'000;

  // Reads the files on this thread: some ms, so offload it where that is too long. kInvalidArgument
  // names the file or the option and what is wrong; kNotFound, kPermissionDenied: a file.
  static absl::StatusOr<TlsServerContext> Create(TlsServerOptions options);
  TlsServerContext(TlsServerContext&&) noexcept = default;
  TlsServerContext& operator=(TlsServerContext&&) noexcept = default;

  // Reads the files anew, for the connections to come. On an error nothing changes.
  absl::Status Reload();
  // The same, for ticket keys: as TlsServerOptions::ticket_keys, not empty.
  absl::Status SetTicketKeys(std::string_view keys);

  // In the order of the options.
  std::vector<TlsCertificate> certificates() const;
  // What is legal but will hardly work, a line each: certificates that are expired, not valid yet,
  // or serve no name, and lists of revoked ones that are out of date.
  std::vector<std::string> Warnings(absl::Time now) const;

 private:
  friend class TlsStream;
  struct State;
  explicit TlsServerContext(std::shared_ptr<State> state);
  static absl::StatusOr<std::shared_ptr<State>> Load(const TlsServerOptions& options);
  ssl_ctx_st* openssl() const;
  TlsHandshakeGate& gate() const;

  // Shared with the connections made of it.
  std::shared_ptr<State> state_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_TLS_SERVER_CONTEXT_H_
