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
#include "runtime/hub/check.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/commit.h"
#include "server/tasks/dispatch.h"
#include "server/tasks/engine_state.h"
#include "server/tasks/fingerprint.h"
#include "server/tasks/invariants.h"
#include "server/tasks/lifecycle.h"
#include "server/tasks/refusal.h"
#include "server/tasks/task_memory.h"
#include "server/tasks/views.h"
#include "server/tasks/workers.h"
#include "server/tenancy/resource_name.h"

namespace grove::tasks {
namespace {

constexpr int64_t kRetryAfterMs = 1000;
// Of the memory budget: what may wait for the disk before links are read slowly.
constexpr int64_t kUnconfirmedShare = 4;
constexpr size_t kCancelReasonMax = 1024;
constexpr size_t kProgressMessageMax = 1024;

// Invariant 11: every refusal has a reason, and those that waiting cures say how long.
absl::Status TryLater(absl::StatusCode code, std::string_view reason, std::string_view message) {
  return WithRetryAfter(Refusal(code, reason, message), kRetryAfterMs);
}

absl::StatusOr<size_t> TenantOf(const EngineState& state, std::string_view parent) {
  const std::string_view name = parent.empty() ? "tenants/default" : parent;
  const auto tenant = tenancy::ParseTenantName(name);
  if (!tenant.ok()) return BadField("parent", "NAME_INVALID", Std(tenant.status().message()));
  const auto index = state.directory->FindTenant(*tenant);
  if (index) return *index;
  return Refusal(absl::StatusCode::kNotFound, "TENANT_NOT_FOUND",
                 StrCat(name, " is not in the config"), {{"tenant", std::string(name)}});
}

absl::StatusOr<size_t> QueueOf(const EngineState& state, std::string_view tenant,
                               std::string_view queue) {
  const auto index = state.directory->FindQueue(tenant, queue);
  if (index) return *index;
  const std::string name = tenancy::FormatQueueName(tenant, queue);
  return Refusal(absl::StatusCode::kNotFound, "QUEUE_NOT_FOUND",
                 StrCat(name, " is not in the config"), {{"queue", name}});
}

absl::Status CheckDepth(const EngineState& state, size_t index) {
  const tenancy::Directory::Queue& settings = state.directory->queues()[index];
  const QueueState& queue = state.queues[index];
  const int64_t depth = queue.queued + queue.scheduled;
  if (depth < settings.depth_max) return absl::OkStatus();
  const std::string bound = StrCat(depth, " of ", settings.depth_max, " tasks wait");
  absl::Status refusal =
      Refusal(absl::StatusCode::kResourceExhausted, "QUEUE_FULL",
              StrCat(settings.resource_name, " is full: ", bound),
              {{"queue", settings.resource_name}, {"depth_max", StrCat(settings.depth_max)}});
  refusal = WithQuotaFailure(std::move(refusal), settings.resource_name, bound + " (depth_max)");
  return WithRetryAfter(std::move(refusal), kRetryAfterMs);
}

absl::Status CheckStore(const EngineState& state) {
  if (!state.store_status.ok()) {
    return TryLater(absl::StatusCode::kUnavailable, "STORE_UNAVAILABLE",
                    StrCat("durable tasks cannot be stored now: ", state.store_status.message()));
  }
  if (!state.store_room.ok()) {
    return TryLater(absl::StatusCode::kResourceExhausted, "STORE_FULL",
                    StrCat("no durable task is taken now: ", state.store_room.message()));
  }
  if (state.unconfirmed.size() < kUnconfirmedWritesMax) return absl::OkStatus();
  return TryLater(absl::StatusCode::kResourceExhausted, "STORE_BUSY",
                  StrCat(state.unconfirmed.size(), " writes wait for the disk"));
}

// Everything but the spec's own form: what depends on the state of affairs.
absl::Status CheckRoom(const EngineState& state, size_t queue, const v1::TaskSpec& spec) {
  absl::Status status = CheckDepth(state, queue);
  if (status.ok()) status = CheckMemory(state, static_cast<int64_t>(spec.input().size()));
  if (status.ok() && spec.durability() != v1::DURABILITY_VOLATILE) status = CheckStore(state);
  return status;
}

absl::Status CheckForm(const EngineState& state, const v1::TaskSpec& spec,
                       std::string_view tenant) {
  if (!state.any_worker_seen) {
    return TryLater(absl::StatusCode::kUnavailable, "NO_WORKER_YET",
                    "no worker has connected yet, so no function is known");
  }
  return CheckSpec(spec, tenant, {state.limits.input_max_bytes()}, [&](std::string_view name) {
    auto it = state.function_index.find(Abseil(name));
    return it != state.function_index.end() && state.functions[it->second].known;
  });
}

Task* FindByRequestId(const EngineState& state, size_t tenant, const std::string& request_id) {
  if (request_id.empty()) return nullptr;
  const auto& ids = state.tenants[tenant].request_ids;
  auto it = ids.find(request_id);
  return it == ids.end() ? nullptr : state.FindTask(it->second);
}

Task* Admit(EngineState& state, size_t queue, v1::TaskSpec spec, Effects& effects) {
  auto task = std::make_unique<Task>();
  task->id = state.ids.Next(state.now_us);
  task->queue = queue;
  task->spec = NormaliseSpec(std::move(spec));
  task->function = state.function_index.at(task->spec.function);
  task->create_time_us = state.wall_us();
  task->ready_us = state.now_us;
  Task* added = AddTask(state, std::move(task));
  ++state.queues[queue].spawned;
  effects.tallies.push_back({.kind = Tally::Kind::kSpawned, .queue = queue});
  if (added->spec.delay_us > 0) {
    Schedule(state, added, state.now_us + added->spec.delay_us);
  } else {
    Enqueue(state, added, /*to_front=*/false);
  }
  if (added->spec.durable) WriteInsert(state, *added, effects);
  return added;
}

Spawned Describe(const EngineState& state, const Task& task) {
  return Spawned{task.id, state.NameOf(task), !task.spec.durable || task.stored};
}

// A spawn whose request_id is taken: the first one's task, if it asks for the same.
absl::StatusOr<Spawned> Repeat(const EngineState& state, const Task& earlier, v1::TaskSpec spec) {
  const std::string was = FormatFingerprint(earlier.fingerprint);
  const std::string is = FormatFingerprint(FingerprintOf(NormaliseSpec(std::move(spec))));
  if (is == was) return Describe(state, earlier);
  const std::string name = state.NameOf(earlier);
  return Refusal(absl::StatusCode::kAlreadyExists, "REQUEST_ID_REUSED",
                 StrCat("spec.request_id: ", name,
                        " has it and another function, queue or input: ", "its fingerprint is ",
                        was, ", this one's ", is, "; give every request an id of its own"),
                 {{"task", name}, {"fingerprint", was}, {"fingerprint_of_request", is}});
}

absl::StatusOr<Spawned> TrySpawn(EngineState& state, std::string_view parent, v1::TaskSpec spec,
                                 Effects& effects, size_t* queue_of_refusal) {
  const auto tenant = TenantOf(state, parent);
  if (!tenant.ok()) return tenant.status();
  if (const Task* earlier = FindByRequestId(state, *tenant, spec.request_id())) {
    return Repeat(state, *earlier, std::move(spec));
  }
  const std::string& tenant_name = state.directory->tenants()[*tenant].name;
  if (absl::Status s = CheckForm(state, spec, tenant_name); !s.ok()) return s;
  const auto name = tenancy::ParseQueueName(spec.queue());
  const std::string_view short_name = spec.queue().empty() ? tenancy::kDefaultName
                                      : name.ok()          ? name->queue
                                                           : std::string_view(spec.queue());
  const auto queue = QueueOf(state, tenant_name, short_name);
  if (!queue.ok()) return queue.status();
  *queue_of_refusal = *queue;
  if (absl::Status s = CheckRoom(state, *queue, spec); !s.ok()) return s;
  return Describe(state, *Admit(state, *queue, std::move(spec), effects));
}

bool IsOverRetention(const EngineState& state, const Task& task) {
  return task.end_us + state.limits.retention_ms() * kUsPerMs <= state.now_us ||
         state.ended_count > state.limits.retained_max();
}

// Invariant 12. What ended since the last Tick() stays for one more, so that its waiters can be
// answered.
void DropOld(EngineState& state, Effects& effects) {
  const auto was_told = [&](const Task& task) { return task.settled_turn + 1 < state.turn; };
  for (Task* oldest = state.ended.front();
       oldest != nullptr && was_told(*oldest) && IsOverRetention(state, *oldest);
       oldest = state.ended.front()) {
    DropTask(state, oldest, effects);
  }
  for (Task* next = LeavesEarly(state); next != nullptr && was_told(*next);
       next = LeavesEarly(state)) {
    DropTask(state, next, effects);
  }
}

void FireDeadlines(EngineState& state, Effects& effects) {
  for (Task* task = state.deadlines.Front(); task != nullptr && task->deadline_us <= state.now_us;
       task = state.deadlines.Front()) {
    if (task->state == v1::TASK_STATE_SCHEDULED) {
      Enqueue(state, task, /*to_front=*/false);
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
  Task* task = state.FindTask(write.id);
  if (task == nullptr) return;
  // Invariant 8: only now may it start, its spawn be acknowledged, its end be reported.
  if (write.then == UnconfirmedWrite::Then::kStored) {
    MarkStored(state, task);
    effects.acknowledged.push_back(task->id);
  }
  if (write.then == UnconfirmedWrite::Then::kSettled) Settle(state, task, effects);
}

// Opens every event's body: what is true between two events is checked where the event ends.
class Event {
 public:
  explicit Event(const EngineState& state) : state_(state) {}
  ~Event() {
    if (state_.self_check == SelfCheck::kNever) return;
    const absl::Status holds = CheckInvariants(state_);
    GROVE_CHECK(holds.ok(), std::string(holds.message()));
  }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

 private:
  const EngineState& state_;
};

Task* RunningTask(const EngineState& state, int32_t worker, uint64_t attempt) {
  auto it = state.attempts.find(attempt);
  return it != state.attempts.end() && it->second->worker == worker ? it->second->task : nullptr;
}

Task* LoadingTask(const EngineState& state, TaskId id) {
  Task* task = state.FindTask(id);
  if (task == nullptr || task->attempt == 0) return nullptr;
  return state.attempts.at(task->attempt)->loading ? task : nullptr;
}

}  // namespace

TaskEngine::TaskEngine(const tenancy::Directory* directory, const EngineOptions& options)
    : state_(std::make_unique<EngineState>(directory, options)) {}

TaskEngine::~TaskEngine() = default;

absl::StatusOr<Spawned> TaskEngine::Spawn(std::string_view parent, v1::TaskSpec spec,
                                          EngineMicros now_us, Effects& effects) {
  const Event event(*state_);
  state_->Advance(now_us);
  size_t queue = SIZE_MAX;
  auto spawned = TrySpawn(*state_, parent, std::move(spec), effects, &queue);
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
  const Event event(*state_);
  state_->Advance(now_us);
  if (reason.size() > kCancelReasonMax) {
    return BadField(
        "reason", "CANCEL_REASON_TOO_LONG",
        StrCat("is ", reason.size(), " bytes; at most ", kCancelReasonMax, " are allowed"));
  }
  const auto id = Find(name);
  if (!id.ok()) return id.status();
  Task* task = state_->FindTask(*id);
  if (!task->ended()) CancelTask(*state_, task, reason, effects);
  return absl::OkStatus();
}

absl::Status TaskEngine::ResizePool(std::string_view name, int64_t size) {
  const Event event(*state_);
  const auto parsed = tenancy::ParsePoolName(name);
  if (!parsed.ok()) return BadField("name", "NAME_INVALID", Std(parsed.status().message()));
  const auto pool = state_->directory->FindPool(parsed->tenant, parsed->pool);
  if (!pool) {
    return Refusal(absl::StatusCode::kNotFound, "POOL_NOT_FOUND",
                   StrCat(name, " is not in the config"), {{"pool", std::string(name)}});
  }
  if (size < 0 || size > tenancy::kPoolSizeMax) {
    return BadField("size", "POOL_SIZE_OUT_OF_RANGE",
                    StrCat("is ", size, "; 0 to ", tenancy::kPoolSizeMax, " are allowed"));
  }
  state_->pools[*pool].size = size;
  WakePool(*state_, *pool);
  return absl::OkStatus();
}

absl::Status TaskEngine::WorkerUp(internal::v1::Hello hello, EngineMicros now_us,
                                  Effects& effects) {
  const Event event(*state_);
  state_->Advance(now_us);
  return ConnectWorker(*state_, std::move(hello), effects);
}

void TaskEngine::WorkerUnlinked(int32_t worker, EngineMicros now_us) {
  const Event event(*state_);
  state_->Advance(now_us);
  UnlinkWorker(*state_, worker);
}

void TaskEngine::WorkerDown(int32_t worker, EngineMicros now_us, Effects& effects) {
  const Event event(*state_);
  state_->Advance(now_us);
  LoseWorker(*state_, worker, effects);
}

void TaskEngine::WorkerDraining(int32_t worker) {
  const Event event(*state_);
  DrainWorker(*state_, worker);
}

void TaskEngine::AttemptStarted(int32_t worker, const internal::v1::AttemptStarted& started) {
  const Event event(*state_);
  Task* task = RunningTask(*state_, worker, started.attempt());
  if (task == nullptr) return;
  LiveAttempt* attempt = state_->attempts.at(started.attempt()).get();
  attempt->started = true;
  MarkBegun(*state_, attempt);
  task->attempts.back().fiber = started.fiber();
  // The time-out counts from the start, which may have had to wait for the worker.
  state_->deadlines.Set(task, state_->now_us + attempt->timeout_us + kTimeoutGraceUs);
}

void TaskEngine::AttemptEnded(int32_t worker, internal::v1::AttemptEnded ended, EngineMicros now_us,
                              Effects& effects) {
  const Event event(*state_);
  state_->Advance(now_us);
  TakeEnd(*state_, worker, std::move(ended), effects);
}

void TaskEngine::AttemptProgress(int32_t worker, internal::v1::AttemptProgress progress) {
  const Event event(*state_);
  Task* task = RunningTask(*state_, worker, progress.attempt());
  if (task == nullptr) return;
  // Written so that NaN becomes 0.
  task->progress = progress.fraction() > 0 ? std::min(progress.fraction(), 1.0) : 0;
  if (progress.message().size() <= kProgressMessageMax) {
    task->progress_message = std::move(*progress.mutable_message());
  }
  Charge(*state_, *task);
}

bool TaskEngine::WorkerStuck(int32_t worker, bool is_stuck, EngineMicros now_us, Effects& effects) {
  const Event event(*state_);
  state_->Advance(now_us);
  return SetStuck(*state_, worker, is_stuck, effects);
}

void TaskEngine::Persisted(const StoreReport& report, EngineMicros now_us, Effects& effects) {
  const Event event(*state_);
  state_->Advance(now_us);
  state_->store_status = report.status;
  state_->store_room = report.room;
  if (!report.status.ok()) return;
  std::deque<UnconfirmedWrite>& unconfirmed = state_->unconfirmed;
  while (!unconfirmed.empty() && unconfirmed.front().ticket <= report.through) {
    const UnconfirmedWrite write = unconfirmed.front();
    unconfirmed.pop_front();
    state_->unconfirmed_bytes -= write.bytes;
    Confirm(*state_, write, effects);
  }
}

void TaskEngine::Loaded(absl::Span<const TaskId> asked,
                        const absl::StatusOr<std::vector<StoredTask>>& found, EngineMicros now_us,
                        Effects& effects) {
  const Event event(*state_);
  state_->Advance(now_us);
  if (found.ok()) {
    for (const StoredTask& stored : *found) {
      v1::TaskSpec spec;
      Task* task = LoadingTask(*state_, stored.id);
      if (task == nullptr || !spec.ParseFromString(stored.spec)) continue;
      TakeInput(*state_, task, spec.input(), effects);
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
  const Event event(*state_);
  state_->Advance(now_us);
  ++state_->turn;
  EndGraces(*state_, effects);
  FireDeadlines(*state_, effects);
  DropOld(*state_, effects);
  Dispatch(*state_, effects);
  DropPayloads(*state_);
  std::move(state_->tallies.begin(), state_->tallies.end(), std::back_inserter(effects.tallies));
  state_->tallies.clear();
}

EngineMicros TaskEngine::NextDeadline() const {
  if (state_->dispatch_unfinished || !state_->payloads_to_drop.empty()) return state_->now_us;
  EngineMicros next_us = NextGraceEnd(*state_);
  if (const Task* task = state_->deadlines.Front()) next_us = std::min(next_us, task->deadline_us);
  if (const Task* oldest = state_->ended.front()) {
    next_us = std::min(next_us, oldest->end_us + state_->limits.retention_ms() * kUsPerMs);
  }
  return next_us;
}

absl::StatusOr<TaskId> TaskEngine::Find(std::string_view name) const {
  const auto parsed = tenancy::ParseTaskName(name);
  if (!parsed.ok()) return BadField("name", "NAME_INVALID", Std(parsed.status().message()));
  const auto id = TaskId::Parse(parsed->task);
  const Task* task = id ? state_->FindTask(*id) : nullptr;
  if (task != nullptr) {
    const tenancy::Directory::Queue& queue = state_->directory->queues()[task->queue];
    const std::string& tenant = state_->directory->tenants()[queue.tenant].name;
    if (queue.name == parsed->queue && tenant == parsed->tenant) return *id;
  }
  return Refusal(absl::StatusCode::kNotFound, "TASK_NOT_FOUND",
                 StrCat("no task \"", Cut(absl::CHexEscape(Abseil(name))),
                        "\": it never existed, or its retention is over"));
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

bool TaskEngine::is_clogged() const {
  return state_->unconfirmed_bytes > state_->limits.memory_max_bytes() / kUnconfirmedShare;
}

int64_t TaskEngine::attempts_running() const {
  return static_cast<int64_t>(state_->attempts.size());
}

bool TaskEngine::IsSettled(TaskId id) const {
  const Task* task = state_->FindTask(id);
  return task != nullptr && task->settled;
}

}  // namespace grove::tasks
