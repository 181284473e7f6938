#include "runtime/tls/client_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <utility>

#include "absl/strings/str_format.h"
#include "runtime/tls/openssl.h"
#include "runtime/tls/session_cache.h"

namespace grove {

struct TlsClientContext::State {
  explicit State(const TlsClientOptions& options)
      : verification(options.verification), sessions(options.session_hosts_max) {}

  const TlsVerification verification;
  TlsSessionCache sessions;
  SslContextPtr context;

  absl::Status Trust(const std::string& ca_file);
  absl::Status Present(const std::optional<TlsCertificateFiles>& certificate);
  absl::Status Offer(const std::vector<std::string>& alpn);
  void KeepSessions();

  // OpenSSL's callback: a session can be resumed from now on.
  static int KeepSession(SSL* ssl, SSL_SESSION* session);
};

absl::Status TlsClientContext::State::Trust(const std::string& ca_file) {
  if (verification == TlsVerification::kDangerouslyAcceptAnyServer) {
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
    return absl::OkStatus();
  }
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, NoteRefusedCertificate);
  if (ca_file.empty()) {
    if (SSL_CTX_set_default_verify_paths(context.get()) == 1) return absl::OkStatus();
    return absl::FailedPreconditionError("the system's authorities can't be read: " +
                                         TakeTlsErrors("unknown"));
  }
  if (absl::Status readable = ReadTlsFile(ca_file).status(); !readable.ok()) return readable;
  if (SSL_CTX_load_verify_file(context.get(), ca_file.c_str()) == 1) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrFormat("%s: no PEM certificates of authorities: %s",
                                                    ca_file, TakeTlsErrors("none found")));
}

absl::Status TlsClientContext::State::Present(
    const std::optional<TlsCertificateFiles>& certificate) {
  if (!certificate.has_value()) return absl::OkStatus();
  absl::StatusOr<TlsKeyPair> pair = LoadTlsKeyPair(*certificate);
  if (!pair.ok()) return pair.status();
  if (pair->Use(context.get())) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrFormat("%s: %s", certificate->chain, TakeTlsErrors("not usable")));
}

absl::Status TlsClientContext::State::Offer(const std::vector<std::string>& alpn) {
  absl::StatusOr<std::string> list = AlpnList(alpn);
  if (!list.ok()) return list.status();
  if (list->empty()) return absl::OkStatus();
  const auto* bytes = reinterpret_cast<const unsigned char*>(list->data());
  // The one OpenSSL function of this sort that returns 0 for success.
  if (SSL_CTX_set_alpn_protos(context.get(), bytes, static_cast<unsigned>(list->size())) == 0) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("ALPN names: " + TakeTlsErrors("refused by OpenSSL"));
}

void TlsClientContext::State::KeepSessions() {
  SSL_CTX_set_app_data(context.get(), this);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context.get(), KeepSession);
}

int TlsClientContext::State::KeepSession(SSL* ssl, SSL_SESSION* session) {
  auto* self = static_cast<State*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  const auto* handshake = static_cast<const TlsHandshake*>(SSL_get_app_data(ssl));
  if (handshake == nullptr || SSL_SESSION_is_resumable(session) != 1) return 0;
  self->sessions.Put(handshake->session_key, SessionPtr(session));
  return 1;  // the reference is ours
}

TlsClientContext::TlsClientContext(std::shared_ptr<State> state) : state_(std::move(state)) {}

absl::StatusOr<TlsClientContext> TlsClientContext::Create(const TlsClientOptions& options) {
  absl::StatusOr<SslContextPtr> context =
      NewTlsContext(TLS_client_method(), options.version_min, options.ciphers);
  if (!context.ok()) return context.status();
  auto state = std::make_shared<State>(options);
  state->context = *std::move(context);
  if (absl::Status trusted = state->Trust(options.ca_file); !trusted.ok()) return trusted;
  if (absl::Status presented = state->Present(options.certificate); !presented.ok()) {
    return presented;
  }
  if (absl::Status offered = state->Offer(options.alpn); !offered.ok()) return offered;
  state->KeepSessions();
  return TlsClientContext(std::move(state));
}

bool TlsClientContext::verifies() const {
  return state_->verification == TlsVerification::kCertificateAndName;
}

size_t TlsClientContext::session_hosts() const {
  return state_->sessions.hosts();
}

ssl_ctx_st* TlsClientContext::openssl() const {
  return state_->context.get();
}

ssl_session_st* TlsClientContext::TakeSession(const std::string& key) const {
  return state_->sessions.Take(key).release();
}

}  // namespace grove
