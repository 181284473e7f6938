#include "server/tasks/spawning.h"

#include <utility>

#include "proto/well_known_times.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/after.h"
#include "server/tasks/commit.h"
#include "server/tasks/evicted_tasks.h"
#include "server/tasks/fingerprint.h"
#include "server/tasks/function_defaults.h"
#include "server/tasks/gateway_functions.h"
#include "server/tasks/holds.h"
#include "server/tasks/lifecycle.h"
#include "server/tasks/payload_links.h"
#include "server/tasks/refusal.h"
#include "server/tasks/spawn_quotas.h"
#include "server/tasks/task_memory.h"
#include "server/tasks/webhook.h"
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

// Whether `more` tasks fit.
absl::Status CheckDepth(const EngineState& state, size_t index, int64_t more = 1) {
  const tenancy::Directory::Queue& settings = state.directory->queues()[index];
  const QueueState& queue = state.queues[index];
  const int64_t depth = queue.queued + queue.scheduled;
  if (depth + more <= settings.depth_max) return absl::OkStatus();
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
  if (status.ok()) {
    status = CheckMemory(state, input_bytes + spec.after_size() * kAfterMemoryBytes);
  }
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
        return it != state.function_index.end() && state.functions[it->second].known &&
               MayUseFunction(name, tenant);
      });
  if (!status.ok() || !spec.has_start_time()) return status;
  return CheckStartTime(proto::ToMicros(spec.start_time()), state.wall_us());
}

Task* FindByRequestId(const EngineState& state, size_t tenant, const std::string& request_id) {
  if (request_id.empty()) return nullptr;
  return state.tenants[tenant].use().request_ids.Find(request_id);
}

Task* Accept(EngineState& state, size_t queue, v1::TaskSpec&& spec, const SpawnOrigin& origin,
             Effects& effects) {
  auto task = std::make_unique<Task>();
  task->id = state.ids.Next(state.now_us);
  task->queue = queue;
  task->function = state.function_index.at(spec.function());
  task->spec = NormaliseSpec(std::move(spec));
  task->input_bytes = static_cast<int32_t>(task->spec.input.size());
  ShareRetryRules(state, *task);
  if (!origin.parent_task.empty()) {
    task->parent = std::make_unique<const std::string>(origin.parent_task);
  }
  if (!origin.retry_of.empty()) {
    task->relations = std::make_unique<TaskRelations>();
    task->relations->retry_of = origin.retry_of;
  }
  task->create_time_us = state.wall_us();
  task->ready_us = state.now_us;
  Task* added = AddTask(state, std::move(task));
  ++state.queues[queue].spawned;
  effects.tallies.push_back({.kind = Tally::Kind::kSpawned, .queue = queue});
  const SpecExtras& extras = added->spec.extras();
  const EngineMicros start_us =
      extras.start_us > 0 ? state.FromWall(extras.start_us) : state.now_us + extras.delay_us;
  BeginAfter(state, added);
  Await(state, added, start_us);
  CountSpawn(state, *added);
  return added;
}

// The task, and the one that tells of its end: both, or none. That one is written first: alone it
// has nothing to tell, and says so.
Task* AcceptWithWebhook(EngineState& state, size_t queue, v1::TaskSpec&& spec,
                        const SpawnOrigin& origin, Effects& effects) {
  v1::TaskSpec asked;
  asked.set_queue(spec.queue());
  asked.set_priority(spec.priority());
  asked.set_durability(spec.durability());
  *asked.mutable_webhook() = spec.webhook();
  Task* task = Accept(state, queue, std::move(spec), origin, effects);
  Task* hook =
      Accept(state, queue, WebhookSpec(asked, state.NameOf(*task)), SpawnOrigin(), effects);
  task->relations->webhook_task = state.NameOf(*hook);
  Charge(state, *task);
  if (hook->spec.durable) WriteInsert(state, *hook, effects);
  return task;
}

Task* Admit(EngineState& state, size_t queue, v1::TaskSpec&& spec, const SpawnOrigin& origin,
            Effects& effects) {
  Task* task = spec.has_webhook()
                   ? AcceptWithWebhook(state, queue, std::move(spec), origin, effects)
                   : Accept(state, queue, std::move(spec), origin, effects);
  if (task->spec.durable) WriteInsert(state, *task, effects);
  return task;
}

// What the second task needs beside what the first one does.
absl::Status CheckWebhookTask(const EngineState& state, size_t queue) {
  const auto function = state.function_index.find(Abseil(kWebhookFunction));
  if (function == state.function_index.end() || !state.functions[function->second].known) {
    return BadField("spec.webhook", "UNKNOWN_FUNCTION",
                    StrCat("no worker has the function ", kWebhookFunction));
  }
  return CheckDepth(state, queue, /*more=*/2);
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
absl::StatusOr<Spawned> Repeat(const Spawned& earlier, uint64_t fingerprint, v1::TaskSpec&& spec) {
  const std::string was = FormatFingerprint(fingerprint);
  const std::string function = spec.function();
  const std::string queue = ShortQueueName(spec);
  const std::string is =
      FormatFingerprint(FingerprintOf(function, queue, NormaliseSpec(std::move(spec))));
  if (is == was) return earlier;
  return Refusal(absl::StatusCode::kAlreadyExists, "REQUEST_ID_REUSED",
                 StrCat("spec.request_id: ", earlier.name,
                        " has it and another function, queue or input: ", "its fingerprint is ",
                        was, ", this one's ", is, "; give every request an id of its own"),
                 {{"task", earlier.name}, {"fingerprint", was}, {"fingerprint_of_request", is}});
}

}  // namespace

absl::StatusOr<Spawned> SpawnTask(EngineState& state, std::string_view parent, v1::TaskSpec&& spec,
                                  const SpawnOrigin& origin, Effects& effects,
                                  size_t* queue_of_refusal) {
  const auto tenant = TenantOf(state, parent);
  if (!tenant.ok()) return tenant.status();
  ResolveFunction(state, state.directory->tenants()[*tenant].name, spec);
  FillFunctionDefaults(state, spec);
  FillContentType(state, spec);
  if (Task* earlier = FindByRequestId(state, *tenant, spec.request_id())) {
    return Repeat(Describe(state, *earlier), KeepFingerprint(state, *earlier), std::move(spec));
  }
  if (const auto earlier = FindEvictedRequest(state, *tenant, spec.request_id())) {
    const EvictedTask& task = *FindEvicted(state, *earlier);
    return Repeat(Spawned{*earlier, state.NameOf(task.queue, *earlier), /*acknowledged=*/true},
                  task.request->fingerprint, std::move(spec));
  }
  const std::string& tenant_name = state.directory->tenants()[*tenant].name;
  if (state.directory->tenants()[*tenant].draining) return TenantDraining(tenant_name);
  if (absl::Status s = CheckForm(state, spec, tenant_name); !s.ok()) return s;
  if (spec.has_unique_key()) {
    const size_t function = state.function_index.at(spec.function());
    const Task* holder = FindByUniqueKey(state, *tenant, function, spec.unique_key().key());
    if (holder != nullptr) return Attach(state, *holder, spec.unique_key());
  }
  if (absl::Status s = CheckAwaited(state, *tenant, "spec.after", spec.after()); !s.ok()) return s;
  if (absl::Status s = CheckInputPayload(state, tenant_name, spec); !s.ok()) return s;
  const auto name = tenancy::ParseQueueName(spec.queue());
  const std::string_view short_name = spec.queue().empty() ? tenancy::kDefaultName
                                      : name.ok()          ? name->queue
                                                           : std::string_view(spec.queue());
  const auto queue = QueueOf(state, tenant_name, short_name);
  if (!queue.ok()) return queue.status();
  *queue_of_refusal = *queue;
  if (absl::Status s = CheckRoom(state, *queue, spec); !s.ok()) return s;
  if (spec.has_webhook()) {
    if (absl::Status s = CheckWebhookTask(state, *queue); !s.ok()) return s;
  }
  return Describe(state, *Admit(state, *queue, std::move(spec), origin, effects));
}

absl::Status CheckKeyToReturn(const EngineState& state, const Task& task) {
  if (task.spec.extras().unique == nullptr) return absl::OkStatus();
  const size_t tenant = state.directory->queues()[task.queue].tenant;
  const Task* holder =
      FindByUniqueKey(state, tenant, task.function, task.spec.extras().unique->key);
  return holder == nullptr ? absl::OkStatus() : KeyTaken(state, *holder);
}

absl::Status CheckRoomToReturn(const EngineState& state, const Task& task) {
  absl::Status status = CheckDepth(state, task.queue);
  if (status.ok()) status = CheckQuotasToReturn(state, task);
  if (status.ok() && task.spec.durable) status = CheckStore(state);
  return status;
}

}  // namespace grove::tasks
