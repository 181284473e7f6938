#include "server/tenancy/principal.h"

#include "runtime/switch/abseil_text.h"

namespace grove::tenancy {

std::string_view RoleName(Role role) {
  switch (role) {
    case Role::kNone:
      return "none";
    case Role::kViewer:
      return "viewer";
    case Role::kWriter:
      return "writer";
    case Role::kOperator:
      return "operator";
    case Role::kAdmin:
      return "admin";
    case Role::kDebug:
      return "debug";
  }
  return "unknown";
}

bool RoleSet::Covers(Role needed) const {
  if (needed == Role::kNone) return true;
  if (needed == Role::kDebug) return Has(Role::kDebug) || Has(Role::kAdmin);
  if (needed == Role::kViewer && Has(Role::kDebug)) return true;
  for (const Role role : {Role::kViewer, Role::kWriter, Role::kOperator, Role::kAdmin}) {
    if (role >= needed && Has(role)) return true;
  }
  return false;
}

std::string RoleSet::ToString() const {
  std::string text;
  for (const Role role : kGrantedRoles) {
    if (Has(role)) StrAppend(&text, text.empty() ? "" : ", ", RoleName(role));
  }
  return text;
}

PrincipalPtr LocalPrincipal() {
  static const auto* local = new PrincipalPtr([] {
    auto principal = std::make_shared<Principal>();
    principal->name = "local";
    principal->roles = {Role::kAdmin};
    return principal;
  }());
  return *local;
}

}  // namespace grove::tenancy
