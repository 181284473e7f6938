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
#include "server/metrics/own_series.h"
#include "server/process/exit_code.h"
#include "server/process/log_setup.h"
#include "server/process/process_title.h"
#include "server/supervisor/control_binary.h"
#include "server/supervisor/handover.h"
#include "server/supervisor/program.h"
#include "server/supervisor/supervisor.h"
#include "server/supervisor/takeover.h"
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

// Of a program that went back to it.
DaemonConfig ConfigBefore(const internal::v1::SupervisorHandover& record) {
  return {.config = record.config(),
          .references = {record.config_references().begin(), record.config_references().end()},
          .files = {record.config_files().begin(), record.config_files().end()}};
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

std::string SearchPath() {
  const char* path = getenv("PATH");
  return path != nullptr ? path : "";
}

// `self` is this process's executable. One that went back has what it had.
supervisor::Program ProgramOf(const supervisor::Takeover& takeover, const std::string& self,
                              const std::vector<std::string>& arguments,
                              const std::string& control) {
  supervisor::Program program{.path = takeover.record.next_program(), .arguments = arguments};
  program.open = supervisor::OpenProgram("/proc/self/exe");
  program.control_path = control;
  if (takeover.kind == supervisor::Takeover::Kind::kWentBack) {
    program.path = takeover.record.program();
    program.control = supervisor::OpenProgram::Of(takeover.record.control_program_fd());
    return program;
  }
  program.control = supervisor::OpenProgram(control);
  if (!takeover.follows()) {
    program.path =
        supervisor::ProgramPath(arguments.empty() ? "" : arguments[0], SearchPath(), self);
  }
  return program;
}

absl::StatusOr<std::string> ControlOf(const supervisor::Takeover& takeover,
                                      const config::DaemonFlags& flags) {
  if (takeover.kind == supervisor::Takeover::Kind::kWentBack) {
    return takeover.record.control_program();
  }
  return supervisor::FindControlBinary(flags.control_binary, OwnPath(), SearchPath());
}

// The rest of --check for a program that is to go on as a daemon that runs.
int FinishTrial(const std::string& program, const supervisor::Takeover& takeover,
                const config::v1::Config& config, const config::DaemonFlags& flags) {
  const absl::StatusOr<std::string> control = ControlOf(takeover, flags);
  const absl::Status status = control.ok()
                                  ? supervisor::CheckTakeover(takeover.record, config, *control)
                                  : control.status();
  if (!status.ok()) return BadConfig(program, status);
  return Print(std::string(supervisor::kTrialPassed));
}

// What --help prints.
std::string Usage(const Application& application) {
  std::string usage = config::FlagsUsage(application.name());
  const std::string settings = application.settings().Usage("  ");
  if (!settings.empty()) {
    absl::StrAppend(&usage, "\nKeys of the config file below `application:`:\n", settings);
  }
  for (const auto& [name, entry] : application.middleware()) {
    absl::StrAppend(&usage, "\nMiddleware `- own: {name: ", name, "}`, its options:\n",
                    entry.options.rows().empty() ? "  none\n" : entry.options.Usage("  "));
  }
  return usage;
}

void PrepareBoard(const Application& application, metrics::Scoreboard& board) {
  if (metrics::DeclareOwnMetrics(application.metrics(), board.series().own)) return;
  Log(LogLevel::kWarning,
      "no room for all metrics of the application; a restart forgets those of programs before");
}

}  // namespace

int Main(int argc, char** argv, Application& application) {
  FillStandardDescriptors();
  const std::string& program = application.name();
  absl::StatusOr<supervisor::Takeover> takeover = supervisor::ReadTakeover(argc, argv);
  if (!takeover.ok()) return BadConfig(program, takeover.status());
  // Before titles are written over them.
  const std::vector<std::string> arguments(argv, argv + argc);
  const auto fail = [&](const absl::Status& status) {
    return takeover->follows() ? supervisor::GoBack(takeover->record, status)
                               : BadConfig(program, status);
  };
  absl::StatusOr<config::DaemonFlags> flags = config::ParseFlags(argc, argv);
  if (!flags.ok()) return fail(flags.status());
  if (flags->help) return Print(Usage(application));
  if (flags->help_config) return Print(config::FormatSchema());
  if (flags->version) return Print(absl::StrFormat("%s (grove %s)\n", program, kVersion));
  // What it served with before is what it goes on with, whatever the files hold by now.
  absl::StatusOr<DaemonConfig> loaded =
      takeover->kind == supervisor::Takeover::Kind::kWentBack
          ? absl::StatusOr<DaemonConfig>(ConfigBefore(takeover->record))
          : LoadDaemonConfig(*flags, application);
  if (!loaded.ok()) return fail(loaded.status());
  if (takeover->kind == supervisor::Takeover::Kind::kTrial) {
    return FinishTrial(program, *takeover, loaded->config, *flags);
  }
  if (flags->check) {
    for (const std::string& warning : loaded->warnings) {
      absl::FPrintF(stderr, "%s: warning: %s\n", program, warning);
    }
    return Print(absl::StrCat(program, ": the configuration is good\n"));
  }
  const config::v1::Config& config = loaded->config;
  absl::StatusOr<std::string> control = ControlOf(*takeover, *flags);
  if (!control.ok()) return fail(control.status());
  supervisor::Program self = ProgramOf(*takeover, OwnPath(), arguments, *control);

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
       .program = self,
       .takeover = *takeover,
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
       },
       .prepare_scoreboard =
           [&](metrics::Scoreboard& board) { PrepareBoard(application, board); }});
  FlushLog();
  return code;
}

}  // namespace grove
