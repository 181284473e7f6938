#include "server/supervisor/handed_children.h"

namespace grove::supervisor {
namespace {

using internal::v1::HandedChild;

// Of one that does not serve there is none, and of one that does an older program tells its start
// alone: it has served for longer than any upgrade takes, as a rule.
MonotonicNanos ReadyOf(const HandedChild& handed) {
  if (!handed.ready()) return kNever;
  return handed.ready_ns() != 0 ? handed.ready_ns() : handed.started_ns();
}

}  // namespace

bool HasHistory(const ChildState& child) {
  return child.pid != 0 || child.due != 0 || child.policy.history() != RestartHistory();
}

HandedChild DescribeChild(int index, const ChildState& child) {
  const RestartHistory& history = child.policy.history();
  HandedChild handed;
  handed.set_index(index);
  handed.set_pid(child.pid);
  handed.set_ready(child.ready);
  handed.set_told_to_end(child.told_to_end);
  handed.set_aborted(child.aborted);
  handed.set_kill_at_ns(child.kill_at == kNever ? 0 : child.kill_at);
  handed.set_started_ns(history.started);
  handed.set_ready_ns(history.ready == kNever ? 0 : history.ready);
  handed.set_quick_deaths(history.quick_deaths);
  handed.set_failed_starts(history.failed_starts);
  handed.set_due_ns(child.due);
  handed.set_jitter(child.jitter);
  handed.set_ready_fd(-1);
  handed.set_channel_fd(-1);
  return handed;
}

ChildState ChildFrom(const HandedChild& handed, MonotonicNanos now) {
  ChildState child;
  child.pid = static_cast<pid_t>(handed.pid());
  child.ready = handed.ready();
  child.told_to_end = handed.told_to_end();
  child.aborted = handed.aborted();
  child.kill_at = handed.kill_at_ns() == 0 ? kNever : handed.kill_at_ns();
  child.policy = RestartPolicy({.started = handed.started_ns(),
                                .ready = ReadyOf(handed),
                                .quick_deaths = handed.quick_deaths(),
                                .failed_starts = handed.failed_starts()});
  child.due = handed.due_ns();
  child.jitter = handed.jitter();
  child.standstill.Begin(now, now);
  return child;
}

}  // namespace grove::supervisor
