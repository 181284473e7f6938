#include "server/worker/periodic.h"

#include <utility>

#include "runtime/hub/hub.h"
#include "server/log.h"

namespace grove::worker {
namespace {

LoopOptions OptionsOf(const Application::Periodic& entry) {
  LoopOptions options{.name = entry.name, .failure = LoopOptions::Failure::kIsReported};
  options.report_failure = [&entry](const absl::Status& failure) {
    // The worker's end, not the work's failure.
    if (Hub::Current()->interruption() != Wake::kReady) return;
    Log(LogLevel::kError, "periodic work failed",
        {{"name", entry.name}, {"error", failure.ToString()}});
  };
  // A run may take longer than its interval: that costs beats and is no news.
  options.report_overrun = [](absl::Duration, int64_t) {};
  return options;
}

}  // namespace

absl::Status PeriodicWork::Start() {
  for (const Application::Periodic& entry : entries_) {
    if (entry.scope == Application::PeriodicScope::kOneWorker && services_.worker != 0) continue;
    const absl::Duration interval = entry.interval();
    std::unique_ptr<LoopingCall> loop(new LoopingCall(LoopingCall::FixedInterval(
        interval, [this, &entry] { return RunOnce(entry); }, OptionsOf(entry))));
    if (absl::Status started = loop->Start(interval); !started.ok()) return started;
    loops_.push_back(std::move(loop));
  }
  return absl::OkStatus();
}

absl::StatusOr<LoopStep> PeriodicWork::RunOnce(const Application::Periodic& entry) {
  auto run = Spawn(entry.name, [this, &entry] { return entry.body(services_); });
  absl::Status status = run.ok() ? run->Join() : run.status();
  if (!status.ok()) return status;
  return LoopStep::kContinue;
}

absl::Status PeriodicWork::Stop() {
  for (const auto& loop : loops_) loop->Stop();
  for (const auto& loop : loops_) {
    absl::Status status = loop->Wait();
    if (loop->running()) return status;
  }
  return absl::OkStatus();
}

}  // namespace grove::worker
