#include "server/control/authorizer.h"

#include <string>

#include "absl/strings/match.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

using tenancy::Principal;
using tenancy::PrincipalPtr;
using tenancy::TokenBook;

absl::Status Unauthenticated(std::string_view reason, std::string_view message) {
  return tasks::Refusal(absl::StatusCode::kUnauthenticated, reason, message);
}

// Who calls what needs no token, such as a probe: nothing exists for it.
const PrincipalPtr& Anybody() {
  static const auto* anybody = new PrincipalPtr([] {
    auto principal = std::make_shared<Principal>();
    principal->name = "anybody";
    principal->tenant = "-";  // no tenant can have this name
    return principal;
  }());
  return *anybody;
}

absl::Status CheckAllowed(const MethodRow& method, const Principal& caller) {
  if (method.reach == Reach::kOperators && !caller.is_operator()) {
    return tasks::Refusal(absl::StatusCode::kPermissionDenied, "OPERATORS_ONLY",
                          StrCat("is for the operators; ", caller.name, " is a tenant's"),
                          {{"token", caller.name}});
  }
  if (caller.roles.Covers(method.role)) return absl::OkStatus();
  const std::string needed(tenancy::RoleName(method.role));
  return tasks::Refusal(
      absl::StatusCode::kPermissionDenied, "ROLE_INSUFFICIENT",
      StrCat("needs the role ", needed, "; ", caller.name, " has ", caller.roles.ToString()),
      {{"token", caller.name}, {"needs", needed}});
}

}  // namespace

absl::StatusOr<PrincipalPtr> Authorizer::ByCertificate(std::string_view certificate,
                                                       WallMicros now_us) const {
  tenancy::CertificateBook::Found found = certificates_->Find(certificate, now_us);
  if (found.trouble == tenancy::CertificateBook::Trouble::kExpired) {
    return Unauthenticated("CERTIFICATE_EXPIRED",
                           "the client's certificate has expired; connect with a new one");
  }
  if (found.principal == nullptr) {
    return Unauthenticated("CERTIFICATE_UNKNOWN",
                           "the client's certificate has no role in control.tls.roles, and the "
                           "call has no token");
  }
  return std::move(found.principal);
}

absl::StatusOr<PrincipalPtr> Authorizer::Find(const Shown& shown, WallMicros now_us) const {
  const std::string_view authorization = shown.authorization;
  if (authorization.empty()) {
    if (reads_certificates() && !shown.certificate.empty()) {
      return ByCertificate(shown.certificate, now_us);
    }
    return Unauthenticated("TOKEN_MISSING",
                           reads_certificates()
                               ? "no token and no client certificate; send the token as "
                                 "`authorization: Bearer TOKEN`"
                               : "no token; send it as `authorization: Bearer TOKEN`");
  }
  constexpr size_t kSchemeSize = sizeof("Bearer ") - 1;
  if (!absl::StartsWithIgnoreCase(Abseil(authorization), "Bearer ")) {
    return Unauthenticated("TOKEN_MALFORMED", "authorization is not of the form `Bearer TOKEN`");
  }
  TokenBook::Found found = tokens_.Find(authorization.substr(kSchemeSize), now_us);
  if (found.trouble == TokenBook::Trouble::kExpired) {
    return Unauthenticated("TOKEN_EXPIRED", "the token has expired");
  }
  if (found.principal == nullptr) return Unauthenticated("TOKEN_UNKNOWN", "unknown token");
  return std::move(found.principal);
}

absl::StatusOr<PrincipalPtr> Authorizer::Authorize(const MethodRow& method, const Shown& shown,
                                                   WallMicros now_us) const {
  if (revoked_ != nullptr && !shown.certificate.empty()) {
    const std::string_view chain = shown.chain.empty() ? shown.certificate : shown.chain;
    if (absl::Status checked = revoked_->Check(chain); !checked.ok()) return checked;
  }
  if (!requires_tokens()) return tenancy::LocalPrincipal();
  if (method.role == tenancy::Role::kNone) return Anybody();
  absl::StatusOr<PrincipalPtr> found = Find(shown, now_us);
  if (!found.ok()) return found;
  if (absl::Status allowed = CheckAllowed(method, **found); !allowed.ok()) return allowed;
  return found;
}

absl::Status TokenRevoked() {
  return Unauthenticated("TOKEN_REVOKED", "the token was revoked, or has expired, meanwhile");
}

}  // namespace grove::control
