// CertificateBook: which client certificate is whose.
//
// The config maps names of certificates to a role and a tenant; the first that fits counts. What a
// certificate says is read once and remembered, since it comes with every call. Whether it is
// genuine the TLS handshake has found out. Any thread.
#ifndef GROVE_SERVER_TENANCY_CERTIFICATE_BOOK_H_
#define GROVE_SERVER_TENANCY_CERTIFICATE_BOOK_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "grove/config/v1/config.pb.h"
#include "server/tenancy/principal.h"
#include "server/wall_time.h"

namespace grove::tenancy {

// Certificates whose callers are remembered, some 3 kB each; beyond it all are read anew.
inline constexpr size_t kCertificatesRememberedMax = 1'000;

class CertificateBook {
 public:
  enum class Trouble { kNone, kUnknown, kExpired };
  struct Found {
    PrincipalPtr principal;  // null where there is trouble
    Trouble trouble = Trouble::kNone;
  };

  // `roles` stand at `key` ("control.tls.roles"). INVALID_ARGUMENT names the one that is wrong: a
  // certificate that is none, no role.
  static absl::StatusOr<std::unique_ptr<CertificateBook>> Create(
      std::string_view key,
      const google::protobuf::RepeatedPtrField<config::v1::CertificateRole>& roles);

  // `pem`: the certificate as text. kExpired: since its connection was opened.
  Found Find(std::string_view pem, WallMicros now_us) const;
  bool empty() const { return rules_.empty(); }
  // Whether one may be an administrator of the operators'.
  bool HasOperatorsAdmin() const;

 private:
  struct Rule {
    std::string certificate;
    RoleSet roles;
    std::string tenant;  // empty: what "*" stands for, or the operators

    bool NamesTenant() const {
      return tenant.empty() && certificate.find('*') != std::string::npos;
    }
  };
  struct Known {
    PrincipalPtr principal;  // null: nobody's
    WallMicros expires_us = 0;
  };

  explicit CertificateBook(std::vector<Rule> rules) : rules_(std::move(rules)) {}
  Known Read(std::string_view pem) const;

  const std::vector<Rule> rules_;
  mutable absl::Mutex mutex_;
  mutable absl::flat_hash_map<std::string, Known> known_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace grove::tenancy

#endif  // GROVE_SERVER_TENANCY_CERTIFICATE_BOOK_H_
