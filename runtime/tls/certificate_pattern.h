// CertificatePattern: which certificates a name stands for.
//
// "CN:ci", "DNS:*.example.org", "URI:spiffe://example.org/tenant/*", "email:ops@example.org" and
// "SHA256:" with the fingerprint; '*' stands for one character or more, of any kind. Pure.
#ifndef GROVE_RUNTIME_TLS_CERTIFICATE_PATTERN_H_
#define GROVE_RUNTIME_TLS_CERTIFICATE_PATTERN_H_

#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "runtime/tls/certificate.h"

namespace grove {

// kInvalidArgument: no kind of name, nothing behind it, two '*', or what is no fingerprint.
absl::Status CheckCertificatePattern(std::string_view pattern);

// What '*' stands for in a name of the certificate, or all of the name where there is none; nullopt
// if none of its names fits. A view into the certificate. Requires: the pattern was checked.
std::optional<std::string_view> MatchCertificate(std::string_view pattern,
                                                 const TlsCertificate& certificate);

}  // namespace grove

#endif  // GROVE_RUNTIME_TLS_CERTIFICATE_PATTERN_H_
