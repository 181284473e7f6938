#include "server/control/own_audit.h"

#include <string>
#include <string_view>

#include "runtime/switch/abseil_text.h"
#include "server/control/method_table.h"
#include "server/tasks/refusal.h"
#include "server/tenancy/resource_name.h"

namespace grove::control {
namespace {

std::string_view MethodOf(DeclaredChange::Kind kind) {
  switch (kind) {
    case DeclaredChange::Kind::kCreated:
      return RowOf("ScheduleService/CreateSchedule").method;
    case DeclaredChange::Kind::kUpdated:
      return RowOf("ScheduleService/UpdateSchedule").method;
    case DeclaredChange::Kind::kWithdrawn:
      break;
  }
  return RowOf("ScheduleService/PauseSchedule").method;
}

}  // namespace

void OwnAudit::Scheduled(const ScheduledSpawn& spawn) const {
  if (LeavesSpawnsOut()) return;
  const std::string resource = tenancy::FormatTenantName(spawn.tenant);
  const std::string result = absl::StatusCodeToString(spawn.status.code());
  const std::string refusal = tasks::CutMiddle(Std(spawn.status.message()));
  log_.Write({.method = RowOf("TaskService/SpawnTask").method,
              .who = spawn.schedule,
              .tenant = spawn.tenant,
              .resource = resource,
              .asked = spawn.function,
              .result = result,
              .answer = spawn.status.ok() ? spawn.task : refusal});
}

void OwnAudit::Inside(const InsideSpawns& spawns) const {
  if (LeavesSpawnsOut()) return;
  const std::string worker = StrCat("workers/", spawns.worker);
  const std::string resource = tenancy::FormatTenantName(spawns.tenant);
  const std::string asked =
      StrCat(spawns.asked, " tasks from inside, ", spawns.refused, " refused");
  const std::string result = absl::StatusCodeToString(spawns.first_refusal.code());
  const std::string answer = tasks::CutMiddle(Std(spawns.first_refusal.message()));
  log_.Write({.method = RowOf("TaskService/BatchSpawnTasks").method,
              .who = spawns.task.empty() ? worker : spawns.task,
              .peer = worker,
              .tenant = spawns.tenant,
              .resource = resource,
              .asked = asked,
              .result = result,
              .answer = answer});
}

void OwnAudit::Declared(const DeclaredChange& change) const {
  const std::string who = StrCat("program ", change.program);
  log_.Write({.method = MethodOf(change.kind),
              .who = who,
              .tenant = change.tenant,
              .resource = change.schedule,
              .asked = change.kind == DeclaredChange::Kind::kWithdrawn ? "withdrawn" : "declared",
              .result = "OK"});
}

void OwnAudit::Ended(const v1::Operation& operation) const {
  const bool failed = operation.state() == v1::Operation::STATE_FAILED;
  log_.Write({.method = "operation",
              .who = operation.requested_by(),
              .resource = operation.name(),
              .asked = v1::Operation::Kind_Name(operation.kind()),
              .result = v1::Operation::State_Name(operation.state()),
              .answer = failed ? operation.error().message() : operation.message()});
}

}  // namespace grove::control
