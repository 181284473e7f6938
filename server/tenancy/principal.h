// Principal: who calls, and for whom.
//
// A caller belongs to one tenant or to the operators, who see all of them. What it may do is a set
// of roles; which role a method needs stands in control's table of methods. Immutable but for its
// revocation; shared between gRPC's threads and the hub.
#ifndef GROVE_SERVER_TENANCY_PRINCIPAL_H_
#define GROVE_SERVER_TENANCY_PRINCIPAL_H_

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "server/wall_time.h"

namespace grove::tenancy {

enum class Role : uint8_t {
  kNone,      // what everybody may do, also without a token
  kViewer,    // get, list, wait
  kWriter,    // and spawn, cancel
  kOperator,  // and pause, purge, resize; of the operators: also scale, restart, reload, upgrade
  kAdmin,     // and tokens, tenants, limits; of the operators: also the backdoor
  kDebug,     // view, and look into processes: the backdoor, channelz
};

// Those that a token may have, from the least up.
inline constexpr Role kGrantedRoles[] = {Role::kViewer, Role::kWriter, Role::kOperator,
                                         Role::kAdmin, Role::kDebug};

// "viewer".
std::string_view RoleName(Role role);

class RoleSet {
 public:
  constexpr RoleSet() = default;
  constexpr RoleSet(std::initializer_list<Role> roles) {
    for (const Role role : roles) Add(role);
  }
  constexpr void Add(Role role) { bits_ |= Bit(role); }
  constexpr bool Has(Role role) const { return (bits_ & Bit(role)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  // Whether who has these may do what needs `needed`: higher roles include lower ones, and
  // administrators may debug.
  bool Covers(Role needed) const;
  // "viewer, debug".
  std::string ToString() const;

  friend constexpr bool operator==(RoleSet, RoleSet) = default;

 private:
  static constexpr uint8_t Bit(Role role) {
    return static_cast<uint8_t>(1u << static_cast<uint8_t>(role));
  }
  uint8_t bits_ = 0;
};

struct Principal {
  std::string name;    // "token ci", "certificate CN:ci", "local"; for people and the audit log
  std::string tenant;  // short name; empty: the operators
  RoleSet roles;
  std::string token = "";  // its resource name; empty: it came without one
  // Set once its token holds no more: calls that are under way end.
  mutable std::atomic<bool> revoked{false};
  // When a call came with its token last; 0: none has, since this process knows it.
  mutable std::atomic<WallMicros> last_use_us{0};

  bool is_operator() const { return tenant.empty(); }
  // Whether anything of that tenant exists for it.
  bool Sees(std::string_view other) const { return is_operator() || tenant == other; }
};

using PrincipalPtr = std::shared_ptr<const Principal>;

// Who calls where no tokens are needed.
PrincipalPtr LocalPrincipal();

}  // namespace grove::tenancy

#endif  // GROVE_SERVER_TENANCY_PRINCIPAL_H_
