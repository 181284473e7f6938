// Registry: the tenants, tokens and limits that were made at run time.
//
// Registry is what is known of them, in memory; a RegistryStore keeps it. A change is written
// first, then taken over here, then answered. Neither knows of rights or of what the config names.
#ifndef GROVE_SERVER_TENANCY_REGISTRY_H_
#define GROVE_SERVER_TENANCY_REGISTRY_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/tenancy/principal.h"
#include "server/tenancy/token_book.h"
#include "server/wall_time.h"

namespace grove::tenancy {

struct TenantRecord {
  // Being deleted.
  bool draining = false;
  // Counts its changes.
  int64_t version = 1;
  WallMicros created_us = 0;
  WallMicros updated_us = 0;
  // What may be set of it (grove.v1.Tenant: display_name, weight, labels, quotas), as bytes: little
  // where little is set, and what a later version adds comes along.
  std::string settings = "";

  friend bool operator==(const TenantRecord&, const TenantRecord&) = default;
};

struct TokenRecord {
  RoleSet roles;
  SecretDigest digest = {};
  std::string prefix;  // of the secret
  WallMicros created_us = 0;
  WallMicros expires_us = 0;  // 0: never
  WallMicros revoked_us = 0;  // 0: it was not
  WallMicros last_use_us = 0;
  std::string created_by;
  std::string rotated_to;  // a resource name

  bool HasEnded(WallMicros now_us) const {
    return (revoked_us != 0 && revoked_us <= now_us) || (expires_us != 0 && expires_us <= now_us);
  }
  friend bool operator==(const TokenRecord&, const TokenRecord&) = default;
};

// The tenant's short name (empty: the operators) and the token's. Its order is the lists'.
using TokenKey = std::pair<std::string, std::string>;

struct LimitRecord {
  WallMicros updated_us = 0;
  // What may be set of it (grove.v1.Limit), as bytes.
  std::string settings = "";

  friend bool operator==(const LimitRecord&, const LimitRecord&) = default;
};

// The tenant's short name and the pattern. Its order is the lists'.
using LimitName = std::pair<std::string, std::string>;

// All of it or nothing.
struct RegistryChange {
  std::vector<std::pair<std::string, TenantRecord>> put_tenants = {};
  std::vector<std::pair<TokenKey, TokenRecord>> put_tokens = {};
  std::vector<TokenKey> drop_tokens = {};
  // With their tokens and limits. Before the others.
  std::vector<std::string> drop_tenants = {};
  std::vector<std::pair<LimitName, LimitRecord>> put_limits = {};
  std::vector<LimitName> drop_limits = {};

  bool empty() const {
    return put_tenants.empty() && put_tokens.empty() && drop_tokens.empty() &&
           drop_tenants.empty() && put_limits.empty() && drop_limits.empty();
  }
};

// One thread at a time.
class Registry {
 public:
  using Tenants = absl::btree_map<std::string, TenantRecord>;  // by short name
  using Tokens = absl::btree_map<TokenKey, TokenRecord>;
  using Limits = absl::btree_map<LimitName, LimitRecord>;

  const Tenants& tenants() const { return tenants_; }
  const Tokens& tokens() const { return tokens_; }
  const Limits& limits() const { return limits_; }
  // Null: there is none.
  const TenantRecord* FindTenant(std::string_view tenant) const;
  const TokenRecord* FindToken(const TokenKey& token) const;
  const LimitRecord* FindLimit(const LimitName& limit) const;
  // The tokens of one tenant.
  std::pair<Tokens::const_iterator, Tokens::const_iterator> TokensOf(std::string_view tenant) const;

  void Apply(RegistryChange change);

 private:
  Tenants tenants_;
  Tokens tokens_;
  Limits limits_;
};

// Where a registry lasts. Owned by one thread; Write() says where `done` is called.
class RegistryStore {
 public:
  // On the store's own thread, or the caller's.
  using Done = absl::AnyInvocable<void(absl::Status)>;

  virtual ~RegistryStore() = default;
  // Once, before the first Write(). DATA_LOSS: a record does not parse.
  virtual absl::StatusOr<Registry> Load() = 0;
  // One after the other; OK: it is on disk. RESOURCE_EXHAUSTED (no room), PERMISSION_DENIED,
  // DATA_LOSS, UNAVAILABLE: nothing has changed.
  virtual void Write(RegistryChange change, Done done) = 0;
  // Writes what is pending. Nothing may be written afterwards.
  virtual void Stop() = 0;
};

// Of a daemon without a state directory, and of tests: forgets with the process.
class MemoryRegistry final : public RegistryStore {
 public:
  absl::StatusOr<Registry> Load() override { return Registry(); }
  void Write(RegistryChange /*change*/, Done done) override { done(absl::OkStatus()); }
  void Stop() override {}
};

}  // namespace grove::tenancy

#endif  // GROVE_SERVER_TENANCY_REGISTRY_H_
