// The order of a start, and why it is that one.
//
// Flags that only print come first: they need no config. Then the config is read, resolved and held
// against the application whole, and what every worker would make of it (routes, certificates) is
// made once and dropped: what could not serve ends here with exit code 2 and a line for each thing
// that is wrong, for whoever typed the command, and --check is the same road to its end. Only then
// does the log begin, and the process change: the limit of descriptors and the room for titles are
// inherited by every worker, so both come before the first fork. No thread may be started on the
// way, for the supervisor forks (invariant 1).
#include "server/main.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "server/config/cpu_allowance.h"
#include "server/config/flags.h"
#include "server/config/schema.h"
#include "server/daemon_config.h"
#include "server/process/exit_code.h"
#include "server/process/log_setup.h"
#include "server/process/process_title.h"
#include "server/supervisor/control_binary.h"
#include "server/supervisor/supervisor.h"
#include "server/version.h"
#include "server/worker/worker.h"

namespace grove {
namespace {

// Enough for every limit at its largest; a hard limit beyond costs the kernel memory.
constexpr rlim_t kDescriptorsMax = 1 << 20;

// A line for each thing that is wrong.
int BadConfig(const std::string& program, const absl::Status& status) {
  for (const auto line : absl::StrSplit(status.message(), '\n')) {
    absl::FPrintF(stderr, "%s: %s\n", program, line);
  }
  return process::kExitBadConfig;
}

supervisor::LoadedConfig ForSupervisor(DaemonConfig loaded) {
  return {.config = std::move(loaded.config),
          .references = std::move(loaded.references),
          .files = std::move(loaded.files)};
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
  absl::StatusOr<DaemonConfig> loaded = LoadDaemonConfig(*flags, application);
  if (!loaded.ok()) return BadConfig(program, loaded.status());
  if (flags->check) {
    for (const std::string& warning : loaded->warnings) {
      absl::FPrintF(stderr, "%s: warning: %s\n", program, warning);
    }
    return Print(absl::StrCat(program, ": the configuration is good\n"));
  }
  const config::v1::Config& config = loaded->config;
  const char* search_path = getenv("PATH");
  absl::StatusOr<std::string> control = supervisor::FindControlBinary(
      flags->control_binary, OwnPath(), search_path != nullptr ? search_path : "");
  if (!control.ok()) return BadConfig(program, control.status());

  process::SetUpLogAs(program, config.log());
  for (const std::string& warning : loaded->warnings) {
    Log(LogLevel::kWarning, "odd configuration", {{"warning", warning}});
  }
  RaiseDescriptorLimit();
  const config::CpuAllowance cpus = config::CpuAllowance::OfThisProcess();
  Log(LogLevel::kInfo, "CPUs for the workers", {{"cpus", cpus.cpus}, {"by", cpus.source}});
  process::ProcessTitle title(argc, argv);
  const supervisor::LoadedConfig in_file = ForSupervisor(*loaded);
  const int code = supervisor::Supervisor::Run(
      {.config = in_file,
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
         absl::StatusOr<DaemonConfig> read = LoadDaemonConfig(again, application);
         if (!read.ok()) return read.status();
         return ForSupervisor(*std::move(read));
       }});
  FlushLog();
  return code;
}

}  // namespace grove
