// The supervisor forks, and everything in the order of things here follows from that.
//
// One thread (invariant 1). A fork copies the locks that other threads hold, and nobody in the
// child would release them: so there is no hub, no gRPC and no library with threads in this
// process, and launch.h refuses to fork beside a thread. A forked worker inherits all memory and
// all descriptors: it lets go of what is not its own before anything else (WorkerMain), while
// control, which is executed, has all closed for it but the few that its arguments name.
//
// Before the first fork, in this order: the directories are locked, so that a second daemon changes
// nothing of the first; sockets are bound, so that whoever cannot be bound ends the start before
// anything runs; signals are blocked, so that one that comes between two steps waits for the loop;
// the lifeline is opened, so that no child lives without one.
//
// What lives longer than a worker lives here: listeners (no connection is refused while a worker is
// replaced), slots of the scoreboard (totals never fall, invariant 10), TLS ticket keys.
//
// The loop: signals first, since they are the operator's and SIGCHLD among them says who died;
// then what time asks for, until it asks for nothing more; then ppoll(2) until the next of either.
// All decisions are Decide()'s; the scoreboard, files, logs and system calls are this file's.
#include "server/supervisor/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/hub/check.h"
#include "runtime/switch/errno_status.h"
#include "server/log.h"
#include "server/metrics/process_numbers.h"
#include "server/process/config_handover.h"
#include "server/process/control_arguments.h"
#include "server/process/exit_code.h"
#include "server/process/signals.h"
#include "server/recent_lines.h"
#include "server/supervisor/inherited_sockets.h"
#include "server/supervisor/launch.h"
#include "server/supervisor/process_facts.h"
#include "server/supervisor/shared_table.h"
#include "server/topics/socket_path.h"
#include "server/wall_time.h"

namespace grove::supervisor {
namespace {

MonotonicNanos Now() {
  return Clock::Monotonic().Now();
}

int ExitCodeOf(const absl::Status& status) {
  Log(LogLevel::kError, status.message());
  return process::kExitCrash;
}

void CloseIfOpen(int& fd) {
  if (fd >= 0) close(std::exchange(fd, -1));
}

}  // namespace

int Supervisor::Run(const Options& options) {
  if (options.takeover.follows()) return RunOn(options);
  const config::v1::Config& config = options.config.config;
  absl::StatusOr<RunFiles> files = RunFiles::Open(config.state_dir(), config.run_dir());
  if (!files.ok()) {
    Log(LogLevel::kError, files.status().message());
    return process::kExitBadConfig;
  }
  absl::StatusOr<InheritedSockets> inherited = InheritedSockets::TakeFromEnvironment();
  if (!inherited.ok()) {
    Log(LogLevel::kError, inherited.status().message());
    return process::kExitCannotBind;
  }
  absl::StatusOr<Endpoints> endpoints =
      Endpoints::Bind(config.http(), config.run_dir(), config.workers(), *std::move(inherited));
  if (!endpoints.ok()) {
    Log(LogLevel::kError, endpoints.status().message());
    return process::kExitCannotBind;
  }
  absl::StatusOr<metrics::Scoreboard> scoreboard = metrics::Scoreboard::Create(
      config.workers(), absl::Milliseconds(config.runtime().stuck_ms()));
  if (!scoreboard.ok()) return ExitCodeOf(scoreboard.status());
  absl::StatusOr<std::optional<shared::TableMemory>> table = MakeTable(config.shared_table());
  if (!table.ok()) return ExitCodeOf(table.status());
  Supervisor supervisor(options, *std::move(files), *std::move(endpoints), *std::move(scoreboard),
                        *std::move(table));
  const KeptRecentLog recent_log(
      supervisor.scoreboard_.recent(metrics::Scoreboard::kSupervisorEvents).log);
  if (absl::Status status = supervisor.Open(); !status.ok()) return ExitCodeOf(status);
  Log(LogLevel::kInfo, "starting", {{"pid", getpid()}, {"workers", config.workers()}});
  return supervisor.Loop();
}

Supervisor::Supervisor(const Options& options, RunFiles files, Endpoints endpoints,
                       metrics::Scoreboard scoreboard, std::optional<shared::TableMemory> table)
    : options_(options),
      files_(std::move(files)),
      endpoints_(std::move(endpoints)),
      scoreboard_(std::move(scoreboard)),
      table_(std::move(table)),
      config_(options.config),
      state_(options.config.config.workers(), absl::ZeroDuration()),
      children_(kChildren) {
  said_level_ = config_.config.log().level();
  TakeInPlace();
  options_.prepare_scoreboard(scoreboard_);
  for (const std::string& path : endpoints_.paths()) files_.RemoveAtEnd(path);
}

Supervisor::~Supervisor() {
  for (int* fd : {&signal_fd_, &config_fd_, &config_before_fd_, &lifeline_[0], &lifeline_[1],
                  &volatile_tasks_fd_}) {
    CloseIfOpen(*fd);
  }
  sigprocmask(SIG_SETMASK, &original_mask_, nullptr);
}

absl::Status Supervisor::Open() {
  if (absl::Status signals = OpenSignals(); !signals.ok()) return signals;
  if (pipe2(lifeline_, O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe2");
  volatile_tasks_fd_ = memfd_create("grove-volatile-tasks", MFD_CLOEXEC);
  if (volatile_tasks_fd_ < 0) return ErrnoStatus(errno, "memfd_create for volatile tasks");
  if (absl::Status keys = RenewTicketKeys(); !keys.ok()) return keys;
  return PublishConfig();
}

// First of all: a child that died before its SIGCHLD was blocked would never be reaped, and a
// SIGTERM would end this process and leave files behind. Workers inherit the mask, so that none is
// lost until they read signals themselves; control gets the original one.
absl::Status Supervisor::OpenSignals() {
  const sigset_t handled = process::MaskOf(process::WithSignalsOfNoUse({SIGCHLD}));
  sigprocmask(SIG_BLOCK, &handled, &original_mask_);
  process::ResetSignals();
  signal_fd_ = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
  return signal_fd_ >= 0 ? absl::OkStatus() : ErrnoStatus(errno, "signalfd");
}

absl::Status Supervisor::PublishConfig() {
  absl::StatusOr<int> config_fd = process::ConfigToMemfd(config_.config);
  if (!config_fd.ok()) return config_fd.status();
  config_fd_ = *config_fd;
  TellGeneration();
  return files_.Write("http.address", absl::StrJoin(endpoints_.http_addresses(), "\n"));
}

int Supervisor::Loop() {
  SayLowLimits();
  for (;;) {
    const MonotonicNanos now = Now();
    TakeSignals(now);
    // In any case: several SIGCHLD become one.
    Reap(now);
    LookAround(now);
    FollowTrial(now);
    FollowConfig(now);
    PassTime(now);
    TellRestarts(now);
    service_notice_.Pass(now);
    FollowLevel(now);
    TellOperations(now);
    if (state_.Over()) break;
    Wait(Now());
  }
  Log(state_.exit_code == process::kExitStopped ? LogLevel::kInfo : LogLevel::kError, "stopped",
      {{"exit_code", state_.exit_code}});
  return state_.exit_code;
}

void Supervisor::Handle(const SupervisorEvent& event, MonotonicNanos now) {
  for (const Action& action : Decide(state_, event)) Do(action, now);
}

void Supervisor::PassTime(MonotonicNanos now) {
  for (std::vector<Action> actions; !(actions = Decide(state_, TimePassed{now})).empty();) {
    for (const Action& action : actions) Do(action, now);
  }
}

// --- What happens

void Supervisor::TakeSignals(MonotonicNanos now) {
  signalfd_siginfo info;
  while (read(signal_fd_, &info, sizeof(info)) == sizeof(info)) {
    const bool by_kernel = info.ssi_code > 0;
    const SignalCame came{.number = static_cast<int>(info.ssi_signo),
                          .now = now,
                          .from_pid = by_kernel ? 0 : static_cast<pid_t>(info.ssi_pid)};
    switch (came.number) {
      case SIGTERM:
      case SIGINT:
        Log(LogLevel::kInfo,
            !state_.stopping              ? "told to stop"
            : RepeatsItself(state_, came) ? "told to stop again at once: nothing changes"
                                          : "told to stop again: stopping at once",
            {{"signal", strsignal(came.number)}, {"from_pid", info.ssi_pid}});
        break;
      case SIGQUIT:
        Log(LogLevel::kWarning, "told to end at once",
            {{"signal", strsignal(came.number)}, {"from_pid", info.ssi_pid}});
        break;
      case SIGUSR1:
        Log(LogLevel::kInfo, "told to reopen the logs", {{"from_pid", info.ssi_pid}});
        break;
      case SIGCHLD:
      case SIGHUP:
      case SIGTTIN:
      case SIGTTOU:
      case SIGUSR2:
      case SIGWINCH:
        break;
      default:
        process::LogUnusedSignal(came.number, static_cast<pid_t>(info.ssi_pid));
        continue;
    }
    if (std::optional<OperationSpec> asked = OperationOf(came)) {
      Ask(*std::move(asked), now).status().IgnoreError();  // Ask() has said it
    } else {
      Handle(came, now);
    }
  }
}

void Supervisor::Reap(MonotonicNanos now) {
  int wait_status = 0;
  for (pid_t pid; (pid = waitpid(-1, &wait_status, WNOHANG)) > 0;) {
    const auto found = std::find_if(state_.children.begin(), state_.children.end(),
                                    [&](const ChildState& each) { return each.pid == pid; });
    if (found == state_.children.end()) {
      if (TakeTrialEnd(pid, wait_status, now)) continue;
      Log(LogLevel::kDebug, "reaped a process of somebody else", {{"pid", pid}});
      continue;
    }
    const int child = static_cast<int>(found - state_.children.begin());
    // Its last words may still be in the pipe: one that served and died at once did not fail to
    // boot.
    if (children_[child].ready_line.open()) TakeReadyLine(child);
    TakeDeath(child, pid, wait_status, now);
  }
}

void Supervisor::TakeDeath(int child, pid_t pid, int wait_status, MonotonicNanos now) {
  const bool as_told = state_.at_once || EndedAsTold(state_.children[child], wait_status);
  const int64_t kills_before = std::exchange(out_of_memory_kills_, OutOfMemoryKills());
  const metrics::ExitReason reason =
      ReasonOf(state_.children[child], wait_status, out_of_memory_kills_ > kills_before);
  Log(as_told ? LogLevel::kInfo : LogLevel::kError, as_told ? "ended" : "died",
      {{"name", ChildName(child)},
       {"pid", pid},
       {"reason", metrics::NameOf(state_.at_once ? metrics::ExitReason::kStop : reason)},
       {"with", DescribeEnd(wait_status)}});
  // What it asked for last counts too.
  TakeMessages(child);
  children_[child] = {};
  const std::string why =
      absl::StrCat(std::string(metrics::NameOf(reason)), ": ", DescribeEnd(wait_status));
  last_death_ = absl::StrCat(ChildName(child), ", ", why);
  const ChildState& dead = state_.children[child];
  const bool aborted_itself = WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGABRT;
  if (!as_told && !dead.aborted && (!dead.ready || aborted_itself)) SayLikelyLimit(child, now);
  if (child != kControl) {
    // Into the slot's base before a successor counts from 0 again (invariant 10).
    scoreboard_.Fold(SlotOf(child));
    ReleaseLocks(table_, pid);
    // One that was killed leaves its name; its successor is not there yet.
    unlink(topics::SocketPath(files_.run_dir(), child).c_str());
    metrics::WorkerSlot& slot = scoreboard_.slot(SlotOf(child));
    slot.pid.store(0, std::memory_order_relaxed);
    slot.state.store(metrics::SlotState::kDown, std::memory_order_relaxed);
    if (!as_told) slot.restarts.fetch_add(1, std::memory_order_relaxed);
    slot.exits.Count(reason, why, WallNow());
  } else {
    scoreboard_.FoldControl();
    scoreboard_.control().exits.Count(reason, why, WallNow());
    if (!as_told) scoreboard_.control().restarts.fetch_add(1, std::memory_order_relaxed);
  }
  Handle(ChildDied{child, wait_status, now}, now);
}

void Supervisor::TakeReadyLine(int child) {
  process::ReadyLineReader& reader = children_[child].ready_line;
  // Where there is none, reaping tells why.
  if (reader.Read() != process::ReadyLineReader::Outcome::kComplete) return;
  // Before anybody hears that the daemon serves: who does reads the file.
  if (child == kControl) TakeControlAddresses(reader.line());
  Log(LogLevel::kDebug, "ready", {{"name", ChildName(child)}, {"pid", state_.children[child].pid}});
  const MonotonicNanos now = Now();
  Handle(ChildReady{child, now}, now);
}

void Supervisor::LookAround(MonotonicNanos now) {
  if (now < look_at_) return;
  look_at_ = DeadlineAfter(now, LookPeriod(state_.limits));
  scoreboard_.control().supervisor_log_lines_dropped.store(LogLinesDropped(),
                                                           std::memory_order_relaxed);
  TellTable(table_, scoreboard_.control().table);
  LookAtHubs(now);
  LookAtLoads(now);
  if (!state_.stopping) LookAtFiles(now);
}

// A cleaner of temporary files, or a hand, may have removed them. Sockets without a name are worth
// nothing: whoever has them is replaced.
void Supervisor::LookAtFiles(MonotonicNanos now) {
  const absl::StatusOr<int> files = files_.Restore();
  if (absl::IsAlreadyExists(files.status())) {
    Log(LogLevel::kError, files.status().message());
    return Handle(DirectoryLost{now}, now);
  }
  const absl::StatusOr<std::vector<int>> workers =
      files.ok() ? endpoints_.Restore() : files.status();
  const std::string trouble(workers.status().message());
  if (!trouble.empty() && trouble != file_trouble_) {
    Log(LogLevel::kError, "files of the daemon were removed, and cannot be made anew",
        {{"error", trouble}});
  }
  file_trouble_ = trouble;
  if (!workers.ok() || (*files == 0 && workers->empty())) return;
  Log(LogLevel::kWarning, "files of the daemon were removed: made anew",
      {{"run_dir", files_.run_dir()},
       {"files", *files},
       {"workers_to_replace", absl::StrJoin(*workers, ",")}});
  Handle(SocketsRemade{*workers}, now);
}

void Supervisor::LookAtHubs(MonotonicNanos now) {
  for (int child = 0; child < kChildren; ++child) {
    // What it writes, no board here shows.
    if (!shares_scoreboard_ && children_[child].upgrades != upgrades_) continue;
    const std::atomic<int64_t>& last_turn = child == kControl
                                                ? scoreboard_.control().last_turn_ns
                                                : scoreboard_.slot(SlotOf(child)).last_turn_ns;
    Handle(HubSeen{child, last_turn.load(std::memory_order_relaxed), now}, now);
  }
}

void Supervisor::Wait(MonotonicNanos now) {
  std::vector<pollfd> polled = {{.fd = signal_fd_, .events = POLLIN, .revents = 0}};
  std::vector<int> owners;
  for (int child = 0; child < kChildren; ++child) {
    if (state_.children[child].pid == 0) continue;
    const Child& each = children_[child];
    polled.push_back({.fd = each.ready_line.fd(), .events = POLLIN, .revents = 0});
    polled.push_back({.fd = each.channel.fd(), .events = each.channel.events(), .revents = 0});
    owners.push_back(child);
  }
  if (trial_) {
    // Those that have ended are -1, which poll(2) passes over.
    polled.push_back({.fd = trial_->words_fd(), .events = POLLIN, .revents = 0});
    polled.push_back({.fd = trial_->answer_fd(), .events = POLLIN, .revents = 0});
  }
  const int log_fd = LogWaitsFor();
  if (log_fd >= 0) polled.push_back({.fd = log_fd, .events = POLLOUT, .revents = 0});
  const MonotonicNanos due = std::min(
      {state_.NextDue(), look_at_, service_notice_.due(), trial_ ? trial_->deadline() : kNever});
  const timespec wait = absl::ToTimespec(absl::Nanoseconds(std::max<int64_t>(due - now, 0)));
  const int ready = ppoll(polled.data(), polled.size(), &wait, nullptr);
  // The lifeline takes everybody along.
  if (ready < 0 && errno != EINTR) {
    Die(absl::StrCat("supervisor: ", ErrnoStatus(errno, "ppoll").message(),
                     "; without it the supervisor can only spin, and the daemon ends"));
  }
  if (ready <= 0) return;
  if (log_fd >= 0 && polled.back().revents != 0) DrainLog();
  if (trial_) trial_->Read();
  for (size_t index = 0; index < owners.size(); ++index) {
    if (polled[2 * index + 1].revents != 0) TakeReadyLine(owners[index]);
    if (polled[2 * index + 2].revents != 0) TakeMessages(owners[index]);
  }
}

// --- What is to be done

void Supervisor::Do(const Action& action, MonotonicNanos now) {
  const std::string title = action.child == kNobody ? "" : ChildName(action.child);
  const pid_t pid = action.child == kNobody ? 0 : state_.children[action.child].pid;
  switch (action.kind) {
    case ActionKind::kStart:
      return Start(action.child, now);
    case ActionKind::kTellToEnd:
      kill(pid, SIGTERM);
      return;
    case ActionKind::kTellToHandOver:
      kill(pid, SIGQUIT);
      return;
    case ActionKind::kKill:
      kill(pid, SIGKILL);
      return;
    case ActionKind::kKillOverdue:
      Log(LogLevel::kError, "still running after the drain time-out: killed",
          {{"name", title}, {"pid", pid}});
      kill(pid, SIGKILL);
      return;
    case ActionKind::kAbortStuck:
      return Abort(action, "its hub does not turn: killed with a report of its fibers");
    case ActionKind::kAbortBoot:
      return Abort(action, "not ready after runtime.boot_timeout_ms: killed with a report");
    case ActionKind::kKillAborted:
      Log(LogLevel::kError, "still there after SIGABRT: killed", {{"name", title}, {"pid", pid}});
      kill(pid, SIGKILL);
      return;
    case ActionKind::kReopenLogs:
      kill(pid, SIGUSR1);
      return;
    case ActionKind::kCloseOwnSockets:
      return endpoints_.CloseOwnHttp(action.child);
    case ActionKind::kReleaseSlot:
      return ReleaseSlot(action.child);
    case ActionKind::kPrepareReload:
      return PrepareReload(action.operation, now);
    case ActionKind::kUpgrade:
      return Upgrade(action.operation, now);
    case ActionKind::kProven:
      return EndProof();
    case ActionKind::kGoBack:
      return GoBackToBefore(action.operation, now);
    case ActionKind::kSetLogLevel:
      return SetLevel(action.operation, now);
    case ActionKind::kSayReplacing:
      return Log(LogLevel::kInfo, "replacing the workers, one after the other");
    case ActionKind::kStopServing:
      service_notice_.Stopping("draining");
      endpoints_before_.reset();
      return endpoints_.CloseHttp();
    case ActionKind::kAnnounceServing:
      return AnnounceServing();
    case ActionKind::kSayGivingUp:
      return Log(LogLevel::kError, "giving up: processes die before they are ready",
                 {{"times", kBootFailuresMax}, {"last", last_death_}});
    case ActionKind::kSayRestartsLater:
      return Log(LogLevel::kWarning, "restarts later, since it keeps dying",
                 {{"name", title}, {"in", absl::FormatDuration(action.pause)}});
    case ActionKind::kSayStuck:
      return Log(LogLevel::kError, "stuck: its hub does not turn",
                 {{"name", title},
                  {"pid", pid},
                  {"for_ms", absl::ToInt64Milliseconds(action.pause)},
                  {"doing", DescribeState(pid)}});
    case ActionKind::kSayTurnsAgain:
      return Log(LogLevel::kWarning, "no longer stuck: its hub turns again",
                 {{"name", title}, {"pid", pid}});
  }
}

// To the thread of the hub, which is the first one: any other knows nothing of fibers, and a
// stopped process would leave the choice to chance. It wakes with the signal taken.
void Supervisor::Abort(const Action& action, std::string_view why) {
  const pid_t pid = state_.children[action.child].pid;
  Log(LogLevel::kError, why,
      {{"name", ChildName(action.child)},
       {"pid", pid},
       {"for_ms", absl::ToInt64Milliseconds(action.pause)}});
  syscall(SYS_tgkill, pid, pid, SIGABRT);
  kill(pid, SIGCONT);
}

// After every start of control: a port that the kernel chose is another one each time.
void Supervisor::TakeControlAddresses(const std::string& ready_line) {
  absl::StatusOr<process::ControlAddresses> addresses = process::ParseControlReady(ready_line);
  if (!addresses.ok()) return Log(LogLevel::kWarning, addresses.status().message());
  control_addresses_ = *std::move(addresses);
  absl::Status written = files_.Write(
      "control.addresses",
      absl::StrCat("grpc ", control_addresses_.grpc, "\nadmin ", control_addresses_.admin));
  if (!written.ok()) Log(LogLevel::kWarning, written.message());
}

void Supervisor::SayLowLimits() {
  low_limits_ = FindLowLimits(ResourceLimits::Read(), config_.config);
  for (const LowLimit& low : low_limits_) {
    Log(LogLevel::kWarning, "a limit is low",
        {{"limit", low.limit}, {"is", low.is}, {"wanted", low.wanted}, {"for", low.why}});
  }
}

void Supervisor::AnnounceServing() {
  Log(LogLevel::kInfo, "serving",
      {{"http", absl::StrJoin(endpoints_.http_addresses(), ",")},
       {"control", control_addresses_.grpc},
       {"admin", control_addresses_.admin},
       {"workers", state_.workers()},
       {"run_dir", files_.run_dir()}});
  SayServing();
}

}  // namespace grove::supervisor
