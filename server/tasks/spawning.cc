#include "server/tasks/spawning.h"

#include <utility>

#include "proto/well_known_times.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/commit.h"
#include "server/tasks/fingerprint.h"
#include "server/tasks/function_defaults.h"
#include "server/tasks/lifecycle.h"
#include "server/tasks/refusal.h"
#include "server/tasks/spawn_quotas.h"
#include "server/tasks/task_memory.h"
#include "server/tenancy/resource_name.h"

namespace grove::tasks {
namespace {

constexpr int64_t kRetryAfterMs = 1000;

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
  return Refusal(absl::StatusCode::kNotFound, "TENANT_NOT_FOUND", StrCat("there is no ", name),
                 {{"tenant", std::string(name)}});
}

absl::Status TenantDraining(std::string_view tenant) {
  const std::string name = tenancy::FormatTenantName(tenant);
  return Refusal(absl::StatusCode::kFailedPrecondition, "TENANT_DRAINING",
                 StrCat(name, " is being deleted and takes no tasks"), {{"tenant", name}});
}

absl::StatusOr<size_t> QueueOf(const EngineState& state, std::string_view tenant,
                               std::string_view queue) {
  const auto index = state.directory->FindQueue(tenant, queue);
  if (index) return *index;
  const std::string name = tenancy::FormatQueueName(tenant, queue);
  return Refusal(absl::StatusCode::kNotFound, "QUEUE_NOT_FOUND", StrCat("there is no ", name),
                 {{"queue", name}});
}

absl::Status CheckDepth(const EngineState& state, size_t index) {
  const tenancy::Directory::Queue& settings = state.directory->queues()[index];
  const QueueState& queue = state.queues[index];
  const int64_t depth = queue.queued + queue.scheduled;
  if (depth < settings.depth_max) return absl::OkStatus();
  const std::string bound = StrCat(depth, " of ", settings.depth_max, " tasks wait");
  absl::Status refusal =
      Refusal(absl::StatusCode::kResourceExhausted, "QUEUE_FULL",
              StrCat(settings.resource_name(), " is full: ", bound),
              {{"queue", settings.resource_name()}, {"depth_max", StrCat(settings.depth_max)}});
  refusal = WithQuotaFailure(std::move(refusal), settings.resource_name(), bound + " (depth_max)");
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
  const auto input_bytes = static_cast<int64_t>(spec.input().size());
  const size_t tenant = state.directory->queues()[queue].tenant;
  absl::Status status = CheckDepth(state, queue);
  if (status.ok()) status = CheckQuotas(state, tenant, LimitKeyOf(spec), input_bytes);
  if (status.ok()) status = CheckMemory(state, input_bytes);
  if (status.ok() && spec.durability() != v1::DURABILITY_VOLATILE) status = CheckStore(state);
  return status;
}

absl::Status CheckForm(const EngineState& state, const v1::TaskSpec& spec,
                       std::string_view tenant) {
  if (!state.any_worker_seen) {
    return TryLater(absl::StatusCode::kUnavailable, "NO_WORKER_YET",
                    "no worker has connected yet, so no function is known");
  }
  absl::Status status =
      CheckSpec(spec, tenant, {state.limits.input_max_bytes()}, [&](std::string_view name) {
        auto it = state.function_index.find(Abseil(name));
        return it != state.function_index.end() && state.functions[it->second].known;
      });
  if (!status.ok() || !spec.has_start_time()) return status;
  return CheckStartTime(proto::ToMicros(spec.start_time()), state.wall_us());
}

Task* FindByRequestId(const EngineState& state, size_t tenant, const std::string& request_id) {
  if (request_id.empty()) return nullptr;
  const auto& ids = state.tenants[tenant].use().request_ids;
  auto it = ids.find(request_id);
  return it == ids.end() ? nullptr : state.FindTask(it->second);
}

Task* Admit(EngineState& state, size_t queue, v1::TaskSpec spec, std::string_view parent_task,
            Effects& effects) {
  auto task = std::make_unique<Task>();
  task->id = state.ids.Next(state.now_us);
  task->queue = queue;
  task->spec = NormaliseSpec(std::move(spec));
  task->function = state.function_index.at(task->spec.function);
  if (!parent_task.empty()) task->parent = std::make_unique<const std::string>(parent_task);
  task->create_time_us = state.wall_us();
  task->ready_us = state.now_us;
  Task* added = AddTask(state, std::move(task));
  ++state.queues[queue].spawned;
  effects.tallies.push_back({.kind = Tally::Kind::kSpawned, .queue = queue});
  const EngineMicros start_us = added->spec.start_us > 0 ? state.FromWall(added->spec.start_us)
                                                         : state.now_us + added->spec.delay_us;
  if (start_us > state.now_us) {
    Schedule(state, added, start_us);
  } else {
    Enqueue(state, added, /*to_front=*/false);
  }
  CountSpawn(state, *added);
  if (added->spec.durable) WriteInsert(state, *added, effects);
  return added;
}

Spawned Describe(const EngineState& state, const Task& task) {
  return Spawned{task.id, state.NameOf(task), !task.spec.durable || task.stored};
}

Task* FindByUniqueKey(const EngineState& state, size_t tenant, size_t function,
                      const std::string& key) {
  const auto holder = state.unique_keys.Find(tenant, function, key);
  return holder ? state.FindTask(*holder) : nullptr;
}

absl::Status KeyTaken(const EngineState& state, const Task& holder) {
  const std::string name = state.NameOf(holder);
  return Refusal(absl::StatusCode::kAlreadyExists, "UNIQUE_KEY_TAKEN",
                 StrCat("spec.unique_key: ", name, " has it, and has not ended"), {{"task", name}});
}

absl::StatusOr<Spawned> Attach(const EngineState& state, const Task& holder,
                               const v1::UniqueKey& unique) {
  if (unique.on_conflict() == v1::UniqueKey::ON_CONFLICT_REFUSE) return KeyTaken(state, holder);
  Spawned spawned = Describe(state, holder);
  spawned.attached = true;
  return spawned;
}

void FillFunctionDefaults(const EngineState& state, v1::TaskSpec& spec) {
  const auto found = state.function_index.find(Abseil(spec.function()));
  if (found == state.function_index.end()) return;
  FillDefaults(state.functions[found->second].description, spec);
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

}  // namespace

absl::StatusOr<Spawned> SpawnTask(EngineState& state, std::string_view parent, v1::TaskSpec spec,
                                  std::string_view parent_task, Effects& effects,
                                  size_t* queue_of_refusal) {
  const auto tenant = TenantOf(state, parent);
  if (!tenant.ok()) return tenant.status();
  FillFunctionDefaults(state, spec);
  if (const Task* earlier = FindByRequestId(state, *tenant, spec.request_id())) {
    return Repeat(state, *earlier, std::move(spec));
  }
  const std::string& tenant_name = state.directory->tenants()[*tenant].name;
  if (state.directory->tenants()[*tenant].draining) return TenantDraining(tenant_name);
  if (absl::Status s = CheckForm(state, spec, tenant_name); !s.ok()) return s;
  if (spec.has_unique_key()) {
    const size_t function = state.function_index.at(spec.function());
    const Task* holder = FindByUniqueKey(state, *tenant, function, spec.unique_key().key());
    if (holder != nullptr) return Attach(state, *holder, spec.unique_key());
  }
  const auto name = tenancy::ParseQueueName(spec.queue());
  const std::string_view short_name = spec.queue().empty() ? tenancy::kDefaultName
                                      : name.ok()          ? name->queue
                                                           : std::string_view(spec.queue());
  const auto queue = QueueOf(state, tenant_name, short_name);
  if (!queue.ok()) return queue.status();
  *queue_of_refusal = *queue;
  if (absl::Status s = CheckRoom(state, *queue, spec); !s.ok()) return s;
  return Describe(state, *Admit(state, *queue, std::move(spec), parent_task, effects));
}

absl::Status CheckKeyToReturn(const EngineState& state, const Task& task) {
  if (task.spec.unique == nullptr) return absl::OkStatus();
  const size_t tenant = state.directory->queues()[task.queue].tenant;
  const Task* holder = FindByUniqueKey(state, tenant, task.function, task.spec.unique->key);
  return holder == nullptr ? absl::OkStatus() : KeyTaken(state, *holder);
}

absl::Status CheckRoomToReturn(const EngineState& state, const Task& task) {
  absl::Status status = CheckDepth(state, task.queue);
  if (status.ok()) status = CheckQuotasToReturn(state, task);
  if (status.ok() && task.spec.durable) status = CheckStore(state);
  return status;
}

}  // namespace grove::tasks
