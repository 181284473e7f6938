#include "server/config/resolve.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "runtime/io/socket_address.h"
#include "runtime/switch/abseil_text.h"
#include "server/config/cpu_allowance.h"
#include "server/config/http_listeners.h"
#include "server/config/limits.h"
#include "server/config/memory_allowance.h"
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

absl::Status Wrong(std::string_view where, std::string_view what) {
  return absl::InvalidArgumentError(StrCat(where, ": ", what));
}

absl::Status CheckRange(std::string_view where, int64_t number, const SchemaRow& row) {
  if (number >= row.min && number <= row.max) return absl::OkStatus();
  return Wrong(where, StrCat(number, " is not within ", row.min, " to ", row.max));
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

absl::Status ApplyFlags(const DaemonFlags& flags, FlagOfKey* origin, Config* config) {
  ApplyTexts(flags, origin, config);
  if (flags.workers.has_value()) {
    absl::Status s = CheckRange("--workers", *flags.workers, *FindSchemaRow("workers"));
    if (!s.ok()) return s;
    config->set_workers(static_cast<int32_t>(*flags.workers));
  }
  if (flags.drain_timeout_ms.has_value()) {
    absl::Status s = CheckRange("--drain_timeout_ms", *flags.drain_timeout_ms,
                                *FindSchemaRow("drain_timeout_ms"));
    if (!s.ok()) return s;
    config->set_drain_timeout_ms(*flags.drain_timeout_ms);
  }
  if (flags.log_format.has_value()) {
    const std::string format = absl::AsciiStrToLower(*flags.log_format);
    if (format != "text" && format != "json") {
      return Wrong("--log_format", StrCat("'", *flags.log_format, "': want text or json"));
    }
    config->mutable_log()->set_format(format == "json" ? config::v1::Log::FORMAT_JSON
                                                       : config::v1::Log::FORMAT_TEXT);
  }
  if (flags.insecure) {
    config->mutable_http()->set_insecure(true);
    config->mutable_control()->set_insecure(true);
    config->mutable_admin()->set_insecure(true);
  }
  return absl::OkStatus();
}

absl::Status CheckTexts(const Message& message, const FieldDescriptor& field,
                        const std::string& key) {
  const auto& reflection = *message.GetReflection();
  const int count = field.is_repeated() ? reflection.FieldSize(message, &field) : 1;
  for (int i = 0; i < count; ++i) {
    const std::string text = field.is_repeated() ? reflection.GetRepeatedString(message, &field, i)
                                                 : reflection.GetString(message, &field);
    if (!IsPlainText(text)) return Wrong(key, "want UTF-8 without control characters");
  }
  return absl::OkStatus();
}

absl::Status FillInteger(const FieldDescriptor& field, const std::string& key, Message* message) {
  const auto& reflection = *message->GetReflection();
  const SchemaRow* row = FindSchemaRow(key);
  if (row == nullptr) return absl::InternalError(StrCat("no schema row for ", key));
  const bool is_32 = field.cpp_type() == FieldDescriptor::CPPTYPE_INT32;
  const int64_t number =
      is_32 ? reflection.GetInt32(*message, &field) : reflection.GetInt64(*message, &field);
  const bool is_given =
      number != 0 || (field.has_presence() && reflection.HasField(*message, &field));
  if (is_given) return CheckRange(key, number, *row);
  if (is_32) {
    reflection.SetInt32(message, &field, static_cast<int32_t>(row->default_value));
  } else {
    reflection.SetInt64(message, &field, row->default_value);
  }
  return absl::OkStatus();
}

// Every number of `message` and below: its default where it is 0, else checked. Every text:
// checked.
absl::Status FillFields(const std::string& prefix, Message* message) {
  const auto& reflection = *message->GetReflection();
  for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *message->GetDescriptor()->field(i);
    const std::string key = StrCat(prefix, field.name());
    // Filling in one would drop the other.
    if (field.real_containing_oneof() != nullptr && !reflection.HasField(*message, &field))
      continue;
    absl::Status s;
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      s = CheckTexts(*message, field, key);
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_INT32 ||
               field.cpp_type() == FieldDescriptor::CPPTYPE_INT64) {
      s = FillInteger(field, key, message);
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && field.is_repeated()) {
      for (int j = 0; j < reflection.FieldSize(*message, &field) && s.ok(); ++j) {
        s = FillFields(StrCat(key, "[", j, "]."),
                       reflection.MutableRepeatedMessage(message, &field, j));
      }
    } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      if (IsSwitch(*field.message_type()) && !reflection.HasField(*message, &field)) continue;
      s = FillFields(key + ".", reflection.MutableMessage(message, &field));
    }
    if (!s.ok()) return s;
  }
  return absl::OkStatus();
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

absl::Status FillLog(const FlagOfKey& origin, config::v1::Log* log) {
  if (log->format() == config::v1::Log::FORMAT_UNSPECIFIED) {
    log->set_format(config::v1::Log::FORMAT_TEXT);
  }
  FillText("log.level", log->mutable_level());
  const std::string level = absl::AsciiStrToLower(log->level());
  if (std::find(std::begin(kLevels), std::end(kLevels), level) == std::end(kLevels)) {
    const bool by_flag = origin.count("log.level") > 0;
    return Wrong(by_flag ? "--log_level" : "log.level",
                 StrCat("'", log->level(), "': want debug, info, warning or error"));
  }
  log->set_level(level);
  return absl::OkStatus();
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

absl::Status FillDirectories(const Environment& environment, const FlagOfKey& origin,
                             Config* config) {
  if (config->state_dir().empty()) {
    if (IsSet(environment.state_home)) {
      config->set_state_dir(StrCat(environment.state_home, "/grove"));
    } else if (IsSet(environment.home)) {
      config->set_state_dir(StrCat(environment.home, "/.local/state/grove"));
    } else {
      return Wrong("state_dir",
                   "no default, since neither XDG_STATE_HOME nor HOME is set; give --state_dir");
    }
  }
  config->set_state_dir(Absolute(config->state_dir(), environment));
  if (config->run_dir().empty()) {
    config->set_run_dir(IsSet(environment.runtime_dir) ? StrCat(environment.runtime_dir, "/grove")
                                                       : StrCat(config->state_dir(), "/run"));
  }
  config->set_run_dir(Absolute(config->run_dir(), environment));
  const std::string longest_socket_name = StrCat("/worker-", kWorkersMax - 1, ".backdoor");
  const size_t room = SocketAddress::kUnixPathMax - longest_socket_name.size();
  if (config->run_dir().size() <= room) return absl::OkStatus();
  return Wrong(
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

absl::StatusOr<Config> Resolve(const DaemonFlags& flags, const Config& file,
                               const Environment& environment) {
  Config config = file;
  UngatherHttpListeners(config.mutable_http());
  FlagOfKey origin;
  if (absl::Status s = ApplyFlags(flags, &origin, &config); !s.ok()) return s;
  if (config.http().listeners().empty()) {
    FillText("http.listen", config.mutable_http()->mutable_listen());
  }
  FillText("control.listen", config.mutable_control()->mutable_listen());
  FillText("admin.listen", config.mutable_admin()->mutable_listen());
  if (absl::Status s = FillLog(origin, config.mutable_log()); !s.ok()) return s;
  if (absl::Status s = FillDirectories(environment, origin, &config); !s.ok()) return s;
  FindOrAdd(kDefaultName, config.mutable_tenants());
  for (Tenant& tenant : *config.mutable_tenants()) FillTenant(&tenant);
  if (absl::Status s = FillFields("", &config); !s.ok()) return s;
  if (config.workers() == 0) {
    const int64_t most = FindSchemaRow("workers")->max;
    config.set_workers(static_cast<int32_t>(std::clamp<int64_t>(environment.cpus, 1, most)));
  }
  if (config.tasks().memory_max_bytes() == 0) {
    const int64_t share = environment.memory_bytes / kTasksShareOfMemory;
    config.mutable_tasks()->set_memory_max_bytes(
        std::clamp<int64_t>(share, FindSchemaRow("tasks.memory_max_bytes")->min, kTasksMemoryMost));
  }
  if (absl::Status s = ValidateConfig(origin, &config); !s.ok()) return s;
  GatherHttpListeners(config.mutable_http());
  return config;
}

bool IsSwitch(const google::protobuf::Descriptor& type) {
  return &type == config::v1::Tls::descriptor() || &type == config::v1::HttpTls::descriptor() ||
         &type == config::v1::ProxyProtocol::descriptor() ||
         &type == config::v1::WebSocket::descriptor();
}

absl::StatusOr<Config> Resolve(const DaemonFlags& flags, const Config& file) {
  return Resolve(flags, file, Environment::OfThisProcess());
}

}  // namespace grove::config
