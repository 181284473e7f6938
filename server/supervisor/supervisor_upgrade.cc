// Upgrades: how this process becomes another program, and if need be the old one again.
//
//   trial ── passes ──> execve ──> Adopt ── the stand-in and control serve ──> workers are replaced
//     │                              │                  │
//     └ fails: nothing has changed   └ cannot           └ do not
//                                    └────────┴──> execve of the old executable, with a new record
//
// The new program has copies of the descriptors that it takes over (dup(2)). So where adopting
// fails half way, whatever was made is dropped, and the record is as good as before. After it, only
// what the old program alone would need is kept, until nothing can lead back any more: its
// executables, its listeners (the new config may lack some), its scoreboard (which may be of
// another version) and its shared table (of another layout).
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "runtime/switch/errno_status.h"
#include "server/log.h"
#include "server/process/log_setup.h"
#include "server/recent_lines.h"
#include "server/supervisor/handed_children.h"
#include "server/supervisor/handed_operations.h"
#include "server/supervisor/handover.h"
#include "server/supervisor/shared_table.h"
#include "server/supervisor/supervisor.h"
#include "server/version.h"

namespace grove::supervisor {
namespace {

using internal::v1::HandedChild;
using internal::v1::SupervisorHandover;

absl::Status Duplicate(int fd, int& to) {
  to = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  return to >= 0 ? absl::OkStatus() : ErrnoStatus(errno, absl::StrCat("dup of descriptor ", fd));
}

// What only the program before would need.
void TakeForGoingBack(const SupervisorHandover& from, SupervisorHandover& to) {
  to.set_program(from.program());
  to.set_build(from.build());
  to.set_program_fd(from.program_fd());
  to.set_control_program(from.control_program());
  to.set_control_program_fd(from.control_program_fd());
  *to.mutable_config() = from.config();
  to.set_config_generation(from.config_generation());
  *to.mutable_config_references() = from.config_references();
  *to.mutable_config_files() = from.config_files();
  *to.mutable_http() = from.http();
  to.set_scoreboard_fd(from.scoreboard_fd());
  to.clear_shared_table_fd();
  if (from.has_shared_table_fd()) to.set_shared_table_fd(from.shared_table_fd());
}

SupervisorHandover OnlyForGoingBack(const SupervisorHandover& record) {
  SupervisorHandover kept;
  TakeForGoingBack(record, kept);
  for (auto set :
       {&SupervisorHandover::set_lifeline_read_fd, &SupervisorHandover::set_lifeline_write_fd,
        &SupervisorHandover::set_volatile_tasks_fd}) {
    (kept.*set)(-1);
  }
  return kept;
}

// The children of the program before go on with theirs, whatever comes of this.
absl::StatusOr<metrics::Scoreboard> AdoptScoreboard(const SupervisorHandover& record,
                                                    const config::v1::Config& config,
                                                    bool& shared) {
  absl::StatusOr<metrics::Scoreboard> board = metrics::Scoreboard::Open(record.scoreboard_fd());
  shared = board.ok();
  if (shared) return board;
  Log(LogLevel::kWarning, "the program before counts otherwise: totals begin anew",
      {{"why", board.status().message()}});
  return metrics::Scoreboard::Create(record.workers(),
                                     absl::Milliseconds(config.runtime().stuck_ms()));
}

}  // namespace

// --- In the new program

int Supervisor::RunOn(const Options& options) {
  const SupervisorHandover& record = options.takeover.record;
  const config::v1::Config& config = options.config.config;
  const MonotonicNanos now = Clock::Monotonic().Now();
  if (absl::Status taken = TakeDescriptors(record); !taken.ok())
    return supervisor::GoBack(record, taken);
  bool shares_scoreboard = true;
  absl::StatusOr<metrics::Scoreboard> board = AdoptScoreboard(record, config, shares_scoreboard);
  if (!board.ok()) return supervisor::GoBack(record, board.status());
  absl::StatusOr<std::optional<shared::TableMemory>> table =
      AdoptTable(record, config.shared_table());
  if (!table.ok()) return supervisor::GoBack(record, table.status());
  absl::StatusOr<Endpoints> endpoints = Endpoints::Adopt(config.http(), config.run_dir(), record);
  if (!endpoints.ok()) return supervisor::GoBack(record, endpoints.status());
  absl::StatusOr<RunFiles> files = RunFiles::Adopt(record);
  if (!files.ok()) return supervisor::GoBack(record, files.status());
  Supervisor supervisor(options, *std::move(files), *std::move(endpoints), *std::move(board),
                        *std::move(table));
  supervisor.shares_scoreboard_ = shares_scoreboard;
  const KeptRecentLog recent_log(
      supervisor.scoreboard_.recent(metrics::Scoreboard::kSupervisorEvents).log);
  if (absl::Status adopted = supervisor.Adopt(record, now); !adopted.ok()) {
    // Before anything of it ends: the files are the daemon's.
    supervisor.service_notice_.PutIntoEnvironment();
    return supervisor::GoBack(record, adopted);
  }
  return supervisor.Loop();
}

absl::Status Supervisor::Adopt(const SupervisorHandover& record, MonotonicNanos now) {
  const bool went_back = options_.takeover.kind == Takeover::Kind::kWentBack;
  upgrades_ = record.upgrades() + (went_back ? 0 : 1);
  config_generation_ = record.config_generation() + (went_back ? 0 : 1);
  if (absl::Status signals = OpenSignals(); !signals.ok()) return signals;
  sigemptyset(&original_mask_);
  for (const int number : record.blocked_signals()) sigaddset(&original_mask_, number);
  for (auto [from, to] : {std::pair(record.lifeline_read_fd(), &lifeline_[0]),
                          {record.lifeline_write_fd(), &lifeline_[1]},
                          {record.volatile_tasks_fd(), &volatile_tasks_fd_}}) {
    if (absl::Status status = Duplicate(from, *to); !status.ok()) return status;
  }
  ticket_keys_ = TicketKeyRing(record.ticket_keys());
  if (ticket_keys_.keys().empty()) {
    if (absl::Status keys = RenewTicketKeys(); !keys.ok()) return keys;
  }
  if (!record.log_level().empty()) {
    level_.level = record.log_level();
    SetLogLevel(process::LogLevelOf(level_.level));
  }
  control_addresses_ = {record.control_grpc_address(), record.control_admin_address()};
  if (absl::Status children = AdoptChildren(record, now); !children.ok()) return children;
  if (absl::Status published = PublishConfig(); !published.ok()) return published;
  // From here on nothing fails.
  if (!went_back) before_ = OnlyForGoingBack(record);
  LetGo(record);
  Log(LogLevel::kInfo, went_back ? "went back to the program before" : "took over as a new program",
      {{"program", options_.program.path},
       {"version", kVersion},
       {"from_version", record.build()},
       {"pid", getpid()},
       {"upgrades", upgrades_},
       {"children", std::count_if(record.children().begin(), record.children().end(),
                                  [](const HandedChild& child) { return child.pid() != 0; })}});
  if (!went_back) {
    Handle(ProgramReplaced{record.operation(), now}, now);
    if (config_.config.workers() != record.config().workers()) {
      Ask({.kind = OperationKind::kScale,
           .requested_by = absl::StrCat("operation ", record.operation()),
           .workers = static_cast<int>(config_.config.workers())},
          now)
          .status()
          .IgnoreError();  // Ask() has said it
    }
    return absl::OkStatus();
  }
  std::vector<int> newer;
  for (int child = 0; child < kChildren; ++child) {
    if (children_[child].upgrades > upgrades_) newer.push_back(child);
  }
  Handle(WentBack{record.operation(), absl::InternalError(record.failure()), newer, now}, now);
  return absl::OkStatus();
}

absl::Status Supervisor::AdoptChildren(const SupervisorHandover& record, MonotonicNanos now) {
  state_.wanted = state_.scaled_from = record.workers();
  state_.announced = true;
  state_.boot.Served();
  for (const auto& operation : record.operations()) {
    state_.operations.Restore(OperationFrom(operation));
  }
  for (const HandedChild& handed : record.children()) {
    if (handed.index() < 0 || handed.index() >= kChildren) {
      return absl::InternalError(
          absl::StrCat("there is no place ", handed.index(), " for a child"));
    }
    state_.children[handed.index()] = ChildFrom(handed, now);
    children_[handed.index()].upgrades = handed.upgrades();
    if (absl::Status ends = AdoptEnds(handed); !ends.ok()) return ends;
  }
  return absl::OkStatus();
}

absl::Status Supervisor::AdoptEnds(const HandedChild& handed) {
  Child& child = children_[handed.index()];
  int fd = -1;
  if (handed.ready_fd() >= 0) {
    if (absl::Status status = Duplicate(handed.ready_fd(), fd); !status.ok()) return status;
    child.ready_line = process::ReadyLineReader(fd, handed.ready_line());
  }
  if (handed.channel_fd() < 0) return absl::OkStatus();
  if (absl::Status status = Duplicate(handed.channel_fd(), fd); !status.ok()) return status;
  absl::StatusOr<process::CommandChannel> channel = process::CommandChannel::Adopt(
      fd, ChildName(handed.index()), handed.channel_read(), handed.channel_unsent());
  if (!channel.ok()) return channel.status();
  child.channel = *std::move(channel);
  return absl::OkStatus();
}

// All that the record names and `before_`, if that is another one, does not need.
void Supervisor::LetGo(const SupervisorHandover& record) {
  const bool kept = before_.has_value() && &record != &*before_;
  const std::vector<int> needed = kept ? DescriptorsOf(*before_) : std::vector<int>();
  for (const int fd : DescriptorsOf(record)) {
    if (std::find(needed.begin(), needed.end(), fd) == needed.end()) close(fd);
  }
}

void Supervisor::EndProof() {
  Log(LogLevel::kInfo, "the new program serves: the workers of the one before are replaced",
      {{"upgrades", upgrades_}});
  if (!before_) return;
  LetGo(*before_);
  before_.reset();
}

void Supervisor::GoBackToBefore(int64_t operation, MonotonicNanos now) {
  const bool control = state_.roll.control_away;
  const std::string why =
      absl::StrCat("the new program's ", ChildName(control ? kControl : kStandIn),
                   " did not come up ", kProofFailuresMax, " times; the log says why");
  absl::Status failed = absl::InternalError(why);
  if (before_) {
    Log(LogLevel::kError, "going back to the program before", {{"error", why}});
    FlushLog();
    SupervisorHandover record = Describe(operation);
    TakeForGoingBack(*before_, record);
    record.set_upgrades(upgrades_ - 1);
    record.set_failure(why);
    service_notice_.PutIntoEnvironment();
    failed = GoOnAs(record.program(), record.program_fd(), record);
    service_notice_ = ServiceNotice::TakeFromEnvironment();
  }
  Handle(UpgradeFailed{operation, failed, now}, now);
}

// --- In the old program

void Supervisor::Upgrade(int64_t operation, MonotonicNanos now) {
  const std::string& asked = state_.operations.Find(operation)->spec.program;
  next_program_ = asked.empty() ? options_.program.path : asked;
  trial_operation_ = operation;
  absl::Status failed;
  if (!state_.announced) {
    failed = absl::FailedPreconditionError("the daemon has not served yet");
  } else if (next_program_[0] != '/') {
    failed = absl::InvalidArgumentError(
        absl::StrCat("the program '", next_program_, "' is no absolute path"));
  } else {
    absl::StatusOr<int> record = WriteHandover(Describe(operation));
    failed = record.status();
    if (record.ok()) {
      absl::StatusOr<Trial> trial =
          Trial::Start(next_program_, options_.program.arguments, *record, original_mask_,
                       DeadlineAfter(now, state_.limits.boot));
      close(*record);
      failed = trial.status();
      if (trial.ok()) trial_ = *std::move(trial);
    }
  }
  if (failed.ok()) {
    state_.operations.Progress(*state_.operations.Find(operation), 0, 0,
                               absl::StrCat("trying ", next_program_));
    return Log(LogLevel::kInfo, "trying another program", {{"program", next_program_}});
  }
  Handle(UpgradeFailed{operation, failed, now}, now);
}

void Supervisor::FollowTrial(MonotonicNanos now) {
  if (!trial_) return;
  if (state_.stopping) return trial_.reset();
  if (now >= trial_->deadline()) trial_->Kill();
}

bool Supervisor::TakeTrialEnd(pid_t pid, int wait_status, MonotonicNanos now) {
  if (!trial_ || trial_->pid() != pid) return false;
  const absl::Status verdict = trial_->Judge(wait_status);
  trial_.reset();
  if (verdict.ok() && !state_.stopping) {
    GoOn(now);
  } else {
    Handle(UpgradeFailed{trial_operation_, verdict, now}, now);
  }
  return true;
}

void Supervisor::GoOn(MonotonicNanos now) {
  Log(LogLevel::kInfo, "going on as another program",
      {{"program", next_program_}, {"operation", trial_operation_}});
  FlushLog();
  service_notice_.PutIntoEnvironment();
  const absl::Status failed = GoOnAs(next_program_, -1, Describe(trial_operation_));
  service_notice_ = ServiceNotice::TakeFromEnvironment();
  Handle(UpgradeFailed{trial_operation_, failed, now}, now);
}

SupervisorHandover Supervisor::Describe(int64_t operation) const {
  SupervisorHandover record;
  record.set_version(kHandoverVersion);
  record.set_program(options_.program.path);
  record.set_next_program(next_program_);
  record.set_build(std::string(kVersion));
  record.set_program_fd(options_.program.open.fd());
  record.set_control_program(options_.program.control_path);
  record.set_control_program_fd(options_.program.control.fd());
  for (const std::string& each : options_.program.arguments) record.add_arguments(each);
  for (const int number : SignalsIn(original_mask_)) record.add_blocked_signals(number);
  *record.mutable_config() = config_.config;
  record.set_config_generation(config_generation_);
  record.mutable_config_references()->insert(config_.references.begin(), config_.references.end());
  for (const std::string& file : config_.files) record.add_config_files(file);
  record.set_upgrades(upgrades_);
  record.set_operation(operation);
  for (const Operation& each : state_.operations.all()) {
    *record.add_operations() = DescribeOperation(each);
  }
  record.set_workers(state_.wanted);
  record.set_log_level(level_.level);
  for (int index = 0; index < kChildren; ++index) {
    const ChildState& child = state_.children[index];
    if (!HasHistory(child)) continue;
    HandedChild* handed = record.add_children();
    *handed = DescribeChild(index, child);
    handed->set_upgrades(children_[index].upgrades);
    handed->set_ready_fd(children_[index].ready_line.fd());
    handed->set_ready_line(children_[index].ready_line.line());
    const process::CommandChannel& channel = children_[index].channel;
    handed->set_channel_fd(channel.fd());
    handed->set_channel_read(channel.unread());
    handed->set_channel_unsent(channel.unsent());
  }
  endpoints_.Describe(record);
  files_.Describe(record);
  record.set_scoreboard_fd(scoreboard_.fd());
  if (table_) record.set_shared_table_fd(table_->fd());
  record.set_lifeline_read_fd(lifeline_[0]);
  record.set_lifeline_write_fd(lifeline_[1]);
  record.set_volatile_tasks_fd(volatile_tasks_fd_);
  record.set_ticket_keys(ticket_keys_.keys());
  record.set_control_grpc_address(control_addresses_.grpc);
  record.set_control_admin_address(control_addresses_.admin);
  return record;
}

}  // namespace grove::supervisor
