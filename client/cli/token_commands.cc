#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "client/cli/command.h"
#include "client/cli/names.h"
#include "client/cli/render.h"
#include "client/cli/tenant_verbs.h"
#include "client/cli/text.h"
#include "runtime/switch/abseil_text.h"

namespace grove::client::cli {
namespace {

constexpr int64_t kListedMax = 1'000'000;

View ViewOf(const Command& command) {
  return {absl::Now(), command.ToLook()};
}

// The caller's own, if --tenant does not say: its tenant's, or the operators'. Its tokens are named
// after it.
std::string OwnTokenTenant(const Command& command) {
  if (const auto tenant = command.arguments.Value("tenant")) return *tenant;
  if (!command.has_identity) return "";
  const auto tokens = command.client->ListTokens({}, 1);
  if (!tokens.ok() || tokens->tokens().empty()) return "";
  std::string_view name = tokens->tokens(0).name();
  if (!ConsumePrefix(&name, "tenants/")) return "";
  return std::string(name.substr(0, name.find('/')));
}

absl::StatusOr<std::string> NamedToken(const Command& command) {
  return TokenName(command.arguments.positional()[0], OwnTokenTenant(command));
}

// "90d", and all that other durations may be.
absl::StatusOr<absl::Duration> ParseDays(const std::string& what, const std::string& text) {
  double days = 0;
  if (text.ends_with("d") && absl::SimpleAtod(text.substr(0, text.size() - 1), &days)) {
    return ParseSeconds(what, StrCat(days * 24, "h"));
  }
  return ParseSeconds(what, text);
}

// Not set where the flag is not given.
absl::Status TakeExpiry(const Command& command, bool& has, google::protobuf::Timestamp& time) {
  const auto text = command.arguments.Value("expires");
  has = text.has_value();
  if (!text) return absl::OkStatus();
  absl::Time at;
  std::string problem;
  if (!absl::ParseTime(absl::RFC3339_full, *text, &at, &problem)) {
    const auto lasts = ParseDays("--expires", *text);
    if (!lasts.ok() || *lasts <= absl::ZeroDuration()) {
      return UsageError(StrCat("--expires: \"", *text,
                               "\" is neither a duration, such as 90d or 12h, nor a time, such as "
                               "2027-01-31T00:00:00Z"));
    }
    at = absl::Now() + *lasts;
  }
  const int64_t us = absl::ToUnixMicros(at);
  time.set_seconds(us / 1'000'000);
  time.set_nanos(static_cast<int32_t>(us % 1'000'000) * 1000);
  return absl::OkStatus();
}

absl::Status TakeRoles(const Command& command, v1::Token& token) {
  for (const std::string& given : command.arguments.Values("role")) {
    const std::vector<std::string> words = absl::StrSplit(given, ',', absl::SkipEmpty());
    for (const std::string& word : words) {
      v1::Token::Role role;
      const std::string name = StrCat("ROLE_", absl::AsciiStrToUpper(word));
      if (!v1::Token::Role_Parse(name, &role) || role == v1::Token::ROLE_UNSPECIFIED) {
        return UsageError(
            StrCat("--role: \"", word, "\" is not viewer, writer, operator, admin or debug"));
      }
      token.add_roles(role);
    }
  }
  if (token.roles().empty()) return UsageError("--role is needed: viewer, writer, operator, …");
  return absl::OkStatus();
}

// The secret alone goes to standard output; what people should know of it, to the other.
template <typename Response>
void PrintSecret(Command& command, const Response& response) {
  Print(command, response, [&] { return response.secret() + "\n"; });
  if (!command.ForPeople()) return;
  command.shell.err << Escape(response.token().name()) << " ("
                    << Escape(RolesText(response.token()))
                    << "): this is its secret, which is shown now and never again\n";
}

void PrintToken(Command& command, const v1::Token& token) {
  Print(command, token, [&] { return RenderToken(token, ViewOf(command)); });
}

}  // namespace

absl::Status RunTokens(Command& command) {
  auto parent = command.Parent();
  if (!parent.ok()) return parent.status();
  v1::ListTokensRequest request;
  request.set_parent(*parent);
  request.set_with_revoked(command.arguments.Has("all"));
  auto tokens = command.client->ListTokens(request, kListedMax);
  if (!tokens.ok()) return tokens.status();
  PrintList(command, *tokens, "tokens",
            [&] { return RenderTokens(tokens->tokens(), ViewOf(command)); });
  return absl::OkStatus();
}

absl::Status RunTokensCreate(Command& command) {
  auto parent = command.Parent();
  if (!parent.ok()) return parent.status();
  v1::CreateTokenRequest request;
  request.set_parent(*parent);
  const auto& names = command.arguments.positional();
  if (!names.empty()) request.set_token_id(names[0]);
  v1::Token& token = *request.mutable_token();
  if (absl::Status roles = TakeRoles(command, token); !roles.ok()) return roles;
  bool expires = false;
  google::protobuf::Timestamp time;
  if (absl::Status taken = TakeExpiry(command, expires, time); !taken.ok()) return taken;
  if (expires) *token.mutable_expire_time() = time;
  auto made = command.client->CreateToken(request);
  if (!made.ok()) return made.status();
  PrintSecret(command, *made);
  return absl::OkStatus();
}

absl::Status RunTokensGet(Command& command) {
  auto name = NamedToken(command);
  if (!name.ok()) return name.status();
  auto token = command.client->GetToken(*name);
  if (!token.ok()) return token.status();
  PrintToken(command, *token);
  return absl::OkStatus();
}

absl::Status RunTokensRotate(Command& command) {
  auto name = NamedToken(command);
  if (!name.ok()) return name.status();
  v1::RotateTokenRequest request;
  request.set_name(*name);
  if (const auto text = command.arguments.Value("overlap")) {
    auto overlap = ParseDays("--overlap", *text);
    if (!overlap.ok()) return overlap.status();
    if (*overlap < absl::ZeroDuration()) return UsageError("--overlap: must not be negative");
    absl::Duration rest;
    request.mutable_overlap()->set_seconds(absl::IDivDuration(*overlap, absl::Seconds(1), &rest));
    request.mutable_overlap()->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(rest)));
  }
  bool expires = false;
  google::protobuf::Timestamp time;
  if (absl::Status taken = TakeExpiry(command, expires, time); !taken.ok()) return taken;
  if (expires) *request.mutable_expire_time() = time;
  auto made = command.client->RotateToken(request);
  if (!made.ok()) return made.status();
  PrintSecret(command, *made);
  return absl::OkStatus();
}

absl::Status RunTokensRevoke(Command& command) {
  auto name = NamedToken(command);
  if (!name.ok()) return name.status();
  auto token = command.client->RevokeToken(*name, command.arguments.ValueOr("reason", ""));
  if (!token.ok()) return token.status();
  PrintToken(command, *token);
  return absl::OkStatus();
}

}  // namespace grove::client::cli
