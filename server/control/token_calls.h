// TokenCalls: what TenantService does with tokens.
//
// What is made here is in the registry, and in the book as long as it holds; what the config names
// is in the book alone, and not changed. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_TOKEN_CALLS_H_
#define GROVE_SERVER_CONTROL_TOKEN_CALLS_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/container/btree_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grove/v1/tenant_service.pb.h"
#include "server/control/live_registry.h"
#include "server/tenancy/directory.h"
#include "server/tenancy/principal.h"
#include "server/tenancy/registry.h"
#include "server/tenancy/token_book.h"

namespace grove::control {

// Of a tenant, or the operators; ended ones make room.
inline constexpr size_t kTokensMax = 1000;
// How long one that has ended is remembered.
inline constexpr absl::Duration kEndedTokensKept = absl::Hours(30 * 24);
inline constexpr absl::Duration kOverlapMax = absl::Hours(30 * 24);
// How often last uses are written down.
inline constexpr absl::Duration kTokensLook = absl::Minutes(1);

class TokenCalls {
 public:
  // All outlive it. What the book has is the config's; those of the registry that hold join it.
  // `require_tokens` is called once there is, or was, one in the registry: from then on nobody
  // calls without. `certified_admin`: the operators' administrators have a certificate to come in
  // with, whatever tokens there are.
  TokenCalls(const tenancy::Directory& directory, LiveRegistry& registry, tenancy::TokenBook& book,
             absl::AnyInvocable<void()> require_tokens, bool certified_admin = false);

  absl::StatusOr<v1::GetTokenResponse> Get(const tenancy::Principal& who,
                                           const v1::GetTokenRequest& request) const;
  absl::StatusOr<v1::ListTokensResponse> List(const tenancy::Principal& who,
                                              const v1::ListTokensRequest& request) const;
  // These **park.**
  absl::StatusOr<v1::CreateTokenResponse> Create(const tenancy::Principal& who,
                                                 const v1::CreateTokenRequest& request);
  absl::StatusOr<v1::RotateTokenResponse> Rotate(const tenancy::Principal& who,
                                                 const v1::RotateTokenRequest& request);
  absl::StatusOr<v1::RevokeTokenResponse> Revoke(const tenancy::Principal& who,
                                                 const v1::RevokeTokenRequest& request);

  // The body of its fiber: until cancelled. **Parks.**
  absl::Status Watch();
  // Writes down the last uses, forgets what ended long ago. **Parks.**
  absl::Status TidyUp();

 private:
  struct FromConfig {
    tenancy::RoleSet roles;
    WallMicros expires_us = 0;
  };

  void Adopt(const tenancy::TokenKey& key, const tenancy::TokenRecord& record);
  static tenancy::TokenEntry Entry(const tenancy::TokenKey& key,
                                   const tenancy::TokenRecord& record);
  v1::Token View(const tenancy::TokenKey& key, const tenancy::TokenRecord& record) const;
  v1::Token View(const tenancy::TokenKey& key, const FromConfig& token) const;
  // Its short name, empty: the operators; of those that the caller sees.
  absl::StatusOr<std::string> FindParent(const tenancy::Principal& who,
                                         const std::string& parent) const;
  absl::StatusOr<tenancy::TokenKey> FindKey(const tenancy::Principal& who,
                                            const std::string& name) const;
  // And its record: not the config's.
  absl::StatusOr<std::pair<tenancy::TokenKey, tenancy::TokenRecord>> FindChangeable(
      const tenancy::Principal& who, const std::string& name) const;
  bool IsTaken(const tenancy::TokenKey& key) const;
  // Whether an operators' administrator other than `without` may still come in.
  bool HasAdminBeside(const tenancy::TokenKey& without, WallMicros now_us) const;
  // The places for one more of `tenant`: what has to go for it.
  absl::Status MakeRoom(const std::string& tenant, WallMicros now_us,
                        tenancy::RegistryChange& change) const;
  // A name for what takes the place of `key`: "ci", "ci.2", "ci.3".
  tenancy::TokenKey NextOf(const tenancy::TokenKey& key) const;
  WallMicros LastUse(const tenancy::TokenKey& key, const tenancy::TokenRecord& record) const;

  const tenancy::Directory& directory_;
  LiveRegistry& registry_;
  tenancy::TokenBook& book_;
  absl::AnyInvocable<void()> require_tokens_;
  const bool certified_admin_;
  absl::btree_map<tenancy::TokenKey, FromConfig> from_config_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_TOKEN_CALLS_H_
