#include "server/tenancy/config_tokens.h"

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "runtime/switch/abseil_text.h"
#include "server/config/secret.h"

namespace grove::tenancy {
namespace {

using config::v1::Token;

// "operators/tokens/ci", "tenants/acme/tokens/ci".
std::string NameOf(const Token& token) {
  if (token.tenant().empty()) return StrCat("operators/tokens/", token.name());
  return StrCat("tenants/", token.tenant(), "/tokens/", token.name());
}

absl::Status AddToken(const Token& token, TokenBook& book) {
  const RoleSet roles = RolesOf(token);
  if (roles.empty()) {
    return absl::InvalidArgumentError("has no role; viewer, writer, operator, admin or debug");
  }
  const absl::StatusOr<std::string> secret = config::ReadSecretFile(token.secret_file());
  if (!secret.ok()) return secret.status();
  const absl::StatusOr<WallMicros> expires = config::ParseExpireTime(token.expire_time());
  if (!expires.ok()) return expires.status();
  return book.Add({.name = NameOf(token),
                   .title = StrCat("token ", token.name()),
                   .tenant = token.tenant(),
                   .roles = roles,
                   .digest = DigestOf(*secret),
                   .expires_us = *expires});
}

}  // namespace

Role RoleOf(Token::Role role) {
  switch (role) {
    case Token::ROLE_VIEWER:
      return Role::kViewer;
    case Token::ROLE_WRITER:
      return Role::kWriter;
    case Token::ROLE_OPERATOR:
      return Role::kOperator;
    case Token::ROLE_ADMIN:
      return Role::kAdmin;
    case Token::ROLE_DEBUG:
      return Role::kDebug;
    default:
      return Role::kNone;
  }
}

RoleSet RolesOf(const Token& token) {
  RoleSet roles;
  if (token.role() != Token::ROLE_UNSPECIFIED) roles.Add(RoleOf(token.role()));
  for (const int role : token.roles()) {
    if (const Role given = RoleOf(static_cast<Token::Role>(role)); given != Role::kNone) {
      roles.Add(given);
    }
  }
  return roles;
}

absl::Status AddConfigTokens(std::string_view key,
                             const google::protobuf::RepeatedPtrField<Token>& tokens,
                             TokenBook& book) {
  for (const Token& token : tokens) {
    const absl::Status added = AddToken(token, book);
    if (!added.ok()) {
      return absl::InvalidArgumentError(
          StrCat(key, ": token '", token.name(), "': ", added.message()));
    }
  }
  return absl::OkStatus();
}

}  // namespace grove::tenancy
