// TlsClientContext: whom a TLS client trusts and what it offers, for TlsStream::Connect.
//
// The server's certificate is checked, against the system's authorities and the host's name or
// address, unless that is switched off by a name nobody can overlook. Keeps sessions for
// resumption. Connections keep what they began with: a context may be replaced or destroyed under
// them. Make one and use it for many: reading the authorities takes some ms. Hub thread only.
#ifndef GROVE_RUNTIME_TLS_CLIENT_CONTEXT_H_
#define GROVE_RUNTIME_TLS_CLIENT_CONTEXT_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/tls/certificate.h"
#include "runtime/tls/version.h"

struct ssl_ctx_st;      // OpenSSL's SSL_CTX
struct ssl_session_st;  // OpenSSL's SSL_SESSION

namespace grove {

enum class TlsVerification {
  kCertificateAndName,
  // Anybody in between can read and change everything. For tests.
  kDangerouslyAcceptAnyServer,
};

struct TlsClientOptions {
  TlsVerification verification = TlsVerification::kCertificateAndName;
  // PEM file of the authorities to trust, instead of the system's.
  std::string ca_file;
  // By preference. A server that knows none of them may refuse, or go on without.
  std::vector<std::string> alpn;
  // Presented to servers that ask for one.
  std::optional<TlsCertificateFiles> certificate;
  TlsVersion version_min = TlsVersion::k12;
  // For TLS 1.2, in OpenSSL's notation.
  std::string ciphers = kTlsCiphersDefault;
  // Hosts whose sessions are kept; 0: no resumption. A session has some 5 kB.
  size_t session_hosts_max = 1000;
};

class TlsClientContext {
 public:
  // Errors as TlsServerContext::Create.
  static absl::StatusOr<TlsClientContext> Create(const TlsClientOptions& options = {});
  TlsClientContext(TlsClientContext&&) noexcept = default;
  TlsClientContext& operator=(TlsClientContext&&) noexcept = default;

  bool verifies() const;
  // Whose sessions are kept now.
  size_t session_hosts() const;

 private:
  friend class TlsStream;
  struct State;
  explicit TlsClientContext(std::shared_ptr<State> state);
  ssl_ctx_st* openssl() const;
  // Null, or one to resume; the caller's.
  ssl_session_st* TakeSession(const std::string& key) const;

  // Shared with the connections made of it.
  std::shared_ptr<State> state_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_TLS_CLIENT_CONTEXT_H_
