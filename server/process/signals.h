// Signals: what a process of the daemon starts from, and those that it has no use for.
//
// Whoever starts the daemon may have left signals ignored: a supervisor to which SIGCHLD does not
// come hears of no death. And the default of many is to end or to stop a process, also for those
// that nobody means: each of them is taken, logged, and changes nothing.
#ifndef GROVE_SERVER_PROCESS_SIGNALS_H_
#define GROVE_SERVER_PROCESS_SIGNALS_H_

#include <csignal>
#include <initializer_list>
#include <vector>

namespace grove::process {

// What was left ignored has its default action again, but SIGPIPE, which is ignored: writing to who
// is gone is an error of that call. Handlers stay.
void ResetSignals();

// `used`, and all others that end or stop a process and that others may send it: to be blocked and
// read. Left out are what the CPU and abort(3) raise, SIGTSTP (a terminal's Ctrl-Z stops as ever),
// SIGCONT, SIGCHLD unless used, SIGURG (the watchdog's), and what can't be caught.
std::vector<int> WithSignalsOfNoUse(std::initializer_list<int> used);

// The same as a mask.
sigset_t MaskOf(const std::vector<int>& numbers);

// The line about a signal that nobody uses; `pid` sent it, 0 if no process did.
void LogUnusedSignal(int number, pid_t pid);

}  // namespace grove::process

#endif  // GROVE_SERVER_PROCESS_SIGNALS_H_
