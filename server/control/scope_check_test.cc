#include "server/control/scope_check.h"

#include <string>

#include "grove/v1/pool_service.pb.h"
#include "grove/v1/queue_service.pb.h"
#include "grove/v1/schedule_service.pb.h"
#include "grove/v1/task_service.pb.h"
#include "gtest/gtest.h"
#include "server/tasks/refusal.h"

namespace grove::control {
namespace {

class ScopeCheckTest : public testing::Test {
 protected:
  ScopeCheckTest() { acme_.tenant = "acme"; }

  absl::Status Apply(const MethodRow& row, google::protobuf::Message& request) {
    return scope_.Apply(row, acme_, request);
  }
  template <typename Request>
  absl::Status ApplyToName(const MethodRow& row, const std::string& name) {
    Request request;
    request.set_name(name);
    const absl::Status status = Apply(row, request);
    EXPECT_EQ(request.name(), name);
    return status;
  }
  template <typename Request>
  std::string ParentOf(const MethodRow& row, const std::string& parent) {
    Request request;
    request.set_parent(parent);
    const absl::Status status = Apply(row, request);
    return status.ok() ? request.parent() : tasks::RefusalReason(status);
  }

  const ScopeCheck scope_;
  tenancy::Principal acme_;
};

TEST_F(ScopeCheckTest, WhatIsAnothersIsNotThere) {
  const absl::Status queue = ApplyToName<v1::GetQueueRequest>(RowOf("QueueService/GetQueue"),
                                                              "tenants/globex/queues/default");
  EXPECT_TRUE(absl::IsNotFound(queue));
  EXPECT_EQ(tasks::RefusalReason(queue), "QUEUE_NOT_FOUND");
  const absl::Status pool =
      ApplyToName<v1::GetPoolRequest>(RowOf("PoolService/GetPool"), "tenants/globex/pools/default");
  EXPECT_EQ(tasks::RefusalReason(pool), "POOL_NOT_FOUND");
  const absl::Status task = ApplyToName<v1::GetTaskRequest>(RowOf("TaskService/GetTask"),
                                                            "tenants/globex/queues/q/tasks/x");
  EXPECT_EQ(tasks::RefusalReason(task), "TASK_NOT_FOUND");
  const absl::Status schedule = ApplyToName<v1::GetScheduleRequest>(
      RowOf("ScheduleService/GetSchedule"), "tenants/globex/schedules/s");
  EXPECT_EQ(tasks::RefusalReason(schedule), "SCHEDULE_NOT_FOUND");
}

TEST_F(ScopeCheckTest, WhatIsTheCallersOwnAndWhatHasAnotherFormIsTheMethodsToJudge) {
  for (const char* name : {"tenants/acme/queues/none", "", "globex", "tenants/globex/queues/",
                           "tenants/globex/pools/default"}) {
    EXPECT_TRUE(ApplyToName<v1::GetQueueRequest>(RowOf("QueueService/GetQueue"), name).ok())
        << name;
  }
}

TEST_F(ScopeCheckTest, AnEmptyParentAndAllTenantsAreTheCallersOwn) {
  for (const char* parent : {"", "tenants/-", "tenants/acme"}) {
    EXPECT_EQ(ParentOf<v1::ListQueuesRequest>(RowOf("QueueService/ListQueues"), parent),
              "tenants/acme");
    EXPECT_EQ(ParentOf<v1::ListTasksRequest>(RowOf("TaskService/ListTasks"), parent),
              "tenants/acme");
  }
  EXPECT_EQ(ParentOf<v1::ListTasksRequest>(RowOf("TaskService/ListTasks"), "tenants/acme/queues/q"),
            "tenants/acme/queues/q");
  EXPECT_EQ(ParentOf<v1::ListTasksRequest>(RowOf("TaskService/ListTasks"), "tenants/b/queues/q"),
            "QUEUE_NOT_FOUND");
  EXPECT_EQ(ParentOf<v1::SpawnTaskRequest>(RowOf("TaskService/SpawnTask"), ""), "tenants/acme");
  EXPECT_EQ(ParentOf<v1::SpawnTaskRequest>(RowOf("TaskService/SpawnTask"), "tenants/-"),
            "tenants/-");
  EXPECT_EQ(ParentOf<v1::SpawnTaskRequest>(RowOf("TaskService/SpawnTask"), "tenants/b"),
            "TENANT_NOT_FOUND");
}

TEST_F(ScopeCheckTest, FieldsOfFieldsAreLookedInto) {
  v1::SpawnTaskRequest request;
  EXPECT_TRUE(Apply(RowOf("TaskService/SpawnTask"), request).ok());
  EXPECT_FALSE(request.has_spec()) << "what was not set stays so";
  request.mutable_spec()->set_queue("short");
  EXPECT_TRUE(Apply(RowOf("TaskService/SpawnTask"), request).ok());
  request.mutable_spec()->set_queue("tenants/globex/queues/q");
  EXPECT_EQ(tasks::RefusalReason(Apply(RowOf("TaskService/SpawnTask"), request)),
            "QUEUE_NOT_FOUND");
}

TEST_F(ScopeCheckTest, ItemsAreTheMethodsToAnswer) {
  v1::BatchWaitTasksRequest request;
  request.add_names("tenants/globex/queues/q/tasks/x");
  EXPECT_TRUE(Apply(RowOf("TaskService/BatchWaitTasks"), request).ok());
  const FieldRule& rule = RuleOf("TaskService/BatchWaitTasks", "names");
  EXPECT_EQ(tasks::RefusalReason(CheckName(rule, acme_, request.names(0))), "TASK_NOT_FOUND");
  EXPECT_TRUE(CheckName(rule, acme_, "tenants/acme/queues/q/tasks/x").ok());
  EXPECT_TRUE(CheckName(rule, *tenancy::LocalPrincipal(), request.names(0)).ok());
}

TEST_F(ScopeCheckTest, TheOperatorsNameWhatTheyLike) {
  v1::ListQueuesRequest request;
  request.set_parent("tenants/-");
  EXPECT_TRUE(
      scope_.Apply(RowOf("QueueService/ListQueues"), *tenancy::LocalPrincipal(), request).ok());
  EXPECT_EQ(request.parent(), "tenants/-");
}

TEST_F(ScopeCheckTest, AMethodThatItsRulesDoNotFitIsClosed) {
  const MethodRow stray = {"/grove.v1.TaskService/Nothing", tenancy::Role::kViewer, Reach::kTenant,
                           false};
  v1::GetTaskRequest request;
  EXPECT_TRUE(absl::IsInternal(Apply(stray, request)));
}

}  // namespace
}  // namespace grove::control
