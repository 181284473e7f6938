#include "server/supervisor/takeover.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <optional>
#include <string_view>
#include <utility>

#include "runtime/switch/abseil_text.h"
#include "server/log.h"
#include "server/process/exit_code.h"
#include "server/supervisor/handover.h"
#include "server/supervisor/program_version.h"
#include "server/version.h"

namespace grove::supervisor {
namespace {

using internal::v1::SupervisorHandover;

// A directory is locked, and its paths are known to every child.
absl::Status CheckSame(std::string_view key, const std::string& before, const std::string& now) {
  if (before == now) return absl::OkStatus();
  return absl::FailedPreconditionError(StrCat(key, " was ", before, " and is ", now,
                                              " now: that needs a restart instead of an upgrade"));
}

// An open executable is known to ps(1) by the number of its descriptor.
void NameAfter(const std::string& program) {
  prctl(PR_SET_NAME, program.substr(program.rfind('/') + 1).c_str(), 0, 0, 0);
}

}  // namespace

absl::StatusOr<Takeover> ReadTakeover(int& argc, char** argv) {
  Takeover takeover;
  const std::optional<HandoverSource> source = TakeHandoverSource(argc, argv);
  if (!source) return takeover;
  absl::StatusOr<SupervisorHandover> record = ReadHandover(source->fd);
  if (!record.ok()) return record.status();
  takeover.record = *std::move(record);
  if (source->trial) {
    takeover.kind = Takeover::Kind::kTrial;
    return takeover;
  }
  close(source->fd);
  const bool went_back = !takeover.record.failure().empty();
  takeover.kind = went_back ? Takeover::Kind::kWentBack : Takeover::Kind::kUpgrade;
  NameAfter(went_back ? takeover.record.program() : takeover.record.next_program());
  return takeover;
}

absl::Status CheckTakeover(const SupervisorHandover& record, const config::v1::Config& config,
                           const std::string& control_binary) {
  for (const absl::Status& same :
       {CheckSame("state_dir", record.config().state_dir(), config.state_dir()),
        CheckSame("run_dir", record.config().run_dir(), config.run_dir())}) {
    if (!same.ok()) return same;
  }
  absl::StatusOr<std::string> version = AskVersion(control_binary);
  if (!version.ok()) return version.status();
  const std::string wanted = StrCat("grove-control (grove ", kVersion, ")");
  if (*version == wanted) return absl::OkStatus();
  return absl::FailedPreconditionError(StrCat(control_binary, " is \"", *version,
                                              "\", and this program needs \"", wanted,
                                              "\": install both of one build"));
}

int GoBack(SupervisorHandover record, const absl::Status& why) {
  Log(LogLevel::kError, "the new program cannot take over: going back to the one before",
      {{"error", why.message()}});
  FlushLog();
  absl::Status failed = why;
  if (record.failure().empty()) {
    record.set_failure(std::string(why.message()));
    failed = GoOnAs(record.program(), record.program_fd(), record);
  }
  Log(LogLevel::kError, "cannot go back either: the daemon ends", {{"error", failed.message()}});
  FlushLog();
  return process::kExitCrash;
}

}  // namespace grove::supervisor
