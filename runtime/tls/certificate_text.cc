#include "runtime/tls/certificate_text.h"

#include <openssl/pem.h>

#include "runtime/tls/openssl.h"

namespace grove {

absl::StatusOr<TlsCertificate> ReadCertificate(std::string_view pem) {
  const BioPtr in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const CertificatePtr certificate(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
  if (certificate == nullptr) {
    return absl::InvalidArgumentError(TakeTlsErrors("no certificate in PEM form"));
  }
  return DescribeCertificate(certificate.get());
}

}  // namespace grove
