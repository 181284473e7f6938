// Render: what the API returns as tables and field lists for people.
//
// Pure: takes the time ages are counted from, and how tables are to look.

#ifndef GROVE_CLIENT_CLI_RENDER_H_
#define GROVE_CLIENT_CLI_RENDER_H_

#include <string>

#include "absl/time/time.h"
#include "client/cli/table.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "grove/v1/fairness_service.pb.h"
#include "grove/v1/inspect_service.pb.h"
#include "grove/v1/operation_service.pb.h"
#include "grove/v1/pool_service.pb.h"
#include "grove/v1/queue_service.pb.h"
#include "grove/v1/schedule_service.pb.h"
#include "grove/v1/task_service.pb.h"
#include "grove/v1/tenant_service.pb.h"
#include "grove/v1/worker_service.pb.h"

namespace grove::client::cli {

struct View {
  // What ages are counted from.
  absl::Time now;
  Look look = {};
};

template <typename Message>
using List = google::protobuf::RepeatedPtrField<Message>;

std::string RenderTasks(const List<v1::Task>& tasks, const View& view);
std::string RenderTask(const v1::Task& task, const View& view);
// A line for each state.
std::string RenderCounts(const v1::CountTasksResponse& counts, const View& view);
// What the task waits for, and until when.
std::string RenderExplanation(const v1::ExplainTaskResponse& explained, const View& view);
std::string RenderQueues(const List<v1::Queue>& queues, const View& view);
std::string RenderPools(const List<v1::Pool>& pools, const View& view);
// The daemon's figures, if they are there, and a row for each tenant.
std::string RenderFairness(const v1::GetFairnessResponse& fairness, const View& view);
std::string RenderWorkers(const List<v1::Worker>& workers, const View& view);
std::string RenderFibers(const List<v1::Fiber>& fibers, const View& view);
// A block each, with the functions it stands in.
std::string RenderStacks(const List<v1::Fiber>& fibers, const View& view);
std::string RenderFunctions(const List<v1::Function>& functions, const View& view);

std::string RenderOperations(const List<v1::Operation>& operations, const View& view);
std::string RenderOperation(const v1::Operation& operation, const View& view);
// What bounds keys, and what is used of it.
std::string RenderLimits(const v1::ListLimitsResponse& limits, const View& view);
std::string RenderSchedules(const List<v1::Schedule>& schedules, const View& view);
// With its last runs.
std::string RenderSchedule(const v1::Schedule& schedule, const View& view);
std::string RenderTenants(const List<v1::Tenant>& tenants, const View& view);
std::string RenderTenant(const v1::Tenant& tenant, const View& view);
std::string RenderTokens(const List<v1::Token>& tokens, const View& view);
std::string RenderToken(const v1::Token& token, const View& view);
// "writer,debug".
std::string RolesText(const v1::Token& token);
// Two lines each, as diff(1) has them.
std::string RenderConfigDiff(const List<v1::ConfigChange>& changes, const View& view);

// The most telling thing about a task in its state; may be empty.
std::string TaskNote(const v1::Task& task, const View& view);

// "SUCCEEDED".
std::string StateName(v1::TaskState state);
std::string OperationStateName(v1::Operation::State state);

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_RENDER_H_
