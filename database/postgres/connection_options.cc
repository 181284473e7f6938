#include "database/postgres/connection_options.h"

#include <libpq-fe.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "runtime/switch/abseil_text.h"

namespace grove::postgres {
namespace {

constexpr std::pair<std::string_view, TlsMode> kTlsModes[] = {
    {"disable", TlsMode::kDisable},    {"allow", TlsMode::kPrefer},
    {"prefer", TlsMode::kPrefer},      {"require", TlsMode::kRequire},
    {"verify-ca", TlsMode::kVerifyCa}, {"verify-full", TlsMode::kVerifyFull}};
constexpr std::pair<std::string_view, SessionKind> kSessions[] = {
    {"any", SessionKind::kAny},
    {"read-write", SessionKind::kReadWrite},
    {"read-only", SessionKind::kReadOnly},
    {"primary", SessionKind::kPrimary},
    {"standby", SessionKind::kStandby}};
constexpr std::pair<std::string_view, std::string ConnectionOptions::*> kTexts[] = {
    {"dbname", &ConnectionOptions::database},
    {"user", &ConnectionOptions::user},
    {"password", &ConnectionOptions::password},
    {"application_name", &ConnectionOptions::application_name},
    {"sslrootcert", &ConnectionOptions::ca_file},
    {"sslcert", &ConnectionOptions::certificate_file},
    {"sslkey", &ConnectionOptions::key_file}};

template <typename Table>
auto Find(const Table& table, std::string_view key) {
  return std::find_if(std::begin(table), std::end(table),
                      [&](const auto& row) { return row.first == key; });
}

absl::Status Bad(std::string_view key, std::string_view value) {
  return absl::InvalidArgumentError(
      absl::StrFormat("a PostgreSQL address: %s=%s is not known here", key, value));
}

// Lists of hosts and ports, separated by commas, as libpq takes them.
absl::Status ReadHosts(const std::string& hosts, const std::string& ports,
                       ConnectionOptions& options) {
  const std::vector<std::string> names = absl::StrSplit(hosts, ',');
  const std::vector<std::string> numbers = absl::StrSplit(ports, ',');
  if (numbers.size() != 1 && numbers.size() != names.size()) {
    return absl::InvalidArgumentError(absl::StrFormat("a PostgreSQL address: %d ports for %d hosts",
                                                      numbers.size(), names.size()));
  }
  for (size_t i = 0; i < names.size(); ++i) {
    HostPort host{.host = names[i].empty() ? "localhost" : names[i]};
    const std::string& number = numbers[numbers.size() == 1 ? 0 : i];
    int port = 0;
    if (!number.empty()) {
      if (!absl::SimpleAtoi(number, &port) || port < 1 || port > 65535) return Bad("port", number);
      host.port = static_cast<uint16_t>(port);
    }
    options.hosts.push_back(std::move(host));
  }
  return absl::OkStatus();
}

absl::Status ReadPair(std::string_view key, const std::string& value, ConnectionOptions& options) {
  if (const auto* text = Find(kTexts, key); text != std::end(kTexts)) {
    options.*(text->second) = value;
  } else if (key == "sslmode") {
    const auto* mode = Find(kTlsModes, value);
    if (mode == std::end(kTlsModes)) return Bad(key, value);
    options.tls = mode->second;
  } else if (key == "target_session_attrs") {
    const auto* kind = Find(kSessions, value);
    if (kind == std::end(kSessions)) return Bad(key, value);
    options.session = kind->second;
  } else if (key == "connect_timeout") {
    int seconds = 0;
    if (!absl::SimpleAtoi(value, &seconds) || seconds < 0) return Bad(key, value);
    if (seconds > 0) options.attempt_timeout = absl::Seconds(seconds);
  } else {
    return Bad(key, "…");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ConnectionOptions> ConnectionOptions::Parse(const std::string& text) {
  char* error = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(
      PQconninfoParse(text.c_str(), &error), PQconninfoFree);
  if (parsed == nullptr) {
    // libpq's words may quote the text, and with it a password.
    PQfreemem(error);
    return absl::InvalidArgumentError(
        "a PostgreSQL address: neither postgresql://user@host:port/database?key=value "
        "nor key=value pairs");
  }
  ConnectionOptions options;
  std::string hosts;
  std::string ports;
  for (const PQconninfoOption* pair = parsed.get(); pair->keyword != nullptr; ++pair) {
    if (pair->val == nullptr) continue;
    const std::string_view key = pair->keyword;
    if (key == "host") {
      hosts = pair->val;
    } else if (key == "port") {
      ports = pair->val;
    } else if (absl::Status read = ReadPair(key, pair->val, options); !read.ok()) {
      return read;
    }
  }
  if (absl::Status read = ReadHosts(hosts, ports, options); !read.ok()) return read;
  return options;
}

}  // namespace grove::postgres
