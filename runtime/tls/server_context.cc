#include "runtime/tls/server_context.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/tls/openssl.h"
#include "runtime/tls/revocation_lists.h"
#include "runtime/tls/ticket_keys.h"

namespace grove {

struct TlsServerContext::State {
  TlsServerOptions options;
  std::vector<TlsKeyPair> pairs;
  // Lower case; several certificates if their keys are of different types.
  absl::flat_hash_map<std::string, std::vector<const TlsKeyPair*>> by_name;
  std::string alpn;
  TlsTicketKeys ticket_keys;
  SslContextPtr context;
  RevocationLists revoked;

  void NameCertificates();
  const std::vector<const TlsKeyPair*>* Find(std::string_view server_name) const;
  absl::Status DemandClientCertificates();
  // What they say goes to `demands`.
  absl::Status AddRevocationLists(std::string& demands);
  void SetCallbacks();

  static int ChooseCertificate(SSL* ssl, int* alert, void* state);
  static int ChooseProtocol(SSL* ssl, const unsigned char** out, unsigned char* out_length,
                            const unsigned char* in, unsigned int in_length, void* state);
  static int NoteServerName(SSL* ssl, int* alert, void* state);
  static int NoteNameInTicket(SSL* ssl, void* state);
  static SSL_TICKET_RETURN JudgeTicket(SSL* ssl, SSL_SESSION* session,
                                       const unsigned char* key_name, size_t key_name_bytes,
                                       SSL_TICKET_STATUS status, void* state);
  static int TicketKey(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                       EVP_MAC_CTX* mac, int seal);
};

namespace {

// The names that `pair` serves: those given, else its DNS names.
std::vector<std::string> ServedNames(const TlsKeyPair& pair) {
  std::vector<std::string> names = pair.files.names;
  if (names.empty()) {
    for (const std::string& name : DescribeCertificate(pair.leaf.get()).names) {
      if (absl::StartsWith(name, "DNS:")) names.push_back(name.substr(4));
    }
  }
  for (std::string& name : names) absl::AsciiStrToLower(&name);
  return names;
}

std::string CanonicalName(std::string_view server_name) {
  std::string name = absl::AsciiStrToLower(std::string(server_name));
  if (!name.empty() && name.back() == '.') name.pop_back();
  return name;
}

absl::Status CheckNames(const TlsCertificateFiles& files) {
  for (const std::string& name : files.names) {
    const size_t star = name.rfind('*');
    if (name.empty() ||
        (star != std::string::npos && (star != 0 || !absl::StartsWith(name, "*.")))) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "%s: name \"%s\"; a host name, or \"*.\" and a domain, is expected", files.chain, name));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckOptions(const TlsServerOptions& options) {
  const size_t count = options.certificates.size();
  if (count == 0) return absl::InvalidArgumentError("a TLS server needs a certificate");
  if (count > TlsServerContext::kCertificatesMax) {
    return absl::InvalidArgumentError(absl::StrFormat("%d certificates; at most %d may be given",
                                                      count, TlsServerContext::kCertificatesMax));
  }
  if (options.client_certificate != TlsClientCertificate::kNone && options.client_ca_file.empty()) {
    return absl::InvalidArgumentError("client certificates need client_ca_file");
  }
  if (options.client_certificate == TlsClientCertificate::kNone &&
      !options.client_crl_file.empty()) {
    return absl::InvalidArgumentError("client_crl_file is of use with client certificates alone");
  }
  if (options.session_lifetime < absl::Seconds(1) || options.session_lifetime > absl::Hours(168)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("session_lifetime %s; 1 second to 7 days (RFC 8446 4.6.1) are expected",
                        absl::FormatDuration(options.session_lifetime)));
  }
  for (const TlsCertificateFiles& files : options.certificates) {
    if (absl::Status names = CheckNames(files); !names.ok()) return names;
  }
  return absl::OkStatus();
}

}  // namespace

void TlsServerContext::State::NameCertificates() {
  for (const TlsKeyPair& pair : pairs) {
    for (const std::string& name : ServedNames(pair)) {
      std::vector<const TlsKeyPair*>& serving = by_name[name];
      bool taken = false;
      for (const TlsKeyPair* other : serving) {
        taken |= EVP_PKEY_get_base_id(other->key.get()) == EVP_PKEY_get_base_id(pair.key.get());
      }
      if (!taken) serving.push_back(&pair);
    }
  }
}

const std::vector<const TlsKeyPair*>* TlsServerContext::State::Find(
    std::string_view server_name) const {
  const std::string name = CanonicalName(server_name);
  auto found = by_name.find(name);
  if (const size_t dot = name.find('.'); found == by_name.end() && dot != std::string::npos) {
    found = by_name.find(absl::StrCat("*", name.substr(dot)));
  }
  return found == by_name.end() ? nullptr : &found->second;
}

int TlsServerContext::State::ChooseCertificate(SSL* ssl, int* alert, void* self) {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  const auto* found = static_cast<const State*>(self)->Find(name);
  if (found == nullptr) return SSL_TLSEXT_ERR_NOACK;  // the default serves, as in other servers
  SSL_certs_clear(ssl);
  for (const TlsKeyPair* pair : *found) {
    if (pair->Use(ssl)) continue;
    *alert = SSL_AD_INTERNAL_ERROR;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  return SSL_TLSEXT_ERR_OK;
}

int TlsServerContext::State::ChooseProtocol(SSL*, const unsigned char** out,
                                            unsigned char* out_length, const unsigned char* in,
                                            unsigned int in_length, void* self) {
  const std::string& own = static_cast<const State*>(self)->alpn;
  unsigned char* chosen = nullptr;
  const int agreed =
      SSL_select_next_proto(&chosen, out_length, reinterpret_cast<const unsigned char*>(own.data()),
                            static_cast<unsigned int>(own.size()), in, in_length);
  *out = chosen;
  return agreed == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

int TlsServerContext::State::TicketKey(SSL* ssl, unsigned char* name, unsigned char* iv,
                                       EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int seal) {
  const auto* self = static_cast<const State*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  return seal == 1 ? self->ticket_keys.Seal(name, iv, cipher, mac)
                   : self->ticket_keys.Open(name, iv, cipher, mac);
}

// SSL_get_servername() tells nothing while a ticket is judged, and a resumed session's own name
// after that, so the client's is read where it comes.
int TlsServerContext::State::NoteServerName(SSL* ssl, int*, void*) {
  auto* handshake = static_cast<TlsHandshake*>(SSL_get_app_data(ssl));
  const unsigned char* bytes = nullptr;
  size_t length = 0;
  handshake->server_name.clear();
  // A list of one host name: its length, a type of 0, the name's length, the name (RFC 6066 3).
  // What is malformed OpenSSL refuses itself, later.
  constexpr size_t kHeadBytes = 5;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &bytes, &length) == 1 &&
      length > kHeadBytes) {
    const std::string_view name(reinterpret_cast<const char*>(bytes) + kHeadBytes,
                                length - kHeadBytes);
    handshake->server_name = CanonicalName(name);
  }
  return SSL_CLIENT_HELLO_SUCCESS;
}

int TlsServerContext::State::NoteNameInTicket(SSL* ssl, void*) {
  const auto* handshake = static_cast<TlsHandshake*>(SSL_get_app_data(ssl));
  return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), handshake->server_name.data(),
                                         handshake->server_name.size());
}

SSL_TICKET_RETURN TlsServerContext::State::JudgeTicket(SSL* ssl, SSL_SESSION* session,
                                                       const unsigned char*, size_t,
                                                       SSL_TICKET_STATUS status, void*) {
  if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) {
    return SSL_TICKET_RETURN_IGNORE_RENEW;
  }
  const auto* handshake = static_cast<TlsHandshake*>(SSL_get_app_data(ssl));
  void* bytes = nullptr;
  size_t length = 0;
  SSL_SESSION_get0_ticket_appdata(session, &bytes, &length);
  const std::string_view name(static_cast<const char*>(bytes), length);
  if (name != handshake->server_name) return SSL_TICKET_RETURN_IGNORE_RENEW;
  return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

absl::Status TlsServerContext::State::AddRevocationLists(std::string& demands) {
  if (options.client_crl_file.empty()) return absl::OkStatus();
  absl::StatusOr<std::string> pem = ReadTlsFile(options.client_crl_file);
  if (!pem.ok()) return pem.status();
  absl::StatusOr<RevocationLists> read = RevocationLists::Parse(options.client_crl_file, *pem);
  if (!read.ok()) return read.status();
  demands += *pem;
  revoked = *std::move(read);
  revoked.AddTo(SSL_CTX_get_cert_store(context.get()));
  return absl::OkStatus();
}

absl::Status TlsServerContext::State::DemandClientCertificates() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int digest_bytes = 0;
  std::string demands = absl::StrCat(static_cast<int>(options.client_certificate), "\n");
  if (options.client_certificate != TlsClientCertificate::kNone) {
    const std::string& path = options.client_ca_file;
    absl::StatusOr<std::string> pem = ReadTlsFile(path);
    if (!pem.ok()) return pem.status();
    demands += *pem;
    STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(path.c_str());
    if (names == nullptr || SSL_CTX_load_verify_file(context.get(), path.c_str()) != 1) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "%s: no PEM certificates of authorities: %s", path, TakeTlsErrors("none found")));
    }
    SSL_CTX_set_client_CA_list(context.get(), names);  // takes it over
    if (absl::Status added = AddRevocationLists(demands); !added.ok()) return added;
    const bool required = options.client_certificate == TlsClientCertificate::kRequired;
    SSL_CTX_set_verify(context.get(),
                       SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                       NoteRefusedCertificate);
  }
  // A session begun under other demands is not resumed: its client was checked by those.
  EVP_Digest(demands.data(), demands.size(), digest, &digest_bytes, EVP_sha256(), nullptr);
  SSL_CTX_set_session_id_context(context.get(), digest, digest_bytes);
  return absl::OkStatus();
}

void TlsServerContext::State::SetCallbacks() {
  SSL_CTX_set_app_data(context.get(), this);
  SSL_CTX_set_tlsext_servername_callback(context.get(), ChooseCertificate);
  SSL_CTX_set_tlsext_servername_arg(context.get(), this);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context.get(), TicketKey);
  SSL_CTX_set_client_hello_cb(context.get(), NoteServerName, this);
  SSL_CTX_set_session_ticket_cb(context.get(), NoteNameInTicket, JudgeTicket, this);
  if (!alpn.empty()) SSL_CTX_set_alpn_select_cb(context.get(), ChooseProtocol, this);
  // Tickets hold the sessions; a cache would be one worker's only.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_timeout(context.get(),
                      static_cast<long>(absl::ToInt64Seconds(options.session_lifetime)));
}

TlsServerContext::TlsServerContext(std::shared_ptr<State> state) : state_(std::move(state)) {}

absl::StatusOr<std::shared_ptr<TlsServerContext::State>> TlsServerContext::Load(
    const TlsServerOptions& options) {
  if (absl::Status checked = CheckOptions(options); !checked.ok()) return checked;
  absl::StatusOr<SslContextPtr> context =
      NewTlsContext(TLS_server_method(), options.version_min, options.ciphers, options.groups);
  if (!context.ok()) return context.status();
  absl::StatusOr<std::string> alpn = AlpnList(options.alpn);
  if (!alpn.ok()) return alpn.status();
  absl::StatusOr<TlsTicketKeys> keys = TlsTicketKeys::Parse(options.ticket_keys);
  if (!keys.ok()) return keys.status();

  auto state = std::make_shared<State>();
  state->options = options;
  state->context = *std::move(context);
  state->alpn = *std::move(alpn);
  state->ticket_keys = *std::move(keys);
  for (const TlsCertificateFiles& files : options.certificates) {
    absl::StatusOr<TlsKeyPair> pair = LoadTlsKeyPair(files);
    if (!pair.ok()) return pair.status();
    state->pairs.push_back(*std::move(pair));
    // All, since OpenSSL also judges here, as of keys that are too short. The first is last: it is
    // the default.
    if (!state->pairs.back().Use(state->context.get())) {
      return absl::InvalidArgumentError(
          absl::StrFormat("%s: %s", files.chain, TakeTlsErrors("not usable")));
    }
  }
  state->pairs.front().Use(state->context.get());
  state->NameCertificates();
  state->SetCallbacks();
  if (absl::Status demanded = state->DemandClientCertificates(); !demanded.ok()) return demanded;
  return state;
}

absl::StatusOr<TlsServerContext> TlsServerContext::Create(TlsServerOptions options) {
  if (options.ticket_keys.empty()) {
    absl::StatusOr<std::string> key = TlsTicketKeys::Generate();
    if (!key.ok()) return key.status();
    options.ticket_keys = *std::move(key);
  }
  if (options.gate == nullptr) options.gate = std::make_shared<TlsHandshakeGate>();
  absl::StatusOr<std::shared_ptr<State>> state = Load(options);
  if (!state.ok()) return state.status();
  return TlsServerContext(*std::move(state));
}

absl::Status TlsServerContext::Reload() {
  absl::StatusOr<std::shared_ptr<State>> state = Load(state_->options);
  if (!state.ok()) return state.status();
  state_ = *std::move(state);
  return absl::OkStatus();
}

absl::Status TlsServerContext::SetTicketKeys(std::string_view keys) {
  absl::StatusOr<TlsTicketKeys> parsed = TlsTicketKeys::Parse(keys);
  if (!parsed.ok()) return parsed.status();
  state_->options.ticket_keys = std::string(keys);
  state_->ticket_keys = *std::move(parsed);
  return absl::OkStatus();
}

std::vector<TlsCertificate> TlsServerContext::certificates() const {
  std::vector<TlsCertificate> all;
  for (const TlsKeyPair& pair : state_->pairs) all.push_back(DescribeCertificate(pair.leaf.get()));
  return all;
}

std::vector<std::string> TlsServerContext::Warnings(absl::Time now) const {
  std::vector<std::string> warnings;
  for (const TlsKeyPair& pair : state_->pairs) {
    const TlsCertificate certificate = DescribeCertificate(pair.leaf.get());
    const auto warn = [&](std::string_view what, absl::Time when) {
      warnings.push_back(absl::StrFormat("%s: certificate \"%s\" %s %s", pair.files.chain,
                                         certificate.subject, what,
                                         absl::FormatTime(when, absl::UTCTimeZone())));
    };
    if (now > certificate.not_after) warn("expired on", certificate.not_after);
    if (now < certificate.not_before) warn("is not valid before", certificate.not_before);
    if (ServedNames(pair).empty() && &pair != &state_->pairs.front()) {
      warnings.push_back(absl::StrFormat("%s: certificate \"%s\" names no host and is never used",
                                         pair.files.chain, certificate.subject));
    }
  }
  for (std::string& warning : state_->revoked.Warnings(now)) warnings.push_back(std::move(warning));
  return warnings;
}

ssl_ctx_st* TlsServerContext::openssl() const {
  return state_->context.get();
}

TlsHandshakeGate& TlsServerContext::gate() const {
  return *state_->options.gate;
}

}  // namespace grove
