// TlsCertificate: what a certificate says, and the files that one's own is read from.
#ifndef GROVE_RUNTIME_TLS_CERTIFICATE_H_
#define GROVE_RUNTIME_TLS_CERTIFICATE_H_

#include <string>
#include <vector>

#include "absl/time/time.h"

namespace grove {

struct TlsCertificate {
  std::string subject;  // as RFC 2253 writes it: "CN=www,O=Example"
  // The subject's, in UTF-8. Empty if it has none, or several, of which nobody could say which
  // counts.
  std::string common_name;
  std::string issuer;
  // The subject's alternative names with their kind, which matters when trust hangs on them:
  // "DNS:*.example.org", "IP:10.0.0.1", "IP:fd00::1", "URI:spiffe://a/b", "email:a@example.org".
  std::vector<std::string> names;
  std::string serial;       // hexadecimal: "0A3F"; with its issuer it names the certificate
  std::string fingerprint;  // SHA-256 of all of it: 64 hexadecimal digits, lower case
  absl::Time not_before;
  absl::Time not_after;
};

// PEM files. The chain starts with the own certificate; intermediates follow. The key is not
// encrypted.
struct TlsCertificateFiles {
  std::string chain;
  std::string key;
  // Host names it serves: "example.org", "*.example.org" (one label). None: those that the
  // certificate names.
  std::vector<std::string> names;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_TLS_CERTIFICATE_H_
