#include "server/worker/worker.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/hub/hub.h"
#include "runtime/watch/watchdog.h"
#include "server/access_log/access_log_file.h"
#include "server/functions/fetch.h"
#include "server/hub_watch.h"
#include "server/log.h"
#include "server/process/crash_report.h"
#include "server/process/exit_code.h"
#include "server/process/signals.h"
#include "server/recent_lines.h"
#include "server/worker/access_log_config.h"
#include "server/worker/options.h"
#include "server/worker/stall_log.h"
#include "server/worker/worker_parts.h"

namespace grove::worker {
namespace {

// For the last lines of the access log, once the drain is over; below the supervisor's grace.
constexpr absl::Duration kLastLines = absl::Seconds(1);

// Blocks what a fiber waits for, and what only the supervisor acts on. First of all: threads
// started later inherit it, and a signal that came to one of them would end the worker. The
// supervisor's SIGCHLD, on the other hand, is not the worker's.
void BlockSignals() {
  const sigset_t blocked = process::MaskOf(process::WithSignalsOfNoUse({}));
  sigprocmask(SIG_SETMASK, &blocked, nullptr);
}

absl::Status Boot(const process::WorkerInheritance& inheritance, const config::v1::Config& config,
                  const Application& application, metrics::Scoreboard& scoreboard) {
  BlockSignals();
  metrics::WorkerSlot& slot = scoreboard.slot(inheritance.slot);
  absl::StatusOr<functions::FetchPolicy> policy =
      functions::FetchPolicy::FromConfig(config.fetch());
  if (!policy.ok()) return policy.status();
  absl::StatusOr<std::unique_ptr<functions::FetchClient>> fetch =
      functions::FetchClient::Create(*std::move(policy));
  if (!fetch.ok()) return fetch.status();
  absl::StatusOr<std::unique_ptr<access_log::AccessLogFile>> access_log =
      OpenAccessLog(config.http().access_log());
  if (!access_log.ok()) return access_log.status();
  absl::StatusOr<std::unique_ptr<Hub>> hub = Hub::Create(HubOptionsOf(config.runtime()));
  if (!hub.ok()) return hub.status();
  metrics::RecentStalls& stalls = scoreboard.recent(inheritance.slot).stalls;
  Watchdog watchdog(**hub, {.threshold = absl::Milliseconds(config.runtime().stall_report_ms()),
                            .on_stall =
                                [&](const StallReport& report) {
                                  PublishStalls(watchdog.stats(), slot.live);
                                  LogStall(report);
                                  RecordStall(report, stalls);
                                },
                            .on_end =
                                [&](const StallEnd& end) {
                                  LogStallEnd(end);
                                  RecordStallEnd(end, stalls);
                                }});
  WorkerParts worker(inheritance, config, application, scoreboard, *std::move(fetch),
                     access_log->get(), watchdog);
  absl::Status status = watchdog.Start();
  if (status.ok()) status = (*hub)->Run([&]() -> absl::Status { return worker.Run(); });
  watchdog.Stop();
  worker.StopThreads();
  if (*access_log != nullptr) (*access_log)->writer().Stop(kLastLines);
  return status;
}

}  // namespace

int RunWorker(const process::WorkerInheritance& inheritance, const config::v1::Config& config,
              const Application& application, metrics::Scoreboard& scoreboard) {
  RenameLog(inheritance.stand_in ? "stand-in" : absl::StrCat("worker-", inheritance.slot));
  const KeptRecentLog recent_log(scoreboard.recent(inheritance.slot).log);
  StartLogThread();
  process::InstallCrashReport();
  // The supervisor's other children are no ancestors: where Yama guards processes, control may read
  // this one's fibers from outside (runtime/watch/outside_fibers.h) only if it says so.
  prctl(PR_SET_PTRACER, getppid(), 0, 0, 0);
  const absl::Status status = Boot(inheritance, config, application, scoreboard);
  if (!status.ok()) Log(LogLevel::kError, "the worker fails", {{"error", status.ToString()}});
  FlushLog();
  return status.ok() ? process::kExitStopped : process::kExitCrash;
}

}  // namespace grove::worker
