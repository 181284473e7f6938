// The order of a start, and why it is that one.
//
// Flags that only print come first: they need no config. Then the config is read, resolved and held
// against the application whole, and what every worker would make of it (routes, certificates) is
// made once and dropped: what could not serve ends here with exit code 2 and one line for whoever
// typed the command, and --check is the same road to its end. Only then does the log begin, and the
// process change: the limit of descriptors and the room for titles are inherited by every worker,
// so both come before the first fork. No thread may be started on the way, for the supervisor forks
// (invariant 1).
#include "server/main.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/access_log/access_log_file.h"
#include "server/config/cpu_allowance.h"
#include "server/config/flags.h"
#include "server/config/load.h"
#include "server/config/near_match.h"
#include "server/config/resolve.h"
#include "server/config/schema.h"
#include "server/process/exit_code.h"
#include "server/process/log_setup.h"
#include "server/process/process_title.h"
#include "server/supervisor/control_binary.h"
#include "server/supervisor/supervisor.h"
#include "server/version.h"
#include "server/worker/ingresses.h"
#include "server/worker/routes.h"
#include "server/worker/worker.h"

namespace grove {
namespace {

// Enough for every limit at its largest; a hard limit beyond costs the kernel memory.
constexpr rlim_t kDescriptorsMax = 1 << 20;

int BadConfig(const std::string& program, const absl::Status& status) {
  absl::FPrintF(stderr, "%s: %s\n", program, status.message());
  return process::kExitBadConfig;
}

absl::Status CheckFolder(const config::v1::Route& route, bool wanted) {
  if (!wanted && route.folder().empty()) return absl::OkStatus();
  if (!wanted) {
    return absl::InvalidArgumentError(
        absl::StrCat("the handler \"", route.function(), "\" takes none"));
  }
  if (route.folder().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the handler \"", route.function(), "\" needs one"));
  }
  std::error_code error;
  if (std::filesystem::is_directory(route.folder(), error)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("'", route.folder(), "' is no folder"));
}

// Folders stand relative to the config file, wherever the daemon was started.
void AnchorFolders(const std::string& config_file, config::v1::Config& config) {
  std::error_code error;
  const std::filesystem::path base = std::filesystem::absolute(config_file, error).parent_path();
  for (config::v1::Route& route : *config.mutable_http()->mutable_routes()) {
    if (!route.folder().empty()) {
      route.set_folder((base / route.folder()).lexically_normal().string());
    }
  }
  const std::string& log = config.http().access_log().file();
  if (log.empty() || log == "-") return;
  const std::string anchored = (base / log).lexically_normal().string();
  config.mutable_http()->mutable_access_log()->set_file(anchored);
}

// Whether workers will be able to make the file, as far as that can be told without making it.
absl::Status CheckAccessLog(const config::v1::AccessLog& config) {
  if (absl::StatusOr<access_log::AccessFormat> format = access_log::AccessFormatOf(config);
      !format.ok()) {
    return format.status();
  }
  if (config.file().empty() || config.file() == "-") return absl::OkStatus();
  const std::filesystem::path path(config.file());
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return absl::InvalidArgumentError(
        absl::StrCat("http.access_log.file: '", config.file(), "' is a folder"));
  }
  if (std::filesystem::is_directory(path.parent_path(), error)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("http.access_log.file: '", path.parent_path().string(), "' is no folder"));
}

// Whether the config's routes name handlers that the application has, and folders for those that
// serve one.
absl::Status CheckRoutes(const config::v1::Config& config, const Application& application) {
  std::vector<std::string> names;
  for (const auto& [name, factory] : application.handlers()) names.push_back(name);
  for (const auto& [name, factory] : application.folder_handlers()) names.push_back(name);
  for (const auto& [name, entry] : application.websockets()) names.push_back(name);
  for (int index = 0; index < config.http().routes_size(); ++index) {
    const std::string& name = config.http().routes(index).function();
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      absl::Status folder =
          CheckFolder(config.http().routes(index), application.folder_handlers().contains(name));
      if (!folder.ok()) {
        return absl::InvalidArgumentError(
            absl::StrCat("http.routes[", index, "].folder: ", folder.message()));
      }
      if (!config.http().routes(index).has_websocket() || application.websockets().contains(name)) {
        continue;
      }
      return absl::InvalidArgumentError(absl::StrCat(
          "http.routes[", index, "].websocket: the handler \"", name, "\" is no WebSocket's"));
    }
    const std::string near = config::NearMatch(name, names);
    return absl::InvalidArgumentError(
        absl::StrCat("http.routes[", index, "].function: the application has no handler \"", name,
                     "\"", near.empty() ? "" : absl::StrCat("; did you mean \"", near, "\"?")));
  }
  // With handlers that are never called: whether the patterns and chains are right.
  const auto never = [](const auto&...) -> http::Handler {
    return [](http::Request&, http::Response&) { return absl::OkStatus(); };
  };
  return worker::BuildRouter(config, application, {.handler = never, .websocket = never}).status();
}

// Whether certificates and keys are some, and go together.
absl::Status CheckIngresses(const config::v1::Config& config) {
  return worker::Ingresses::Build(config.http(), /*ticket_keys=*/"").status();
}

absl::StatusOr<config::v1::Config> ReadConfig(const config::DaemonFlags& flags,
                                              const Application& application) {
  if (absl::Status status = application.Check(); !status.ok()) return status;
  config::v1::Config file;
  if (!flags.config.empty()) {
    absl::StatusOr<config::v1::Config> loaded = config::LoadConfigFile(flags.config);
    if (!loaded.ok()) return loaded.status();
    file = *std::move(loaded);
    AnchorFolders(flags.config, file);
  }
  absl::StatusOr<config::v1::Config> config = config::Resolve(flags, file);
  if (!config.ok()) return config.status();
  if (absl::Status status = CheckRoutes(*config, application); !status.ok()) return status;
  if (absl::Status status = CheckAccessLog(config->http().access_log()); !status.ok()) {
    return status;
  }
  if (absl::Status status = CheckIngresses(*config); !status.ok()) return status;
  return config;
}

// The usual soft limit of 1024 is for select(2), which nothing here uses; a worker's connections
// need more.
void RaiseDescriptorLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = std::max(limit.rlim_cur, std::min(limit.rlim_max, kDescriptorsMax));
  setrlimit(RLIMIT_NOFILE, &limit);
}

std::string OwnPath() {
  std::string path(4096, '\0');
  const ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
  path.resize(std::max<ssize_t>(length, 0));
  return path;
}

int Print(const std::string& text) {
  return fputs(text.c_str(), stdout) >= 0 && fflush(stdout) == 0 ? process::kExitStopped
                                                                 : process::kExitCrash;
}

// Where whoever starts us has closed one, the next file that is opened would take its place: the
// log would be written into a lock file.
void FillStandardDescriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // The lowest free number is this one.
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0) return;
  }
}

}  // namespace

int Main(int argc, char** argv, Application& application) {
  FillStandardDescriptors();
  const std::string& program = application.name();
  absl::StatusOr<config::DaemonFlags> flags = config::ParseFlags(argc, argv);
  if (!flags.ok()) return BadConfig(program, flags.status());
  if (flags->help) return Print(config::FlagsUsage(program));
  if (flags->help_config) return Print(config::FormatSchema());
  if (flags->version) return Print(absl::StrFormat("%s (grove %s)\n", program, kVersion));
  absl::StatusOr<config::v1::Config> config = ReadConfig(*flags, application);
  if (!config.ok()) return BadConfig(program, config.status());
  if (flags->check) return Print(absl::StrCat(program, ": the configuration is good\n"));
  const char* search_path = getenv("PATH");
  absl::StatusOr<std::string> control = supervisor::FindControlBinary(
      flags->control_binary, OwnPath(), search_path != nullptr ? search_path : "");
  if (!control.ok()) return BadConfig(program, control.status());

  process::SetUpLogAs(program, config->log());
  RaiseDescriptorLimit();
  const config::CpuAllowance cpus = config::CpuAllowance::OfThisProcess();
  Log(LogLevel::kInfo, "CPUs for the workers", {{"cpus", cpus.cpus}, {"by", cpus.source}});
  process::ProcessTitle title(argc, argv);
  const supervisor::LoadedConfig loaded{.config = *config};
  const int code = supervisor::Supervisor::Run(
      {.config = loaded,
       .control_binary = *control,
       .title = title,
       .run_worker =
           [&](const process::WorkerInheritance& inheritance, const config::v1::Config& in_force,
               metrics::Scoreboard& scoreboard) {
             return worker::RunWorker(inheritance, in_force, application, scoreboard);
           },
       .load_config = [&](const std::string& file) -> absl::StatusOr<supervisor::LoadedConfig> {
         config::DaemonFlags again = *flags;
         if (!file.empty()) again.config = file;
         absl::StatusOr<config::v1::Config> read = ReadConfig(again, application);
         if (!read.ok()) return read.status();
         return supervisor::LoadedConfig{.config = *std::move(read)};
       }});
  FlushLog();
  return code;
}

}  // namespace grove
