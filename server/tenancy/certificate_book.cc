#include "server/tenancy/certificate_book.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "runtime/switch/abseil_text.h"
#include "runtime/tls/certificate_pattern.h"
#include "runtime/tls/certificate_text.h"
#include "server/tenancy/config_tokens.h"
#include "server/tenancy/resource_name.h"

namespace grove::tenancy {

using config::v1::CertificateRole;

absl::StatusOr<std::unique_ptr<CertificateBook>> CertificateBook::Create(
    std::string_view key, const google::protobuf::RepeatedPtrField<CertificateRole>& roles) {
  std::vector<Rule> rules;
  for (const CertificateRole& role : roles) {
    absl::Status status = CheckCertificatePattern(role.certificate());
    const Role given = RoleOf(role.role());
    if (status.ok() && given == Role::kNone) {
      status = absl::InvalidArgumentError("has no role; viewer, writer, operator, admin or debug");
    }
    if (!status.ok()) {
      return absl::InvalidArgumentError(
          StrCat(key, ": '", role.certificate(), "': ", status.message()));
    }
    rules.push_back({role.certificate(), {given}, role.tenant()});
  }
  return std::unique_ptr<CertificateBook>(new CertificateBook(std::move(rules)));
}

CertificateBook::Found CertificateBook::Find(std::string_view pem, WallMicros now_us) const {
  Known known;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = known_.find(Abseil(pem));
    if (found != known_.end()) known = found->second;
  }
  if (known.expires_us == 0) {
    known = Read(pem);
    absl::MutexLock lock(&mutex_);
    if (known_.size() >= kCertificatesRememberedMax) known_.clear();
    known_.insert_or_assign(std::string(pem), known);
  }
  if (known.principal == nullptr) return {nullptr, Trouble::kUnknown};
  if (known.expires_us <= now_us) return {nullptr, Trouble::kExpired};
  return {known.principal, Trouble::kNone};
}

bool CertificateBook::HasOperatorsAdmin() const {
  return std::any_of(rules_.begin(), rules_.end(), [](const Rule& rule) {
    return rule.tenant.empty() && !rule.NamesTenant() && rule.roles.Has(Role::kAdmin);
  });
}

CertificateBook::Known CertificateBook::Read(std::string_view pem) const {
  const absl::StatusOr<TlsCertificate> certificate = ReadCertificate(pem);
  // Where TLS took it and this does not, it is nobody's; 1: it is not read again.
  if (!certificate.ok()) return {nullptr, 1};
  Known known{nullptr, absl::ToUnixMicros(certificate->not_after)};
  for (const Rule& rule : rules_) {
    const std::optional<std::string_view> named = MatchCertificate(rule.certificate, *certificate);
    if (!named.has_value()) continue;
    // What no tenant can be called is nobody: "-" would mean all of them.
    if (rule.NamesTenant() && !ParseTenantName(StrCat("tenants/", *named)).ok()) break;
    auto principal = std::make_shared<Principal>();
    principal->name = StrCat("certificate ", certificate->subject);
    principal->tenant = rule.NamesTenant() ? std::string(*named) : rule.tenant;
    principal->roles = rule.roles;
    known.principal = std::move(principal);
    break;
  }
  return known;
}

}  // namespace grove::tenancy
