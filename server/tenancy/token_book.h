// TokenBook: which secret is whose.
//
// Keeps digests, never secrets: who reads this memory or its file can call nothing. A secret that
// is made here has 256 random bits, so a plain SHA-256 is enough; one from a file is the operators'
// own choice. Looked up by digest, whose value tells nothing of other secrets' (no time to
// measure). Any thread.
#ifndef GROVE_SERVER_TENANCY_TOKEN_BOOK_H_
#define GROVE_SERVER_TENANCY_TOKEN_BOOK_H_

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/tenancy/principal.h"
#include "server/wall_time.h"

namespace grove::tenancy {

using SecretDigest = std::array<unsigned char, 32>;  // SHA-256

SecretDigest DigestOf(std::string_view secret);
// "grv_" and 43 characters of base64url: 256 random bits. Scanners for leaked secrets know it by
// its beginning.
std::string MakeSecret();

// Beyond it they are forgotten, and unknown.
inline constexpr size_t kExpiredRememberedMax = 10'000;

// What is known of a token.
struct TokenEntry {
  std::string name;    // "operators/tokens/ci", "tenants/acme/tokens/ci"
  std::string title;   // for people: "token ci"
  std::string tenant;  // short name; empty: the operators
  RoleSet roles;
  SecretDigest digest;
  WallMicros expires_us = 0;  // 0: never
};

class TokenBook {
 public:
  enum class Trouble { kNone, kUnknown, kExpired };
  struct Found {
    PrincipalPtr principal;  // null where there is trouble
    Trouble trouble = Trouble::kNone;
  };

  Found Find(std::string_view secret, WallMicros now_us) const;
  // By its name; null: there is none.
  PrincipalPtr Named(std::string_view name) const;
  size_t size() const;
  // Every one and when it expires (0: never), in no order. Must not call the book.
  void ForEach(absl::FunctionRef<void(const Principal&, WallMicros expires_us)> each) const;

  // kAlreadyExists: one of that name, or with that secret.
  absl::Status Add(const TokenEntry& entry);
  // From this moment on it is unknown, and calls that came with it end. False: there is none.
  bool Revoke(std::string_view name);
  // All of a tenant.
  void RevokeAllOf(std::string_view tenant);
  // It holds until then; 0: for good. False: there is none.
  bool Expire(std::string_view name, WallMicros expires_us);
  // Revokes what has expired, and remembers that it did.
  void EndExpired(WallMicros now_us);
  // Called after each revocation, on the thread that asked for it.
  void set_on_revoked(std::function<void(const PrincipalPtr&)> call);

 private:
  struct Held {
    PrincipalPtr principal;
    WallMicros expires_us;
  };
  using ByDigest = absl::flat_hash_map<std::string, Held>;

  // Those that `which` says of.
  template <typename Which>
  std::vector<PrincipalPtr> Take(Which which, Trouble why = Trouble::kUnknown);
  void Tell(const std::vector<PrincipalPtr>& revoked);

  mutable absl::Mutex mutex_;
  ByDigest tokens_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, std::string> digests_ ABSL_GUARDED_BY(mutex_);  // by name
  // Of those that EndExpired() took: who comes with one is told so.
  absl::flat_hash_set<std::string> expired_ ABSL_GUARDED_BY(mutex_);
  std::function<void(const PrincipalPtr&)> on_revoked_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace grove::tenancy

#endif  // GROVE_SERVER_TENANCY_TOKEN_BOOK_H_
