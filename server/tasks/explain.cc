// Two kinds of things are said: what stands in the way of this task (its delay, a pause), and what
// stands in the way of any task of its queue and function. The first come first, because the second
// will have changed when they are over.
//
// What a tenant is told holds no number that depends on what other tenants do, but for its own
// pools': those are its own.
#include "server/tasks/explain.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "proto/well_known_times.h"
#include "server/tasks/after.h"
#include "server/tasks/gateway_functions.h"
#include "server/tasks/holds.h"
#include "server/tasks/limit_keys.h"
#include "server/tasks/sequences.h"
#include "server/tasks/slot_bounds.h"

namespace grove::tasks {
namespace {

using Why = v1::WaitExplanation;

std::string FormatTime(int64_t us) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixMicros(us), absl::UTCTimeZone());
}

struct WorkerRoom {
  bool any_linked = false;
  bool any_stuck = false;
  bool any_dispatchable = false;
  bool function_known = false;
  int64_t running = 0;
  int64_t capacity = 0;
  // On workers that know the function.
  int64_t room = 0;
};

WorkerRoom RoomFor(const EngineState& state, size_t function) {
  WorkerRoom room;
  for (const int32_t i : state.heard_of) {
    const WorkerView& worker = state.workers[i];
    room.any_linked |= worker.linked;
    room.any_stuck |= worker.linked && worker.stuck;
    if (!state.IsDispatchable(worker)) continue;
    room.any_dispatchable = true;
    if (!worker.knows(function)) continue;
    room.function_known = true;
    room.running += worker.taken();
    room.capacity += worker.capacity;
    if (worker.room() > 0) room.room += worker.room();
  }
  return room;
}

Why Because(Why::Cause cause, std::string text, std::string subject = "") {
  Why why;
  why.set_cause(cause);
  why.set_text(std::move(text));
  why.set_subject(std::move(subject));
  return why;
}

// ": why", if somebody said why.
std::string Reason(const std::string& said) {
  return said.empty() ? "" : absl::StrCat(": ", said);
}

class Explanation {
 public:
  Explanation(const EngineState& state, size_t queue, Audience audience)
      : state_(state),
        settings_(state.directory->queues()[queue]),
        queue_(state.queues[queue]),
        audience_(audience) {}

  void AddOfTask(const Task& task) {
    if (task.state == v1::TASK_STATE_QUEUED && task.spec.durable && !task.stored) {
      Add(Because(Why::CAUSE_STORING, "it is being written to disk"));
    }
    if (task.is_paused()) {
      Add(Because(Why::CAUSE_TASK_PAUSED, absl::StrCat("it is paused", Reason(*task.past().paused)),
                  state_.NameOf(task)));
    }
  }

  void AddPause() {
    if (!queue_.paused) return;
    Add(Because(Why::CAUSE_QUEUE_PAUSED,
                absl::StrCat("queue ", settings_.name, " is paused", Reason(queue_.pause_reason)),
                settings_.resource_name()));
  }

  // What of other tasks keeps it.
  void AddHolds(const Task& task) {
    if (task.relations == nullptr || task.state != v1::TASK_STATE_SCHEDULED) return;
    const size_t waiting = task.relations->waiting;
    if (waiting > 0 && ComesAfter(task)) {
      Add(Awaited(task, Why::CAUSE_AFTER, "it comes after", task.spec.extras().relations->after));
    }
    if (task.relations->is_doomed) Add(Because(Why::CAUSE_AFTER, DoomText(state_, task)));
    if (HasTurn(task)) return;
    const Task* turn = task.relations->sequence->turn;
    const std::string name = turn == nullptr ? "" : state_.NameOf(*turn);
    const std::string& key = task.spec.extras().relations->sequence;
    const bool is_halted = turn != nullptr && Halts(*turn);
    Add(Because(
        Why::CAUSE_SEQUENCE,
        is_halted ? absl::StrCat("its sequence ", key, " is halted by ", name,
                                 ", which has not succeeded: try that again, or delete it")
                  : absl::StrCat("it is not its turn in the sequence ", key, ": ", name, " has it"),
        name));
  }

  void AddSuspension(const Task& task) {
    const bool awaits = task.relations != nullptr && task.relations->waiting > 0;
    Why why = awaits ? Awaited(task, Why::CAUSE_SUSPENDED, "it has suspended itself for",
                               task.relations->suspended_for)
                     : Because(Why::CAUSE_SUSPENDED, "it has suspended itself");
    if (task.schedule_us != 0) {
      why.set_text(absl::StrCat(why.text(), awaits ? ", at most until " : " until ",
                                FormatTime(state_.ToWall(task.schedule_us))));
      if (all_.empty()) {
        proto::SetMicros(state_.ToWall(task.schedule_us), why.mutable_expected_start_time());
      }
    }
    Add(std::move(why));
  }

  void AddTime(const Task& task) {
    if (task.state != v1::TASK_STATE_SCHEDULED) return;
    if (IsSuspended(task)) return AddSuspension(task);
    if (task.schedule_us == 0) return;
    const std::string at = FormatTime(state_.ToWall(task.schedule_us));
    const bool retries = task.past().failures > 0;
    Why why = retries ? Because(Why::CAUSE_BACKOFF,
                                absl::StrCat("attempt ", task.past().attempts_started,
                                             " did not succeed; the next starts at ", at))
                      : Because(Why::CAUSE_DELAYED, absl::StrCat("starts at ", at));
    if (all_.empty()) {
      proto::SetMicros(state_.ToWall(task.schedule_us), why.mutable_expected_start_time());
    }
    Add(std::move(why));
  }

  // What keeps any task of this function.
  void AddObstacle(const Task& task) {
    const WorkerRoom room = RoomFor(state_, task.function);
    if (!room.any_dispatchable) {
      return Add(Because(Why::CAUSE_NO_WORKER, !room.any_linked ? "no worker is connected"
                                               : room.any_stuck
                                                   ? "every connected worker is draining or stuck"
                                                   : "every connected worker is draining"));
    }
    if (!room.function_known) {
      return Add(Because(Why::CAUSE_FUNCTION_UNKNOWN,
                         absl::StrCat("no connected worker has function ", state_.FunctionOf(task)),
                         absl::StrCat("functions/", state_.FunctionOf(task))));
    }
    AddFunction(task);
    AddKeys(task);
    AddQuota(task);
    AddPool(task);
    if (room.room == 0) AddWorkers(room);
  }

  // Among the tasks of its queue, if it stands among them.
  void AddAhead(const Task& task, int64_t ahead_max) {
    if (task.place != Task::Place::kBacklog) return;
    const bool is_first = queue_.backlog.Front() == &task;
    const int64_t ahead = is_first || ahead_max == 0 ? 0 : queue_.backlog.Ahead(&task, ahead_max);
    if (is_first || ahead_max > 0) ExpectStart(ahead, ahead_max);
    if (is_first) return;
    std::string text =
        absl::StrCat("it waits for its turn among the ", queue_.queued - queue_.queued_paused,
                     " tasks of queue ", settings_.name);
    if (ahead_max > 0) {
      absl::StrAppend(&text, ", ", ahead == ahead_max ? "at least " : "", ahead, " ahead of it");
    }
    Why why = Because(Why::CAUSE_BEHIND_OTHERS, std::move(text), settings_.resource_name());
    why.set_ahead(ahead);
    if (all_.empty() && expected_us_ > 0) {
      proto::SetMicros(state_.ToWall(expected_us_), why.mutable_expected_start_time());
    }
    Add(std::move(why));
  }

  std::vector<Why> Take() { return std::move(all_); }

 private:
  void Add(Why why) { all_.push_back(std::move(why)); }

  Why Awaited(const Task& task, Why::Cause cause, std::string_view what,
              const TaskNames& names) const {
    const auto all = static_cast<int64_t>(names.size());
    const int64_t ended = all - static_cast<int64_t>(task.relations->waiting);
    const std::string first = names.NameOf(FirstAwaited(state_, task, names));
    const std::string text =
        all == 1 ? absl::StrCat(std::string(what), " ", first, ", which has not ended")
                 : absl::StrCat(std::string(what), " ", all, " tasks, of which ", ended,
                                " have ended; the first that has not is ", first);
    Why why = Because(cause, text, first);
    why.set_used(ended);
    why.set_limit(all);
    return why;
  }

  void AddFunction(const Task& task) {
    const FunctionState& function = state_.functions[task.function];
    const std::string subject = absl::StrCat("functions/", state_.FunctionOf(task));
    if (IsFullAtGateway(state_, task.function)) return;
    if (!function.is_full()) {
      if (task.place != Task::Place::kAside) return;
      return Add(Because(Why::CAUSE_BEHIND_OTHERS, "other tasks of its function start before it",
                         subject));
    }
    const int64_t limit = function.description.concurrency_max();
    Why why = Because(Why::CAUSE_FUNCTION_FULL,
                      absl::StrCat("function ", state_.FunctionOf(task), " is full: ", limit,
                                   " attempts run, as many as may at once"),
                      subject);
    if (audience_ != Audience::kTenant) why.set_used(function.running);
    why.set_limit(limit);
    Add(std::move(why));
  }

  void AddKeys(const Task& task) {
    const auto place = [&](const LimitKey& key) {
      return key.parent != nullptr ? Task::Place::kAsideOfSecondKey : Task::Place::kAsideOfFirstKey;
    };
    ForEachLevel(task.key, [&](LimitKey& key) {
      const tenancy::Limit* limit = LimitOf(state_, key);
      if (!FitsKey(state_, key, task)) {
        const std::string what = absl::StrCat("limit ", limit->pattern, " of key ", key.name);
        return Add(Full(Why::CAUSE_LIMIT, what, "slots taken", key.name, key.slots,
                        limit->running_max, task));
      }
      if (task.place != place(key)) return;
      Add(Because(Why::CAUSE_BEHIND_OTHERS,
                  absl::StrCat("other tasks of limit key ", key.name, " start before it"),
                  key.name));
    });
  }

  void AddQuota(const Task& task) {
    if (FitsQuota(state_, task)) return;
    const std::string name = state_.directory->tenants()[settings_.tenant].resource_name();
    Add(Full(Why::CAUSE_QUOTA, absl::StrCat("the quota of ", name), "slots taken", name,
             state_.tenants[settings_.tenant].use().slots,
             state_.directory->QuotasOf(settings_.tenant).running_max, task));
  }

  void AddPool(const Task& task) {
    if (FitsPool(state_, task)) return;
    const PoolState& pool = state_.pools[settings_.pool];
    const tenancy::Directory::Pool& named = state_.directory->pools()[settings_.pool];
    Add(Full(Why::CAUSE_POOL_FULL, absl::StrCat("pool ", named.name), "running",
             named.resource_name(), pool.running, pool.size, task));
  }

  static Why Full(Why::Cause cause, const std::string& what, const char* used_as,
                  std::string subject, int64_t used, int64_t limit, const Task& task) {
    const bool is_whole = used >= limit;
    std::string text = absl::StrCat(what, is_whole ? " is full: " : " has too little room: ", used,
                                    " of ", limit, " ", used_as);
    if (!is_whole || task.spec.slot_cost > limit) {
      absl::StrAppend(&text, ", and the task takes ", task.spec.slot_cost);
    }
    Why why = Because(cause, std::move(text), std::move(subject));
    why.set_used(used);
    why.set_limit(limit);
    return why;
  }

  void AddWorkers(const WorkerRoom& room) {
    Why why;
    why.set_cause(Why::CAUSE_WORKERS_FULL);
    if (audience_ == Audience::kTenant) {
      why.set_text("every worker is full");
    } else if (room.running < room.capacity) {
      why.set_text(absl::StrCat("the inputs of other tasks are on their way: more than ",
                                kUnstartedBytesMax, " bytes to every worker"));
    } else {
      why.set_text(absl::StrCat("every worker is full: ", room.running, " of ", room.capacity,
                                " attempts running"));
    }
    if (audience_ != Audience::kTenant) {
      why.set_used(room.running);
      why.set_limit(room.capacity);
    }
    Add(std::move(why));
  }

  // What runs now of this queue is the share of the room that it has, whoever else wants some: one
  // of these ends every mean / running. Where the newest is first, nobody can know what will come;
  // where nothing runs or nothing has ended, nobody knows how long it takes.
  void ExpectStart(int64_t ahead, int64_t ahead_max) {
    const bool is_lifo = settings_.order == config::v1::Queue::ORDER_LIFO;
    if (queue_.paused || (is_lifo && ahead > 0) || (ahead > 0 && ahead == ahead_max)) return;
    for (const Why& why : all_) {
      if (why.cause() != Why::CAUSE_POOL_FULL && why.cause() != Why::CAUSE_WORKERS_FULL) return;
    }
    const bool is_blocked = !all_.empty();
    const int64_t turns = ahead + is_blocked;
    if (turns > 0 && (queue_.mean_run_us == 0 || queue_.running == 0)) return;
    const double wait_us =
        turns == 0 ? 0 : static_cast<double>(queue_.mean_run_us) * turns / queue_.running;
    if (wait_us > kDelayMaxUs) return;
    expected_us_ = state_.now_us + static_cast<int64_t>(wait_us);
    for (Why& why : all_) {
      proto::SetMicros(state_.ToWall(expected_us_), why.mutable_expected_start_time());
    }
  }

  const EngineState& state_;
  const tenancy::Directory::Queue& settings_;
  const QueueState& queue_;
  const Audience audience_;
  std::vector<Why> all_;
  EngineMicros expected_us_ = 0;
};

}  // namespace

std::vector<v1::WaitExplanation> Explain(const EngineState& state, const Task& task,
                                         Audience audience, int64_t ahead_max) {
  if (task.state != v1::TASK_STATE_SCHEDULED && task.state != v1::TASK_STATE_QUEUED) return {};
  Explanation explanation(state, task.queue, audience);
  explanation.AddOfTask(task);
  explanation.AddHolds(task);
  explanation.AddPause();
  explanation.AddTime(task);
  if (task.place != Task::Place::kNone && task.place != Task::Place::kPaused) {
    explanation.AddObstacle(task);
  }
  explanation.AddAhead(task, ahead_max);
  std::vector<Why> all = explanation.Take();
  if (all.empty() && task.place == Task::Place::kBacklog) {
    all.push_back(Because(Why::CAUSE_BEHIND_OTHERS, "it starts next"));
    proto::SetMicros(state.wall_us(), all[0].mutable_expected_start_time());
  }
  return all;
}

std::string WaitingReason(const EngineState& state, size_t index, Audience audience) {
  const QueueState& queue = state.queues[index];
  if (const Task* next = queue.backlog.Front()) {
    Explanation explanation(state, index, audience);
    explanation.AddPause();
    explanation.AddObstacle(*next);
    const std::vector<Why> all = explanation.Take();
    return all.empty() ? "its next task starts in a moment" : all[0].text();
  }
  if (const Task* oldest = queue.by_age.front()) {
    const std::vector<Why> all = Explain(state, *oldest, audience, 0);
    return all.empty() ? "" : all[0].text();
  }
  if (queue.queued_paused > 0) {
    return absl::StrCat("its ", queue.queued_paused, " queued tasks are paused");
  }
  if (queue.scheduled > 0) {
    return absl::StrCat("its ", queue.scheduled,
                        " tasks are scheduled for later, or wait for other tasks");
  }
  return "";
}

}  // namespace grove::tasks
