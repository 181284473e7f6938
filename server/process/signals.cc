#include "server/process/signals.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "server/log.h"

namespace grove::process {

void ResetSignals() {
  // Handlers do not outlive an exec(2): what is one was set by this program, and stays.
  for (int number = 1; number <= SIGRTMAX; ++number) {
    struct sigaction action {};
    if (sigaction(number, nullptr, &action) != 0 || action.sa_handler != SIG_IGN) continue;
    signal(number, SIG_DFL);
  }
  signal(SIGPIPE, SIG_IGN);
}

std::vector<int> WithSignalsOfNoUse(std::initializer_list<int> used) {
  std::vector<int> numbers = used;
  constexpr int kOthers[] = {SIGHUP,  SIGINT,   SIGQUIT, SIGUSR1, SIGUSR2,  SIGALRM,
                             SIGTERM, SIGTTIN,  SIGTTOU, SIGXCPU, SIGXFSZ,  SIGVTALRM,
                             SIGPROF, SIGWINCH, SIGIO,   SIGPWR,  SIGSTKFLT};
  std::vector<int> others(std::begin(kOthers), std::end(kOthers));
  for (int number = SIGRTMIN; number <= SIGRTMAX; ++number) others.push_back(number);
  for (const int number : others) {
    if (std::find(numbers.begin(), numbers.end(), number) == numbers.end()) {
      numbers.push_back(number);
    }
  }
  return numbers;
}

sigset_t MaskOf(const std::vector<int>& numbers) {
  sigset_t mask;
  sigemptyset(&mask);
  for (const int number : numbers) sigaddset(&mask, number);
  return mask;
}

void LogUnusedSignal(int number, pid_t pid) {
  Log(LogLevel::kWarning, "a signal that has no use here changes nothing",
      {{"signal", strsignal(number)}, {"number", number}, {"from_pid", pid}});
}

}  // namespace grove::process
