#include "server/config/validate.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "runtime/io/address_range.h"
#include "runtime/io/socket_address.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/tls/certificate_pattern.h"
#include "server/config/http_listeners.h"
#include "server/config/near_match.h"
#include "server/config/origin_pattern.h"
#include "server/config/secret.h"
#include "server/http/handler/route_pattern.h"

namespace grove::config {
namespace {

using config::v1::Config;
using config::v1::ControlTls;
using config::v1::HttpListener;
using config::v1::Tenant;

// A DNS label's length (RFC 1035 2.3.4): names become labels of metrics and paths.
constexpr size_t kNameBytesMax = 63;
// Stands in tenants without asking.
constexpr char kAddedPool[] = "default";
// Exists without standing anywhere.
constexpr char kDefaultTenant[] = "default";

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

using TokenList = google::protobuf::RepeatedPtrField<config::v1::Token>;
// Name -> the key where it stands.
using Names = std::map<std::string, std::string>;

class Validator {
 public:
  Validator(const FlagOfKey& flag_of_key, Config* config, Problems* problems)
      : flag_of_key_(flag_of_key), config_(*config), problems_(*problems) {}

  void Run() {
    CheckListeners();
    if (config_.control().has_tls()) CheckTlsFiles("control.tls", config_.control().tls());
    if (config_.admin().has_tls()) CheckTlsFiles("admin.tls", config_.admin().tls());
    CheckClientCertificates();
    CheckTokens("control.tokens", config_.control().tokens());
    CheckTokens("admin.tokens", config_.admin().tokens());
    CheckWebhookSecret();
    CheckTracing();
    CheckRoutes();
    CheckFetch();
    CheckTenants();
    Doubt();
  }

 private:
  std::string Label(const std::string& key) const {
    const auto flag = flag_of_key_.find(key);
    return flag == flag_of_key_.end() ? key : flag->second;
  }
  // Of what another module has found in the value of a key.
  bool Holds(const std::string& key, const absl::Status& status) {
    if (!status.ok()) problems_.Add(Label(key), Std(status.message()));
    return status.ok();
  }

  void TakeName(const std::string& where, const std::string& name, Names* taken);
  // Brings the address to canonical form; nothing where it is none.
  std::optional<SocketAddress> Listen(const std::string& key, std::string* text);
  void CheckListeners();
  void CheckPlain(const std::string& section, bool insecure, const SocketAddress& address);
  // `asks_who`: every call has to show who makes it.
  template <typename Section>
  void CheckReach(const std::string& name, const Section& section, bool asks_who,
                  const SocketAddress& address);
  template <typename Tls>
  void CheckTlsFiles(const std::string& where, const Tls& tls);
  void CheckClientCertificates();
  void CheckTokens(const std::string& list, const TokenList& tokens);
  void CheckTokenTenant(const std::string& where, const std::string& tenant);
  void CheckExpireTime(const std::string& where, const std::string& time);
  void CheckWebhookSecret();
  void CheckTracing();
  void CheckRoutes();
  void CheckFetch();
  template <typename Bounds>
  void CheckOneRate(const std::string& where, const Bounds& bounds);
  void CheckFetchSecrets();
  void CheckTenants();
  void CheckTenant(const std::string& where, const Tenant& tenant);
  void Doubt();

  const FlagOfKey& flag_of_key_;
  Config& config_;
  Problems& problems_;
  // Canonical address -> the key that has it.
  std::map<std::string, std::string> addresses_;
};

// A well-formed name that is not yet among `taken`, and is then.
void Validator::TakeName(const std::string& where, const std::string& name, Names* taken) {
  if (!IsName(name)) {
    return problems_.Add(where, StrCat("'", absl::CHexEscape(name),
                                       "' is no name: want 1 to 63 of a-z 0-9 - _ . with a letter "
                                       "or digit at both ends"));
  }
  const auto [first, is_new] = taken->emplace(name, where);
  if (is_new) return;
  problems_.Add(where,
                StrCat("'", name, "' stands twice, first in ", problems_.Where(first->second)));
}

std::optional<SocketAddress> Validator::Listen(const std::string& key, std::string* text) {
  const absl::StatusOr<SocketAddress> address = SocketAddress::Parse(*text, "listen address");
  if (!Holds(key, address.status())) return std::nullopt;
  *text = address->ToString();
  if (address->family() == AF_UNIX || address->port() != 0) {
    const auto [other, added] = addresses_.try_emplace(*text, key);
    if (!added) problems_.Add(Label(key), StrCat(*text, " is taken by ", Label(other->second)));
  }
  return *address;
}

void Validator::CheckListeners() {
  config::v1::Http& http = *config_.mutable_http();
  if (!http.listen().empty()) {
    const auto address = Listen("http.listen", http.mutable_listen());
    if (address.has_value()) CheckPlain("http", http.insecure(), *address);
  }
  for (int i = 0; i < http.listeners_size(); ++i) {
    HttpListener& listener = *http.mutable_listeners(i);
    Listen(Indexed("http.listeners", i, "address"), listener.mutable_address());
  }
  CheckHttpListeners(http, &problems_);
  if (const auto at = Listen("control.listen", config_.mutable_control()->mutable_listen())) {
    const config::v1::Control& control = config_.control();
    CheckReach("control", control, !control.tokens().empty() || !control.tls().roles().empty(),
               *at);
  }
  if (const auto at = Listen("admin.listen", config_.mutable_admin()->mutable_listen())) {
    CheckReach("admin", config_.admin(), !config_.admin().tokens().empty(), *at);
  }
}

void Validator::CheckPlain(const std::string& section, bool insecure,
                           const SocketAddress& address) {
  if (insecure || address.IsOfThisMachineAlone()) return;
  problems_.Add(Label(section + ".listen"),
                StrCat(address.ToString(), " is reachable beyond this machine, and ", section,
                       " has neither TLS nor tokens; listen on 127.0.0.1, ::1 or unix:, or "
                       "accept it with ",
                       section, ".insecure: true or --insecure"));
}

// Of a section that has TLS and tokens: beyond this machine it needs both.
template <typename Section>
void Validator::CheckReach(const std::string& name, const Section& section, bool asks_who,
                           const SocketAddress& address) {
  if (section.insecure() || address.IsOfThisMachineAlone()) return;
  std::vector<std::string> missing;
  if (!section.has_tls()) missing.push_back(name + ".tls");
  if (!asks_who) missing.push_back(name + ".tokens");
  if (missing.empty()) return;
  problems_.Add(Label(name + ".listen"),
                StrCat(address.ToString(), " is reachable beyond this machine without ", missing[0],
                       missing.size() > 1 ? " and " : "", missing.size() > 1 ? missing[1] : "",
                       "; set both, listen on 127.0.0.1, ::1 or unix:, or accept it with ", name,
                       ".insecure: true or --insecure"));
}

template <typename Tls>
void Validator::CheckTlsFiles(const std::string& where, const Tls& tls) {
  if (tls.certificate_file().empty() || tls.key_file().empty()) {
    return problems_.Add(where, "needs both certificate_file and key_file");
  }
  Holds(where + ".certificate_file", CheckReadableFile(tls.certificate_file()));
  Holds(where + ".key_file", CheckPrivateFile(tls.key_file()));
}

void Validator::CheckClientCertificates() {
  if (!config_.control().has_tls()) return;
  config::v1::ControlTls& tls = *config_.mutable_control()->mutable_tls();
  const bool has_authorities = !tls.client_ca_file().empty();
  if (tls.client_certificate() == ControlTls::DEMAND_UNSPECIFIED) {
    tls.set_client_certificate(has_authorities ? ControlTls::DEMAND_OPTIONAL
                                               : ControlTls::DEMAND_NONE);
  }
  const bool asks = tls.client_certificate() != ControlTls::DEMAND_NONE;
  if (has_authorities != asks) {
    problems_.Add(asks ? "control.tls.client_ca_file" : "control.tls.client_certificate",
                  asks ? "want the authorities of clients' certificates"
                       : "want optional or required, since there is a client_ca_file");
  } else if (has_authorities) {
    Holds("control.tls.client_ca_file", CheckReadableFile(tls.client_ca_file()));
  }
  if (!tls.client_crl_file().empty() && asks) {
    Holds("control.tls.client_crl_file", CheckReadableFile(tls.client_crl_file()));
  } else if (!tls.client_crl_file().empty()) {
    problems_.Add("control.tls.client_crl_file",
                  "want client_ca_file, too: these are lists of what its authorities have revoked");
  }
  if (!asks && !tls.roles().empty()) {
    problems_.Add("control.tls.client_ca_file",
                  "want the authorities of clients' certificates, since these have roles");
  }
  for (int i = 0; i < tls.roles_size(); ++i) {
    const config::v1::CertificateRole& role = tls.roles(i);
    Holds(Indexed("control.tls.roles", i, "certificate"),
          CheckCertificatePattern(role.certificate()));
    if (role.role() == config::v1::Token::ROLE_UNSPECIFIED) {
      problems_.Add(Indexed("control.tls.roles", i, "role"),
                    "want viewer, writer, operator, admin or debug");
    }
    CheckTokenTenant(Indexed("control.tls.roles", i, "tenant"), role.tenant());
  }
}

void Validator::CheckTokens(const std::string& list, const TokenList& tokens) {
  Names names;
  std::set<std::string> secrets;
  for (int i = 0; i < tokens.size(); ++i) {
    const config::v1::Token& token = tokens[i];
    TakeName(Indexed(list, i, "name"), token.name(), &names);
    if (token.role() == config::v1::Token::ROLE_UNSPECIFIED && token.roles().empty()) {
      problems_.Add(Indexed(list, i, "role"),
                    "want viewer, writer, operator, admin or debug; several of them in `roles`");
    }
    CheckTokenTenant(Indexed(list, i, "tenant"), token.tenant());
    CheckExpireTime(Indexed(list, i, "expire_time"), token.expire_time());
    const std::string where = Indexed(list, i, "secret_file");
    if (token.secret_file().empty()) {
      problems_.Add(where, "want a file with the token's secret");
      continue;
    }
    const absl::StatusOr<std::string> secret = ReadSecretFile(token.secret_file());
    if (!Holds(where, secret.status())) continue;
    // The audit log could not tell the two apart.
    if (!secrets.insert(*secret).second) {
      problems_.Add(where, "another token has the same secret");
    }
  }
}

void Validator::CheckWebhookSecret() {
  const std::string& file = config_.tasks().webhook_secret_file();
  if (!file.empty()) Holds("tasks.webhook_secret_file", ReadSecretFile(file).status());
}

// That it is a URL in all its parts, the worker's HTTP client finds.
void Validator::CheckTracing() {
  const config::v1::Tracing& tracing = config_.tracing();
  const std::string& endpoint = tracing.endpoint();
  const size_t scheme = endpoint.starts_with("http://")    ? 7
                        : endpoint.starts_with("https://") ? 8
                                                           : 0;
  const bool has_host = scheme > 0 && endpoint.size() > scheme && endpoint[scheme] != '/' &&
                        endpoint[scheme] != ':' && endpoint.find(' ') == std::string::npos;
  if (!endpoint.empty() && !has_host) {
    problems_.Add("tracing.endpoint", StrCat("'", absl::CHexEscape(endpoint),
                                             "' is no URL: want http://127.0.0.1:4318/v1/traces"));
  }
  for (int i = 0; i < tracing.headers_size(); ++i) {
    const config::v1::TracingHeader& header = tracing.headers(i);
    const std::string& name = header.name();
    const bool is_name = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
      return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
    });
    if (!is_name) {
      problems_.Add(Indexed("tracing.headers", i, "name"),
                    StrCat("'", absl::CHexEscape(name), "' is no field: want letters, digits, -"));
    }
    const std::string where = Indexed("tracing.headers", i, "secret_file");
    if (header.secret_file().empty()) {
      problems_.Add(where, "want a file with the field's value");
    } else {
      Holds(where, ReadFieldFile(header.secret_file()).status());
    }
  }
}

// Where the tenant is misspelt, the token would open nothing, or another's.
void Validator::CheckTokenTenant(const std::string& where, const std::string& tenant) {
  std::vector<std::string> known = {kDefaultTenant};
  for (const Tenant& each : config_.tenants()) known.push_back(each.name());
  if (tenant.empty() || std::find(known.begin(), known.end(), tenant) != known.end()) return;
  const std::string near = NearMatch(tenant, known);
  const std::string hint = near.empty() ? StrCat("known: ", absl::StrJoin(known, ", "))
                                        : StrCat("did you mean '", near, "'?");
  problems_.Add(where, StrCat("no tenant '", absl::CHexEscape(tenant), "'; ", hint));
}

void Validator::CheckExpireTime(const std::string& where, const std::string& time) {
  const absl::StatusOr<int64_t> expires = ParseExpireTime(time);
  if (!Holds(where, expires.status()) || *expires == 0) return;
  if (*expires > absl::ToUnixMicros(absl::Now())) return;
  problems_.Warn(where, StrCat(time, " is over: the token opens nothing"));
}

void Validator::CheckRoutes() {
  Names taken;
  for (int i = 0; i < config_.http().routes_size(); ++i) {
    const config::v1::Route& route = config_.http().routes(i);
    const std::string& method = route.method();
    if (!std::all_of(method.begin(), method.end(), absl::ascii_isupper)) {
      problems_.Add(Indexed("http.routes", i, "method"),
                    StrCat("'", method, "' is no method: want capitals, as in GET"));
    }
    Holds(Indexed("http.routes", i, "path"), http::RoutePattern::Parse(route.path()).status());
    if (!route.host().empty()) {
      Holds(Indexed("http.routes", i, "host"), http::ParseHostPattern(route.host()).status());
    }
    if (route.function().empty()) {
      problems_.Add(Indexed("http.routes", i, "function"), "want the name of an HTTP handler");
    }
    // What else matches the same requests, the router finds.
    const std::string text = StrCat(method, method.empty() ? "" : " ", route.host(), route.path());
    const std::string where = Indexed("http.routes", i, "");
    const auto [first, is_new] = taken.emplace(text, where);
    if (!is_new) {
      problems_.Add(where,
                    StrCat(text, " stands twice, first in ", problems_.Where(first->second)));
    }
  }
}

void Validator::CheckFetch() {
  for (int i = 0; i < config_.fetch().allow_size(); ++i) {
    Holds(Indexed("fetch.allow", i, ""), AddressRange::Parse(config_.fetch().allow(i)).status());
  }
  CheckOneRate("fetch.per_origin", config_.fetch().per_origin());
  Names patterns;
  for (int i = 0; i < config_.fetch().origins_size(); ++i) {
    const config::v1::Origin& origin = config_.fetch().origins(i);
    const std::string where = Indexed("fetch.origins", i, "pattern");
    CheckOneRate(Indexed("fetch.origins", i, ""), origin);
    if (!Holds(where, OriginPattern::Parse(origin.pattern()).status())) continue;
    const auto [first, is_new] = patterns.emplace(origin.pattern(), where);
    if (!is_new) {
      problems_.Add(where, StrCat(origin.pattern(), " stands twice, first in ",
                                  problems_.Where(first->second)));
    }
  }
  CheckFetchSecrets();
}

template <typename Bounds>
void Validator::CheckOneRate(const std::string& where, const Bounds& bounds) {
  const bool has_rate = bounds.requests_per_second() > 0 || bounds.requests_per_minute() > 0;
  if (bounds.requests_per_second() > 0 && bounds.requests_per_minute() > 0) {
    problems_.Add(where, "want requests_per_second or requests_per_minute, not both");
  } else if (!has_rate && bounds.burst() > 0) {
    problems_.Add(where, "burst wants requests_per_second or requests_per_minute beside it");
  }
}

void Validator::CheckFetchSecrets() {
  std::map<std::string, Names> names;  // by tenant
  for (int i = 0; i < config_.fetch().secrets_size(); ++i) {
    config::v1::FetchSecret& secret = *config_.mutable_fetch()->mutable_secrets(i);
    if (secret.tenant().empty()) secret.set_tenant(kDefaultTenant);
    TakeName(Indexed("fetch.secrets", i, "name"), secret.name(), &names[secret.tenant()]);
    CheckTokenTenant(Indexed("fetch.secrets", i, "tenant"), secret.tenant());
    const std::string where = Indexed("fetch.secrets", i, "secret_file");
    if (secret.secret_file().empty()) {
      problems_.Add(where, "want a file with the secret");
    } else {
      Holds(where, ReadSecretFile(secret.secret_file()).status());
    }
  }
}

void Validator::CheckTenants() {
  Names names;
  for (int i = 0; i < config_.tenants_size(); ++i) {
    const Tenant& tenant = config_.tenants(i);
    TakeName(Indexed("tenants", i, "name"), tenant.name(), &names);
    CheckTenant(Indexed("tenants", i, ""), tenant);
  }
}

void Validator::CheckTenant(const std::string& where, const Tenant& tenant) {
  Names pools;
  for (int i = 0; i < tenant.pools_size(); ++i) {
    TakeName(Indexed(where + ".pools", i, "name"), tenant.pools(i).name(), &pools);
  }
  Names queues;
  std::set<std::string> fed;
  for (int i = 0; i < tenant.queues_size(); ++i) {
    const config::v1::Queue& queue = tenant.queues(i);
    TakeName(Indexed(where + ".queues", i, "name"), queue.name(), &queues);
    fed.insert(queue.pool());
    if (pools.contains(queue.pool())) continue;
    problems_.Add(Indexed(where + ".queues", i, "pool"),
                  StrCat("tenant '", tenant.name(), "' has no pool '",
                         absl::CHexEscape(queue.pool()), "'; add it to ", where, ".pools"));
  }
  for (int i = 0; i < tenant.pools_size(); ++i) {
    const std::string& name = tenant.pools(i).name();
    if (fed.contains(name) || name == kAddedPool) continue;
    problems_.Warn(Indexed(where + ".pools", i, ""),
                   StrCat("no queue of tenant '", tenant.name(), "' feeds pool '", name, "'"));
  }
}

// What is legal and hardly meant.
void Validator::Doubt() {
  const config::v1::Runtime& runtime = config_.runtime();
  if (runtime.stuck_kill_ms() > 0 && runtime.stuck_kill_ms() < runtime.stuck_ms()) {
    problems_.Warn("runtime.stuck_kill_ms",
                   StrCat(runtime.stuck_kill_ms(), " is less than runtime.stuck_ms, which is ",
                          runtime.stuck_ms(), ": what is stuck is killed as soon as it is seen"));
  }
  const config::v1::Http& http = config_.http();
  if (http.lingering_timeout_ms() > http.lingering_time_ms()) {
    problems_.Warn("http.lingering_timeout_ms",
                   StrCat(http.lingering_timeout_ms(), " is more than http.lingering_time_ms, ",
                          "which is ", http.lingering_time_ms(), " and ends it first"));
  }
}

}  // namespace

void ValidateConfig(const FlagOfKey& flag_of_key, Config* config, Problems* problems) {
  Validator(flag_of_key, config, problems).Run();
}

}  // namespace grove::config
