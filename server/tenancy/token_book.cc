#include "server/tenancy/token_book.h"

#include <openssl/rand.h>
#include <openssl/sha.h>

#include <cstdlib>
#include <utility>

#include "absl/strings/escaping.h"
#include "runtime/switch/abseil_text.h"

namespace grove::tenancy {
namespace {

std::string KeyOf(const SecretDigest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

bool HasExpired(WallMicros expires_us, WallMicros now_us) {
  return expires_us != 0 && now_us >= expires_us;
}

}  // namespace

SecretDigest DigestOf(std::string_view secret) {
  SecretDigest digest;
  SHA256(reinterpret_cast<const unsigned char*>(secret.data()), secret.size(), digest.data());
  return digest;
}

std::string MakeSecret() {
  unsigned char bytes[32];
  // Fails only where the system has no entropy at all; a guessable secret would be worse.
  if (RAND_bytes(bytes, sizeof(bytes)) != 1) abort();
  const std::string_view random(reinterpret_cast<const char*>(bytes), sizeof(bytes));
  return StrCat("grv_", absl::WebSafeBase64Escape(Abseil(random)));
}

TokenBook::Found TokenBook::Find(std::string_view secret, WallMicros now_us) const {
  const std::string key = KeyOf(DigestOf(secret));
  const absl::ReaderMutexLock lock(&mutex_);
  const auto held = tokens_.find(key);
  if (held == tokens_.end()) {
    return {nullptr, expired_.contains(key) ? Trouble::kExpired : Trouble::kUnknown};
  }
  if (HasExpired(held->second.expires_us, now_us)) return {nullptr, Trouble::kExpired};
  held->second.principal->last_use_us.store(now_us, std::memory_order_relaxed);
  return {held->second.principal};
}

PrincipalPtr TokenBook::Named(std::string_view name) const {
  const absl::ReaderMutexLock lock(&mutex_);
  const auto digest = digests_.find(Abseil(name));
  return digest == digests_.end() ? nullptr : tokens_.at(digest->second).principal;
}

size_t TokenBook::size() const {
  const absl::ReaderMutexLock lock(&mutex_);
  return tokens_.size();
}

void TokenBook::ForEach(
    absl::FunctionRef<void(const Principal&, WallMicros expires_us)> each) const {
  const absl::ReaderMutexLock lock(&mutex_);
  for (const auto& [key, held] : tokens_) each(*held.principal, held.expires_us);
}

absl::Status TokenBook::Add(const TokenEntry& entry) {
  auto principal = std::make_shared<Principal>();
  principal->name = entry.title;
  principal->tenant = entry.tenant;
  principal->roles = entry.roles;
  principal->token = entry.name;
  const std::string key = KeyOf(entry.digest);
  const absl::MutexLock lock(&mutex_);
  if (digests_.contains(entry.name)) {
    return absl::AlreadyExistsError(StrCat(entry.name, " exists"));
  }
  const auto [held, added] = tokens_.emplace(key, Held{std::move(principal), entry.expires_us});
  if (!added) {
    return absl::AlreadyExistsError(
        StrCat(entry.name, " has the same secret as ", held->second.principal->token));
  }
  expired_.erase(key);
  digests_.emplace(entry.name, key);
  return absl::OkStatus();
}

template <typename Which>
std::vector<PrincipalPtr> TokenBook::Take(Which which, Trouble why) {
  std::vector<PrincipalPtr> taken;
  const absl::MutexLock lock(&mutex_);
  if (expired_.size() > kExpiredRememberedMax) expired_.clear();
  absl::erase_if(tokens_, [&](const ByDigest::value_type& each) {
    if (!which(each.second)) return false;
    taken.push_back(each.second.principal);
    if (why == Trouble::kExpired) expired_.insert(each.first);
    return true;
  });
  for (const PrincipalPtr& each : taken) digests_.erase(each->token);
  return taken;
}

void TokenBook::Tell(const std::vector<PrincipalPtr>& revoked) {
  std::function<void(const PrincipalPtr&)> call;
  {
    const absl::MutexLock lock(&mutex_);
    call = on_revoked_;
  }
  for (const PrincipalPtr& each : revoked) {
    each->revoked.store(true);
    if (call) call(each);
  }
}

bool TokenBook::Revoke(std::string_view name) {
  const std::vector<PrincipalPtr> revoked =
      Take([&](const Held& held) { return held.principal->token == name; });
  Tell(revoked);
  return !revoked.empty();
}

void TokenBook::RevokeAllOf(std::string_view tenant) {
  Tell(Take([&](const Held& held) { return held.principal->tenant == tenant; }));
}

bool TokenBook::Expire(std::string_view name, WallMicros expires_us) {
  const absl::MutexLock lock(&mutex_);
  const auto digest = digests_.find(Abseil(name));
  if (digest == digests_.end()) return false;
  tokens_.at(digest->second).expires_us = expires_us;
  return true;
}

void TokenBook::EndExpired(WallMicros now_us) {
  Tell(Take([&](const Held& held) { return HasExpired(held.expires_us, now_us); },
            Trouble::kExpired));
}

void TokenBook::set_on_revoked(std::function<void(const PrincipalPtr&)> call) {
  const absl::MutexLock lock(&mutex_);
  on_revoked_ = std::move(call);
}

}  // namespace grove::tenancy
