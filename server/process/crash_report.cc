#include "server/process/crash_report.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <iterator>

#include "absl/debugging/failure_signal_handler.h"
#include "absl/debugging/symbolize.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/signal_handler_scope.h"
#include "server/process/fiber_dump.h"
#include "server/process/signal_safe_line.h"

namespace grove::process {
namespace {

constexpr int kCrashSignals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

// abseil's handlers, which print the stack and end the process; by place in kCrashSignals.
struct sigaction stack_printers[std::size(kCrashSignals)];

// The thread that reports its crash; 0 while none does.
std::atomic<pid_t> reporter{0};

// A report that crashes itself, as abseil's does where there is no memory for its symbols, would
// begin anew for ever: then the process ends as if nobody had asked.
void EndIfReporting(int number) {
  if (reporter.exchange(gettid()) != gettid()) return;
  signal(number, SIG_DFL);
  raise(number);
}

void ReportStuck(const Hub* hub) {
  const MonotonicNanos deadline = SignalSafeNow() + absl::ToInt64Nanoseconds(kDumpTimeMax);
  if (hub != nullptr && hub->running() != nullptr) {
    WriteFiberLine("stuck", *hub->running(), deadline);
  } else {
    SignalSafeLine().Add("grove: stuck outside any fiber").Write(deadline);
  }
  if (hub != nullptr) DumpFibers(*hub, deadline);
}

// The address of a fault is known only to the first handler: abseil's raises the signal anew.
void OnCrash(int number, siginfo_t* info, void* context) {
  EndIfReporting(number);
  const SignalHandlerScope scope;
  const Hub* hub = Hub::Current();
  // The supervisor's, to this thread (supervisor.cc); abort(3) is this process's own.
  const bool stuck = number == SIGABRT && info->si_code <= 0 && info->si_pid == getppid();
  const Fiber* overflowed =
      hub != nullptr && number == SIGSEGV ? hub->OverflowedFiber(info->si_addr) : nullptr;
  if (overflowed != nullptr) {
    WriteFiberLine("stack overflow", *overflowed);
  } else if (stuck) {
    ReportStuck(hub);
  } else if (hub != nullptr && hub->running() != nullptr) {
    WriteFiberLine("crashed", *hub->running());
  } else {
    SignalSafeLine().Add("grove: crashed outside any fiber").Write();
  }
  const size_t place = std::find(std::begin(kCrashSignals), std::end(kCrashSignals), number) -
                       std::begin(kCrashSignals);
  stack_printers[place].sa_sigaction(number, info, context);
}

}  // namespace

void InstallCrashReport() {
  absl::InitializeSymbolizer("/proc/self/exe");
  absl::FailureSignalHandlerOptions options;
  options.use_alternate_stack = true;  // a fiber's own may be what overflowed
  absl::InstallFailureSignalHandler(options);
  struct sigaction action {};
  action.sa_sigaction = OnCrash;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  for (size_t i = 0; i < std::size(kCrashSignals); ++i) {
    sigaction(kCrashSignals[i], &action, &stack_printers[i]);
  }
}

}  // namespace grove::process
