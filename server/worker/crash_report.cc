#include "server/worker/crash_report.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <string_view>

#include "absl/debugging/failure_signal_handler.h"
#include "absl/debugging/symbolize.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/signal_handler_scope.h"

namespace grove::worker {
namespace {

constexpr int kCrashSignals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

// A line of bounded length, put together without a heap: all that a signal handler may use.
class Line {
 public:
  Line& Add(std::string_view text) {
    const size_t room = sizeof(text_) - 1 - size_;
    const size_t taken = std::min(text.size(), room);
    memcpy(text_ + size_, text.data(), taken);
    size_ += taken;
    return *this;
  }
  Line& Add(uint64_t number) {
    char digits[20];
    size_t at = sizeof(digits);
    do {
      digits[--at] = static_cast<char>('0' + number % 10);
    } while ((number /= 10) > 0);
    return Add(std::string_view(digits + at, sizeof(digits) - at));
  }
  void Write() {
    text_[size_++] = '\n';
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text_, size_);
  }

 private:
  char text_[1024];
  size_t size_ = 0;
};

void ReportFiber(std::string_view what, const Fiber& fiber) {
  Line line;
  line.Add("grove: ").Add(what).Add(" in fiber ").Add(fiber.id()).Add(" \"").Add(fiber.name());
  line.Add("\", spawned at ").Add(fiber.spawn_site().file_name()).Add(":");
  line.Add(uint64_t{fiber.spawn_site().line()});
  if (fiber.label() != nullptr) line.Add(", task ").Add(fiber.label()->task);
  line.Write();
}

// abseil's handlers, which print the stack and end the process; by place in kCrashSignals.
struct sigaction stack_printers[std::size(kCrashSignals)];

// The address of a fault is known only to the first handler: abseil's raises the signal anew.
void OnCrash(int number, siginfo_t* info, void* context) {
  const SignalHandlerScope scope;
  const Hub* hub = Hub::Current();
  const Fiber* overflowed =
      hub != nullptr && number == SIGSEGV ? hub->OverflowedFiber(info->si_addr) : nullptr;
  if (overflowed != nullptr) {
    ReportFiber("stack overflow", *overflowed);
  } else if (hub != nullptr && hub->running() != nullptr) {
    ReportFiber("crashed", *hub->running());
  } else {
    Line().Add("grove: crashed outside any fiber").Write();
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

}  // namespace grove::worker
