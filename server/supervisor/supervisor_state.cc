#include "server/supervisor/supervisor_state.h"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>

#include "runtime/switch/abseil_text.h"

namespace grove::supervisor {

absl::Duration LookPeriod(const WatchLimits& limits) {
  return std::min({absl::Seconds(1), limits.stuck / 2, limits.boot / 2});
}

std::string ChildName(int child) {
  if (child == kControl) return "grove-control";
  return child == kStandIn ? "grove-stand-in" : StrCat("grove-w", child);
}

bool Roll::Has(int slot) const {
  return std::find(to_replace.begin(), to_replace.end(), slot) != to_replace.end() ||
         std::find(away.begin(), away.end(), slot) != away.end();
}

bool SupervisorState::AnyAlive() const {
  return std::any_of(children.begin(), children.end(),
                     [](const ChildState& child) { return child.pid != 0; });
}

MonotonicNanos SupervisorState::NextDue() const {
  MonotonicNanos next = kNever;
  for (int child = 0; child < kChildren; ++child) {
    const ChildState& each = children[child];
    if (each.pid != 0) {
      next = std::min(next, each.kill_at);
    } else if (!stopping && (Wanted(child) || (child == kStandIn && NeedsStandIn()))) {
      next = std::min(next, std::max(each.due, forks.NextAt()));
    }
  }
  return next;
}

bool SupervisorState::Accepts(int child) const {
  const ChildState& each = children[child];
  return each.pid != 0 && each.ready && !each.told_to_end && !each.stuck && !each.aborted;
}

bool SupervisorState::AnyWorkerAccepts() const {
  for (int slot = 0; slot < wanted; ++slot) {
    if (Accepts(slot)) return true;
  }
  return false;
}

bool SupervisorState::AnyWorkerBoots() const {
  for (int slot = 0; slot < wanted; ++slot) {
    if (children[slot].pid != 0 && !children[slot].ready) return true;
  }
  return false;
}

bool SupervisorState::NeedsStandIn() const {
  // Before the daemon has served, nobody counts on it.
  return announced && roll.AnyWorker();
}

bool EndedAsTold(const ChildState& child, int wait_status) {
  return child.told_to_end && ((WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0) ||
                               (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGTERM));
}

metrics::ExitReason ReasonOf(const ChildState& child, int wait_status, bool out_of_memory) {
  using enum metrics::ExitReason;
  if (child.aborted) return child.ready ? kStuck : kBootTimeout;
  if (child.overdue) return kOverdue;
  if (EndedAsTold(child, wait_status)) return child.told_for;
  if (WIFEXITED(wait_status)) return child.ready ? kCrash : kBootFailure;
  const int signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
  if (signal == SIGKILL) return out_of_memory ? kOutOfMemory : kSignal;
  // What a process brings upon itself; others are somebody's.
  for (const int own : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS}) {
    if (signal == own) return kCrash;
  }
  return kSignal;
}

}  // namespace grove::supervisor
