#include "server/config/validate.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "runtime/io/address_range.h"
#include "runtime/io/socket_address.h"
#include "runtime/switch/abseil_text.h"
#include "server/config/http_listeners.h"
#include "server/config/secret.h"
#include "server/http/handler/route_pattern.h"

namespace grove::config {
namespace {

using config::v1::Config;
using config::v1::HttpListener;
using config::v1::Tenant;

// A DNS label's length (RFC 1035 2.3.4): names become labels of metrics and paths.
constexpr size_t kNameBytesMax = 63;

absl::Status Wrong(std::string_view where, std::string_view what) {
  return absl::InvalidArgumentError(StrCat(where, ": ", what));
}

std::string Indexed(std::string_view list, int index, std::string_view field) {
  return StrCat(list, "[", index, "]", field.empty() ? "" : ".", field);
}

bool IsNameEnd(char c) {
  return absl::ascii_islower(c) || absl::ascii_isdigit(c);
}

bool IsName(std::string_view name) {
  if (name.empty() || name.size() > kNameBytesMax) return false;
  if (!IsNameEnd(name.front()) || !IsNameEnd(name.back())) return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return IsNameEnd(c) || c == '-' || c == '_' || c == '.'; });
}

// A well-formed name that is not yet among `taken`, and is then.
absl::Status TakeName(const std::string& where, const std::string& name,
                      std::set<std::string>* taken) {
  if (!IsName(name)) {
    return Wrong(where, StrCat("'", absl::CHexEscape(name),
                               "' is no name: want 1 to 63 of a-z 0-9 - _ . with a letter or "
                               "digit at both ends"));
  }
  if (taken->insert(name).second) return absl::OkStatus();
  return Wrong(where, StrCat("'", name, "' stands twice"));
}

class Validator {
 public:
  Validator(const FlagOfKey& flag_of_key, Config* config)
      : flag_of_key_(flag_of_key), config_(*config) {}

  absl::Status Run() {
    for (absl::Status (Validator::*check)() :
         {&Validator::CheckListeners, &Validator::CheckTls, &Validator::CheckTokens,
          &Validator::CheckRoutes, &Validator::CheckFetch, &Validator::CheckTenants}) {
      if (absl::Status s = (this->*check)(); !s.ok()) return s;
    }
    return absl::OkStatus();
  }

 private:
  std::string Label(const std::string& key) const {
    const auto flag = flag_of_key_.find(key);
    return flag == flag_of_key_.end() ? key : flag->second;
  }

  absl::StatusOr<SocketAddress> Listen(const std::string& key, std::string* text);
  absl::Status CheckListeners();
  absl::Status CheckClashes(const std::vector<std::pair<std::string, SocketAddress>>& all) const;
  absl::Status CheckPlain(const std::string& section, bool insecure, const SocketAddress& address);
  template <typename Section>
  absl::Status CheckReach(const std::string& name, const Section& section,
                          const SocketAddress& address) const;
  absl::Status CheckTls();
  absl::Status CheckTokens();
  absl::Status CheckRoutes();
  absl::Status CheckFetch();
  absl::Status CheckTenants();
  absl::Status CheckTenant(const std::string& where, const Tenant& tenant);

  const FlagOfKey& flag_of_key_;
  Config& config_;
};

absl::StatusOr<SocketAddress> Validator::Listen(const std::string& key, std::string* text) {
  absl::StatusOr<SocketAddress> address = SocketAddress::Parse(*text, "listen address");
  if (!address.ok()) return Wrong(Label(key), Std(address.status().message()));
  *text = address->ToString();
  return address;
}

absl::Status Validator::CheckListeners() {
  // By key.
  std::vector<std::pair<std::string, SocketAddress>> all;
  const auto listen = [&](const std::string& key, std::string* text) -> absl::Status {
    absl::StatusOr<SocketAddress> address = Listen(key, text);
    if (address.ok()) all.emplace_back(key, *address);
    return address.status();
  };
  config::v1::Http& http = *config_.mutable_http();
  if (!http.listen().empty()) {
    if (absl::Status s = listen("http.listen", http.mutable_listen()); !s.ok()) return s;
    if (absl::Status s = CheckPlain("http", http.insecure(), all.back().second); !s.ok()) return s;
  }
  for (int i = 0; i < http.listeners_size(); ++i) {
    HttpListener& listener = *http.mutable_listeners(i);
    const std::string key = Indexed("http.listeners", i, "address");
    if (absl::Status s = listen(key, listener.mutable_address()); !s.ok()) return s;
  }
  if (absl::Status s = CheckHttpListeners(http); !s.ok()) return s;
  if (absl::Status s = listen("control.listen", config_.mutable_control()->mutable_listen());
      !s.ok()) {
    return s;
  }
  if (absl::Status s = CheckReach("control", config_.control(), all.back().second); !s.ok()) {
    return s;
  }
  if (absl::Status s = listen("admin.listen", config_.mutable_admin()->mutable_listen()); !s.ok()) {
    return s;
  }
  if (absl::Status s = CheckReach("admin", config_.admin(), all.back().second); !s.ok()) return s;
  return CheckClashes(all);
}

absl::Status Validator::CheckClashes(
    const std::vector<std::pair<std::string, SocketAddress>>& all) const {
  std::map<std::string, std::string> taken;
  for (const auto& [key, address] : all) {
    if (address.family() != AF_UNIX && address.port() == 0) continue;
    const auto [other, added] = taken.try_emplace(address.ToString(), key);
    if (added) continue;
    return Wrong(Label(key), StrCat(address.ToString(), " is taken by ", Label(other->second)));
  }
  return absl::OkStatus();
}

absl::Status Validator::CheckPlain(const std::string& section, bool insecure,
                                   const SocketAddress& address) {
  if (insecure || address.IsOfThisMachineAlone()) return absl::OkStatus();
  return Wrong(Label(section + ".listen"),
               StrCat(address.ToString(), " is reachable beyond this machine, and ", section,
                      " has neither TLS nor tokens; listen on 127.0.0.1, ::1 or unix:, or "
                      "accept it with ",
                      section, ".insecure: true or --insecure"));
}

// Of a section that has TLS and tokens: beyond this machine it needs both.
template <typename Section>
absl::Status Validator::CheckReach(const std::string& name, const Section& section,
                                   const SocketAddress& address) const {
  if (section.insecure() || address.IsOfThisMachineAlone()) return absl::OkStatus();
  std::vector<std::string> missing;
  if (!section.has_tls()) missing.push_back(name + ".tls");
  if (section.tokens().empty()) missing.push_back(name + ".tokens");
  if (missing.empty()) return absl::OkStatus();
  return Wrong(Label(name + ".listen"),
               StrCat(address.ToString(), " is reachable beyond this machine without ", missing[0],
                      missing.size() > 1 ? " and " : "", missing.size() > 1 ? missing[1] : "",
                      "; set both, listen on 127.0.0.1, ::1 or unix:, or accept it with ", name,
                      ".insecure: true or --insecure"));
}

absl::Status CheckTlsFiles(const std::string& where, const config::v1::Tls& tls) {
  if (tls.certificate_file().empty() || tls.key_file().empty()) {
    return Wrong(where, "needs both certificate_file and key_file");
  }
  if (absl::Status s = CheckReadableFile(tls.certificate_file()); !s.ok()) {
    return Wrong(where + ".certificate_file", Std(s.message()));
  }
  if (absl::Status s = CheckPrivateFile(tls.key_file()); !s.ok()) {
    return Wrong(where + ".key_file", Std(s.message()));
  }
  return absl::OkStatus();
}

absl::Status Validator::CheckTls() {
  if (config_.control().has_tls()) {
    absl::Status s = CheckTlsFiles("control.tls", config_.control().tls());
    if (!s.ok()) return s;
  }
  if (config_.admin().has_tls()) return CheckTlsFiles("admin.tls", config_.admin().tls());
  return absl::OkStatus();
}

using TokenList = google::protobuf::RepeatedPtrField<config::v1::Token>;

absl::Status CheckTokenList(const std::string& list, const TokenList& tokens) {
  std::set<std::string> names;
  std::set<std::string> secrets;
  for (int i = 0; i < tokens.size(); ++i) {
    const config::v1::Token& token = tokens[i];
    absl::Status s = TakeName(Indexed(list, i, "name"), token.name(), &names);
    if (!s.ok()) return s;
    if (token.role() == config::v1::Token::ROLE_UNSPECIFIED) {
      return Wrong(Indexed(list, i, "role"), "want read, write or admin");
    }
    const std::string where = Indexed(list, i, "secret_file");
    if (token.secret_file().empty()) return Wrong(where, "want a file with the token's secret");
    const absl::StatusOr<std::string> secret = ReadSecretFile(token.secret_file());
    if (!secret.ok()) return Wrong(where, Std(secret.status().message()));
    // The audit log could not tell the two apart.
    if (!secrets.insert(*secret).second) return Wrong(where, "another token has the same secret");
  }
  return absl::OkStatus();
}

absl::Status Validator::CheckTokens() {
  absl::Status s = CheckTokenList("control.tokens", config_.control().tokens());
  return s.ok() ? CheckTokenList("admin.tokens", config_.admin().tokens()) : s;
}

absl::Status Validator::CheckRoutes() {
  std::set<std::string> taken;
  for (int i = 0; i < config_.http().routes_size(); ++i) {
    const config::v1::Route& route = config_.http().routes(i);
    const std::string& method = route.method();
    if (!std::all_of(method.begin(), method.end(), absl::ascii_isupper)) {
      return Wrong(Indexed("http.routes", i, "method"),
                   StrCat("'", method, "' is no method: want capitals, as in GET"));
    }
    const absl::StatusOr<http::RoutePattern> pattern = http::RoutePattern::Parse(route.path());
    if (!pattern.ok()) {
      return Wrong(Indexed("http.routes", i, "path"), Std(pattern.status().message()));
    }
    if (!route.host().empty()) {
      const absl::StatusOr<std::string> host = http::ParseHostPattern(route.host());
      if (!host.ok()) return Wrong(Indexed("http.routes", i, "host"), Std(host.status().message()));
    }
    if (route.function().empty()) {
      return Wrong(Indexed("http.routes", i, "function"), "want the name of an HTTP handler");
    }
    // What else matches the same requests, the router finds.
    const std::string text = StrCat(method, method.empty() ? "" : " ", route.host(), route.path());
    if (!taken.insert(text).second) {
      return Wrong(Indexed("http.routes", i, ""), StrCat(text, " stands twice"));
    }
  }
  return absl::OkStatus();
}

absl::Status Validator::CheckFetch() {
  for (int i = 0; i < config_.fetch().allow_size(); ++i) {
    const absl::StatusOr<AddressRange> range = AddressRange::Parse(config_.fetch().allow(i));
    if (!range.ok()) return Wrong(Indexed("fetch.allow", i, ""), Std(range.status().message()));
  }
  return absl::OkStatus();
}

absl::Status Validator::CheckTenants() {
  std::set<std::string> names;
  for (int i = 0; i < config_.tenants_size(); ++i) {
    const Tenant& tenant = config_.tenants(i);
    absl::Status s = TakeName(Indexed("tenants", i, "name"), tenant.name(), &names);
    if (!s.ok()) return s;
    if (s = CheckTenant(Indexed("tenants", i, ""), tenant); !s.ok()) return s;
  }
  return absl::OkStatus();
}

absl::Status Validator::CheckTenant(const std::string& where, const Tenant& tenant) {
  std::set<std::string> pools;
  for (int i = 0; i < tenant.pools_size(); ++i) {
    const std::string name_where = Indexed(where + ".pools", i, "name");
    absl::Status s = TakeName(name_where, tenant.pools(i).name(), &pools);
    if (!s.ok()) return s;
  }
  std::set<std::string> queues;
  for (int i = 0; i < tenant.queues_size(); ++i) {
    const config::v1::Queue& queue = tenant.queues(i);
    absl::Status s = TakeName(Indexed(where + ".queues", i, "name"), queue.name(), &queues);
    if (!s.ok()) return s;
    if (pools.count(queue.pool()) == 0) {
      return Wrong(Indexed(where + ".queues", i, "pool"),
                   StrCat("tenant '", tenant.name(), "' has no pool '",
                          absl::CHexEscape(queue.pool()), "'; add it to ", where, ".pools"));
    }
  }
  return absl::OkStatus();
}

// The length of the UTF-8 character at the front (RFC 3629 4), or 0.
size_t Utf8Length(std::string_view text) {
  const auto byte = [text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  const size_t length = lead < 0x80   ? 1
                        : lead < 0xc2 ? 0
                        : lead < 0xe0 ? 2
                        : lead < 0xf0 ? 3
                        : lead < 0xf5 ? 4
                                      : 0;
  if (length == 0 || length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);
  const bool surrogate = lead == 0xed && byte(1) > 0x9f;
  const bool beyond = lead == 0xf4 && byte(1) > 0x8f;
  return overlong || surrogate || beyond ? 0 : length;
}

}  // namespace

absl::Status ValidateConfig(const FlagOfKey& flag_of_key, Config* config) {
  return Validator(flag_of_key, config).Run();
}

bool IsPlainText(std::string_view text) {
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    if (length == 0 || absl::ascii_iscntrl(text[0])) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace grove::config
