// Supervisor: the parent process, which starts workers and control and keeps them running.
//
// It binds, forks, waits for signals and children, and does nothing else: one thread, no hub, no
// gRPC. What is to be done about what happens, Decide() says (supervisor_decisions.h); this only
// does it. It reaps children it does not know, so it can be process 1 of a container. Signal
// handlers are none: signalfd(2) and ppoll(2).
#ifndef GROVE_SERVER_SUPERVISOR_SUPERVISOR_H_
#define GROVE_SERVER_SUPERVISOR_SUPERVISOR_H_

#include <signal.h>

#include <functional>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "grove/config/v1/config.pb.h"
#include "grove/internal/v1/handover.pb.h"
#include "grove/v1/operation_service.pb.h"
#include "runtime/hub/clock.h"
#include "server/metrics/scoreboard.h"
#include "server/process/command_channel.h"
#include "server/process/inheritance.h"
#include "server/process/process_title.h"
#include "server/process/ready_line.h"
#include "server/shared/table_memory.h"
#include "server/supervisor/child_orders.h"
#include "server/supervisor/endpoints.h"
#include "server/supervisor/launch.h"
#include "server/supervisor/loaded_config.h"
#include "server/supervisor/process_facts.h"
#include "server/supervisor/program.h"
#include "server/supervisor/resource_limits.h"
#include "server/supervisor/run_files.h"
#include "server/supervisor/service_notice.h"
#include "server/supervisor/supervisor_decisions.h"
#include "server/supervisor/takeover.h"
#include "server/supervisor/ticket_key_ring.h"
#include "server/supervisor/trial.h"
#include "server/wall_time.h"

namespace grove::supervisor {

class Supervisor {
 public:
  struct Options {
    const LoadedConfig& config;  // reloads take the place of it
    Program& program;
    const Takeover& takeover;  // a start, or what this process follows
    process::ProcessTitle& title;
    // Runs in the forked worker; its result is the worker's exit code.
    std::function<int(const process::WorkerInheritance&, const config::v1::Config&,
                      metrics::Scoreboard&)>
        run_worker;
    // As at the start: reads the config, resolves it and holds it against the application and
    // what it names (certificates). An error says what is wrong. No thread may be left of it.
    // `file`: another one in its place; empty: none.
    std::function<absl::StatusOr<LoadedConfig>(const std::string& file)> load_config;
    std::function<void(metrics::Scoreboard&)> prepare_scoreboard;  // before the first fork
  };

  // Serves until stopped; returns the exit code. Says in the log why it is not 0.
  static int Run(const Options& options);

 private:
  // What this process has of a child; what it knows of it is in SupervisorState.
  struct Child {
    process::ReadyLineReader ready_line;
    process::CommandChannel channel;
    int64_t level_asked = 0;  // by which operation; 0: it has answered
    ConfigAnswer config = ConfigAnswer::kNone;
    int64_t upgrades = 0;  // how often the program had been replaced when it was started
  };

  // Of what connects it with a child: the child's.
  struct ChildEnds {
    int ready_fd;
    int command_fd;
  };

  Supervisor(const Options& options, RunFiles files, Endpoints endpoints,
             metrics::Scoreboard scoreboard, std::optional<shared::TableMemory> table);
  ~Supervisor();

  absl::Status Open();
  absl::Status OpenSignals();
  // To whoever reads it: control, and tools.
  absl::Status PublishConfig();
  int Loop();

  // What happens.
  void TakeSignals(MonotonicNanos now);
  void Reap(MonotonicNanos now);
  void TakeDeath(int child, pid_t pid, int wait_status, MonotonicNanos now);
  void TakeReadyLine(int child);
  // Once in a while: how far the children's hubs are, and whether the files stand.
  void LookAround(MonotonicNanos now);
  void LookAtHubs(MonotonicNanos now);
  void LookAtLoads(MonotonicNanos now);
  void LookAtFiles(MonotonicNanos now);
  // Until the next of it, or until something is due.
  void Wait(MonotonicNanos now);
  // Decides on it, and does what is decided.
  void Handle(const SupervisorEvent& event, MonotonicNanos now);
  void PassTime(MonotonicNanos now);

  // What is to be done.
  void Do(const Action& action, MonotonicNanos now);
  void Abort(const Action& action, std::string_view why);
  void Start(int child, MonotonicNanos now);
  absl::StatusOr<pid_t> Launch(int child);
  absl::StatusOr<pid_t> LaunchWorker(int child, ChildEnds ends);
  int WorkerMain(int child, ChildEnds ends);
  // Of workers that keep dying, on the scoreboard.
  void TellRestarts(MonotonicNanos now);
  // Of the scoreboard. Requires: no control.
  static int SlotOf(int child) { return child; }
  absl::StatusOr<pid_t> LaunchControl(ChildEnds ends);
  // Its processes have had sockets and a row of the scoreboard.
  absl::Status TakeSlot(int slot);
  void ReleaseSlot(int slot);
  void TakeControlAddresses(const std::string& ready_line);
  void AnnounceServing();
  void SayLowLimits();
  void TakeFailedStart(int child, const absl::Status& why, MonotonicNanos now);
  // Which of them a child may have died of, once in a while.
  void SayLikelyLimit(int child, MonotonicNanos now);

  // What children say: supervisor_channels.cc.
  void TakeMessages(int child);
  void TakeMessage(int child, const internal::v1::ChildMessage& message);
  void TakeRequest(const internal::v1::OperationRequest& request);
  // Control learns of all at its start, then of what changes.
  void TellControlAll();
  void TellControl(const std::vector<OperationChange>& changes);
  void SetLevel(int64_t operation, MonotonicNanos now);
  const std::string& LevelInForce() const;
  void SendLevel(int child, int64_t operation);
  // Ends the operation once every child has the level, or has had the time for it.
  void FollowLevel(MonotonicNanos now);

  // Operations: supervisor_operations.cc.
  absl::StatusOr<int64_t> Ask(OperationSpec spec, MonotonicNanos now);
  // Those that have changed, to whoever is to know.
  void TellOperations(MonotonicNanos now);
  void TellServiceManager(const Operation& operation, MonotonicNanos now);
  void SayServing();

  // Reloads: supervisor_reload.cc.
  void PrepareReload(int64_t operation, MonotonicNanos now);
  // The config in force from now on, for children that are started. Owns `fd`, its memory file.
  void TakeConfig(LoadedConfig config, int fd);
  // What this process does itself with it, at once.
  void TakeInPlace();
  // To a child, if it is there: it answers.
  void SendConfig(int child);
  void TakeConfigApplied(int child, const internal::v1::ConfigApplied& applied);
  // Goes on with the reload once every child has the config, or has had the time for it.
  void FollowConfig(MonotonicNanos now);
  // Drops the config before, or goes back to it.
  void EndReload(const Operation& reload);
  // Of the config in force, on the scoreboard.
  void TellGeneration();
  absl::Status RenewTicketKeys();
  v1::GetConfigResponse DescribeConfig(const v1::GetConfigRequest& request) const;
  absl::StatusOr<v1::DiffConfigResponse> DiffConfig(const v1::DiffConfigRequest& request) const;

  // HTTP's listeners: supervisor_listeners.cc. Binds those that are new.
  absl::Status TakeListeners(const config::v1::Http& http);
  // To those of `http`, which were in force before.
  void GoBackToListeners(const config::v1::Http& http);
  // Closes those that the ones in force have followed.
  void DropListenersBefore();
  void SayListeners();

  // Upgrades: supervisor_upgrade.cc.
  static int RunOn(const Options& options);
  // Takes over from the program before; nothing of it is closed before all is.
  absl::Status Adopt(const internal::v1::SupervisorHandover& record, MonotonicNanos now);
  absl::Status AdoptChildren(const internal::v1::SupervisorHandover& record, MonotonicNanos now);
  absl::Status AdoptEnds(const internal::v1::HandedChild& handed);
  void LetGo(const internal::v1::SupervisorHandover& record);
  void Upgrade(int64_t operation, MonotonicNanos now);
  void FollowTrial(MonotonicNanos now);
  // Whether it was the trial's process.
  bool TakeTrialEnd(pid_t pid, int wait_status, MonotonicNanos now);
  // Return only if that cannot be done.
  void GoOn(MonotonicNanos now);
  void GoBackToBefore(int64_t operation, MonotonicNanos now);
  void EndProof();
  internal::v1::SupervisorHandover Describe(int64_t operation) const;

  // Constant after Open().
  const Options& options_;
  RunFiles files_;
  Endpoints endpoints_;
  metrics::Scoreboard scoreboard_;
  std::optional<shared::TableMemory> table_;  // the workers'; none: the config wants none
  sigset_t original_mask_;
  int signal_fd_ = -1;
  int config_fd_ = -1;
  int lifeline_[2] = {-1, -1};  // see server/process/lifeline.h
  int volatile_tasks_fd_ = -1;  // from each control to the next

  LoadedConfig config_;  // in force
  int64_t config_generation_ = 1;
  WallMicros config_loaded_at_ = WallNow();
  // While a reload is under way: what holds again if it fails.
  std::optional<LoadedConfig> config_before_;
  int config_before_fd_ = -1;                  // its memory file
  std::optional<Endpoints> endpoints_before_;  // where listeners have changed
  int64_t reload_ = 0;                         // the operation
  ConfigOrder config_order_;

  SupervisorState state_;
  MonotonicNanos look_at_ = 0;
  int first_load_ = 0;                                // of the last look
  std::string last_death_;                            // whose, and how
  int64_t out_of_memory_kills_ = OutOfMemoryKills();  // as of the last death
  std::minstd_rand random_{std::random_device()()};   // for what need not be secret
  std::string file_trouble_;                          // as said last; empty: none
  std::vector<Child> children_;                       // by their index in `state_`
  LevelOrder level_;
  std::string said_level_;            // as the config had it when it was last taken over
  std::vector<LowLimit> low_limits_;  // at the start
  MonotonicNanos limits_said_ = INT64_MIN / 2;
  NotStartedLines not_started_;
  TicketKeyRing ticket_keys_;  // workers have them by fork(2) alone
  process::ControlAddresses control_addresses_;
  // Of the upgrade that is under way: its trial, then what may have to go on again.
  std::optional<Trial> trial_;
  int64_t trial_operation_ = 0;
  std::string next_program_;
  std::optional<internal::v1::SupervisorHandover> before_;
  int64_t upgrades_ = 0;           // so far
  bool shares_scoreboard_ = true;  // with the children of the program before
  ServiceNotice service_notice_ = ServiceNotice::TakeFromEnvironment();
};

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_SUPERVISOR_H_
