// Events change the records at once, Tick() draws the conclusions: it ends graces, fires deadlines,
// drops what retention is over for, and dispatches, in that order. Dispatch comes last because each
// of the others may free room or queue a task. One Tick() after a batch of events is enough, so a
// thousand spawns of one hub turn cost one dispatch.
//
// Nothing here reads a clock, draws entropy or writes anywhere (invariant 7): time comes with each
// event, the seed with the options, and what is to happen leaves as Effects. The same events at the
// same times lead to the same effects, which is what tests rely on.
#include "server/tasks/engine.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>

#include "absl/strings/escaping.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/commit.h"
#include "server/tasks/dispatch.h"
#include "server/tasks/engine_event.h"
#include "server/tasks/engine_state.h"
#include "server/tasks/evicted_tasks.h"
#include "server/tasks/explain.h"
#include "server/tasks/fairness_view.h"
#include "server/tasks/holds.h"
#include "server/tasks/lifecycle.h"
#include "server/tasks/limit_keys.h"
#include "server/tasks/payloads.h"
#include "server/tasks/queue_changes.h"
#include "server/tasks/refusal.h"
#include "server/tasks/retention.h"
#include "server/tasks/spawning.h"
#include "server/tasks/task_memory.h"
#include "server/tasks/views.h"
#include "server/tasks/workers.h"
#include "server/tenancy/resource_name.h"

namespace grove::tasks {
namespace {

void FireDeadlines(EngineState& state, Effects& effects) {
  while (state.deadlines.Next() <= state.now_us) {
    Task* task = state.deadlines.Front();
    if (task->state == v1::TASK_STATE_SCHEDULED) {
      EndDelay(state, task);
    } else if (task->state == v1::TASK_STATE_QUEUED) {
      Expire(state, task, effects);
    } else {
      TimeOut(state, task, effects);
    }
  }
}

void Confirm(EngineState& state, const UnconfirmedWrite& write, Effects& effects) {
  if (write.attempt != 0) {
    state.unacknowledged.erase(write.attempt);
    if (state.workers[write.worker].linked) {
      effects.FrameTo(write.worker).add_acknowledged(write.attempt);
    }
  }
  if (write.then == UnconfirmedWrite::Then::kNothing) return;
  Task* task = state.FindTask(write.id);
  if (task == nullptr) return;
  // Invariant 8: only now may it start, its spawn be acknowledged, its end be reported.
  if (write.then == UnconfirmedWrite::Then::kStored) {
    MarkStored(state, task);
    effects.acknowledged.push_back(task->id);
  }
  if (write.then == UnconfirmedWrite::Then::kSettled) Settle(state, task, effects);
}

// nullptr if the worker does not run it, or its task goes on without it.
absl::Status NoSuchTask(TaskId id) {
  return Refusal(absl::StatusCode::kNotFound, "TASK_NOT_FOUND",
                 StrCat("no task ", id.ToString(), ": it never existed, or its retention is over"));
}

// Whoever recalls a task first gets this only where the record could not be read.
absl::Status NotAtHand(const EngineState& state, TaskId id) {
  const EvictedTask* evicted = FindEvicted(state, id);
  if (evicted == nullptr) return NoSuchTask(id);
  return Refusal(
      absl::StatusCode::kDataLoss, "RECORD_UNREADABLE",
      StrCat("the record of ", state.NameOf(evicted->queue, id), " in the store cannot be read"));
}

Task* LoadingTask(const EngineState& state, TaskId id) {
  Task* task = state.FindTask(id);
  if (task == nullptr || task->past().attempt == 0) return nullptr;
  return state.attempts.at(task->past().attempt)->loading ? task : nullptr;
}

}  // namespace

TaskEngine::TaskEngine(const tenancy::Directory* directory, const EngineOptions& options)
    : state_(std::make_unique<EngineState>(directory, options)) {}

TaskEngine::~TaskEngine() = default;

absl::StatusOr<Spawned> TaskEngine::Spawn(std::string_view parent, v1::TaskSpec&& spec,
                                          EngineMicros now_us, Effects& effects,
                                          const SpawnOrigin& origin) {
  const EngineEvent event(*state_);
  state_->Advance(now_us);
  size_t queue = SIZE_MAX;
  auto spawned = SpawnTask(*state_, parent, std::move(spec), origin, effects, &queue);
  if (!spawned.ok()) {
    effects.tallies.push_back({.kind = Tally::Kind::kRejected,
                               .queue = queue,
                               .reason = RefusalReason(spawned.status())});
    if (queue != SIZE_MAX) ++state_->queues[queue].rejected;
  }
  return spawned;
}

absl::Status TaskEngine::Cancel(std::string_view name, std::string_view reason, EngineMicros now_us,
                                Effects& effects) {
  const auto id = Find(name);
  if (!id.ok()) return id.status();
  return Change(*id, {.kind = TaskAction::Kind::kCancel, .reason = std::string(reason)}, now_us,
                effects)
      .status();
}

absl::Status TaskEngine::CheckAction(const TaskAction& action) const {
  return tasks::CheckAction(*state_, action);
}

absl::StatusOr<bool> TaskEngine::WouldChange(TaskId id, const TaskAction& action) const {
  if (absl::Status status = CheckAction(action); !status.ok()) return status;
  const Task* task = state_->FindTask(id);
  if (task == nullptr && IsEvicted(id) && action.kind == TaskAction::Kind::kCancel) return false;
  return task == nullptr ? NotAtHand(*state_, id) : tasks::WouldChange(*state_, *task, action);
}

absl::StatusOr<bool> TaskEngine::Change(TaskId id, const TaskAction& action, EngineMicros now_us,
                                        Effects& effects) {
  const EngineEvent event(*state_);
  state_->Advance(now_us);
  absl::StatusOr<bool> changes = WouldChange(id, action);
  if (changes.ok() && *changes) ChangeTask(*state_, state_->FindTask(id), action, effects);
  return changes;
}

absl::Status TaskEngine::PauseQueue(std::string_view name, std::string_view reason,
                                    Effects& effects) {
  const EngineEvent event(*state_);
  return SayOfQueue(*state_, name, /*paused=*/true, reason, effects);
}

absl::Status TaskEngine::ResumeQueue(std::string_view name, Effects& effects) {
  const EngineEvent event(*state_);
  return SayOfQueue(*state_, name, /*paused=*/false, "", effects);
}

absl::Status TaskEngine::ResizePool(std::string_view name, int64_t size) {
  const EngineEvent event(*state_);
  const auto parsed = tenancy::ParsePoolName(name);
  if (!parsed.ok()) return BadField("name", "NAME_INVALID", Std(parsed.status().message()));
  const auto pool = state_->directory->FindPool(parsed->tenant, parsed->pool);
  if (!pool) {
    return Refusal(absl::StatusCode::kNotFound, "POOL_NOT_FOUND", StrCat("there is no ", name),
                   {{"pool", std::string(name)}});
  }
  if (size < 0 || size > tenancy::kPoolSizeMax) {
    return BadField("size", "POOL_SIZE_OUT_OF_RANGE",
                    StrCat("is ", size, "; 0 to ", tenancy::kPoolSizeMax, " are allowed"));
  }
  state_->pools[*pool].size = size;
  WakePool(*state_, *pool);
  return absl::OkStatus();
}

void TaskEngine::Persisted(const StoreReport& report, EngineMicros now_us, Effects& effects) {
  const EngineEvent event(*state_);
  state_->Advance(now_us);
  state_->store_status = report.status;
  state_->store_room = report.room;
  if (!report.status.ok()) return;
  std::deque<UnconfirmedWrite>& unconfirmed = state_->unconfirmed;
  while (!unconfirmed.empty() && unconfirmed.front().ticket <= report.through) {
    const UnconfirmedWrite write = unconfirmed.front();
    unconfirmed.pop_front();
    PrefetchAhead(state_->tasks, unconfirmed,
                  [](const UnconfirmedWrite& later) { return later.id; });
    state_->unconfirmed_bytes -= write.bytes;
    Confirm(*state_, write, effects);
  }
}

void TaskEngine::Loaded(absl::Span<const TaskId> asked,
                        const absl::StatusOr<std::vector<StoredTask>>& found, EngineMicros now_us,
                        Effects& effects) {
  const EngineEvent event(*state_);
  state_->Advance(now_us);
  if (found.ok()) {
    for (const StoredTask& stored : *found) {
      std::string input;
      Task* task = LoadingTask(*state_, stored.id);
      if (task == nullptr || !TakeStoredInput(stored, input)) continue;
      TakeInput(*state_, task, input, effects);
    }
  }
  const absl::Status why =
      found.ok() ? absl::DataLossError("its record is gone or unreadable") : found.status();
  for (const TaskId& id : asked) {
    if (Task* task = LoadingTask(*state_, id)) LoseInput(*state_, task, why, effects);
  }
}

void TaskEngine::SetWallClock(WallMicros wall_us, EngineMicros now_us) {
  state_->Advance(now_us);
  state_->wall_offset_us = wall_us - state_->now_us;
}

void TaskEngine::Tick(EngineMicros now_us, Effects& effects) {
  const EngineEvent event(*state_);
  state_->Advance(now_us);
  ++state_->turn;
  EndGraces(*state_, effects);
  FireDeadlines(*state_, effects);
  SettleHolds(*state_, effects);
  DropOld(*state_, effects);
  ForgetIdleKeys(*state_);
  Dispatch(*state_, effects);
  AuditFairness(*state_);
  DropPayloads(*state_);
  EvictSome(*state_);
  state_->changes.DropIdle(state_->now_us);
  std::move(state_->tallies.begin(), state_->tallies.end(), std::back_inserter(effects.tallies));
  state_->tallies.clear();
}

EngineMicros TaskEngine::NextDeadline() const {
  if (state_->dispatch_unfinished || !state_->payloads_to_drop.empty() ||
      HasHoldsToSettle(*state_) || HasSomeToEvict(*state_)) {
    return state_->now_us;
  }
  EngineMicros next_us =
      std::min({NextGraceEnd(*state_), NextAudit(*state_), NextIdleKey(*state_)});
  if (AwaitsWorkers(*state_)) next_us = std::min(next_us, state_->workers_awaited_until_us);
  next_us = std::min(next_us, state_->deadlines.Next());
  return std::min(next_us, NextDrop(*state_));
}

int64_t TaskEngine::LongestRetentionUs() const {
  return tasks::LongestRetentionUs(*state_);
}

absl::StatusOr<TaskId> TaskEngine::Find(std::string_view name) const {
  const auto parsed = tenancy::ParseTaskName(name);
  if (!parsed.ok()) return BadField("name", "NAME_INVALID", Std(parsed.status().message()));
  const auto id = TaskId::Parse(parsed->task);
  const auto task = id ? StandingOf(*state_, *id) : std::nullopt;
  if (task) {
    const tenancy::Directory::Queue& queue = state_->directory->queues()[task->queue];
    const std::string& tenant = state_->directory->tenants()[queue.tenant].name;
    if (queue.name == parsed->queue && tenant == parsed->tenant) return *id;
  }
  return Refusal(absl::StatusCode::kNotFound, "TASK_NOT_FOUND",
                 StrCat("no task \"", Cut(absl::CHexEscape(Abseil(name))),
                        "\": it never existed, or its retention is over"));
}

absl::StatusOr<v1::Task> TaskEngine::Get(TaskId id, v1::TaskView view, EngineMicros now_us,
                                         Audience audience) const {
  v1::Task shown;
  const absl::Status status = Show(id, view, now_us, audience, shown);
  if (!status.ok()) return status;
  return shown;
}

absl::Status TaskEngine::Show(TaskId id, v1::TaskView view, EngineMicros now_us, Audience audience,
                              v1::Task& shown) const {
  state_->Advance(now_us);
  const Task* task = state_->FindTask(id);
  if (task == nullptr) return NotAtHand(*state_, id);
  ShowTask(*state_, *task, view, audience, kAheadMax, shown);
  return absl::OkStatus();
}

absl::StatusOr<v1::ExplainTaskResponse> TaskEngine::Explain(TaskId id, EngineMicros now_us,
                                                            Audience audience) const {
  state_->Advance(now_us);
  const Task* task = state_->FindTask(id);
  if (task == nullptr) return NotAtHand(*state_, id);
  v1::ExplainTaskResponse response;
  *response.mutable_task() =
      ViewTask(*state_, *task, v1::TASK_VIEW_BASIC, audience, /*ahead_max=*/0);
  for (v1::WaitExplanation& why : tasks::Explain(*state_, *task, audience, kAheadMax)) {
    *response.add_all() = std::move(why);
  }
  if (!response.all().empty()) {
    *response.mutable_wait() = response.all(0);
    *response.mutable_task()->mutable_wait() = response.all(0);
    response.mutable_task()->set_waiting_reason(response.wait().text());
  }
  return response;
}

absl::StatusOr<TaskQuery> TaskEngine::Query(const std::string& parent,
                                            const v1::TaskFilter& filter) const {
  return ParseQuery(*state_, parent, filter);
}

bool TaskEngine::FindSome(const TaskQuery& query, TaskCursor& cursor,
                          std::vector<TaskId>& found) const {
  return tasks::FindSome(*state_, query, cursor,
                         [&found](const Task& task) { found.push_back(task.id); });
}

TaskId TaskEngine::NewestId() const {
  TaskId newest;
  for (const TenantState& tenant : state_->tenants) {
    if (!tenant.tasks.empty()) newest = std::max(newest, tenant.tasks.rbegin()->first);
  }
  if (!state_->evicted.empty()) newest = std::max(newest, state_->evicted.rbegin()->first);
  return newest;
}

std::string TaskEngine::NameOf(TaskId id) const {
  const auto task = StandingOf(*state_, id);
  return task ? state_->NameOf(task->queue, id) : "";
}

std::optional<EndedQuery> TaskEngine::EndedFor(const TaskQuery& query,
                                               const TaskCursor& cursor) const {
  return tasks::EndedFor(*state_, query, cursor);
}

bool TaskEngine::CountSome(const TaskQuery& query, TaskCursor& cursor, TaskCounts& counts) const {
  if (!query.filter.IsCounted()) {
    return tasks::FindSome(*state_, query, cursor,
                           [&counts](const Task& task) { ++counts[task.state]; });
  }
  for (const auto& [of, tasks] : state_->counts) {
    const size_t tenant = state_->directory->queues()[of.first].tenant;
    if (query.tenant != SIZE_MAX && tenant != query.tenant) continue;
    if (query.queue != SIZE_MAX && of.first != query.queue) continue;
    const std::string& function = state_->functions[of.second].description.name();
    if (!query.filter.function().empty() && function != query.filter.function()) continue;
    for (size_t state = 0; state < tasks.size(); ++state) {
      if (query.filter.HasState(static_cast<v1::TaskState>(state))) counts[state] += tasks[state];
    }
  }
  return false;
}

bool TaskEngine::NeedsStore(TaskId id, v1::TaskView view) const {
  const Task* task = state_->FindTask(id);
  return task != nullptr && tasks::NeedsStore(*task, view);
}

const absl::Status& TaskEngine::store_status() const {
  return state_->store_status;
}

const absl::Status& TaskEngine::store_room() const {
  return state_->store_room;
}

bool TaskEngine::IsOnDisk(uint64_t ticket) const {
  return state_->unconfirmed.empty() || state_->unconfirmed.front().ticket > ticket;
}

bool TaskEngine::is_clogged() const {
  return IsClogged(*state_);
}

int64_t TaskEngine::attempts_running() const {
  return static_cast<int64_t>(state_->attempts.size());
}

std::optional<TaskId> TaskEngine::FindRequest(size_t tenant, std::string_view request_id) const {
  const Task* task = state_->tenants[tenant].use().request_ids.Find(request_id);
  return task != nullptr ? task->id : FindEvictedRequest(*state_, tenant, request_id);
}

void TaskEngine::Recall(absl::Span<const StoredTask> found, EngineMicros now_us) {
  const EngineEvent event(*state_);
  state_->Advance(now_us);
  for (const StoredTask& stored : found) tasks::Recall(*state_, stored);
}

void TaskEngine::KeepRecalled(TaskId id) {
  tasks::KeepRecalled(*state_, id);
}

uint64_t TaskEngine::HoldRecalled() {
  state_->recall_holds.insert(state_->turn);
  return state_->turn;
}

void TaskEngine::ReleaseRecalled(uint64_t hold) {
  state_->recall_holds.erase(state_->recall_holds.find(hold));
}

bool TaskEngine::IsEvicted(TaskId id) const {
  return FindEvicted(*state_, id) != nullptr;
}

std::optional<v1::TaskState> TaskEngine::EndOf(TaskId id) const {
  const auto task = StandingOf(*state_, id);
  return task && task->settled ? std::optional(task->state) : std::nullopt;
}

bool TaskEngine::IsUnderWay(TaskId id) const {
  const Task* task = state_->FindTask(id);
  return task != nullptr && !task->settled;
}

bool TaskEngine::IsSettled(TaskId id) const {
  return EndOf(id).has_value();
}

}  // namespace grove::tasks
