// CertificateText: reads a certificate that came as text.
#ifndef GROVE_RUNTIME_TLS_CERTIFICATE_TEXT_H_
#define GROVE_RUNTIME_TLS_CERTIFICATE_TEXT_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "runtime/tls/certificate.h"

namespace grove {

// The first of those in PEM form. Some 30 us. kInvalidArgument: there is none.
absl::StatusOr<TlsCertificate> ReadCertificate(std::string_view pem);

}  // namespace grove

#endif  // GROVE_RUNTIME_TLS_CERTIFICATE_TEXT_H_
