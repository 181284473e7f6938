#include "runtime/watch/watchdog.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/hub/check.h"
#include "runtime/switch/errno_status.h"

namespace grove {

// What the signal handler is asked and answers. One question at a time.
struct StallProbe {
  enum class State : uint8_t { kNothing, kAsked, kAnswering, kAnswered };
  static constexpr size_t kNameMax = 64;
  static constexpr size_t kTaskMax = 256;

  std::atomic<State> state{State::kNothing};
  // Constant while the thread runs.
  int answer_fd = -1;
  StackBounds native;  // the hub thread's own stack
  HubPulse* pulse = nullptr;
  // The question: what was seen to hold the hub.
  uint64_t resumes = 0;
  uint64_t phase = 0;
  // The answer.
  bool moved_on = false;
  FiberId fiber = 0;
  char name[kNameMax + 1];
  char tenant[kNameMax + 1];
  char task[kTaskMax + 1];
  const char* file = nullptr;
  unsigned line = 0;
  StackTrace stack;
};

namespace {

constexpr int kSignal = SIGURG;
constexpr int kSamplesPerThreshold = 4;
// The handler needs about 8 KiB; the kernel's frame on CPUs with AVX-512 and AMX another 11.
constexpr size_t kSignalStackBytes = 64 * 1024;
// A thread that has not taken the signal by then sits in an uninterruptible sleep, or waits for a
// CPU of a loaded machine.
constexpr absl::Duration kAnswerTimeout = absl::Milliseconds(500);
// A hub woken less often than this is idle: the watchdog goes back to its doze at once. Else the
// thread would be woken by each of the rare turns and sample on for a whole period each time.
constexpr absl::Duration kDozeAtOnceInterval = absl::Seconds(1);

template <size_t N>
void CopyText(std::string_view text, char (&to)[N]) {
  const size_t size = std::min(text.size(), N - 1);
  memcpy(to, text.data(), size);
  to[size] = '\0';
}

#if defined(__x86_64__)
FrameRegisters RegistersOf(const ucontext_t& context) {
  // By DWARF number; the return address of number 16 is the interrupted instruction.
  constexpr int kPlaces[] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
                             REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
                             REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};
  FrameRegisters frame;
  for (size_t i = 0; i < frame.values.size(); ++i) {
    frame.values[i] = static_cast<uintptr_t>(context.uc_mcontext.gregs[kPlaces[i]]);
  }
  return frame;
}
#else
// The unwinder knows no other processor's registers: a report then says that it has no stack.
FrameRegisters RegistersOf(const ucontext_t& /*context*/) {
  return {};
}
#endif

// While a switch is under way, the running fiber and the stack pointer belong to different stacks:
// then there is no trace to take.
void Answer(StallProbe& probe, const ucontext_t& context) {
  const Hub* const hub = Hub::Current();
  probe.stack = {};
  probe.fiber = 0;
  probe.moved_on = hub == nullptr || probe.pulse->resumes.load() != probe.resumes ||
                   probe.pulse->phase.load() != probe.phase;
  if (probe.moved_on) return;
  const Fiber* const fiber = hub->running();
  StackBounds bounds = probe.native;
  if (fiber != nullptr) {
    // An ended one is being destroyed.
    if (fiber->state() == Fiber::State::kEnded) return;
    probe.fiber = fiber->id();
    CopyText(fiber->name(), probe.name);
    const FiberLabel* const label = fiber->label();
    CopyText(label != nullptr ? std::string_view(label->tenant) : "", probe.tenant);
    CopyText(label != nullptr ? std::string_view(label->task) : "", probe.task);
    probe.file = fiber->spawn_site().file_name();
    probe.line = fiber->spawn_site().line();
    bounds = {.low = reinterpret_cast<uintptr_t>(fiber->stack().low),
              .high = reinterpret_cast<uintptr_t>(fiber->stack().high)};
  }
  const FrameRegisters frame = RegistersOf(context);
  if (frame.sp() < bounds.low || frame.sp() >= bounds.high) return;
  probe.stack = TraceFrom(frame, PcKind::kInterrupted, bounds);
}

// On the hub's thread, whatever it is doing: allocates nothing, takes no lock.
void OnSignal(int, siginfo_t* info, void* context) {
  if (info->si_code != SI_QUEUE || info->si_value.sival_ptr == nullptr) return;  // not ours
  const int saved_errno = errno;
  auto& probe = *static_cast<StallProbe*>(info->si_value.sival_ptr);
  StallProbe::State asked = StallProbe::State::kAsked;
  if (probe.state.compare_exchange_strong(asked, StallProbe::State::kAnswering)) {
    Answer(probe, *static_cast<const ucontext_t*>(context));
    probe.state.store(StallProbe::State::kAnswered);
    eventfd_write(probe.answer_fd, 1);
  }
  errno = saved_errno;
}

absl::Status InstallHandler() {
  struct sigaction action {};
  action.sa_sigaction = OnSignal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  if (sigaction(kSignal, &action, nullptr) != 0) return ErrnoStatus(errno, "sigaction(SIGURG)");
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, kSignal);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  return absl::OkStatus();
}

// A fiber's stack may have no room left for a handler. Null if the thread has an alternate stack.
absl::StatusOr<void*> InstallSignalStack() {
  stack_t present;
  if (sigaltstack(nullptr, &present) == 0 && (present.ss_flags & SS_DISABLE) == 0) return nullptr;
  void* const memory =
      mmap(nullptr, kSignalStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return ErrnoStatus(errno, "mmap of a signal stack");
  const stack_t ours{.ss_sp = memory, .ss_flags = 0, .ss_size = kSignalStackBytes};
  if (sigaltstack(&ours, nullptr) != 0) {
    const int error = errno;
    munmap(memory, kSignalStackBytes);
    return ErrnoStatus(error, "sigaltstack");
  }
  return memory;
}

StackBounds NativeStack() {
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return {};
  void* low = nullptr;
  size_t size = 0;
  pthread_attr_getstack(&attributes, &low, &size);
  pthread_attr_destroy(&attributes);
  const auto start = reinterpret_cast<uintptr_t>(low);
  return {.low = start, .high = start + size};
}

// Whether something came within `timeout`; takes it.
bool AwaitEvent(int fd, absl::Duration timeout) {
  pollfd wanted{.fd = fd, .events = POLLIN, .revents = 0};
  const int ms = timeout == absl::InfiniteDuration()
                     ? -1
                     : static_cast<int>(absl::ToInt64Milliseconds(timeout));
  const int ready = poll(&wanted, 1, ms);
  if (ready < 0 && errno != EINTR) {
    Die(absl::StrCat("watchdog: poll: ", strerror(errno),
                     "; without it this thread can only spin"));
  }
  if (ready <= 0) return false;
  eventfd_t count;
  return eventfd_read(fd, &count) == 0;
}

bool Dozes(const StallDetector::Sample& sample) {
  return sample.phase % 2 != 0;
}

}  // namespace

Watchdog::Watchdog(Hub& hub, WatchdogOptions options)
    : pulse_(hub.pulse()),
      options_(std::move(options)),
      period_(options_.threshold / kSamplesPerThreshold),
      detector_({.threshold = absl::ToInt64Nanoseconds(options_.threshold),
                 .report_interval = absl::ToInt64Nanoseconds(options_.report_interval)}) {}

Watchdog::~Watchdog() {
  GROVE_CHECK(!thread_.joinable(), "a watchdog was destroyed without Stop()");
}

absl::Status Watchdog::Start() {
  GROVE_CHECK(!thread_.joinable(), "a watchdog was started twice");
  if (period_ < absl::Milliseconds(1)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("watchdog: a threshold of %s is too short: at least 4 ms",
                        absl::FormatDuration(options_.threshold)));
  }
  absl::StatusOr<void*> stack = InstallSignalStack();
  if (!stack.ok()) return stack.status();
  signal_stack_ = *stack;
  probe_ = std::make_unique<StallProbe>();
  probe_->native = NativeStack();
  probe_->pulse = &pulse_;
  probe_->answer_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  absl::Status status = InstallHandler();
  if (probe_->answer_fd < 0 || wake_fd_ < 0) status = ErrnoStatus(errno, "eventfd");
  if (!status.ok()) {
    Stop();
    return status;
  }
  pulse_.wake_fd.store(wake_fd_);
  hub_tid_ = static_cast<pid_t>(syscall(SYS_gettid));
  hub_thread_ = pthread_self();
  stopping_.store(false);
  thread_ = std::thread([this] { ThreadLoop(); });
  return absl::OkStatus();
}

// The handler stays installed: without a question it does nothing, and a later watchdog shares it.
void Watchdog::Stop() {
  if (thread_.joinable()) {
    stopping_.store(true);
    eventfd_write(wake_fd_, 1);
    thread_.join();
  }
  pulse_.dozing.store(false);
  pulse_.wake_fd.store(-1);
  if (wake_fd_ >= 0) close(std::exchange(wake_fd_, -1));
  if (probe_ != nullptr && probe_->answer_fd >= 0) close(probe_->answer_fd);
  // A signal that is still pending comes at the latest when the system calls above return.
  probe_.reset();
  if (signal_stack_ == nullptr) return;
  const stack_t none{.ss_sp = nullptr, .ss_flags = SS_DISABLE, .ss_size = 0};
  sigaltstack(&none, nullptr);
  munmap(std::exchange(signal_stack_, nullptr), kSignalStackBytes);
}

StallDetector::Sample Watchdog::TakeSample() const {
  return {.now = Clock::Monotonic().Now(),
          .resumes = pulse_.resumes.load(std::memory_order_relaxed),
          .phase = pulse_.phase.load(std::memory_order_seq_cst)};
}

void Watchdog::ThreadLoop() {
  pthread_setname_np(pthread_self(), "grove-watchdog");
  MonotonicNanos dozed_at = 0;
  uint64_t idle_phase = 0;
  while (!stopping_.load()) {
    const StallDetector::Sample sample = TakeSample();
    const StallDetector::Verdict verdict = detector_.Observe(sample);
    PublishStats();
    if (verdict == StallDetector::Verdict::kReport) Report();
    if (verdict == StallDetector::Verdict::kEnded) ReportEnd();
    const bool woken_rarely =
        sample.now - dozed_at >= absl::ToInt64Nanoseconds(kDozeAtOnceInterval);
    if (!Dozes(sample) || (sample.phase != idle_phase && !woken_rarely)) {
      idle_phase = Dozes(sample) ? sample.phase : 0;
      Pause(period_);
      continue;
    }
    dozed_at = sample.now;
    idle_phase = 0;
    pulse_.dozing.store(true, std::memory_order_seq_cst);
    // It may have left its poll before it could see the flag.
    if (pulse_.phase.load(std::memory_order_seq_cst) == sample.phase) {
      Pause(absl::InfiniteDuration());
    }
    pulse_.dozing.store(false, std::memory_order_relaxed);
  }
}

void Watchdog::Pause(absl::Duration timeout) {
  if (!stopping_.load()) AwaitEvent(wake_fd_, timeout);
}

void Watchdog::PublishStats() {
  const StallStats& stats = detector_.stats();
  stalls_.store(stats.stalls, std::memory_order_relaxed);
  unreported_.store(stats.unreported, std::memory_order_relaxed);
  held_.store(stats.held, std::memory_order_relaxed);
  longest_.store(stats.longest, std::memory_order_relaxed);
}

StallStats Watchdog::stats() const {
  return {.stalls = stalls_.load(std::memory_order_relaxed),
          .unreported = unreported_.load(std::memory_order_relaxed),
          .held = held_.load(std::memory_order_relaxed),
          .longest = longest_.load(std::memory_order_relaxed)};
}

bool Watchdog::AskHubThread() {
  AwaitEvent(probe_->answer_fd, absl::ZeroDuration());  // of an answer that came too late
  const StallDetector::Sample sample = TakeSample();
  probe_->resumes = sample.resumes;
  probe_->phase = sample.phase;
  probe_->state.store(StallProbe::State::kAsked);
  if (pthread_sigqueue(hub_thread_, kSignal, {.sival_ptr = probe_.get()}) != 0) {
    probe_->state.store(StallProbe::State::kNothing);
    return false;
  }
  AwaitEvent(probe_->answer_fd, kAnswerTimeout);
  StallProbe::State state = StallProbe::State::kAsked;
  if (probe_->state.compare_exchange_strong(state, StallProbe::State::kNothing)) return false;
  // It has begun: the handler waits for nothing, so neither does this for long.
  while (probe_->state.load() != StallProbe::State::kAnswered) std::this_thread::yield();
  probe_->state.store(StallProbe::State::kNothing);
  return !probe_->moved_on;
}

void Watchdog::Report() {
  StallReport report;
  report.held = absl::Nanoseconds(detector_.held());
  // Before the signal, which ends some calls.
  report.call = ReadBlockedCall(hub_tid_);
  report.identified = AskHubThread();
  if (report.identified) {
    report.fiber = probe_->fiber;
    report.stack = probe_->stack;
  }
  if (report.fiber != 0) {
    report.fiber_name = probe_->name;
    report.tenant = probe_->tenant;
    report.task = probe_->task;
    report.spawn_site = absl::StrFormat("%s:%d", probe_->file, probe_->line);
  }
  present_.fiber = report.fiber;
  present_.fiber_name = report.fiber_name;
  if (options_.on_stall) options_.on_stall(report);
}

void Watchdog::ReportEnd() {
  present_.held = absl::Nanoseconds(detector_.held());
  if (options_.on_end) options_.on_end(present_);
}

}  // namespace grove
