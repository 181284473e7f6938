#include "runtime/tls/stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/tls/bio.h"
#include "runtime/tls/openssl.h"

namespace grove {
namespace {

// RFC 1035 2.3.4, in its text form.
constexpr size_t kHostBytesMax = 253;

// Alerts of the peer that say what it thinks of our certificate (RFC 8446 6.2).
bool RefusesCertificate(unsigned long error) {
  switch (ERR_GET_REASON(error) - SSL_AD_REASON_OFFSET) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case TLS13_AD_CERTIFICATE_REQUIRED:
      return true;
    default:
      return false;
  }
}

// As SNI and the certificate's names have it.
std::string CanonicalHost(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  if (!host.empty() && host.back() == '.') host.remove_suffix(1);
  return absl::AsciiStrToLower(std::string(host));
}

std::string SessionKey(const std::string& host, const Socket& socket) {
  const SocketAddress address = socket.PeerAddress();
  const std::string peer = address.ToString();
  const bool local = address.storage.ss_family == AF_UNIX;
  return absl::StrCat(host, local ? peer : peer.substr(peer.rfind(':')));
}

}  // namespace

class TlsStream::Connection {
 public:
  Connection(Socket socket, std::shared_ptr<const void> context)
      : context_(std::move(context)), bio_(std::move(socket), kPendingBytesMax) {}
  ~Connection();

  absl::Status Prepare(SSL_CTX* context);
  // Null: nothing to resume.
  absl::Status Expect(const std::string& host, bool verify);
  // `gate`: null for a client's, which its own code began.
  absl::Status Handshake(TlsHandshakeGate* gate);

  absl::StatusOr<size_t> Read(std::span<char> buffer);
  absl::Status WriteRecord(std::string_view bytes);
  absl::Status ShutdownWrite();
  void SayGoodbye();

  SSL* ssl() const { return ssl_.get(); }
  TlsBio& bio() { return bio_; }
  TlsHandshake& handshake() { return handshake_; }

 private:
  absl::Status Failure(std::string_view call);

  const std::shared_ptr<const void> context_;  // what SSL's callbacks use
  TlsHandshake handshake_;
  TlsBio bio_;
  SslPtr ssl_;
  absl::Status failure_;  // of the protocol: OpenSSL must not be called again
};

TlsStream::Connection::~Connection() {
  // Else OpenSSL takes the session for a failed one, that must not be resumed.
  if (ssl_ != nullptr && failure_.ok()) {
    SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  }
}

absl::Status TlsStream::Connection::Prepare(SSL_CTX* context) {
  ERR_clear_error();
  ssl_.reset(SSL_new(context));
  BIO* bio = bio_.NewBio();
  if (ssl_ == nullptr || bio == nullptr) {
    BIO_free(bio);
    return absl::ResourceExhaustedError(TakeTlsErrors("no memory for a TLS connection"));
  }
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), &handshake_);
  return absl::OkStatus();
}

absl::Status TlsStream::Connection::Expect(const std::string& host, bool verify) {
  const bool address = IpAddress::Parse(host).has_value();
  bool accepted = address || SSL_set_tlsext_host_name(ssl(), host.c_str()) == 1;
  if (verify && address) {
    accepted &= X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl()), host.c_str()) == 1;
  } else if (verify) {
    SSL_set_hostflags(ssl(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    accepted &= SSL_set1_host(ssl(), host.c_str()) == 1;
  }
  if (accepted) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrFormat("host \"%s\": %s", host, TakeTlsErrors("not usable")));
}

// The error of the SSL call just made, which failed for good.
absl::Status TlsStream::Connection::Failure(std::string_view call) {
  const unsigned long error = ERR_peek_error();
  if (!handshake_.refused.empty()) {
    failure_ = absl::UnauthenticatedError(absl::StrFormat("%s: %s", call, handshake_.refused));
  } else if (error == 0) {
    failure_ = bio_.ReadError(call);
    if (failure_.ok()) failure_ = absl::UnavailableError(absl::StrFormat("%s: TLS failed", call));
  } else {
    const bool certificate = RefusesCertificate(error) ||
                             ERR_GET_REASON(error) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE;
    failure_ = absl::Status(
        certificate ? absl::StatusCode::kUnauthenticated : absl::StatusCode::kUnavailable,
        absl::StrFormat("%s: %s%s", call, RefusesCertificate(error) ? "the peer answered: " : "",
                        TakeTlsErrors("")));
  }
  ERR_clear_error();
  return failure_;
}

absl::Status TlsStream::Connection::Handshake(TlsHandshakeGate* gate) {
  for (;;) {
    int error = SSL_ERROR_NONE;
    const auto step = [&] {
      ERR_clear_error();
      error = SSL_get_error(ssl(), SSL_do_handshake(ssl()));
    };
    if (gate == nullptr) {
      step();
    } else if (absl::Status passed = gate->Pass(step); !passed.ok()) {
      return passed;
    }
    if (error != SSL_ERROR_NONE && error != SSL_ERROR_WANT_READ) return Failure("TLS handshake");
    absl::Status flushed = bio_.Flush();
    if (error == SSL_ERROR_NONE) return flushed;
    // If the peer has gone, its last words say more than the failed write.
    if (!flushed.ok() && bio_.WriteError().ok()) return flushed;
    if (absl::Status ready = bio_.AwaitReadable(); !ready.ok()) return ready;
  }
}

absl::StatusOr<size_t> TlsStream::Connection::Read(std::span<char> buffer) {
  for (;;) {
    if (!bio_.socket().open()) return absl::AbortedError("read: the connection is closed");
    if (!failure_.ok()) return failure_;
    ERR_clear_error();
    size_t got = 0;
    const int result = SSL_read_ex(ssl(), buffer.data(), buffer.size(), &got);
    if (result == 1) return got;
    const int error = SSL_get_error(ssl(), result);
    if (error == SSL_ERROR_ZERO_RETURN) return size_t{0};
    if (error != SSL_ERROR_WANT_READ) return Failure("read");
    if (bio_.ended_by_us()) return size_t{0};
    if (absl::Status ready = bio_.AwaitReadable(); !ready.ok()) return ready;
  }
}

absl::Status TlsStream::Connection::WriteRecord(std::string_view bytes) {
  if (absl::Status flushed = bio_.Flush(); !flushed.ok()) return flushed;
  if (absl::Status ready = bio_.AwaitWritable(); !ready.ok()) return ready;
  if (!failure_.ok()) return failure_;
  if ((SSL_get_shutdown(ssl()) & SSL_SENT_SHUTDOWN) != 0) {
    return absl::UnavailableError("write: after ShutdownWrite()");
  }
  ERR_clear_error();
  size_t written = 0;
  if (SSL_write_ex(ssl(), bytes.data(), bytes.size(), &written) != 1) return Failure("write");
  return bio_.Flush();
}

absl::Status TlsStream::Connection::ShutdownWrite() {
  if (!bio_.socket().open()) return absl::AbortedError("shutdown: the connection is closed");
  if (!failure_.ok()) return failure_;
  ERR_clear_error();
  if (SSL_shutdown(ssl()) < 0) ERR_clear_error();  // how it went is asked of the BIO
  absl::Status flushed = bio_.Flush();
  // Another fiber writes: it sends the alert after its own bytes.
  return absl::IsFailedPrecondition(flushed) ? absl::OkStatus() : flushed;
}

void TlsStream::Connection::SayGoodbye() {
  if (!failure_.ok() || bio_.pending() || !bio_.WriteError().ok()) return;
  ERR_clear_error();
  SSL_shutdown(ssl());
  ERR_clear_error();
}

TlsStream::TlsStream(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
TlsStream::TlsStream(TlsStream&& other) noexcept = default;

TlsStream& TlsStream::operator=(TlsStream&& other) noexcept {
  if (this != &other) {
    Close();
    connection_ = std::move(other.connection_);
  }
  return *this;
}

TlsStream::~TlsStream() {
  Close();
}

absl::StatusOr<TlsStream> TlsStream::Accept(Socket socket, const TlsServerContext& context) {
  auto connection = std::make_unique<Connection>(std::move(socket), context.state_);
  if (absl::Status prepared = connection->Prepare(context.openssl()); !prepared.ok()) {
    return prepared;
  }
  SSL_set_accept_state(connection->ssl());
  if (absl::Status agreed = connection->Handshake(&context.gate()); !agreed.ok()) {
    return agreed;
  }
  return TlsStream(std::move(connection));
}

absl::StatusOr<TlsStream> TlsStream::Connect(Socket socket, const TlsClientContext& context,
                                             std::string_view host) {
  const std::string name = CanonicalHost(host);
  if (name.empty() || name.size() > kHostBytesMax || name.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrFormat("host \"%s\": a name or an address is expected", host));
  }
  auto connection = std::make_unique<Connection>(std::move(socket), context.state_);
  if (absl::Status prepared = connection->Prepare(context.openssl()); !prepared.ok()) {
    return prepared;
  }
  if (absl::Status expected = connection->Expect(name, context.verifies()); !expected.ok()) {
    return expected;
  }
  std::string& key = connection->handshake().session_key;
  key = SessionKey(name, connection->bio().socket());
  if (const SessionPtr session(context.TakeSession(key)); session != nullptr) {
    SSL_set_session(connection->ssl(), session.get());
  }
  SSL_set_connect_state(connection->ssl());
  if (absl::Status agreed = connection->Handshake(nullptr); !agreed.ok()) {
    return absl::Status(agreed.code(), absl::StrFormat("%s: %s", name, agreed.message()));
  }
  return TlsStream(std::move(connection));
}

absl::StatusOr<size_t> TlsStream::Read(std::span<char> buffer) {
  return connection_->Read(buffer);
}

absl::Status TlsStream::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view record = bytes.substr(0, kRecordBytes);
    if (absl::Status sent = connection_->WriteRecord(record); !sent.ok()) return sent;
    bytes.remove_prefix(record.size());
  }
  return absl::OkStatus();
}

absl::Status TlsStream::Writev(std::span<iovec> parts) {
  std::unique_ptr<char[]> gathered;
  size_t bytes = 0;  // in `gathered`
  for (iovec& part : parts) {
    std::string_view rest(static_cast<const char*>(part.iov_base), part.iov_len);
    while (!rest.empty()) {
      if (bytes == 0 && rest.size() >= kRecordBytes) {
        const size_t whole = rest.size() / kRecordBytes * kRecordBytes;
        if (absl::Status sent = Write(rest.substr(0, whole)); !sent.ok()) return sent;
        rest.remove_prefix(whole);
        continue;
      }
      if (gathered == nullptr) gathered.reset(new char[kRecordBytes]);
      const size_t more = std::min(rest.size(), kRecordBytes - bytes);
      std::memcpy(gathered.get() + bytes, rest.data(), more);
      rest.remove_prefix(more);
      bytes += more;
      if (bytes < kRecordBytes) continue;
      if (absl::Status sent = Write({gathered.get(), bytes}); !sent.ok()) return sent;
      bytes = 0;
    }
  }
  return Write({gathered.get(), bytes});
}

absl::Status TlsStream::ShutdownWrite() {
  return connection_->ShutdownWrite();
}

void TlsStream::ShutdownRead() {
  if (open()) connection_->bio().StopReading();
}

void TlsStream::Close() {
  if (!open()) return;
  connection_->SayGoodbye();
  connection_->bio().socket().Close();
}

void TlsStream::Abort() {
  if (connection_ != nullptr) connection_->bio().socket().Abort();
}

bool TlsStream::open() const {
  return connection_ != nullptr && connection_->bio().socket().open();
}

int TlsStream::fd() const {
  return connection_ == nullptr ? -1 : connection_->bio().socket().fd();
}

SocketAddress TlsStream::PeerAddress() const {
  return connection_->bio().socket().PeerAddress();
}

std::string_view TlsStream::alpn() const {
  const unsigned char* name = nullptr;
  unsigned int length = 0;
  SSL_get0_alpn_selected(connection_->ssl(), &name, &length);
  return {reinterpret_cast<const char*>(name), length};
}

std::string_view TlsStream::version() const {
  return SSL_get_version(connection_->ssl());
}

std::string_view TlsStream::cipher() const {
  return SSL_get_cipher_name(connection_->ssl());
}

std::string_view TlsStream::server_name() const {
  const char* name = SSL_get_servername(connection_->ssl(), TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? std::string_view() : name;
}

bool TlsStream::resumed() const {
  return SSL_session_reused(connection_->ssl()) == 1;
}

std::optional<TlsCertificate> TlsStream::peer_certificate() const {
  const X509* certificate = SSL_get0_peer_certificate(connection_->ssl());
  if (certificate == nullptr) return std::nullopt;
  return DescribeCertificate(certificate);
}

bool TlsStream::peer_verified() const {
  return SSL_get0_peer_certificate(connection_->ssl()) != nullptr &&
         SSL_get_verify_result(connection_->ssl()) == X509_V_OK;
}

}  // namespace grove
