// MethodTable: what control serves, who may call it, and which fields of a request name things.
//
// One row a method, in this file alone: a method without a row does not compile where it is served,
// and what a row leaves out, tests/integration/isolation_test.py finds. Of a service that is not
// Grove's own, one row stands for all methods. Constant.
#ifndef GROVE_SERVER_CONTROL_METHOD_TABLE_H_
#define GROVE_SERVER_CONTROL_METHOD_TABLE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/types/span.h"
#include "server/control/field_rules.h"
#include "server/tenancy/principal.h"

namespace grove::control {

// Whose tokens may call it.
enum class Reach : uint8_t {
  kTenant,     // everybody's; the rules of its fields keep a tenant to its own
  kOperators,  // the operators' alone
  kOpen,       // everybody's: what it says is nobody's
};

struct MethodRow {
  // "/grove.v1.TaskService/SpawnTask"; a trailing '*' covers a whole service.
  std::string_view method;
  tenancy::Role role;
  Reach reach;
  // Worth a line in the audit log.
  bool mutating;
  absl::Span<const FieldRule> fields = {};
};

namespace method_table {

using enum Reach;
using enum tenancy::Role;

inline constexpr MethodRow kRows[] = {
    {"/grove.v1.TaskService/SpawnTask", kWriter, kTenant, true, kSpawn},
    {"/grove.v1.TaskService/BatchSpawnTasks", kWriter, kTenant, true, kSpawns},
    {"/grove.v1.TaskService/SpawnTasks", kWriter, kTenant, true, kStreamedSpawns},
    {"/grove.v1.TaskService/GetTask", kViewer, kTenant, false, kTaskName},
    {"/grove.v1.TaskService/WaitTask", kViewer, kTenant, false, kTaskName},
    {"/grove.v1.TaskService/BatchWaitTasks", kViewer, kTenant, false, kTaskNames},
    {"/grove.v1.TaskService/ListTasks", kViewer, kTenant, false, kTasksParent},
    {"/grove.v1.TaskService/CountTasks", kViewer, kTenant, false, kTasksParent},
    {"/grove.v1.TaskService/WatchTasks", kViewer, kTenant, false, kTasksParent},
    {"/grove.v1.TaskService/CancelTask", kWriter, kTenant, true, kTaskName},
    {"/grove.v1.TaskService/ForceCancelTask", kOperator, kTenant, true, kTaskName},
    {"/grove.v1.TaskService/PauseTask", kWriter, kTenant, true, kTaskName},
    {"/grove.v1.TaskService/ResumeTask", kWriter, kTenant, true, kTaskName},
    {"/grove.v1.TaskService/RetryTask", kWriter, kTenant, true, kTaskName},
    {"/grove.v1.TaskService/DeleteTask", kWriter, kTenant, true, kTaskName},
    {"/grove.v1.TaskService/UpdateTask", kWriter, kTenant, true, kTaskToUpdate},
    {"/grove.v1.TaskService/BatchChangeTasks", kWriter, kTenant, true, kTasksParent},
    {"/grove.v1.TaskService/ExplainTask", kViewer, kTenant, false, kTaskName},
    {"/grove.v1.QueueService/ListQueues", kViewer, kTenant, false, kParent},
    {"/grove.v1.QueueService/GetQueue", kViewer, kTenant, false, kQueueName},
    {"/grove.v1.QueueService/WatchQueue", kViewer, kTenant, false, kQueuesName},
    {"/grove.v1.QueueService/PauseQueue", kOperator, kTenant, true, kQueueName},
    {"/grove.v1.QueueService/ResumeQueue", kOperator, kTenant, true, kQueueName},
    {"/grove.v1.QueueService/PurgeQueue", kOperator, kTenant, true, kQueueName},
    {"/grove.v1.PoolService/ListPools", kViewer, kTenant, false, kParent},
    {"/grove.v1.PoolService/GetPool", kViewer, kTenant, false, kPoolName},
    {"/grove.v1.PoolService/ResizePool", kOperator, kTenant, true, kPoolToResize},
    {"/grove.v1.TenantService/CreateTenant", kAdmin, kOperators, true},
    {"/grove.v1.TenantService/GetTenant", kViewer, kTenant, false, kTenantName},
    // Of a tenant's call, itself alone.
    {"/grove.v1.TenantService/ListTenants", kViewer, kTenant, false},
    {"/grove.v1.TenantService/UpdateTenant", kAdmin, kOperators, true},
    {"/grove.v1.TenantService/DeleteTenant", kAdmin, kOperators, true},
    {"/grove.v1.TenantService/CreateToken", kAdmin, kTenant, true, kTokensParent},
    {"/grove.v1.TenantService/GetToken", kAdmin, kTenant, false, kTokenName},
    {"/grove.v1.TenantService/ListTokens", kAdmin, kTenant, false, kTokensParent},
    {"/grove.v1.TenantService/RotateToken", kAdmin, kTenant, true, kTokenName},
    {"/grove.v1.TenantService/RevokeToken", kAdmin, kTenant, true, kTokenName},
    {"/grove.v1.TenantService/ListLimits", kViewer, kTenant, false, kLimitsParent},
    {"/grove.v1.TenantService/SetLimit", kOperator, kTenant, true, kLimitsParent},
    {"/grove.v1.TenantService/DeleteLimit", kOperator, kTenant, true, kLimitsParent},
    {"/grove.v1.ScheduleService/CreateSchedule", kWriter, kTenant, true, kScheduleToMake},
    {"/grove.v1.ScheduleService/GetSchedule", kViewer, kTenant, false, kScheduleName},
    {"/grove.v1.ScheduleService/ListSchedules", kViewer, kTenant, false, kSchedulesParent},
    {"/grove.v1.ScheduleService/UpdateSchedule", kWriter, kTenant, true, kScheduleToUpdate},
    {"/grove.v1.ScheduleService/DeleteSchedule", kWriter, kTenant, true, kScheduleName},
    {"/grove.v1.ScheduleService/PauseSchedule", kWriter, kTenant, true, kScheduleName},
    {"/grove.v1.ScheduleService/ResumeSchedule", kWriter, kTenant, true, kScheduleName},
    {"/grove.v1.ScheduleService/RunSchedule", kWriter, kTenant, true, kScheduleName},
    {"/grove.v1.PayloadService/WritePayload", kWriter, kTenant, true, kPayloadParent},
    {"/grove.v1.PayloadService/ReadPayload", kViewer, kTenant, false, kPayloadName},
    {"/grove.v1.PayloadService/GetPayload", kViewer, kTenant, false, kPayloadName},
    {"/grove.v1.PayloadService/ListPayloads", kViewer, kTenant, false, kPayloadsParent},
    {"/grove.v1.PayloadService/DeletePayload", kWriter, kTenant, true, kPayloadName},
    {"/grove.v1.WorkerGatewayService/ConnectWorker", kWriter, kTenant, true, kWorkerParent},
    {"/grove.v1.FairnessService/GetFairness", kViewer, kTenant, false, kParent},
    {"/grove.v1.WorkerService/ListWorkers", kViewer, kOperators, false},
    {"/grove.v1.WorkerService/InjectHttpRequest", kDebug, kOperators, true},
    // Of a tenant's call, its own fibers alone; workers are nobody's.
    {"/grove.v1.InspectService/GetFiber", kViewer, kTenant, false},
    {"/grove.v1.InspectService/ListFibers", kViewer, kTenant, false},
    // Of a tenant's call, not those of other tenants' workers.
    {"/grove.v1.InspectService/ListFunctions", kViewer, kTenant, false},
    {"/grove.v1.BackdoorService/OpenSession", kDebug, kOperators, true},
    {"/grove.v1.OperationService/ScaleWorkers", kOperator, kOperators, true},
    {"/grove.v1.OperationService/RestartWorkers", kOperator, kOperators, true},
    {"/grove.v1.OperationService/Drain", kOperator, kOperators, true},
    {"/grove.v1.OperationService/Reload", kOperator, kOperators, true},
    {"/grove.v1.OperationService/Upgrade", kOperator, kOperators, true},
    {"/grove.v1.OperationService/SetLogLevel", kOperator, kOperators, true},
    {"/grove.v1.OperationService/GetOperation", kViewer, kOperators, false},
    {"/grove.v1.OperationService/ListOperations", kViewer, kOperators, false},
    {"/grove.v1.OperationService/WatchOperation", kViewer, kOperators, false},
    {"/grove.v1.OperationService/GetConfig", kViewer, kOperators, false},
    // Reads whatever file it is told to.
    {"/grove.v1.OperationService/DiffConfig", kAdmin, kOperators, true},
    // Probes have no tokens.
    {"/grpc.health.v1.Health/*", kNone, kOpen, false},
    {"/grpc.reflection.v1.ServerReflection/*", kViewer, kOpen, false},
    {"/grpc.reflection.v1alpha.ServerReflection/*", kViewer, kOpen, false},
    // Shows every client's address.
    {"/grpc.channelz.v1.Channelz/*", kDebug, kOperators, false},
};

// Not constant: a call of it does not compile.
void NoSuchMethod();

}  // namespace method_table

// Every method that control serves.
inline absl::Span<const MethodRow> MethodTable() {
  return method_table::kRows;
}

// "TaskService/SpawnTask", of the package grove.v1.
consteval const MethodRow& RowOf(std::string_view method) {
  constexpr std::string_view kPackage = "/grove.v1.";
  for (const MethodRow& row : method_table::kRows) {
    if (row.method.starts_with(kPackage) && row.method.substr(kPackage.size()) == method) {
      return row;
    }
  }
  method_table::NoSuchMethod();
  return method_table::kRows[0];
}

// The rule for a field of it, "names".
consteval const FieldRule& RuleOf(std::string_view method, std::string_view path) {
  for (const FieldRule& rule : RowOf(method).fields) {
    if (rule.path == path) return rule;
  }
  method_table::NoSuchMethod();
  return RowOf(method).fields[0];
}

// Also of services that are not Grove's own. What has no row needs an operators' administrator.
const MethodRow& FindMethod(std::string_view method);

// A line a row, for the test of the whole: "METHOD ROLE tenant|operators|open FIELD=NAMES …", with
// a
// '*' behind what the method answers for each item.
std::string MethodTableText();

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_METHOD_TABLE_H_
