#include "server/config/resolve.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <vector>

#include "absl/strings/ascii.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "runtime/io/socket_address.h"
#include "runtime/switch/abseil_text.h"
#include "server/config/cpu_allowance.h"
#include "server/config/http_listeners.h"
#include "server/config/limits.h"
#include "server/config/memory_allowance.h"
#include "server/config/plain_text.h"
#include "server/config/schema.h"
#include "server/config/validate.h"

namespace grove::config {
namespace {

using config::v1::Config;
using config::v1::Tenant;
using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;

constexpr char kDefaultName[] = "default";
// Of the memory allowed: workers, their requests, and what control copies for answers need the
// rest.
constexpr int64_t kTasksShareOfMemory = 4;
constexpr int64_t kTasksMemoryMost = int64_t{2} << 30;
constexpr char kLevels[][8] = {"debug", "info", "warning", "error"};

bool IsWithin(std::string_view where, int64_t number, const SchemaRow& row, Problems& problems) {
  if (number >= row.min && number <= row.max) return true;
  problems.Add(where, StrCat(number, " is not within ", row.min, " to ", row.max));
  return false;
}

// The flags that replace a text of the file.
void ApplyTexts(const DaemonFlags& flags, FlagOfKey* origin, Config* config) {
  const auto apply = [origin](const std::optional<std::string>& value, const char* key,
                              const char* flag, std::string* field) {
    if (!value.has_value()) return;
    *field = *value;
    (*origin)[key] = flag;
  };
  apply(flags.http, "http.listen", "--http", config->mutable_http()->mutable_listen());
  apply(flags.control, "control.listen", "--control", config->mutable_control()->mutable_listen());
  apply(flags.admin, "admin.listen", "--admin", config->mutable_admin()->mutable_listen());
  apply(flags.state_dir, "state_dir", "--state_dir", config->mutable_state_dir());
  apply(flags.run_dir, "run_dir", "--run_dir", config->mutable_run_dir());
  apply(flags.log_level, "log.level", "--log_level", config->mutable_log()->mutable_level());
}

void ApplyFlags(const DaemonFlags& flags, FlagOfKey* origin, Config* config, Problems& problems) {
  ApplyTexts(flags, origin, config);
  if (flags.workers.has_value() &&
      IsWithin("--workers", *flags.workers, *FindSchemaRow("workers"), problems)) {
    config->set_workers(static_cast<int32_t>(*flags.workers));
  }
  if (flags.drain_timeout_ms.has_value() &&
      IsWithin("--drain_timeout_ms", *flags.drain_timeout_ms, *FindSchemaRow("drain_timeout_ms"),
               problems)) {
    config->set_drain_timeout_ms(*flags.drain_timeout_ms);
  }
  if (flags.log_format.has_value()) {
    const std::string format = absl::AsciiStrToLower(*flags.log_format);
    if (format != "text" && format != "json") {
      problems.Add("--log_format", StrCat("'", *flags.log_format, "': want text or json"));
    }
    config->mutable_log()->set_format(format == "json" ? config::v1::Log::FORMAT_JSON
                                                       : config::v1::Log::FORMAT_TEXT);
  }
  if (flags.insecure) {
    config->mutable_http()->set_insecure(true);
    config->mutable_control()->set_insecure(true);
    config->mutable_admin()->set_insecure(true);
  }
}

void CheckTexts(const Message& message, const FieldDescriptor& field, const std::string& key,
                Problems& problems) {
  const auto& reflection = *message.GetReflection();
  const int count = field.is_repeated() ? reflection.FieldSize(message, &field) : 1;
  for (int i = 0; i < count; ++i) {
    const std::string text = field.is_repeated() ? reflection.GetRepeatedString(message, &field, i)
                                                 : reflection.GetString(message, &field);
    if (!IsPlainText(text)) problems.Add(key, "want UTF-8 without control characters");
  }
}

void FillInteger(const FieldDescriptor& field, const std::string& key, Message* message,
                 Problems& problems) {
  const auto& reflection = *message->GetReflection();
  const SchemaRow* row = FindSchemaRow(key);
  if (row == nullptr) return problems.Add(key, "has no row in the schema");
  const bool is_32 = field.cpp_type() == FieldDescriptor::CPPTYPE_INT32;
  const int64_t number =
      is_32 ? reflection.GetInt32(*message, &field) : reflection.GetInt64(*message, &field);
  const bool is_given =
      number != 0 || (field.has_presence() && reflection.HasField(*message, &field));
  if (is_given) {
    IsWithin(key, number, *row, problems);
    return;
  }
  if (is_32) {
    reflection.SetInt32(message, &field, static_cast<int32_t>(row->default_value));
  } else {
    reflection.SetInt64(message, &field, row->default_value);
  }
}

// Every number of `message` and below: its default where it is 0, else checked. Every text:
// checked.
void FillFields(const std::string& prefix, Message* message, Problems& problems) {
  const auto& reflection = *message->GetReflection();
  for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *message->GetDescriptor()->field(i);
    const std::string key = StrCat(prefix, field.name());
    // Filling in one would drop the other.
    if (field.real_containing_oneof() != nullptr && !reflection.HasField(*message, &field))
      continue;
    // Only the application knows them.
    if (field.message_type() == config::v1::Setting::descriptor()) continue;
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      CheckTexts(*message, field, key, problems);
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_INT32 ||
               field.cpp_type() == FieldDescriptor::CPPTYPE_INT64) {
      FillInteger(field, key, message, problems);
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && field.is_repeated()) {
      for (int j = 0; j < reflection.FieldSize(*message, &field); ++j) {
        FillFields(StrCat(key, "[", j, "]."), reflection.MutableRepeatedMessage(message, &field, j),
                   problems);
      }
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      if (IsSwitch(*field.message_type()) && !reflection.HasField(*message, &field)) continue;
      FillFields(key + ".", reflection.MutableMessage(message, &field), problems);
    }
  }
}

void FillText(std::string_view key, std::string* field) {
  if (field->empty()) *field = std::string(FindSchemaRow(key)->default_text);
}

template <typename List>
auto* FindOrAdd(std::string_view name, List* list) {
  for (auto& entry : *list) {
    if (entry.name() == name) return &entry;
  }
  auto* added = list->Add();
  added->set_name(std::string(name));
  return added;
}

// A tenant that lists its queues has these alone; others get a queue `default`, and a pool
// `default` stands wherever a queue feeds it.
void FillTenant(Tenant* tenant) {
  const bool is_default = tenant->name() == kDefaultName;
  if (is_default || tenant->queues().empty()) FindOrAdd(kDefaultName, tenant->mutable_queues());
  if (is_default) FindOrAdd(kDefaultName, tenant->mutable_pools());
  for (config::v1::Queue& queue : *tenant->mutable_queues()) {
    if (queue.order() == config::v1::Queue::ORDER_UNSPECIFIED) {
      queue.set_order(config::v1::Queue::ORDER_FIFO);
    }
    FillText("tenants[].queues[].pool", queue.mutable_pool());
    if (queue.pool() == kDefaultName) FindOrAdd(kDefaultName, tenant->mutable_pools());
  }
}

void FillLog(const FlagOfKey& origin, config::v1::Log* log, Problems& problems) {
  if (log->format() == config::v1::Log::FORMAT_UNSPECIFIED) {
    log->set_format(config::v1::Log::FORMAT_TEXT);
  }
  FillText("log.level", log->mutable_level());
  const std::string level = absl::AsciiStrToLower(log->level());
  if (std::find(std::begin(kLevels), std::end(kLevels), level) == std::end(kLevels)) {
    const bool by_flag = origin.count("log.level") > 0;
    problems.Add(by_flag ? "--log_level" : "log.level",
                 StrCat("'", log->level(), "': want debug, info, warning or error"));
  }
  log->set_level(level);
}

std::string Absolute(const std::string& directory, const Environment& environment) {
  const std::filesystem::path joined = std::filesystem::path(environment.working_directory) /
                                       directory;  // An absolute one replaces it.
  std::string normal = joined.lexically_normal().string();
  while (normal.size() > 1 && normal.back() == '/') normal.pop_back();
  return normal;
}

// The XDG base directory specification has relative values ignored.
bool IsSet(const std::string& directory) {
  return directory.starts_with("/");
}

void FillDirectories(const Environment& environment, const FlagOfKey& origin, Config* config,
                     Problems& problems) {
  if (config->state_dir().empty()) {
    if (IsSet(environment.state_home)) {
      config->set_state_dir(StrCat(environment.state_home, "/grove"));
    } else if (IsSet(environment.home)) {
      config->set_state_dir(StrCat(environment.home, "/.local/state/grove"));
    } else {
      return problems.Add(
          "state_dir",
          "no default, since neither XDG_STATE_HOME nor HOME is set; give --state_dir");
    }
  }
  config->set_state_dir(Absolute(config->state_dir(), environment));
  // Its default would only say again what is wrong with the other.
  if (config->run_dir().empty() && !IsPlainText(config->state_dir())) return;
  if (config->run_dir().empty()) {
    config->set_run_dir(IsSet(environment.runtime_dir) ? StrCat(environment.runtime_dir, "/grove")
                                                       : StrCat(config->state_dir(), "/run"));
  }
  config->set_run_dir(Absolute(config->run_dir(), environment));
  const std::string longest_socket_name = StrCat("/worker-", kWorkersMax - 1, ".backdoor");
  const size_t room = SocketAddress::kUnixPathMax - longest_socket_name.size();
  if (config->run_dir().size() <= room) return;
  problems.Add(
      origin.count("run_dir") > 0 ? "--run_dir" : "run_dir",
      StrCat("'", config->run_dir(), "' has ", config->run_dir().size(), " bytes, and at most ",
             room, " leave room for the workers' UNIX sockets; give a shorter --run_dir"));
}

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

Environment Environment::OfThisProcess() {
  Environment environment;
  environment.home = Variable("HOME");
  environment.state_home = Variable("XDG_STATE_HOME");
  environment.runtime_dir = Variable("XDG_RUNTIME_DIR");
  std::error_code ignored;  // A deleted working directory matters only to relative ones.
  environment.working_directory = std::filesystem::current_path(ignored).string();
  if (environment.working_directory.empty()) environment.working_directory = "/";
  environment.cpus = CpuAllowance::OfThisProcess().cpus;
  environment.memory_bytes = MemoryAllowance::OfThisProcess().bytes;
  return environment;
}

Config Resolve(const DaemonFlags& flags, const Config& file, const Environment& environment,
               Problems* problems) {
  Config config = file;
  UngatherHttpListeners(config.mutable_http());
  FlagOfKey origin;
  ApplyFlags(flags, &origin, &config, *problems);
  if (config.http().listeners().empty()) {
    FillText("http.listen", config.mutable_http()->mutable_listen());
  }
  FillText("control.listen", config.mutable_control()->mutable_listen());
  FillText("admin.listen", config.mutable_admin()->mutable_listen());
  FillLog(origin, config.mutable_log(), *problems);
  FillDirectories(environment, origin, &config, *problems);
  FindOrAdd(kDefaultName, config.mutable_tenants());
  for (Tenant& tenant : *config.mutable_tenants()) FillTenant(&tenant);
  FillFields("", &config, *problems);
  // What says the default is as what says nothing: a reload sees no change between the two.
  FillText("audit.file", config.mutable_audit()->mutable_file());
  for (config::v1::HttpListener& listener : *config.mutable_http()->mutable_listeners()) {
    if (!listener.has_tls()) continue;
    FillText("http.listeners[].tls.version_min", listener.mutable_tls()->mutable_version_min());
  }
  if (config.workers() == 0) {
    const int64_t most = FindSchemaRow("workers")->max;
    config.set_workers(static_cast<int32_t>(std::clamp<int64_t>(environment.cpus, 1, most)));
  }
  if (config.tasks().memory_max_bytes() == 0) {
    const int64_t share = environment.memory_bytes / kTasksShareOfMemory;
    config.mutable_tasks()->set_memory_max_bytes(
        std::clamp<int64_t>(share, FindSchemaRow("tasks.memory_max_bytes")->min, kTasksMemoryMost));
  }
  ValidateConfig(origin, &config, problems);
  GatherHttpListeners(config.mutable_http());
  return config;
}

absl::StatusOr<Config> Resolve(const DaemonFlags& flags, const Config& file,
                               const Environment& environment) {
  Problems problems;
  Config config = Resolve(flags, file, environment, &problems);
  if (!problems.empty()) return problems.ToStatus();
  return config;
}

std::vector<std::string> KeysOfFlags(const DaemonFlags& flags) {
  std::vector<std::string> keys;
  const auto add = [&keys](const auto& flag, const char* key) {
    if (flag.has_value()) keys.emplace_back(key);
  };
  add(flags.http, "http.listen");
  add(flags.control, "control.listen");
  add(flags.admin, "admin.listen");
  add(flags.workers, "workers");
  add(flags.state_dir, "state_dir");
  add(flags.run_dir, "run_dir");
  add(flags.log_format, "log.format");
  add(flags.log_level, "log.level");
  add(flags.drain_timeout_ms, "drain_timeout_ms");
  return keys;
}

bool IsSwitch(const google::protobuf::Descriptor& type) {
  return &type == config::v1::Tls::descriptor() || &type == config::v1::ControlTls::descriptor() ||
         &type == config::v1::HttpTls::descriptor() ||
         &type == config::v1::ProxyProtocol::descriptor() ||
         &type == config::v1::WebSocket::descriptor() || &type == config::v1::Quotas::descriptor();
}

absl::StatusOr<Config> Resolve(const DaemonFlags& flags, const Config& file) {
  return Resolve(flags, file, Environment::OfThisProcess());
}

}  // namespace grove::config
