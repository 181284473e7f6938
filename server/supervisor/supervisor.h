// Supervisor: the parent process, which starts workers and control and keeps them running.
//
// It binds, forks, waits for signals and children, and does nothing else: one thread, no hub, no
// gRPC. What dies is started again when RestartPolicy says so; SIGTERM and SIGINT drain, a second
// one stops at once, SIGHUP replaces the workers one after the other, SIGUSR1 goes on to them. It
// reaps children it does not know, so it can be process 1 of a container. Signal handlers are none:
// signalfd(2) and ppoll(2).
#ifndef GROVE_SERVER_SUPERVISOR_SUPERVISOR_H_
#define GROVE_SERVER_SUPERVISOR_SUPERVISOR_H_

#include <signal.h>

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "grove/config/v1/config.pb.h"
#include "runtime/hub/clock.h"
#include "server/metrics/scoreboard.h"
#include "server/process/control_arguments.h"
#include "server/process/exit_code.h"
#include "server/process/inheritance.h"
#include "server/process/process_title.h"
#include "server/process/ready_line.h"
#include "server/supervisor/endpoints.h"
#include "server/supervisor/policy.h"
#include "server/supervisor/run_files.h"

namespace grove::supervisor {

class Supervisor {
 public:
  struct Options {
    const config::v1::Config& config;  // resolved
    std::string control_binary;
    process::ProcessTitle& title;
    // Runs in the forked worker; its result is the worker's exit code.
    std::function<int(const process::WorkerInheritance&, metrics::Scoreboard&)> run_worker;
    // Whether new workers could serve what the config's files hold now: asked before SIGHUP
    // replaces those that do. No thread may be left of it.
    std::function<absl::Status()> check_files;
  };

  // Serves until stopped; returns the exit code. Says in the log why it is not 0.
  static int Run(const Options& options);

 private:
  static constexpr int kNobody = -1;
  struct Child {
    std::string title;
    int slot = kNobody;  // kNobody: control
    pid_t pid = 0;       // 0: none runs
    process::ReadyLineReader ready_line;
    bool ready = false;
    bool told_to_end = false;
    RestartPolicy policy;
    MonotonicNanos due = 0;           // of the next process, while none runs
    MonotonicNanos kill_at = kNever;  // once told to end
  };

  Supervisor(const Options& options, RunFiles files, Endpoints endpoints,
             metrics::Scoreboard scoreboard);
  ~Supervisor();

  absl::Status Open();
  // A new TLS ticket key in front of the older ones.
  absl::Status RenewTicketKeys();
  int Loop();

  // Children.
  void StartDue(MonotonicNanos now);
  absl::Status Start(Child& child, MonotonicNanos now);
  absl::StatusOr<pid_t> StartWorker(Child& child, int ready_fd);
  int WorkerMain(Child& child, int ready_fd);
  absl::StatusOr<pid_t> StartControlProcess(int ready_fd);
  void ReadReadyLine(Child& child);
  void BecameReady(Child& child);
  void TellToEnd(Child& child, MonotonicNanos now);
  void KillOverdue(MonotonicNanos now);
  void Reap(MonotonicNanos now);
  void Died(Child& child, int wait_status, MonotonicNanos now);
  // Whether the daemon ends with this death before readiness.
  bool EndsBoot(const Child& child, int wait_status, MonotonicNanos now);

  // The daemon.
  void HandleSignals(MonotonicNanos now);
  void BeginRoll();
  void Stop(int exit_code, MonotonicNanos now);
  void KillAll();
  void ContinueRoll(MonotonicNanos now);
  void TakeControlAddresses(const std::string& ready_line);
  void AnnounceServing();
  void Wait(MonotonicNanos now);
  bool AnyAlive() const;

  // Constant after Open().
  const Options& options_;
  RunFiles files_;
  Endpoints endpoints_;
  metrics::Scoreboard scoreboard_;
  sigset_t original_mask_;
  int signal_fd_ = -1;
  int config_fd_ = -1;
  int lifeline_[2] = {-1, -1};  // nobody ever writes: children read its end when we are gone

  std::vector<Child> children_;  // workers by slot, then control
  BootPolicy boot_;
  std::string ticket_keys_;  // workers have them by fork(2) alone
  process::ControlAddresses control_addresses_;
  bool announced_ = false;
  bool stopping_ = false;
  int exit_code_ = process::kExitStopped;
  std::deque<int> to_roll_;  // slots that SIGHUP asked to replace
  int rolling_ = kNobody;
};

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_SUPERVISOR_H_
