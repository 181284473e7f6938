#include "server/tasks/views.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "google/protobuf/arena.h"
#include "proto/well_known_times.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/explain.h"
#include "server/tasks/fairness_view.h"
#include "server/tasks/limit_view.h"
#include "server/tasks/payload_links.h"
#include "server/tasks/payloads.h"
#include "server/tasks/retention.h"
#include "server/tasks/task_memory.h"

namespace grove::tasks {
namespace {

using proto::SetMicros;
using proto::ToMicros;

constexpr std::string_view kWorkerPrefix = "workers/";

void FillAttempt(const AttemptRecord& record, v1::Attempt* attempt) {
  attempt->set_number(record.number);
  attempt->set_state(record.state);
  if (record.worker >= 0) attempt->set_worker(StrCat(kWorkerPrefix, record.worker));
  attempt->set_worker_pid(record.worker_pid);
  if (record.fiber != 0) {
    attempt->set_fiber(StrCat(kWorkerPrefix, record.worker, "/fibers/", record.fiber));
  }
  SetMicros(record.start_us, attempt->mutable_start_time());
  if (record.end_us != 0) SetMicros(record.end_us, attempt->mutable_end_time());
  if (record.error) *attempt->mutable_error() = *record.error;
}

// All but the output.
void FillProgress(const EngineState& state, const Task& task, v1::Task& view) {
  const TaskPast& past = task.past();
  view.set_state(task.state);
  for (const AttemptRecord& record : past.attempts) FillAttempt(record, view.add_attempts());
  view.set_output_content_type(past.output_content_type);
  if (past.output_payload != nullptr) view.set_output_payload(*past.output_payload);
  if (past.error) *view.mutable_error() = *past.error;
  SetMicros(task.create_time_us, view.mutable_create_time());
  if (task.schedule_us != 0) {
    SetMicros(state.ToWall(task.schedule_us), view.mutable_schedule_time());
  }
  if (past.end_time_us != 0) SetMicros(past.end_time_us, view.mutable_end_time());
  view.set_progress(past.progress);
  view.set_progress_message(past.progress_message);
  view.set_paused(task.is_paused());
  if (task.is_paused()) view.set_pause_reason(*past.paused);
  if (task.parent != nullptr) view.set_parent_task(*task.parent);
  if (task.relations == nullptr) return;
  view.set_retry_of(task.relations->retry_of);
  view.set_webhook_task(task.relations->webhook_task);
  const TaskNames& suspended_for = task.relations->suspended_for;
  for (size_t i = 0; i < suspended_for.size(); ++i) {
    view.add_suspended_for(suspended_for.NameOf(i));
  }
}

void FillSpecOf(const EngineState& state, const Task& task, v1::TaskSpec& spec) {
  spec.set_function(state.FunctionOf(task));
  spec.set_queue(state.directory->queues()[task.queue].name);
  FillSpec(task.spec, spec);
}

// What of a spec may change after it was stored.
void FillChanges(const AcceptedSpec& spec, v1::TaskSpec* changed) {
  changed->set_priority(spec.priority);
  const SpecExtras& extras = spec.extras();
  for (const auto& [key, value] : extras.labels) (*changed->mutable_labels())[key] = value;
  if (extras.delay_us > 0) SetMicros(extras.delay_us, changed->mutable_delay());
  if (extras.start_us > 0) SetMicros(extras.start_us, changed->mutable_start_time());
  FillLimitKeys(spec, *changed);
  changed->set_slot_cost(spec.slot_cost);
}

void RestoreChanges(v1::TaskSpec&& changed, Task& task) {
  // What was written while keys could not change yet says nothing of them, nor of the cost.
  const bool has_keys = changed.slot_cost() > 0;
  AcceptedSpec spec = NormaliseSpec(std::move(changed));
  task.spec_changed = true;
  task.spec.priority = spec.priority;
  SpecExtras& extras = task.spec.Extras();
  extras.labels = std::move(spec.Extras().labels);
  extras.delay_us = spec.extras().delay_us;
  extras.start_us = spec.extras().start_us;
  if (has_keys) extras.limit_key = std::move(spec.Extras().limit_key);
}

// Of what it comes after: what the next control may not find.
void MarkVolatile(const AcceptedSpec& spec, v1::TaskSpec& stored) {
  if (spec.extras().relations == nullptr) return;
  const TaskNames& after = spec.extras().relations->after;
  for (size_t i = 0; i < after.size(); ++i) {
    if (after.is_volatile(i)) stored.set_after(static_cast<int>(i), after.MarkedNameOf(i));
  }
}

// Shows a task as it was before its end, which is not on disk yet.
void HideEnd(const Task& task, v1::Task& shown) {
  shown.set_state(task.told_state());
  shown.set_waiting_reason("its end is being written to disk");
  shown.clear_end_time();
  shown.clear_error();
  shown.clear_output();
  shown.clear_output_content_type();
  shown.clear_output_size_bytes();
  shown.clear_output_payload();
  if (shown.state() != v1::TASK_STATE_RUNNING) return;
  v1::Attempt& last = *shown.mutable_attempts()->rbegin();
  last.set_state(v1::Attempt::STATE_RUNNING);
  last.clear_end_time();
  last.clear_error();
}

AttemptRecord RestoreAttempt(v1::Attempt& stored) {
  AttemptRecord record;
  record.number = stored.number();
  record.state = stored.state();
  const std::string_view worker(stored.worker());
  if (worker.size() <= kWorkerPrefix.size() ||
      !SimpleAtoi(worker.substr(kWorkerPrefix.size()), &record.worker)) {
    record.worker = -1;
  }
  record.worker_pid = stored.worker_pid();
  record.start_us = ToMicros(stored.start_time());
  record.end_us = stored.has_end_time() ? ToMicros(stored.end_time()) : 0;
  if (stored.has_error()) {
    record.error = std::make_unique<google::rpc::Status>(std::move(*stored.mutable_error()));
  }
  return record;
}

bool HasPast(const StoredProgress& stored, const v1::Task& view) {
  return !view.attempts().empty() || view.has_end_time() || view.paused() ||
         !view.checkpoint().empty() || stored.failures > 0 || stored.interruptions > 0;
}

void RestorePast(const EngineState& state, const StoredProgress& stored, v1::Task& view,
                 TaskPast& past) {
  for (v1::Attempt& attempt : *view.mutable_attempts()) {
    past.attempts.push_back(RestoreAttempt(attempt));
  }
  if (!past.attempts.empty()) past.attempts_started = past.attempts.back().number;
  past.output = std::move(*view.mutable_output());
  past.output_content_type = std::move(*view.mutable_output_content_type());
  if (!view.output_payload().empty()) {
    past.output_payload =
        std::make_unique<const std::string>(std::move(*view.mutable_output_payload()));
  }
  if (view.has_error()) {
    past.error = std::make_unique<google::rpc::Status>(std::move(*view.mutable_error()));
  }
  past.output_bytes = static_cast<int64_t>(past.output.size());
  past.end_time_us = view.has_end_time() ? ToMicros(view.end_time()) : 0;
  past.end_us = std::min(state.FromWall(past.end_time_us), state.now_us);
  if (!view.checkpoint().empty()) {
    past.checkpoint = std::make_unique<std::string>(std::move(*view.mutable_checkpoint()));
  }
  past.progress = view.progress();
  past.progress_message = std::move(*view.mutable_progress_message());
  if (view.paused()) past.paused = std::make_unique<std::string>(view.pause_reason());
  past.failures = stored.failures;
  past.interruptions = stored.interruptions;
}

int64_t OldestAgeUs(const EngineState& state, const QueueState& queue) {
  const Task* oldest = queue.by_age.front();
  return oldest == nullptr ? 0 : state.now_us - oldest->queued_us;
}

// For messages that are made to be serialized: what a task mostly has fits on the stack.
class Scratch {
 public:
  Scratch() : arena_(block_, sizeof(block_)) {}

  template <typename Message>
  Message& Make() {
    return *google::protobuf::Arena::CreateMessage<Message>(&arena_);
  }

 private:
  alignas(8) char block_[2048];
  google::protobuf::Arena arena_;
};

}  // namespace

bool IsQuiet(const EngineState& state, size_t tenant) {
  if (state.directory->tenants()[tenant].from_config) return false;
  bool any = false;
  state.directory->ForEachQueueOf(tenant, [&](size_t index) {
    const QueueState& queue = state.queues[index];
    any |= queue.spawned + queue.rejected + queue.queued + queue.scheduled + queue.running +
               queue.dead_letters >
           0;
  });
  return !any;
}

bool NeedsStore(const Task& task, v1::TaskView view) {
  return (ShowsInput(view) && !task.has_input()) || (ShowsOutput(view) && !task.has_output());
}

v1::Task ViewTask(const EngineState& state, const Task& task, v1::TaskView view, Audience audience,
                  int64_t ahead_max) {
  v1::Task shown;
  ShowTask(state, task, view, audience, ahead_max, shown);
  return shown;
}

void ShowTask(const EngineState& state, const Task& task, v1::TaskView view, Audience audience,
              int64_t ahead_max, v1::Task& shown) {
  shown.set_name(state.NameOf(task));
  FillSpecOf(state, task, *shown.mutable_spec());
  if (ShowsInput(view)) shown.mutable_spec()->set_input(task.spec.input);
  FillProgress(state, task, shown);
  if (ShowsOutput(view)) {
    shown.set_output(task.past().output);
    if (task.past().checkpoint != nullptr) shown.set_checkpoint(*task.past().checkpoint);
  }
  shown.set_input_size_bytes(task.input_bytes + PayloadBytes(state, InputPayloadOf(task)));
  shown.set_output_size_bytes(task.past().output_bytes +
                              PayloadBytes(state, OutputPayloadOf(task)));
  if (task.told_state() != v1::TASK_STATE_SCHEDULED) shown.clear_schedule_time();
  std::vector<v1::WaitExplanation> waits = Explain(state, task, audience, ahead_max);
  if (!waits.empty()) {
    shown.set_waiting_reason(waits[0].text());
    *shown.mutable_wait() = std::move(waits[0]);
  }
  if (task.told_state() != task.state) HideEnd(task, shown);
}

v1::Queue ViewQueue(const EngineState& state, size_t index, Audience audience) {
  const tenancy::Directory::Queue& settings = state.directory->queues()[index];
  const QueueState& queue = state.queues[index];
  v1::Queue view;
  view.set_name(settings.resource_name());
  // The two enums agree, value by value.
  static_assert(static_cast<int>(v1::Queue::ORDER_PRIORITY) == config::v1::Queue::ORDER_PRIORITY);
  view.set_order(static_cast<v1::Queue::Order>(settings.order));
  view.set_state(queue.paused ? v1::Queue::STATE_PAUSED : v1::Queue::STATE_ACTIVE);
  view.set_pause_reason(queue.pause_reason);
  view.set_pool(state.directory->pools()[settings.pool].resource_name());
  view.set_depth_max(settings.depth_max);
  view.set_queued(queue.queued);
  view.set_scheduled(queue.scheduled);
  view.set_running(queue.running);
  SetMicros(OldestAgeUs(state, queue), view.mutable_oldest_age());
  view.set_spawned_total(queue.spawned);
  view.set_rejected_total(queue.rejected);
  view.set_waiting_reason(WaitingReason(state, index, audience));
  SetMicros(RetentionUs(state, index), view.mutable_retention());
  SetMicros(DeadLetterRetentionUs(state, index), view.mutable_dead_letter_retention());
  view.set_ended(queue.ended);
  view.set_dead_letters(queue.dead_letters);
  return view;
}

v1::Pool ViewPool(const EngineState& state, size_t index) {
  const PoolState& pool = state.pools[index];
  v1::Pool view;
  const tenancy::Directory::Pool& settings = state.directory->pools()[index];
  view.set_name(settings.resource_name());
  view.set_size(pool.size);
  view.set_running(pool.running);
  view.set_free(pool.size - pool.running);
  int64_t waiting = 0;
  state.directory->ForEachQueueOf(settings.tenant, [&](size_t queue) {
    if (state.directory->queues()[queue].pool == index) waiting += state.queues[queue].queued;
  });
  view.set_waiting(waiting);
  return view;
}

TaskCounters ViewCounters(EngineState& state) {
  TaskCounters counters;
  const tenancy::Directory& directory = *state.directory;
  absl::flat_hash_map<std::pair<size_t, size_t>, TaskCounts> by_tenant;
  for (const auto& [of, tasks] : state.counts) {
    TaskCounts& sum = by_tenant[{directory.queues()[of.first].tenant, of.second}];
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += tasks[i];
  }
  for (const auto& [of, tasks] : by_tenant) {
    counters.functions.push_back(
        {directory.tenants()[of.first].name, state.functions[of.second].description.name(), tasks});
  }
  for (size_t i = 0; i < state.queues.size(); ++i) {
    const QueueState& queue = state.queues[i];
    const tenancy::Directory::Queue& settings = directory.queues()[i];
    if (IsQuiet(state, settings.tenant)) continue;
    counters.queues.push_back({directory.tenants()[settings.tenant].name, settings.name,
                               queue.queued, queue.scheduled, queue.running,
                               OldestAgeUs(state, queue), queue.dead_letters});
  }
  for (size_t i = 0; i < state.pools.size(); ++i) {
    const tenancy::Directory::Pool& settings = directory.pools()[i];
    if (IsQuiet(state, settings.tenant)) continue;
    counters.pools.push_back({directory.tenants()[settings.tenant].name, settings.name,
                              state.pools[i].size, state.pools[i].running});
  }
  FillFairness(state, counters);
  FillQuotas(state, counters);
  counters.tasks_held = static_cast<int64_t>(state.tasks.size() + state.evicted.size());
  counters.attempts_running = state.attempts.size();
  for (const WorkerView& worker : state.workers) counters.workers_linked += worker.linked;
  counters.writes_pending = state.unconfirmed.size();
  counters.memory_bytes = HeldBytes(state);
  counters.memory_max_bytes = state.limits.memory_max_bytes();
  return counters;
}

void EncodePlace(const EngineState& state, const Task& task, StoredTask& stored) {
  const tenancy::Directory::Queue& queue = state.directory->queues()[task.queue];
  stored.tenant = state.directory->tenants()[queue.tenant].name;
  stored.queue = queue.name;
  stored.function = state.FunctionOf(task);
}

StoredTask EncodeTask(const EngineState& state, const Task& task) {
  StoredTask stored;
  stored.id = task.id;
  EncodePlace(state, task, stored);
  Scratch scratch;
  auto& spec = scratch.Make<v1::TaskSpec>();
  FillSpecOf(state, task, spec);
  MarkVolatile(task.spec, spec);
  spec.SerializeToString(&stored.spec);
  stored.input = task.spec.input;
  stored.input_bytes = task.input_bytes;
  stored.fingerprint = task.spec.extras().fingerprint;
  stored.progress = EncodeProgress(state, task);
  return stored;
}

StoredProgress EncodeProgress(const EngineState& state, const Task& task) {
  StoredProgress stored;
  Scratch scratch;
  auto& view = scratch.Make<v1::Task>();
  FillProgress(state, task, view);
  const TaskPast& past = task.past();
  view.set_output(past.output);
  if (past.checkpoint != nullptr) view.set_checkpoint(*past.checkpoint);
  if (task.spec_changed) FillChanges(task.spec, view.mutable_spec());
  view.SerializeToString(&stored.task);
  stored.attempt = past.attempt;
  auto attempt = state.attempts.find(past.attempt);
  if (attempt != state.attempts.end()) {
    stored.incarnation = attempt->second->incarnation;
    stored.worker = attempt->second->worker;
  }
  stored.failures = past.failures;
  stored.interruptions = past.interruptions;
  // Whatever halts its sequence is not to be forgotten.
  stored.end_time_us = Halts(task) ? 0 : past.end_time_us;
  if (stored.end_time_us == 0) return stored;
  stored.end_state = task.state;
  stored.is_bare = IsBare(state, task);
  return stored;
}

bool RestoreProgress(const EngineState& state, const StoredProgress& stored, v1::Task& view,
                     Task& task) {
  if (!view.ParseFromString(stored.task) || view.state() == v1::TASK_STATE_UNSPECIFIED ||
      !v1::TaskState_IsValid(view.state())) {
    return false;
  }
  task.state = view.state();
  task.create_time_us = ToMicros(view.create_time());
  // Between two controls the wall clock is all there is.
  if (view.has_schedule_time()) task.schedule_us = state.FromWall(ToMicros(view.schedule_time()));
  task.ready_us = std::max(state.FromWall(task.create_time_us), task.schedule_us);
  if (!view.parent_task().empty()) {
    task.parent = std::make_unique<const std::string>(std::move(*view.mutable_parent_task()));
  }
  if (!view.suspended_for().empty() || !view.retry_of().empty() || !view.webhook_task().empty()) {
    task.relations = std::make_unique<TaskRelations>();
    for (const std::string& name : view.suspended_for()) task.relations->suspended_for.Add(name);
    task.relations->retry_of = view.retry_of();
    task.relations->webhook_task = view.webhook_task();
  }
  if (HasPast(stored, view)) RestorePast(state, stored, view, task.Past());
  if (view.has_spec()) RestoreChanges(std::move(*view.mutable_spec()), task);
  return true;
}

}  // namespace grove::tasks
