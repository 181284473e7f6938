#include "server/supervisor/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "runtime/tls/ticket_keys.h"
#include "server/log.h"
#include "server/process/config_handover.h"
#include "server/supervisor/inherited_sockets.h"
#include "server/supervisor/launch.h"
#include "server/supervisor/service_notice.h"

namespace grove::supervisor {
namespace {

// Between the end of the drain, which every child observes itself, and SIGKILL: for control's last
// words with the workers, its store and its clients, one after the other, on a busy machine.
constexpr absl::Duration kKillGrace = absl::Seconds(5);
// TLS ticket keys of generations before, so that a SIGHUP costs no client its session; with daily
// ones a key lives for some days.
constexpr size_t kTicketKeysKept = 4;

MonotonicNanos Now() {
  return Clock::Monotonic().Now();
}

std::string DescribeEnd(int wait_status) {
  if (WIFEXITED(wait_status)) return absl::StrCat("exit code ", WEXITSTATUS(wait_status));
  if (!WIFSIGNALED(wait_status)) return absl::StrCat("wait status ", wait_status);
  return absl::StrCat("signal ", WTERMSIG(wait_status), " (", strsignal(WTERMSIG(wait_status)),
                      ")");
}

// A SIGTERM that comes before a child can handle it ends it just as well.
bool EndedAsTold(int wait_status) {
  return (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0) ||
         (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGTERM);
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
  const config::v1::Config& config = options.config;
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
  for (const std::string& path : endpoints->paths()) files->RemoveAtEnd(path);
  absl::StatusOr<metrics::Scoreboard> scoreboard = metrics::Scoreboard::Create(config.workers());
  if (!scoreboard.ok()) return ExitCodeOf(scoreboard.status());
  Supervisor supervisor(options, *std::move(files), *std::move(endpoints), *std::move(scoreboard));
  if (absl::Status status = supervisor.Open(); !status.ok()) return ExitCodeOf(status);
  return supervisor.Loop();
}

Supervisor::Supervisor(const Options& options, RunFiles files, Endpoints endpoints,
                       metrics::Scoreboard scoreboard)
    : options_(options),
      files_(std::move(files)),
      endpoints_(std::move(endpoints)),
      scoreboard_(std::move(scoreboard)) {
  for (int slot = 0; slot < options.config.workers(); ++slot) {
    children_.push_back({.title = absl::StrCat("grove-w", slot), .slot = slot});
  }
  children_.push_back({.title = "grove-control"});
}

Supervisor::~Supervisor() {
  for (int* fd : {&signal_fd_, &config_fd_, &lifeline_[0], &lifeline_[1]}) CloseIfOpen(*fd);
  sigprocmask(SIG_SETMASK, &original_mask_, nullptr);
}

absl::Status Supervisor::Open() {
  sigset_t handled;
  sigemptyset(&handled);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD}) sigaddset(&handled, number);
  sigprocmask(SIG_BLOCK, &handled, &original_mask_);
  // Writing to a client or child that is gone is an error of that call, in all our processes.
  signal(SIGPIPE, SIG_IGN);
  signal_fd_ = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signal_fd_ < 0) return absl::ErrnoToStatus(errno, "signalfd");
  if (pipe2(lifeline_, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe2");
  absl::StatusOr<int> config_fd = process::ConfigToMemfd(options_.config);
  if (!config_fd.ok()) return config_fd.status();
  config_fd_ = *config_fd;
  if (absl::Status keys = RenewTicketKeys(); !keys.ok()) return keys;
  return files_.Write("http.address", absl::StrJoin(endpoints_.http_addresses(), "\n"));
}

absl::Status Supervisor::RenewTicketKeys() {
  const auto& listeners = options_.config.http().listeners();
  if (std::none_of(listeners.begin(), listeners.end(),
                   [](const config::v1::HttpListener& each) { return each.has_tls(); })) {
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> key = TlsTicketKeys::Generate();
  if (!key.ok()) return key.status();
  ticket_keys_ = (*key + ticket_keys_).substr(0, kTicketKeysKept * TlsTicketKeys::kKeyBytes);
  return absl::OkStatus();
}

int Supervisor::Loop() {
  Log(LogLevel::kInfo, "starting", {{"pid", getpid()}, {"workers", options_.config.workers()}});
  for (;;) {
    const MonotonicNanos now = Now();
    HandleSignals(now);
    KillOverdue(now);
    if (stopping_ && !AnyAlive()) break;
    if (!stopping_) {
      StartDue(now);
      ContinueRoll(now);
    }
    Wait(Now());
  }
  Log(exit_code_ == process::kExitStopped ? LogLevel::kInfo : LogLevel::kError, "stopped",
      {{"exit_code", exit_code_}});
  return exit_code_;
}

// --- Children

void Supervisor::StartDue(MonotonicNanos now) {
  for (Child& child : children_) {
    if (stopping_) return;
    if (child.pid != 0 || child.due > now) continue;
    if (absl::Status status = Start(child, now); !status.ok()) {
      Log(LogLevel::kError, "cannot start a process",
          {{"name", child.title}, {"error", status.message()}});
      if (absl::IsFailedPrecondition(status)) return Stop(process::kExitCrash, now);
      child.due = DeadlineAfter(now, kBackoffMax);
    }
  }
}

absl::Status Supervisor::Start(Child& child, MonotonicNanos now) {
  int ready[2];
  if (pipe2(ready, O_CLOEXEC | O_NONBLOCK) != 0) return absl::ErrnoToStatus(errno, "pipe2");
  child.ready_line = process::ReadyLineReader(ready[0]);
  const bool worker = child.slot != kNobody;
  absl::StatusOr<pid_t> pid = worker ? StartWorker(child, ready[1]) : StartControlProcess(ready[1]);
  close(ready[1]);
  if (!pid.ok()) {
    child.ready_line.Close();
    return pid.status();
  }
  child.pid = *pid;
  child.ready = child.told_to_end = false;
  child.kill_at = kNever;
  child.policy.Started(now);
  if (worker) scoreboard_.slot(child.slot).pid.store(*pid, std::memory_order_relaxed);
  Log(LogLevel::kInfo, "started", {{"name", child.title}, {"pid", *pid}});
  return absl::OkStatus();
}

absl::StatusOr<pid_t> Supervisor::StartWorker(Child& child, int ready_fd) {
  metrics::WorkerSlot& slot = scoreboard_.slot(child.slot);
  slot.generation.fetch_add(1, std::memory_order_relaxed);
  slot.start_time_us.store(absl::ToUnixMicros(absl::Now()), std::memory_order_relaxed);
  slot.last_turn_ns.store(Now(), std::memory_order_relaxed);
  slot.state.store(metrics::SlotState::kStarting, std::memory_order_relaxed);
  return ForkWorker([&] { return WorkerMain(child, ready_fd); });
}

// In the child: lets go of what is the supervisor's or other workers'.
int Supervisor::WorkerMain(Child& child, int ready_fd) {
  options_.title.Set(child.title);
  files_.CloseLocks();
  endpoints_.KeepOnly(child.slot);
  for (Child& other : children_) other.ready_line.Close();
  for (int* fd : {&signal_fd_, &config_fd_, &lifeline_[1]}) CloseIfOpen(*fd);
  return options_.run_worker({.slot = child.slot,
                              .http_fds = endpoints_.http_fds(child.slot),
                              .link_fd = endpoints_.link_fd(child.slot),
                              .backdoor_fd = endpoints_.backdoor_fd(child.slot),
                              .lifeline_fd = lifeline_[0],
                              .ready_fd = ready_fd,
                              .ticket_keys = ticket_keys_},
                             scoreboard_);
}

absl::StatusOr<pid_t> Supervisor::StartControlProcess(int ready_fd) {
  const process::ControlDescriptors descriptors{.config_fd = config_fd_,
                                                .scoreboard_fd = scoreboard_.fd(),
                                                .lifeline_fd = lifeline_[0],
                                                .ready_fd = ready_fd};
  return StartControl(options_.control_binary, process::FormatControlArguments(descriptors),
                      {config_fd_, scoreboard_.fd(), lifeline_[0], ready_fd}, original_mask_);
}

void Supervisor::ReadReadyLine(Child& child) {
  // Where there is none, reaping tells why.
  if (child.ready_line.Read() == process::ReadyLineReader::Outcome::kComplete) BecameReady(child);
}

void Supervisor::BecameReady(Child& child) {
  child.ready = true;
  if (child.slot == kNobody) TakeControlAddresses(child.ready_line.line());
  if (child.slot == rolling_) rolling_ = kNobody;
  Log(LogLevel::kDebug, "ready", {{"name", child.title}, {"pid", child.pid}});
  const bool all =
      std::all_of(children_.begin(), children_.end(), [](const Child& each) { return each.ready; });
  if (all && !announced_ && !stopping_) AnnounceServing();
}

void Supervisor::TellToEnd(Child& child, MonotonicNanos now) {
  if (child.pid == 0 || child.told_to_end) return;
  child.told_to_end = true;
  child.kill_at =
      DeadlineAfter(now, absl::Milliseconds(options_.config.drain_timeout_ms()) + kKillGrace);
  kill(child.pid, SIGTERM);
}

void Supervisor::KillOverdue(MonotonicNanos now) {
  for (Child& child : children_) {
    if (child.pid == 0 || child.kill_at > now) continue;
    Log(LogLevel::kError, "still running after the drain time-out: killed",
        {{"name", child.title}, {"pid", child.pid}});
    child.kill_at = kNever;
    kill(child.pid, SIGKILL);
  }
}

void Supervisor::Reap(MonotonicNanos now) {
  int wait_status = 0;
  for (pid_t pid; (pid = waitpid(-1, &wait_status, WNOHANG)) > 0;) {
    const auto child = std::find_if(children_.begin(), children_.end(),
                                    [&](const Child& each) { return each.pid == pid; });
    if (child == children_.end()) {
      Log(LogLevel::kDebug, "reaped a process of somebody else", {{"pid", pid}});
      continue;
    }
    // Its last words may still be in the pipe.
    if (child->ready_line.open()) ReadReadyLine(*child);
    Died(*child, wait_status, now);
  }
}

void Supervisor::Died(Child& child, int wait_status, MonotonicNanos now) {
  const bool as_told = child.told_to_end && EndedAsTold(wait_status);
  Log(as_told ? LogLevel::kInfo : LogLevel::kError, as_told ? "ended" : "died",
      {{"name", child.title}, {"pid", child.pid}, {"with", DescribeEnd(wait_status)}});
  child.pid = 0;
  child.kill_at = kNever;
  child.ready_line.Close();
  if (child.slot != kNobody) {
    scoreboard_.Fold(child.slot);
    metrics::WorkerSlot& slot = scoreboard_.slot(child.slot);
    slot.pid.store(0, std::memory_order_relaxed);
    slot.state.store(metrics::SlotState::kDown, std::memory_order_relaxed);
    if (!as_told) slot.restarts.fetch_add(1, std::memory_order_relaxed);
  }
  if (stopping_) {
    if (!as_told && exit_code_ == process::kExitStopped) exit_code_ = process::kExitCrash;
    return;
  }
  if (!child.ready && !child.told_to_end && EndsBoot(child, wait_status, now)) return;
  child.due = child.told_to_end ? now : child.policy.Died(now);
  child.ready = false;
  if (child.due > now) {
    Log(LogLevel::kWarning, "restarts later, since it keeps dying",
        {{"name", child.title}, {"in", absl::FormatDuration(absl::Nanoseconds(child.due - now))}});
  }
}

bool Supervisor::EndsBoot(const Child& child, int wait_status, MonotonicNanos now) {
  const int code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 0;
  if (child.slot == kNobody && !announced_ &&
      (code == process::kExitBadConfig || code == process::kExitCannotBind)) {
    Stop(code, now);  // it has said why
    return true;
  }
  if (!boot_.DiedBeforeReady()) return false;
  Log(LogLevel::kError, "giving up: processes die before they are ready",
      {{"times", kBootFailuresMax}});
  Stop(process::kExitCannotBoot, now);
  return true;
}

// --- The daemon
// ------------------------------------------------------------------------------------

void Supervisor::HandleSignals(MonotonicNanos now) {
  signalfd_siginfo info;
  while (read(signal_fd_, &info, sizeof(info)) == sizeof(info)) {
    switch (info.ssi_signo) {
      case SIGTERM:
      case SIGINT:
        Log(LogLevel::kInfo, stopping_ ? "told to stop again: stopping at once" : "told to stop",
            {{"signal", strsignal(info.ssi_signo)}, {"from_pid", info.ssi_pid}});
        stopping_ ? KillAll() : Stop(process::kExitStopped, now);
        break;
      case SIGHUP:
        if (!stopping_) BeginRoll();
        break;
      case SIGUSR1:
        // Workers that have yet to boot keep it until they read signals.
        for (const Child& child : children_) {
          if (child.slot != kNobody && child.pid != 0) kill(child.pid, SIGUSR1);
        }
        break;
      default:
        break;
    }
  }
  // In any case: several SIGCHLD become one.
  Reap(now);
}

void Supervisor::BeginRoll() {
  // A certificate that is wrong now must not end workers that have a good one.
  if (absl::Status files = options_.check_files(); !files.ok()) {
    Log(LogLevel::kError, "not replacing the workers: new ones could not serve",
        {{"error", files.message()}});
    return;
  }
  if (absl::Status keys = RenewTicketKeys(); !keys.ok()) Log(LogLevel::kWarning, keys.message());
  Log(LogLevel::kInfo, "replacing the workers, one after the other");
  to_roll_.clear();
  for (int slot = 0; slot < options_.config.workers(); ++slot) to_roll_.push_back(slot);
}

void Supervisor::Stop(int exit_code, MonotonicNanos now) {
  if (stopping_) return;
  stopping_ = true;
  exit_code_ = exit_code;
  NotifyServiceManager("STOPPING=1");
  endpoints_.CloseHttp();
  for (Child& child : children_) TellToEnd(child, now);
}

void Supervisor::KillAll() {
  for (Child& child : children_) {
    if (child.pid != 0) kill(child.pid, SIGKILL);
  }
}

// One worker is away at a time, so that the others carry the load.
void Supervisor::ContinueRoll(MonotonicNanos now) {
  while (rolling_ == kNobody && !to_roll_.empty()) {
    Child& child = children_[to_roll_.front()];
    to_roll_.pop_front();
    if (child.pid == 0) continue;  // about to be a new one anyway
    rolling_ = child.slot;
    TellToEnd(child, now);
  }
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

void Supervisor::AnnounceServing() {
  announced_ = true;
  boot_.Served();
  Log(LogLevel::kInfo, "serving",
      {{"http", absl::StrJoin(endpoints_.http_addresses(), ",")},
       {"control", control_addresses_.grpc},
       {"admin", control_addresses_.admin},
       {"workers", options_.config.workers()},
       {"run_dir", files_.run_dir()}});
  NotifyServiceManager("READY=1");
}

void Supervisor::Wait(MonotonicNanos now) {
  std::vector<pollfd> polled = {{.fd = signal_fd_, .events = POLLIN, .revents = 0}};
  std::vector<Child*> owners;
  MonotonicNanos deadline = kNever;
  for (Child& child : children_) {
    if (child.pid == 0 && !stopping_) deadline = std::min(deadline, child.due);
    if (child.pid != 0) deadline = std::min(deadline, child.kill_at);
    if (!child.ready_line.open()) continue;
    polled.push_back({.fd = child.ready_line.fd(), .events = POLLIN, .revents = 0});
    owners.push_back(&child);
  }
  const timespec wait = absl::ToTimespec(absl::Nanoseconds(std::max<int64_t>(deadline - now, 0)));
  if (ppoll(polled.data(), polled.size(), deadline == kNever ? nullptr : &wait, nullptr) <= 0) {
    return;
  }
  for (size_t index = 0; index < owners.size(); ++index) {
    if (polled[index + 1].revents != 0) ReadReadyLine(*owners[index]);
  }
}

bool Supervisor::AnyAlive() const {
  return std::any_of(children_.begin(), children_.end(),
                     [](const Child& child) { return child.pid != 0; });
}

}  // namespace grove::supervisor
