// RevokedCertificates: whether the certificate that a client shows is on a list of its authorities.
//
// gRPC's handshake looks at no lists, so each call is checked; what came of it is remembered until
// the next look at the files. Any thread, but for Run().
#ifndef GROVE_SERVER_CONTROL_REVOKED_CERTIFICATES_H_
#define GROVE_SERVER_CONTROL_REVOKED_CERTIFICATES_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "grove/config/v1/config.pb.h"
#include "runtime/offload/offload.h"
#include "runtime/tls/client_verifier.h"
#include "server/process/tls_files.h"

namespace grove::control {

// Certificates that are remembered, some 2 kB each; beyond it all are checked anew.
inline constexpr size_t kCheckedCertificatesMax = 1'000;

class RevokedCertificates {
 public:
  // Null: `tls` names no lists. INVALID_ARGUMENT names the file and what is wrong with it.
  static absl::StatusOr<std::unique_ptr<RevokedCertificates>> Open(
      const config::v1::ControlTls& tls);

  // `pem`: the client's certificate, and those behind it. UNAUTHENTICATED (CERTIFICATE_REVOKED,
  // CERTIFICATE_EXPIRED, CERTIFICATE_UNKNOWN).
  absl::Status Check(std::string_view pem) const;

  // The body of a fiber: looks at the files again and again, until cancelled. What is wrong with
  // them is logged, and those read before stay. **Parks.**
  absl::Status Run(OffloadPool& offload);
  // One look. **Parks.**
  absl::Status Renew(OffloadPool& offload);

 private:
  using Marks = std::vector<process::FileMark>;

  explicit RevokedCertificates(const config::v1::ControlTls& tls)
      : ca_file_(tls.client_ca_file()), crl_file_(tls.client_crl_file()) {}
  Marks MarksNow() const { return {process::MarkOf(ca_file_), process::MarkOf(crl_file_)}; }
  void Use(std::shared_ptr<const ClientVerifier> verifier);
  void LogWarnings() const;

  const std::string ca_file_;
  const std::string crl_file_;
  Marks marks_;  // of the files, before they were read
  mutable absl::Mutex mutex_;
  std::shared_ptr<const ClientVerifier> verifier_ ABSL_GUARDED_BY(mutex_);
  mutable absl::flat_hash_map<std::string, absl::Status> checked_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_REVOKED_CERTIFICATES_H_
