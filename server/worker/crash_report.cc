#include "server/worker/crash_report.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "absl/debugging/failure_signal_handler.h"
#include "absl/debugging/symbolize.h"
#include "runtime/hub.h"

namespace grove {
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

void ReportFiber() {
  const Hub* hub = Hub::Current();
  const Fiber* fiber = hub != nullptr ? hub->running() : nullptr;
  if (fiber == nullptr) return Line().Add("grove: crashed outside any fiber").Write();
  Line line;
  line.Add("grove: crashed in fiber ").Add(fiber->id()).Add(" \"").Add(fiber->name());
  line.Add("\", spawned at ").Add(fiber->spawn_site().file_name()).Add(":");
  line.Add(uint64_t{fiber->spawn_site().line()});
  if (fiber->label() != nullptr) line.Add(", task ").Add(fiber->label()->task);
  line.Write();
}

// Runs after abseil's handler, which has printed the stack.
void OnCrash(int number, siginfo_t*, void*) {
  signal(number, SIG_DFL);
  ReportFiber();
  raise(number);
}

}  // namespace

void InstallCrashReport() {
  struct sigaction action {};
  action.sa_sigaction = OnCrash;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  for (const int number : kCrashSignals) sigaction(number, &action, nullptr);
  absl::InitializeSymbolizer("/proc/self/exe");
  absl::FailureSignalHandlerOptions options;
  options.use_alternate_stack = true;  // a fiber's own may be what overflowed
  options.call_previous_handler = true;
  absl::InstallFailureSignalHandler(options);
}

}  // namespace grove
