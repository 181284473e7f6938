#include "server/config/flags.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/reflection.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/types/optional.h"
#include "runtime/switch/abseil_text.h"
#include "server/config/limits.h"
#include "server/config/near_match.h"
#include "server/config/schema.h"

ABSL_FLAG(absl::optional<std::string>, http, absl::nullopt, "HTTP listener");
ABSL_FLAG(absl::optional<std::string>, control, absl::nullopt, "gRPC listener");
ABSL_FLAG(absl::optional<std::string>, admin, absl::nullopt,
          "listener for metrics, health and dashboard");
ABSL_FLAG(absl::optional<int64_t>, workers, absl::nullopt,
          grove::StrCat("worker processes, 1 to ", grove::config::kWorkersMax));
ABSL_FLAG(absl::optional<std::string>, state_dir, absl::nullopt,
          "directory of what survives a restart");
ABSL_FLAG(absl::optional<std::string>, run_dir, absl::nullopt,
          "directory of the workers' UNIX sockets");
ABSL_FLAG(std::string, config, "", "config file, YAML; --help_config lists its keys");
ABSL_FLAG(std::string, control_binary, "", "path of grove-control");
ABSL_FLAG(bool, insecure, false, "listen beyond loopback without TLS and tokens");
ABSL_FLAG(bool, check, false, "check flags and config, and exit: 0 good, 2 bad");
ABSL_FLAG(absl::optional<std::string>, log_format, absl::nullopt, "form of a log line: text, json");
ABSL_FLAG(absl::optional<std::string>, log_level, absl::nullopt,
          "least severity logged: debug, info, warning, error");
ABSL_FLAG(absl::optional<int64_t>, drain_timeout_ms, absl::nullopt,
          "milliseconds to finish requests and tasks after SIGTERM");
ABSL_FLAG(bool, help_config, false, "print the keys of the config file with their defaults");

namespace grove::config {
namespace {

// The order and the words of --help; what a flag does stands at its definition.
struct FlagRow {
  const char* name;
  const char* value;  // nullptr: a switch.
  const char* key;    // in the config, whose default is the flag's; nullptr: `default_text` is.
  const char* default_text = "";
};

constexpr FlagRow kRows[] = {
    {"http", "HOST:PORT|unix:PATH", "http.listen"},
    {"control", "HOST:PORT|unix:PATH", "control.listen"},
    {"admin", "HOST:PORT|unix:PATH", "admin.listen"},
    {"workers", "N", "workers"},
    {"state_dir", "DIR", "state_dir"},
    {"run_dir", "DIR", nullptr, "$XDG_RUNTIME_DIR/grove, else run below the state directory"},
    {"config", "FILE", nullptr, "none"},
    {"control_binary", "FILE", nullptr, "grove-control beside this program"},
    {"insecure", nullptr, nullptr, "off"},
    {"log_format", "FORMAT", "log.format"},
    {"log_level", "LEVEL", "log.level"},
    {"drain_timeout_ms", "MS", "drain_timeout_ms"},
    {"check", nullptr, nullptr, "off"},
    {"help_config", nullptr, nullptr, "off"},
};

std::string DefaultOf(const FlagRow& row) {
  return row.key == nullptr ? row.default_text : FormatDefault(*FindSchemaRow(row.key));
}

bool IsOurs(std::string_view name) {
  return std::any_of(std::begin(kRows), std::end(kRows),
                     [name](const FlagRow& row) { return name == row.name; });
}

// Abseil's own (--flagfile, --helpfull, …) act in absl::ParseCommandLine alone, so here they are
// unknown, not silently without effect.
bool IsAbseils(const absl::CommandLineFlag& flag) {
  return absl::StrContains(flag.Filename(), "absl/flags/");
}

absl::CommandLineFlag* Find(std::string_view name) {
  absl::CommandLineFlag* flag = absl::FindCommandLineFlag(Abseil(name));
  return flag == nullptr || flag->IsRetired() || IsAbseils(*flag) ? nullptr : flag;
}

std::vector<std::string> KnownNames() {
  std::vector<std::string> names = {"help", "version"};
  for (const auto& [name, flag] : absl::GetAllFlags()) {
    if (!flag->IsRetired() && !IsAbseils(*flag)) names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string Shown(std::string_view text) {
  return absl::CHexEscape(Abseil(text));
}

absl::Status UnknownFlag(std::string_view name) {
  const std::string near = NearMatch(name, KnownNames());
  return absl::InvalidArgumentError(
      StrCat("unknown flag --", Shown(name), "; ",
             near.empty() ? "" : StrCat("did you mean --", near, "? "), "--help lists them"));
}

// One argument as a flag; takes the next argument too where that is its value.
absl::Status ParseOne(std::string_view argument, const char* next, bool* took_next) {
  *took_next = false;
  std::string_view name = argument;
  if (!ConsumePrefix(&name, "--")) ConsumePrefix(&name, "-");
  const size_t equals = name.find('=');
  const bool has_value = equals != std::string_view::npos;
  std::string value(has_value ? name.substr(equals + 1) : "");
  name = name.substr(0, equals);

  absl::CommandLineFlag* flag = Find(name);
  if (flag == nullptr && !has_value && name.starts_with("no")) {
    flag = Find(name.substr(2));
    if (flag == nullptr || !flag->IsOfType<bool>()) return UnknownFlag(name);
    value = "false";
  } else if (flag == nullptr) {
    return UnknownFlag(name);
  } else if (!has_value && flag->IsOfType<bool>()) {
    value = "true";
  } else if (!has_value && next != nullptr) {
    value = next;
    *took_next = true;
  } else if (!has_value) {
    return absl::InvalidArgumentError(StrCat("--", name, " needs a value"));
  }
  if (value.empty() && IsOurs(name)) {
    return absl::InvalidArgumentError(
        StrCat("--", name, " has an empty value; leave it out for its default"));
  }
  std::string error;
  if (flag->ParseFrom(value, &error)) return absl::OkStatus();
  // Abseil's text repeats flag and value in three lines; only a reason of the type's own is news.
  return absl::InvalidArgumentError(
      StrCat("--", name, "=", Shown(value), ": no such value for this flag (", flag->Help(), ")"));
}

std::optional<std::string> StdOptional(const absl::optional<std::string>& value) {
  return value.has_value() ? std::optional<std::string>(*value) : std::nullopt;
}

std::optional<int64_t> StdOptional(const absl::optional<int64_t>& value) {
  return value.has_value() ? std::optional<int64_t>(*value) : std::nullopt;
}

DaemonFlags Collected() {
  DaemonFlags flags;
  flags.http = StdOptional(absl::GetFlag(FLAGS_http));
  flags.control = StdOptional(absl::GetFlag(FLAGS_control));
  flags.admin = StdOptional(absl::GetFlag(FLAGS_admin));
  flags.workers = StdOptional(absl::GetFlag(FLAGS_workers));
  flags.state_dir = StdOptional(absl::GetFlag(FLAGS_state_dir));
  flags.run_dir = StdOptional(absl::GetFlag(FLAGS_run_dir));
  flags.log_format = StdOptional(absl::GetFlag(FLAGS_log_format));
  flags.log_level = StdOptional(absl::GetFlag(FLAGS_log_level));
  flags.drain_timeout_ms = StdOptional(absl::GetFlag(FLAGS_drain_timeout_ms));
  flags.insecure = absl::GetFlag(FLAGS_insecure);
  flags.config = absl::GetFlag(FLAGS_config);
  flags.control_binary = absl::GetFlag(FLAGS_control_binary);
  flags.check = absl::GetFlag(FLAGS_check);
  flags.help_config = absl::GetFlag(FLAGS_help_config);
  return flags;
}

void AppendFlag(std::string* out, std::string_view name, const char* value, std::string_view help,
                std::string_view default_text) {
  StrAppend(out, "  --", name, value == nullptr ? "" : "=", value == nullptr ? "" : value,
            "\n      ", help, "\n      default: ", default_text, "\n");
}

}  // namespace

absl::StatusOr<DaemonFlags> ParseFlags(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    // Not ABSL_FLAGs: Abseil's parser defines these names, and an application may link it.
    if (argument == "--help" || argument == "-help" || argument == "-h" ||
        argument == "--version" || argument == "-version") {
      DaemonFlags flags = Collected();
      flags.version = argument.ends_with("version");
      flags.help = !flags.version;
      return flags;
    }
    if (argument == "--" && i + 1 == argc) break;
    if (argument == "--" || argument.size() < 2 || argument[0] != '-') {
      return absl::InvalidArgumentError(StrCat("unexpected argument '",
                                               Shown(argument == "--" ? argv[i + 1] : argument),
                                               "'; only flags are taken, --help lists them"));
    }
    bool took_next = false;
    absl::Status s = ParseOne(argument, i + 1 < argc ? argv[i + 1] : nullptr, &took_next);
    if (!s.ok()) return s;
    if (took_next) ++i;
  }
  return Collected();
}

std::string FlagsUsage(std::string_view program) {
  std::string out = StrCat("Usage: ", program, " [--FLAG=VALUE]...\n\n",
                           "Serves HTTP and runs tasks on green threads. "
                           "A flag beats the config file.\n\nFlags:\n");
  for (const FlagRow& row : kRows) {
    AppendFlag(&out, row.name, row.value, absl::FindCommandLineFlag(row.name)->Help(),
               DefaultOf(row));
  }
  AppendFlag(&out, "help", nullptr, "print this text", "off");
  AppendFlag(&out, "version", nullptr, "print the version", "off");

  std::string theirs;
  for (const std::string& name : KnownNames()) {
    if (IsOurs(name) || name == "help" || name == "version") continue;
    const absl::CommandLineFlag& flag = *absl::FindCommandLineFlag(name);
    AppendFlag(&theirs, name, flag.IsOfType<bool>() ? nullptr : "VALUE", flag.Help(),
               flag.DefaultValue());
  }
  if (!theirs.empty()) StrAppend(&out, "\nFlags of the application:\n", theirs);
  StrAppend(&out,
            "\nExit codes: 0 stopped as asked, 1 crash, 2 bad flags or config, "
            "3 cannot bind, 4 workers fail to boot.\n");
  return out;
}

}  // namespace grove::config
