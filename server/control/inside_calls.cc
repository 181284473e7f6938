#include "server/control/inside_calls.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "proto/well_known_times.h"
#include "runtime/hub/hub.h"
#include "runtime/switch/abseil_text.h"
#include "server/control/audience.h"
#include "server/control/scope_check.h"
#include "server/control/task_calls.h"
#include "server/tasks/payloads.h"
#include "server/tasks/refusal.h"
#include "server/tenancy/resource_name.h"

namespace grove::control {
namespace {

using internal::v1::ControlFrame;
using internal::v1::InsideCaller;
using internal::v1::InsideRefusal;
using internal::v1::InsideSpawn;
using internal::v1::InsideSpawned;
using internal::v1::InsideWait;
using internal::v1::InsideWaited;

constexpr v1::TaskView kView = v1::TASK_VIEW_OUTPUT;

tenancy::PrincipalPtr PrincipalOf(const InsideCaller& caller) {
  return tenancy::PrincipalPtr(new tenancy::Principal{
      .name = "inside", .tenant = caller.tenant(), .roles = {tenancy::Role::kWriter}});
}

void FillRefusal(const tenancy::Principal& who, const absl::Status& why, InsideRefusal* refusal) {
  const absl::Status said = ForAudience(who, why);
  refusal->set_code(static_cast<int32_t>(said.code()));
  refusal->set_message(tasks::CutMiddle(Std(said.message())));
  refusal->set_reason(tasks::RefusalReason(said));
  google::rpc::RetryInfo retry;
  const auto info = said.GetPayload(Abseil(tasks::kRetryInfoType));
  if (!info || !retry.ParseFromString(std::string(*info))) return;
  refusal->set_retry_after_ms(proto::ToMicros(retry.retry_delay()) / 1000);
}

// A worker's label has both from one place: to have two tenants is a mistake of the code there.
absl::Status CheckParent(const InsideSpawn& asked) {
  if (asked.caller().task().empty()) return absl::OkStatus();
  const auto parent = tenancy::ParseTaskName(asked.caller().task());
  if (parent.ok() && parent->tenant == asked.caller().tenant()) return absl::OkStatus();
  return tasks::Refusal(absl::StatusCode::kInvalidArgument, "PARENT_OF_OTHER_TENANT",
                        StrCat("\"", tasks::Cut(asked.caller().task()), "\" is no task of tenant ",
                               tasks::Cut(asked.caller().tenant())));
}

}  // namespace

void InsideCalls::Take(int32_t worker, const internal::v1::WorkerFrame& frame) {
  if (driver_.handed_over()) return;
  if (frame.inside_spawns_size() > 0) SpawnAll(worker, frame);
  for (const InsideWait& asked : frame.inside_waits()) Wait(worker, asked);
  for (const uint64_t id : frame.inside_forgotten()) {
    Link& link = links_[worker];
    const auto open = link.open.find(id);
    if (open == link.open.end()) continue;
    if (open->second.waits != nullptr) open->second.waits->Remove(open->second.wait);
    link.open.erase(open);
  }
}

void InsideCalls::SpawnAll(int32_t worker, const internal::v1::WorkerFrame& frame) {
  ControlFrame answers;
  // A line for what one caller spawned: one each would cost more than the spawns.
  InsideSpawns line;
  for (const InsideSpawn& asked : frame.inside_spawns()) {
    const InsideCaller& caller = asked.caller();
    if (line.asked > 0 && (line.tenant != caller.tenant() || line.task != caller.task())) {
      auditor_(std::exchange(line, {}));
    }
    line.worker = worker;
    line.tenant = caller.tenant();
    line.task = caller.task();
    ++line.asked;
    const absl::Status status = Spawn(worker, asked, answers);
    if (!status.ok() && line.refused++ == 0) line.first_refusal = status;
  }
  auditor_(line);
  if (answers.inside_spawned_size() > 0) sender_(worker, std::move(answers));
}

void InsideCalls::LinkEnded(int32_t worker) {
  Link& link = links_[worker];
  ++link.generation;
  for (const auto& [id, open] : link.open) {
    if (open.waits != nullptr) open.waits->Remove(open.wait);
  }
  link.open.clear();
}

size_t InsideCalls::open_calls(int32_t worker) const {
  const auto link = links_.find(worker);
  return link == links_.end() ? 0 : link->second.open.size();
}

absl::StatusOr<tasks::Spawned> InsideCalls::Admit(const InsideSpawn& asked,
                                                  const tenancy::Principal& who) {
  if (absl::Status shut = gate_(); !shut.ok()) return shut;
  if (absl::Status parent = CheckParent(asked); !parent.ok()) return parent;
  const absl::Status seen =
      CheckName(RuleOf("TaskService/BatchSpawnTasks", "specs.queue"), who, asked.spec().queue());
  if (!seen.ok()) return seen;
  const std::string_view parent = asked.child() ? asked.caller().task() : std::string_view();
  return driver_.Spawn(tenancy::FormatTenantName(who.tenant), v1::TaskSpec(asked.spec()),
                       {.parent_task = parent});
}

absl::Status InsideCalls::Spawn(int32_t worker, const InsideSpawn& asked, ControlFrame& answers) {
  const tenancy::PrincipalPtr who = PrincipalOf(asked.caller());
  absl::StatusOr<tasks::Spawned> spawned = Admit(asked, *who);
  absl::Status status = spawned.status();
  if (spawned.ok() && !spawned->acknowledged) {
    auto then = [this, worker, who, id = asked.id(), name = spawned->name](TaskWaits::End end) {
      ControlFrame frame;
      Answer(id, *who, end == TaskWaits::End::kTimedOut ? SpawnNotOnDisk() : absl::OkStatus(), name,
             frame);
      sender_(worker, std::move(frame));
    };
    status = After(driver_.acknowledgements(), spawned->id, kStoreWaitMax, worker, asked.id(),
                   std::move(then));
    if (status.ok()) return status;
  }
  Answer(asked.id(), *who, status, status.ok() ? spawned->name : "", answers);
  return status;
}

void InsideCalls::Answer(uint64_t id, const tenancy::Principal& who, const absl::Status& status,
                         const std::string& name, ControlFrame& frame) {
  InsideSpawned& answer = *frame.add_inside_spawned();
  answer.set_id(id);
  if (status.ok()) {
    answer.set_name(name);
  } else {
    FillRefusal(who, status, answer.mutable_refusal());
  }
}

void InsideCalls::Wait(int32_t worker, const InsideWait& asked) {
  const tenancy::PrincipalPtr who = PrincipalOf(asked.caller());
  const absl::Status seen =
      CheckName(RuleOf("TaskService/BatchWaitTasks", "names"), *who, asked.task());
  if (!seen.ok()) return RefuseWait(worker, asked.id(), *who, seen);
  const absl::StatusOr<tasks::TaskId> task = driver_.engine().Find(asked.task());
  if (!task.ok()) return RefuseWait(worker, asked.id(), *who, task.status());
  if (driver_.engine().IsSettled(*task)) return AnswerEnded(worker, asked.id(), *task, who);
  const absl::Status waits =
      After(driver_.ends(), *task, absl::InfiniteDuration(), worker, asked.id(),
            [=, this, id = asked.id()](TaskWaits::End) { AnswerWait(worker, id, *task, *who); });
  if (!waits.ok()) RefuseWait(worker, asked.id(), *who, waits);
}

void InsideCalls::AnswerEnded(int32_t worker, uint64_t id, tasks::TaskId task,
                              const tenancy::PrincipalPtr& who) {
  links_[worker].open[id] = {};
  driver_.Recall({task}, [=, this, generation = links_[worker].generation](const auto& recalled) {
    Link& link = links_[worker];
    if (link.generation != generation || link.open.erase(id) == 0) return;
    recalled.ok() ? AnswerWait(worker, id, task, *who)
                  : RefuseWait(worker, id, *who, recalled.status());
  });
}

absl::Status InsideCalls::After(TaskWaits& waits, tasks::TaskId task, absl::Duration timeout,
                                int32_t worker, uint64_t id,
                                absl::AnyInvocable<void(TaskWaits::End)> then) {
  const MonotonicNanos deadline = timeout == absl::InfiniteDuration()
                                      ? kNever
                                      : DeadlineAfter(Hub::Current()->ReadClock(), timeout);
  auto done = [this, worker, id, then = std::move(then)](TaskWaits::End end) mutable {
    links_[worker].open.erase(id);
    // This control ends: the next one is asked.
    if (end != TaskWaits::End::kStopped) then(end);
  };
  const absl::StatusOr<TaskWaits::WaitId> wait = waits.Add({task}, deadline, std::move(done));
  if (!wait.ok()) return wait.status();
  links_[worker].open[id] = {&waits, *wait};
  return absl::OkStatus();
}

void InsideCalls::AnswerWait(int32_t worker, uint64_t id, tasks::TaskId task,
                             const tenancy::Principal& who) {
  absl::StatusOr<v1::Task> found =
      driver_.engine().Get(task, kView, driver_.Now(), tasks::Audience::kTenant);
  if (!found.ok()) return RefuseWait(worker, id, who, found.status());
  if (!driver_.engine().NeedsStore(task, kView)) return SendWaited(worker, id, *std::move(found));
  links_[worker].open[id] = {};
  driver_.Read({task}, [=, this, generation = links_[worker].generation, tenant = who.tenant,
                        shown = *std::move(found)](const auto& rows) mutable {
    Link& link = links_[worker];
    if (link.generation != generation || link.open.erase(id) == 0) return;
    if (rows.ok() && !rows->empty() && tasks::FillPayload(rows->front(), kView, shown)) {
      return SendWaited(worker, id, std::move(shown));
    }
    const absl::Status gone =
        tasks::Refusal(absl::StatusCode::kNotFound, "TASK_NOT_FOUND",
                       absl::StrCat("no task ", task.ToString(), " any more"));
    RefuseWait(worker, id, tenancy::Principal{"inside", tenant, {}},
               rows.ok() ? gone : rows.status());
  });
}

void InsideCalls::RefuseWait(int32_t worker, uint64_t id, const tenancy::Principal& who,
                             const absl::Status& why) {
  ControlFrame frame;
  InsideWaited& answer = *frame.add_inside_waited();
  answer.set_id(id);
  FillRefusal(who, why, answer.mutable_refusal());
  sender_(worker, std::move(frame));
}

void InsideCalls::SendWaited(int32_t worker, uint64_t id, v1::Task task) {
  ControlFrame frame;
  InsideWaited& answer = *frame.add_inside_waited();
  answer.set_id(id);
  answer.set_state(task.state());
  answer.set_output(std::move(*task.mutable_output()));
  answer.set_output_content_type(std::move(*task.mutable_output_content_type()));
  answer.set_output_payload(task.output_payload());
  if (task.has_error()) *answer.mutable_error() = std::move(*task.mutable_error());
  sender_(worker, std::move(frame));
}

}  // namespace grove::control
