#include "server/control/token_calls.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/strings/escaping.h"
#include "proto/well_known_times.h"
#include "runtime/hub/hub.h"
#include "runtime/switch/abseil_text.h"
#include "server/control/page_token.h"
#include "server/control/tenant_calls.h"
#include "server/log.h"
#include "server/tasks/list_token.h"
#include "server/tasks/refusal.h"
#include "server/tenancy/resource_name.h"
#include "server/wall_time.h"

namespace grove::control {
namespace {

using tasks::BadField;
using tasks::Refusal;
using tenancy::Principal;
using tenancy::Role;
using tenancy::RoleSet;
using tenancy::TokenKey;
using tenancy::TokenRecord;

constexpr int32_t kPageSizeDefault = 100;
constexpr int32_t kPageSizeMax = 1000;
constexpr size_t kPrefixBytes = sizeof("grv_ab12") - 1;

// grove.v1.Token.Role counts as tenancy::Role does.
static_assert(static_cast<int>(Role::kViewer) == v1::Token::ROLE_VIEWER);
static_assert(static_cast<int>(Role::kWriter) == v1::Token::ROLE_WRITER);
static_assert(static_cast<int>(Role::kOperator) == v1::Token::ROLE_OPERATOR);
static_assert(static_cast<int>(Role::kAdmin) == v1::Token::ROLE_ADMIN);
static_assert(static_cast<int>(Role::kDebug) == v1::Token::ROLE_DEBUG);

std::string NameOf(const TokenKey& key) {
  return tenancy::FormatTokenName(key.first, key.second);
}

absl::Status NotFound(const std::string& name) {
  return Refusal(absl::StatusCode::kNotFound, "TOKEN_NOT_FOUND",
                 StrCat("there is no ", tasks::Cut(name)), {{"name", name}});
}

absl::StatusOr<RoleSet> ParseRoles(const v1::Token& token) {
  RoleSet roles;
  for (const int role : token.roles()) {
    if (role < v1::Token::ROLE_VIEWER || role > v1::Token::ROLE_DEBUG) {
      return BadField("token.roles", "ROLE_INVALID", StrCat("has ", role, ", which is none"));
    }
    roles.Add(static_cast<Role>(role));
  }
  if (!roles.empty()) return roles;
  return BadField("token.roles", "ROLE_MISSING",
                  "is empty; viewer, writer, operator, admin or debug");
}

// Nobody hands out what he lacks.
absl::Status CheckMayGive(const Principal& who, RoleSet roles) {
  for (const Role role : tenancy::kGrantedRoles) {
    if (!roles.Has(role) || who.roles.Covers(role)) continue;
    return Refusal(absl::StatusCode::kPermissionDenied, "ROLE_INSUFFICIENT",
                   StrCat("nobody gives a token a role that he lacks: ", RoleName(role)),
                   {{"needs", std::string(RoleName(role))}});
  }
  return absl::OkStatus();
}

absl::StatusOr<WallMicros> ExpiryOf(std::string_view field, bool has,
                                    const google::protobuf::Timestamp& time, WallMicros now_us) {
  if (!has) return 0;
  const WallMicros expires_us = proto::ToMicros(time);
  if (expires_us > now_us) return expires_us;
  return BadField(field, "EXPIRE_TIME_PAST", "is not in the future");
}

// Of eight characters: which of them all is chance.
std::string MadeUpId() {
  const tenancy::SecretDigest digest = tenancy::DigestOf(tenancy::MakeSecret());
  return StrCat("t-", absl::BytesToHexString(Abseil(
                          std::string_view(reinterpret_cast<const char*>(digest.data()), 4))));
}

// The record of a new one, without its secret.
TokenRecord Made(RoleSet roles, const std::string& secret, WallMicros now_us,
                 const Principal& who) {
  TokenRecord record;
  record.roles = roles;
  record.digest = tenancy::DigestOf(secret);
  record.prefix = secret.substr(0, kPrefixBytes);
  record.created_us = now_us;
  record.created_by = who.name;
  return record;
}

}  // namespace

TokenCalls::TokenCalls(const tenancy::Directory& directory, LiveRegistry& registry,
                       tenancy::TokenBook& book, absl::AnyInvocable<void()> require_tokens,
                       bool certified_admin)
    : directory_(directory),
      registry_(registry),
      book_(book),
      require_tokens_(std::move(require_tokens)),
      certified_admin_(certified_admin) {
  book.ForEach([this](const Principal& token, WallMicros expires_us) {
    const auto name = tenancy::ParseTokenName(token.token);
    if (!name.ok()) return;
    from_config_[{std::string(name->tenant), std::string(name->token)}] = {token.roles, expires_us};
  });
  for (const auto& [key, record] : registry.all().tokens()) Adopt(key, record);
  if (!registry.all().tokens().empty()) require_tokens_();
}

void TokenCalls::Adopt(const TokenKey& key, const TokenRecord& record) {
  if (record.HasEnded(WallNow())) return;
  if (!key.first.empty() && !directory_.FindTenant(key.first)) {
    Log(LogLevel::kWarning, "a token is left out: its tenant is not there",
        {{"token", NameOf(key)}});
    return;
  }
  if (absl::Status added = book_.Add(Entry(key, record)); !added.ok()) {
    Log(LogLevel::kWarning, "a token is left out", {{"error", added.message()}});
  }
}

tenancy::TokenEntry TokenCalls::Entry(const TokenKey& key, const TokenRecord& record) {
  return {.name = NameOf(key),
          .title = key.first.empty() ? StrCat("token ", key.second)
                                     : StrCat("token ", key.first, "/", key.second),
          .tenant = key.first,
          .roles = record.roles,
          .digest = record.digest,
          .expires_us = record.expires_us};
}

WallMicros TokenCalls::LastUse(const TokenKey& key, const TokenRecord& record) const {
  const tenancy::PrincipalPtr principal = book_.Named(NameOf(key));
  return principal == nullptr ? record.last_use_us
                              : std::max(record.last_use_us, principal->last_use_us.load());
}

v1::Token TokenCalls::View(const TokenKey& key, const TokenRecord& record) const {
  v1::Token view = View(key, FromConfig{record.roles, record.expires_us});
  view.set_from_config(false);
  view.set_display_prefix(record.prefix);
  proto::SetMicros(record.created_us, view.mutable_create_time());
  if (record.revoked_us != 0) proto::SetMicros(record.revoked_us, view.mutable_revoke_time());
  if (const WallMicros last_us = LastUse(key, record); last_us != 0) {
    proto::SetMicros(last_us, view.mutable_last_use_time());
  }
  view.set_created_by(record.created_by);
  view.set_rotated_to(record.rotated_to);
  return view;
}

v1::Token TokenCalls::View(const TokenKey& key, const FromConfig& token) const {
  v1::Token view;
  view.set_name(NameOf(key));
  for (const Role role : tenancy::kGrantedRoles) {
    if (token.roles.Has(role)) view.add_roles(static_cast<v1::Token::Role>(role));
  }
  if (token.expires_us != 0) proto::SetMicros(token.expires_us, view.mutable_expire_time());
  if (const WallMicros last_us = LastUse(key, {}); last_us != 0) {
    proto::SetMicros(last_us, view.mutable_last_use_time());
  }
  view.set_from_config(true);
  return view;
}

absl::StatusOr<std::string> TokenCalls::FindParent(const Principal& who,
                                                   const std::string& parent) const {
  // A tenant's call that leaves it out names its own (scope_check.h).
  if (parent.empty() && who.is_operator()) return std::string();
  const auto name = tenancy::ParseTokenParent(parent);
  if (!name.ok()) return BadField("parent", "NAME_INVALID", Std(name.status().message()));
  if (name->empty()) {
    if (!who.is_operator()) return NotFound(parent);
    return std::string();
  }
  const auto tenant = FindSeen(directory_, who, *name);
  if (!tenant.ok()) return tenant.status();
  return std::string(*name);
}

absl::StatusOr<TokenKey> TokenCalls::FindKey(const Principal& who, const std::string& name) const {
  const auto parsed = tenancy::ParseTokenName(name);
  if (!parsed.ok()) return BadField("name", "NAME_INVALID", Std(parsed.status().message()));
  TokenKey key{std::string(parsed->tenant), std::string(parsed->token)};
  if (who.Sees(key.first) && IsTaken(key)) return key;
  return NotFound(name);
}

absl::StatusOr<std::pair<TokenKey, TokenRecord>> TokenCalls::FindChangeable(
    const Principal& who, const std::string& name) const {
  const auto key = FindKey(who, name);
  if (!key.ok()) return key.status();
  if (from_config_.contains(*key)) {
    return Refusal(absl::StatusCode::kFailedPrecondition, "TOKEN_FROM_CONFIG",
                   StrCat(name, " is the config's to change"), {{"token", name}});
  }
  return std::pair(*key, *registry_.all().FindToken(*key));
}

bool TokenCalls::IsTaken(const TokenKey& key) const {
  return from_config_.contains(key) || registry_.all().FindToken(key) != nullptr;
}

bool TokenCalls::HasAdminBeside(const TokenKey& without, WallMicros now_us) const {
  if (certified_admin_) return true;
  const auto configured =
      std::any_of(from_config_.begin(), from_config_.end(), [&](const auto& each) {
        const bool holds = each.second.expires_us == 0 || each.second.expires_us > now_us;
        return each.first.first.empty() && each.second.roles.Has(Role::kAdmin) && holds;
      });
  if (configured) return true;
  const auto [begin, end] = registry_.all().TokensOf("");
  return std::any_of(begin, end, [&](const auto& each) {
    return each.first != without && each.second.roles.Has(Role::kAdmin) &&
           !each.second.HasEnded(now_us) && book_.Named(NameOf(each.first)) != nullptr;
  });
}

absl::Status TokenCalls::MakeRoom(const std::string& tenant, WallMicros now_us,
                                  tenancy::RegistryChange& change) const {
  const auto [begin, end] = registry_.all().TokensOf(tenant);
  if (static_cast<size_t>(std::distance(begin, end)) < kTokensMax) return absl::OkStatus();
  auto oldest = end;
  for (auto it = begin; it != end; ++it) {
    if (!it->second.HasEnded(now_us)) continue;
    if (oldest == end || it->second.created_us < oldest->second.created_us) oldest = it;
  }
  if (oldest != end) {
    change.drop_tokens.push_back(oldest->first);
    return absl::OkStatus();
  }
  const std::string parent = tenancy::FormatTokenParent(tenant);
  const std::string bound = StrCat("at most ", kTokensMax, " tokens hold");
  return tasks::WithQuotaFailure(Refusal(absl::StatusCode::kResourceExhausted, "TOO_MANY_TOKENS",
                                         StrCat(parent, ": ", bound, "; revoke some")),
                                 parent, bound);
}

absl::StatusOr<v1::GetTokenResponse> TokenCalls::Get(const Principal& who,
                                                     const v1::GetTokenRequest& request) const {
  const auto key = FindKey(who, request.name());
  if (!key.ok()) return key.status();
  v1::GetTokenResponse response;
  const auto configured = from_config_.find(*key);
  *response.mutable_token() = configured != from_config_.end()
                                  ? View(*key, configured->second)
                                  : View(*key, *registry_.all().FindToken(*key));
  return response;
}

absl::StatusOr<v1::ListTokensResponse> TokenCalls::List(
    const Principal& who, const v1::ListTokensRequest& request) const {
  const auto page_size = PageSize(request.page_size(), kPageSizeDefault, kPageSizeMax);
  if (!page_size.ok()) return page_size.status();
  const auto parent = FindParent(who, request.parent());
  if (!parent.ok()) return parent.status();
  const std::string list = StrCat("tokens of ", *parent, "/", request.with_revoked() ? "all" : "");
  std::optional<std::string> after = "";
  if (!request.page_token().empty()) after = tasks::DecodeListToken(list, request.page_token());
  if (!after) {
    return BadField("page_token", "PAGE_TOKEN_INVALID",
                    "is not one that this list returned; leave it empty for the first page");
  }
  const WallMicros now_us = WallNow();
  absl::btree_map<std::string, v1::Token> tokens;
  const auto [begin, end] = registry_.all().TokensOf(*parent);
  for (auto it = begin; it != end; ++it) {
    if (it->first.second <= *after || (it->second.HasEnded(now_us) && !request.with_revoked())) {
      continue;
    }
    tokens[it->first.second] = View(it->first, it->second);
  }
  for (const auto& [key, token] : from_config_) {
    if (key.first == *parent && key.second > *after) tokens[key.second] = View(key, token);
  }
  v1::ListTokensResponse response;
  for (auto& [id, token] : tokens) {
    if (response.tokens_size() == *page_size) {
      response.set_next_page_token(tasks::EncodeListToken(list, *after));
      break;
    }
    *response.add_tokens() = std::move(token);
    after = id;
  }
  return response;
}

absl::StatusOr<v1::CreateTokenResponse> TokenCalls::Create(const Principal& who,
                                                           const v1::CreateTokenRequest& request) {
  const MutexLock lock(registry_.changes());
  if (!lock.ok()) return lock.status();
  const auto parent = FindParent(who, request.parent());
  if (!parent.ok()) return parent.status();
  const auto roles = ParseRoles(request.token());
  if (!roles.ok()) return roles.status();
  if (absl::Status may = CheckMayGive(who, *roles); !may.ok()) return may;
  const WallMicros now_us = WallNow();
  const auto expires_us = ExpiryOf("token.expire_time", request.token().has_expire_time(),
                                   request.token().expire_time(), now_us);
  if (!expires_us.ok()) return expires_us.status();
  const TokenKey key{*parent, request.token_id().empty() ? MadeUpId() : request.token_id()};
  if (!tenancy::IsShortName(key.second)) {
    return BadField("token_id", "NAME_INVALID",
                    StrCat("is not 1 to ", tenancy::kShortNameMax,
                           " lower-case letters, digits, \"-\", \"_\" and \".\", with a letter or "
                           "digit at both ends"));
  }
  if (IsTaken(key)) {
    return Refusal(absl::StatusCode::kAlreadyExists, "TOKEN_EXISTS",
                   StrCat(NameOf(key), " exists; names of tokens that ended are free after ",
                          absl::ToInt64Hours(kEndedTokensKept) / 24, " days"),
                   {{"token", NameOf(key)}});
  }
  const bool is_admin = key.first.empty() && roles->Has(Role::kAdmin);
  if (!is_admin && !HasAdminBeside({}, now_us)) {
    return Refusal(absl::StatusCode::kFailedPrecondition, "FIRST_TOKEN_NOT_ADMIN",
                   "with the first token every call needs one: make one for the operators with the "
                   "role admin first");
  }
  const std::string secret = tenancy::MakeSecret();
  TokenRecord record = Made(*roles, secret, now_us, who);
  record.expires_us = *expires_us;
  tenancy::RegistryChange change{.put_tokens = {{key, record}}};
  if (absl::Status room = MakeRoom(key.first, now_us, change); !room.ok()) return room;
  if (absl::Status written = registry_.Write(std::move(change)); !written.ok()) return written;
  if (absl::Status added = book_.Add(Entry(key, record)); !added.ok()) return added;
  require_tokens_();
  v1::CreateTokenResponse response;
  *response.mutable_token() = View(key, record);
  response.set_secret(secret);
  return response;
}

TokenKey TokenCalls::NextOf(const TokenKey& key) const {
  std::string base = key.second;
  int64_t number = 1;
  const size_t dot = base.rfind('.');
  if (dot != base.npos && SimpleAtoi(std::string_view(base).substr(dot + 1), &number)) {
    base.resize(dot);
  }
  for (;;) {
    const std::string suffix = StrCat(".", ++number);
    TokenKey next{key.first,
                  StrCat(base.substr(0, tenancy::kShortNameMax - suffix.size()), suffix)};
    if (!IsTaken(next)) return next;
  }
}

absl::StatusOr<v1::RotateTokenResponse> TokenCalls::Rotate(const Principal& who,
                                                           const v1::RotateTokenRequest& request) {
  const MutexLock lock(registry_.changes());
  if (!lock.ok()) return lock.status();
  const auto found = FindChangeable(who, request.name());
  if (!found.ok()) return found.status();
  const TokenKey& old_key = found->first;
  TokenRecord old = found->second;
  if (absl::Status may = CheckMayGive(who, old.roles); !may.ok()) return may;
  const WallMicros now_us = WallNow();
  if (old.HasEnded(now_us)) {
    return Refusal(absl::StatusCode::kFailedPrecondition, "TOKEN_ENDED",
                   StrCat(request.name(), " holds no more; make another"),
                   {{"token", request.name()}});
  }
  const int64_t overlap_us = proto::ToMicros(request.overlap());
  if (overlap_us < 0 || overlap_us > absl::ToInt64Microseconds(kOverlapMax)) {
    return BadField("overlap", "OVERLAP_OUT_OF_RANGE",
                    StrCat("0 to ", absl::ToInt64Hours(kOverlapMax) / 24, " days are allowed"));
  }
  auto expires_us =
      ExpiryOf("expire_time", request.has_expire_time(), request.expire_time(), now_us);
  if (!expires_us.ok()) return expires_us.status();
  if (*expires_us == 0 && old.expires_us != 0)
    *expires_us = now_us + old.expires_us - old.created_us;

  const TokenKey key = NextOf(old_key);
  const std::string secret = tenancy::MakeSecret();
  TokenRecord record = Made(old.roles, secret, now_us, who);
  record.expires_us = *expires_us;
  old.rotated_to = NameOf(key);
  old.last_use_us = LastUse(old_key, old);
  const WallMicros ends_us = now_us + overlap_us;
  if (overlap_us == 0) old.revoked_us = now_us;
  if (old.expires_us == 0 || old.expires_us > ends_us) old.expires_us = ends_us;
  tenancy::RegistryChange change{.put_tokens = {{old_key, old}, {key, record}}};
  if (absl::Status room = MakeRoom(key.first, now_us, change); !room.ok()) return room;
  if (absl::Status written = registry_.Write(std::move(change)); !written.ok()) return written;
  if (absl::Status added = book_.Add(Entry(key, record)); !added.ok()) return added;
  if (overlap_us == 0) {
    book_.Revoke(NameOf(old_key));
  } else {
    book_.Expire(NameOf(old_key), old.expires_us);
  }
  v1::RotateTokenResponse response;
  *response.mutable_token() = View(key, record);
  response.set_secret(secret);
  return response;
}

absl::StatusOr<v1::RevokeTokenResponse> TokenCalls::Revoke(const Principal& who,
                                                           const v1::RevokeTokenRequest& request) {
  const MutexLock lock(registry_.changes());
  if (!lock.ok()) return lock.status();
  const auto found = FindChangeable(who, request.name());
  if (!found.ok()) return found.status();
  const auto& [key, was] = *found;
  TokenRecord record = was;
  const WallMicros now_us = WallNow();
  if (!record.HasEnded(now_us)) {
    const bool is_admin = key.first.empty() && record.roles.Has(Role::kAdmin);
    if (is_admin && !HasAdminBeside(key, now_us)) {
      return Refusal(absl::StatusCode::kFailedPrecondition, "LAST_ADMIN_TOKEN",
                     StrCat(request.name(),
                            " is the last with which the operators' tokens can be "
                            "cared for; make or rotate one first"),
                     {{"token", request.name()}});
    }
    record.revoked_us = now_us;
    record.last_use_us = LastUse(key, record);
    // First of all: it holds no more from here on, whatever the disk does.
    book_.Revoke(request.name());
    if (absl::Status written = registry_.Write({.put_tokens = {{key, record}}}); !written.ok()) {
      return written;
    }
  }
  v1::RevokeTokenResponse response;
  *response.mutable_token() = View(key, record);
  return response;
}

absl::Status TokenCalls::Watch() {
  for (;;) {
    if (absl::Status slept = Sleep(kTokensLook); !slept.ok()) return slept;
    // What cannot be written now is at the next look.
    TidyUp().IgnoreError();
  }
}

absl::Status TokenCalls::TidyUp() {
  const MutexLock lock(registry_.changes());
  if (!lock.ok()) return lock.status();
  const WallMicros kept_since_us = WallNow() - absl::ToInt64Microseconds(kEndedTokensKept);
  tenancy::RegistryChange change;
  for (const auto& [key, record] : registry_.all().tokens()) {
    if (record.HasEnded(kept_since_us)) {
      change.drop_tokens.push_back(key);
    } else if (const WallMicros last_us = LastUse(key, record); last_us > record.last_use_us) {
      change.put_tokens.emplace_back(key, record).second.last_use_us = last_us;
    }
  }
  // That there ever was one is all that keeps everybody else out.
  if (change.drop_tokens.size() == registry_.all().tokens().size() && !change.empty()) {
    change.drop_tokens.pop_back();
  }
  return change.empty() ? absl::OkStatus() : registry_.Write(std::move(change));
}

}  // namespace grove::control
