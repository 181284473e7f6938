// Hooks: the application's part of a worker's beginning, of its end, and of what a reload changes.
//
// Each hook runs on a fiber of its own, so that an exception ends it alone, and is bounded in time:
// first by failed parks, then by its fiber's cancellation; one that still goes on is left behind.
// One that computes and never parks is the watchdog's and the supervisor's to end. Hub thread only.
#ifndef GROVE_SERVER_WORKER_HOOKS_H_
#define GROVE_SERVER_WORKER_HOOKS_H_

#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/application.h"
#include "server/worker/attempts.h"

namespace grove::worker {

// Of the stop hooks, however late it is; below the supervisor's grace.
inline constexpr absl::Duration kStopHooksMin = absl::Seconds(1);

class Hooks {
 public:
  // All must outlive it. `settings` are those that `services` show.
  Hooks(const Application& application, WorkerServices& services, Settings& settings)
      : application_(application), services_(services), settings_(settings) {}
  Hooks(const Hooks&) = delete;
  Hooks& operator=(const Hooks&) = delete;

  // The start hooks, then the functions of those in `functions` that have factories. The first that
  // fails is named. **Parks.**
  absl::Status Start(Attempts::Functions& functions);
  // The stop hooks, the last one first, if Start() has gone well. **Parks.**
  void Stop(absl::Duration left);
  // Asks the reload hooks whether `now` may be in force, and has it be so. An error: it is not, and
  // hooks that had accepted are asked about the next one however alike it is. **Parks.**
  absl::Status Reload(const Settings& now);

 private:
  // Of the hook `what` ("start hook \"database\""). **Parks.**
  absl::Status Run(const std::string& what, absl::Duration timeout,
                   absl::AnyInvocable<absl::Status()> body);

  const Application& application_;
  WorkerServices& services_;
  Settings& settings_;
  bool started_ = false;
  bool torn_ = false;  // some hooks have accepted what is not in force
};

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_HOOKS_H_
