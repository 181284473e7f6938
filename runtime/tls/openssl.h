// What the TLS modules share of OpenSSL: ownership, error texts, certificates. Internal to them.
//
// OpenSSL's error queue belongs to the thread, so nothing here may park between a call and the
// reading of its error.
#ifndef GROVE_RUNTIME_TLS_OPENSSL_H_
#define GROVE_RUNTIME_TLS_OPENSSL_H_

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/tls/certificate.h"
#include "runtime/tls/version.h"

namespace grove {

template <auto kFree>
struct OpensslFree {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using BioPtr = std::unique_ptr<BIO, OpensslFree<BIO_free_all>>;
using CertificatePtr = std::unique_ptr<X509, OpensslFree<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, OpensslFree<EVP_PKEY_free>>;
using SessionPtr = std::unique_ptr<SSL_SESSION, OpensslFree<SSL_SESSION_free>>;
using SslContextPtr = std::unique_ptr<SSL_CTX, OpensslFree<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, OpensslFree<SSL_free>>;

// What callbacks need to know of the connection; the SSL object's app_data. Outlives it.
struct TlsHandshake {
  std::string session_key;  // of the client's session cache
  std::string server_name;  // that the client has asked for, in lower case; empty: none
  std::string refused;      // which of the peer's certificates was refused, and why
};

// The texts of this thread's error queue, which is emptied; `otherwise` if it is empty.
std::string TakeTlsErrors(std::string_view otherwise);

// A chain and its key, ready for SSL_use_cert_and_key.
struct TlsKeyPair {
  TlsCertificateFiles files;
  CertificatePtr leaf;
  std::vector<CertificatePtr> intermediates;
  KeyPtr key;

  // Makes `ssl` (or `context`) present it.
  bool Use(SSL* ssl) const;
  bool Use(SSL_CTX* context) const;
};

// kInvalidArgument names the file and what is wrong with it; kNotFound, … if it can't be read.
absl::StatusOr<TlsKeyPair> LoadTlsKeyPair(const TlsCertificateFiles& files);
// A file of at most kTlsFileBytesMax.
absl::StatusOr<std::string> ReadTlsFile(const std::string& path);
inline constexpr size_t kTlsFileBytesMax = 8 << 20;  // a system's bundle of CAs has 0.2 MB

// "CN=clients,O=example".
std::string NameText(const X509_NAME* name);
// Of a check that failed: the certificate that was refused, and why.
std::string DescribeRefusal(X509_STORE_CTX* check);
TlsCertificate DescribeCertificate(const X509* certificate);

// A context of either side with what both want: versions, ciphers, groups, no compression, no
// renegotiation, memory given back while a connection is idle. kInvalidArgument names the cipher or
// group that OpenSSL does not know. No group: the default ones.
absl::StatusOr<SslContextPtr> NewTlsContext(const SSL_METHOD* method, TlsVersion version_min,
                                            const std::string& ciphers,
                                            const std::vector<std::string>& groups = {});
// As the extension has it: each name after its length. kInvalidArgument: empty or over 255 bytes.
absl::StatusOr<std::string> AlpnList(const std::vector<std::string>& protocols);
// For SSL_CTX_set_verify: notes in TlsHandshake::refused what is wrong.
int NoteRefusedCertificate(int verified, X509_STORE_CTX* store);

}  // namespace grove

#endif  // GROVE_RUNTIME_TLS_OPENSSL_H_
