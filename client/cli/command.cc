#include "client/cli/command.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cli/json_view.h"
#include "client/cli/names.h"
#include "client/cli/text.h"
#include "runtime/switch/errno_status.h"

namespace grove::client::cli {

absl::StatusOr<std::string> Command::Parent() const {
  const auto typed = arguments.Value("tenant");
  if (!typed) return std::string();
  return TenantName(*typed);
}

std::string Command::Tenant() const {
  if (const auto typed = arguments.Value("tenant")) return *typed;
  if (client == nullptr || !has_identity) return "default";
  if (!own_tenant) own_tenant = OwnTenant(*client);
  return *own_tenant;
}

// A tenant's call sees its own alone; the operators' see `default` at least.
std::string OwnTenant(Client& client) {
  const auto tenants = client.ListTenants({}, 2);
  if (!tenants.ok() || tenants->tenants_size() != 1) return "default";
  return ShortName(tenants->tenants(0).name());
}

Look Command::ToLook() const {
  Look look;
  look.width = shell.columns;
  look.wide = format == OutputFormat::kWide;
  look.headers = !arguments.Has("no_headers");
  look.colors = colors;
  return look;
}

namespace {

void PrintName(const nlohmann::ordered_json& json, std::ostream& out) {
  out << Escape(json["name"].get<std::string>()) << "\n";
}

}  // namespace

void Print(Command& command, const nlohmann::ordered_json& json,
           const std::function<std::string()>& table) {
  std::ostream& out = command.shell.out;
  switch (command.format) {
    case OutputFormat::kTable:
    case OutputFormat::kWide:
      out << table();
      return;
    case OutputFormat::kName:
      if (!json.contains("name")) {
        out << table();
      } else {
        PrintName(json, out);
      }
      return;
    case OutputFormat::kJson:
      out << RenderJson(json);
      return;
    case OutputFormat::kJsonl:
      out << RenderJsonLine(json);
      return;
    case OutputFormat::kYaml:
      out << RenderYaml(json);
      return;
  }
}

void PrintList(Command& command, const nlohmann::ordered_json& json, const char* key,
               const std::function<std::string()>& table) {
  const bool by_item =
      command.format == OutputFormat::kName || command.format == OutputFormat::kJsonl;
  if (!by_item) return Print(command, json, table);
  for (const auto& item : json[key]) Print(command, item, table);
}

void Print(Command& command, const google::protobuf::Message& message,
           const std::function<std::string()>& table) {
  Print(command, command.ForPeople() ? nlohmann::ordered_json() : ToJson(message), table);
}

void PrintList(Command& command, const google::protobuf::Message& message, const char* key,
               const std::function<std::string()>& table) {
  PrintList(command, command.ForPeople() ? nlohmann::ordered_json() : ToJson(message), key, table);
}

std::string SelfText(const Command& command) {
  std::string text = "grovectl";
  for (const char* flag :
       {"context", "address", "ca_cert", "client_cert", "client_key", "token_file"}) {
    const auto value = command.arguments.Value(flag);
    if (value) absl::StrAppend(&text, " --", flag, "=", Escape(*value));
  }
  return text;
}

absl::StatusOr<int64_t> ParseInteger(const std::string& what, const std::string& text, int64_t min,
                                     int64_t max) {
  int64_t value = 0;
  if (!absl::SimpleAtoi(text, &value) || value < min || value > max) {
    return UsageError(
        absl::StrCat(what, ": \"", text, "\" is no whole number from ", min, " to ", max));
  }
  return value;
}

absl::StatusOr<int64_t> IntegerFlag(const Command& command, const std::string& flag,
                                    int64_t fallback, int64_t min, int64_t max) {
  const auto text = command.arguments.Value(flag);
  if (!text) return fallback;
  return ParseInteger("--" + flag, *text, min, max);
}

absl::StatusOr<absl::Duration> ParseSeconds(const std::string& what, const std::string& text) {
  double seconds = 0;
  absl::Duration duration;
  if (absl::SimpleAtod(text, &seconds) && std::isfinite(seconds)) {
    duration = absl::Seconds(seconds);
  } else if (!absl::ParseDuration(text, &duration) || duration == absl::InfiniteDuration()) {
    return UsageError(absl::StrCat(what, ": \"", text, "\" is no duration; write 5s, 1m30s or 5"));
  }
  return duration;
}

absl::StatusOr<std::string> ReadAll(int fd, size_t bytes_max) {
  std::string text;
  char buffer[64 * 1024];
  while (true) {
    const ssize_t count = read(fd, buffer, sizeof(buffer));
    if (count == 0) return text;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoStatus(errno, "read");
    text.append(buffer, static_cast<size_t>(count));
    if (text.size() > bytes_max) {
      return absl::ResourceExhaustedError(absl::StrCat("larger than ", bytes_max, " bytes"));
    }
  }
}

absl::StatusOr<std::string> ReadWholeFile(const std::string& path, size_t bytes_max) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, absl::StrCat("open ", path));
  absl::StatusOr<std::string> text = ReadAll(fd, bytes_max);
  close(fd);
  if (text.ok()) return text;
  return absl::Status(text.status().code(), absl::StrCat(path, ": ", text.status().message()));
}

}  // namespace grove::client::cli
