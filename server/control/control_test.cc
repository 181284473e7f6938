#include "server/control/control.h"

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "grove/v1/inspect_service.grpc.pb.h"
#include "grove/v1/pool_service.grpc.pb.h"
#include "grove/v1/queue_service.grpc.pb.h"
#include "grove/v1/task_service.grpc.pb.h"
#include "grove/v1/worker_service.grpc.pb.h"
#include "runtime/hub/hub_fixture.h"
#include "server/control/control_fixture.h"

namespace grove::control {
namespace {

using grpc::StatusCode;

class ControlTest : public ControlFixture {
 protected:
  // Control with worker 0, ready to take tasks.
  void Start() {
    StartWorker(0);
    StartControl();
    ASSERT_FALSE(HasFatalFailure());
    AwaitFunctions();
  }

  // A stub's methods look alike; this is one call with a deadline, and a token if one is set.
  template <typename Stub, typename Request, typename Response>
  grpc::Status Try(Stub& stub,
                   grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                   const Request& request, Response& response) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    if (!token_.empty()) context.AddMetadata("authorization", "Bearer " + token_);
    return (stub.*method)(&context, request, &response);
  }

  // Until the worker's Hello has arrived: each try is a round trip through the hub.
  void AwaitFunctions() {
    auto inspect = v1::InspectService::NewStub(channel_);
    v1::ListFunctionsResponse functions;
    while (functions.functions_size() == 0) {
      grpc::Status status = Try(*inspect, &v1::InspectService::Stub::ListFunctions,
                                v1::ListFunctionsRequest(), functions);
      ASSERT_TRUE(status.ok()) << status.error_message();
    }
    tasks_ = v1::TaskService::NewStub(channel_);
  }

  v1::TaskSpec Spec(const std::string& function, const std::string& input = "{}") {
    v1::TaskSpec spec;
    spec.set_function(function);
    spec.set_input(input);
    spec.set_durability(v1::DURABILITY_VOLATILE);
    return spec;
  }

  grpc::Status Spawn(const v1::TaskSpec& spec, v1::Task& task) {
    v1::SpawnTaskRequest request;
    *request.mutable_spec() = spec;
    v1::SpawnTaskResponse response;
    grpc::Status status = Try(*tasks_, &v1::TaskService::Stub::SpawnTask, request, response);
    task = response.task();
    return status;
  }

  grpc::Status Wait(const std::string& name, v1::Task& task, int64_t nanos = 0) {
    v1::WaitTaskRequest request;
    request.set_name(name);
    request.set_view(v1::TASK_VIEW_FULL);
    if (nanos > 0) request.mutable_timeout()->set_nanos(static_cast<int32_t>(nanos));
    v1::WaitTaskResponse response;
    grpc::Status status = Try(*tasks_, &v1::TaskService::Stub::WaitTask, request, response);
    task = response.task();
    return status;
  }

  grpc::Status ListFibers(const std::string& parent, int32_t size, const std::string& token,
                          v1::ListFibersResponse& response) {
    v1::ListFibersRequest request;
    request.set_parent(parent);
    request.set_page_size(size);
    request.set_page_token(token);
    auto inspect = v1::InspectService::NewStub(channel_);
    return Try(*inspect, &v1::InspectService::Stub::ListFibers, request, response);
  }

  // Turns the hub until `condition`, which is evaluated there, holds.
  void AwaitOnHub(absl::AnyInvocable<bool()> condition) {
    bool holds = false;
    while (!holds) {
      absl::Notification done;
      hub_->Post([&] {
        holds = condition();
        done.Notify();
      });
      done.WaitForNotification();
    }
  }

  std::string token_;
  std::unique_ptr<v1::TaskService::Stub> tasks_;
};

TEST_F(ControlTest, ASpawnedTaskRunsOnAWorkerAndItsResultComesBack) {
  Start();
  v1::Task task;
  ASSERT_TRUE(Spawn(Spec("echo", "{\"a\":1}"), task).ok());
  ASSERT_TRUE(Wait(task.name(), task).ok());
  EXPECT_EQ(task.state(), v1::TASK_STATE_SUCCEEDED);
  EXPECT_EQ(task.output(), "{\"a\":1}");
  ASSERT_EQ(task.attempts_size(), 1);
  EXPECT_EQ(task.attempts(0).worker(), "workers/0");
}

TEST_F(ControlTest, ADurableSpawnIsAnsweredOnceItIsOnDisk) {
  Start();
  v1::TaskSpec spec = Spec("hang");
  spec.set_durability(v1::DURABILITY_DURABLE);
  v1::Task task;
  ASSERT_TRUE(Spawn(spec, task).ok());
  const std::string name = task.name();
  workers_.clear();  // Interrupted: the next control finds it queued.
  AwaitMetric("grove_task_attempts_running 0");
  StopControl();
  auto store = *tasks::SqliteStore::Open({.state_dir = directory_});
  std::vector<tasks::StoredTask> stored;
  ASSERT_TRUE(
      store->Load({}, [&](tasks::StoredTask each) { stored.push_back(std::move(each)); }).ok());
  ASSERT_EQ(stored.size(), 1u);
  EXPECT_TRUE(absl::EndsWith(name, stored[0].id.ToString()));
}

TEST_F(ControlTest, ARefusalSaysWhyInAnErrorInfo) {
  Start();
  v1::Task task;
  grpc::Status status = Spawn(Spec("no.such.function"), task);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(ReasonOf(status), "");
  status = Spawn(Spec("echo", "{broken"), task);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_NE(ReasonOf(status), "");
  status = Wait("tenants/default/queues/default/tasks/01J00000000000000000000000", task);
  EXPECT_EQ(status.error_code(), StatusCode::NOT_FOUND);
  EXPECT_NE(ReasonOf(status), "");
}

TEST_F(ControlTest, BatchesAnswerInRequestOrderAndEachOnItsOwn) {
  Start();
  v1::BatchSpawnTasksRequest spawn;
  *spawn.add_specs() = Spec("echo", "1");
  *spawn.add_specs() = Spec("no.such.function");
  *spawn.add_specs() = Spec("fail");
  v1::BatchSpawnTasksResponse spawned;
  ASSERT_TRUE(Try(*tasks_, &v1::TaskService::Stub::BatchSpawnTasks, spawn, spawned).ok());
  ASSERT_EQ(spawned.results_size(), 3);
  EXPECT_EQ(spawned.results(1).error().code(), static_cast<int>(StatusCode::INVALID_ARGUMENT));
  EXPECT_GE(spawned.results(1).error().details_size(), 1);

  v1::BatchWaitTasksRequest wait;
  wait.set_view(v1::TASK_VIEW_OUTPUT);
  wait.add_names(spawned.results(2).name());
  wait.add_names("tenants/default/queues/default/tasks/01J00000000000000000000000");
  wait.add_names(spawned.results(0).name());
  wait.add_names(spawned.results(0).name());
  v1::BatchWaitTasksResponse waited;
  ASSERT_TRUE(Try(*tasks_, &v1::TaskService::Stub::BatchWaitTasks, wait, waited).ok());
  ASSERT_EQ(waited.results_size(), 4);
  EXPECT_EQ(waited.results(0).task().state(), v1::TASK_STATE_FAILED);
  EXPECT_EQ(waited.results(1).error().code(), static_cast<int>(StatusCode::NOT_FOUND));
  EXPECT_EQ(waited.results(2).task().output(), "1");
  EXPECT_EQ(waited.results(3).task().name(), waited.results(2).task().name());
}

TEST_F(ControlTest, TooLargeABatchIsRefusedAsAWhole) {
  Start();
  v1::BatchWaitTasksRequest wait;
  for (int i = 0; i <= kBatchMax; ++i) wait.add_names("x");
  v1::BatchWaitTasksResponse waited;
  const grpc::Status status = Try(*tasks_, &v1::TaskService::Stub::BatchWaitTasks, wait, waited);
  EXPECT_EQ(status.error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonOf(status), "BATCH_TOO_LARGE");
}

TEST_F(ControlTest, AWaitGivesTheTaskAsItIsWhenItsTimeIsOver) {
  Start();
  v1::Task task;
  ASSERT_TRUE(Spawn(Spec("hang"), task).ok());
  ASSERT_TRUE(Wait(task.name(), task, 1'000'000).ok());
  EXPECT_LT(task.state(), v1::TASK_STATE_SUCCEEDED);
}

TEST_F(ControlTest, CancellingARunningTaskReachesTheWorker) {
  Start();
  v1::Task task;
  ASSERT_TRUE(Spawn(Spec("hang"), task).ok());
  AwaitOnHub([&] { return workers_[0]->attempts_started() == 1; });
  v1::CancelTaskRequest cancel;
  cancel.set_name(task.name());
  cancel.set_reason("enough");
  v1::CancelTaskResponse cancelled;
  ASSERT_TRUE(Try(*tasks_, &v1::TaskService::Stub::CancelTask, cancel, cancelled).ok());
  EXPECT_EQ(cancelled.task().state(), v1::TASK_STATE_CANCELLED);
  AwaitOnHub([&] { return workers_[0]->attempts_cancelled() == 1; });
}

TEST_F(ControlTest, AWaiterThatGoesAwayLeavesNothingBehind) {
  Start();
  v1::Task task;
  ASSERT_TRUE(Spawn(Spec("hang"), task).ok());
  grpc::ClientContext context;
  v1::WaitTaskRequest request;
  request.set_name(task.name());
  v1::WaitTaskResponse response;
  absl::Notification done;
  tasks_->async()->WaitTask(&context, &request, &response, [&](const grpc::Status& status) {
    EXPECT_EQ(status.error_code(), StatusCode::CANCELLED);
    done.Notify();
  });
  AwaitMetric("grove_task_waiters 1");
  context.TryCancel();
  done.WaitForNotification();
  AwaitMetric("grove_task_waiters 0");
}

TEST_F(ControlTest, ADeadWorkersTaskRunsAgainOnTheNextOne) {
  Start();
  v1::Task task;
  ASSERT_TRUE(Spawn(Spec("hang"), task).ok());
  AwaitOnHub([&] { return workers_[0]->attempts_started() == 1; });
  workers_.erase(0);
  StartWorker(1);
  AwaitOnHub([&] { return workers_[1]->attempts_started() == 1; });
  v1::Task now;
  ASSERT_TRUE(Wait(task.name(), now, 1'000'000).ok());
  ASSERT_EQ(now.attempts_size(), 2);
  EXPECT_EQ(now.attempts(0).state(), v1::Attempt::STATE_INTERRUPTED);
  EXPECT_EQ(now.attempts(1).worker(), "workers/1");
}

TEST_F(ControlTest, AWorkerThatIsAddedMeanwhileIsLinkedAndRunsTasks) {
  Start();
  workers_.erase(0);
  StartWorker(2);
  scoreboard_.Grow(3);
  scoreboard_.slot(2).state = metrics::SlotState::kReady;
  v1::Task task;
  ASSERT_TRUE(Spawn(Spec("hang"), task).ok());
  AwaitOnHub([&] { return workers_[2]->attempts_started() == 1; });
}

TEST_F(ControlTest, ListsShowTasksQueuesPoolsAndWorkers) {
  Start();
  v1::Task task;
  ASSERT_TRUE(Spawn(Spec("echo"), task).ok());
  v1::ListTasksResponse listed;
  ASSERT_TRUE(Try(*tasks_, &v1::TaskService::Stub::ListTasks, v1::ListTasksRequest(), listed).ok());
  ASSERT_EQ(listed.tasks_size(), 1);
  EXPECT_EQ(listed.tasks(0).name(), task.name());

  auto queues = v1::QueueService::NewStub(channel_);
  v1::ListQueuesResponse all_queues;
  ASSERT_TRUE(
      Try(*queues, &v1::QueueService::Stub::ListQueues, v1::ListQueuesRequest(), all_queues).ok());
  ASSERT_EQ(all_queues.queues_size(), 1);
  EXPECT_EQ(all_queues.queues(0).spawned_total(), 1);

  auto pools = v1::PoolService::NewStub(channel_);
  v1::ResizePoolRequest resize;
  resize.set_name("tenants/default/pools/default");
  resize.set_size(7);
  v1::ResizePoolResponse resized;
  ASSERT_TRUE(Try(*pools, &v1::PoolService::Stub::ResizePool, resize, resized).ok());
  EXPECT_EQ(resized.pool().size(), 7);

  scoreboard_.slot(0).state = metrics::SlotState::kReady;
  scoreboard_.slot(0).live.http_responses[200] = 3;
  auto workers = v1::WorkerService::NewStub(channel_);
  v1::ListWorkersResponse both;
  ASSERT_TRUE(
      Try(*workers, &v1::WorkerService::Stub::ListWorkers, v1::ListWorkersRequest(), both).ok());
  ASSERT_EQ(both.workers_size(), kWorkers);
  EXPECT_EQ(both.workers(0).state(), v1::Worker::STATE_READY);
  EXPECT_EQ(both.workers(0).http_requests_total(), 3);
  EXPECT_TRUE(both.workers(0).linked());
  EXPECT_EQ(both.workers(1).state(), v1::Worker::STATE_DOWN);
  EXPECT_FALSE(both.workers(1).linked());
}

TEST_F(ControlTest, FibersComeInPagesAndSilentWorkersAreNamed) {
  Start();
  std::vector<std::string> names;
  v1::ListFibersResponse page;
  do {
    const std::string token = page.next_page_token();
    page.Clear();
    ASSERT_TRUE(ListFibers("", 2, token, page).ok());
    for (const v1::Fiber& fiber : page.fibers()) names.push_back(fiber.name());
    ASSERT_EQ(page.unreachable_size(), 1);
    EXPECT_EQ(page.unreachable(0), "workers/1");
    ASSERT_LE(names.size(), 5u);
  } while (!page.next_page_token().empty());
  ASSERT_EQ(names.size(), 5u);
  EXPECT_EQ(names[4], "workers/0/fibers/5");

  workers_[0]->StopAnswering();
  page.Clear();
  ASSERT_TRUE(ListFibers("workers/0", 0, "", page).ok());
  ASSERT_EQ(page.unreachable_size(), 1);
  EXPECT_EQ(ListFibers("workers/2", 0, "", page).error_code(), StatusCode::NOT_FOUND);
  EXPECT_EQ(ListFibers("workers/x", 0, "", page).error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonOf(ListFibers("", 0, "bogus", page)), "PAGE_TOKEN_INVALID");
}

TEST_F(ControlTest, AFullViewHasStacksInSmallerPages) {
  Start();
  auto inspect = v1::InspectService::NewStub(channel_);
  v1::ListFibersRequest request;
  request.set_parent("workers/0");
  v1::ListFibersResponse response;
  ASSERT_TRUE(Try(*inspect, &v1::InspectService::Stub::ListFibers, request, response).ok());
  EXPECT_EQ(response.fibers(0).stack_size(), 0);
  EXPECT_EQ(workers_[0]->fibers_asked_for(), kFibersPageDefault);
  request.set_view(v1::FIBER_VIEW_FULL);
  request.set_page_size(10'000);
  ASSERT_TRUE(Try(*inspect, &v1::InspectService::Stub::ListFibers, request, response).ok());
  ASSERT_EQ(response.fibers(0).stack_size(), 1);
  EXPECT_EQ(response.fibers(0).stack(0), "grove::Event::Wait()+0x5e");
  EXPECT_EQ(response.fibers(0).stack_used_bytes(), 8192);
  EXPECT_EQ(response.fibers(0).stack_bytes(), 65536);
  EXPECT_EQ(workers_[0]->fibers_asked_for(), kStacksPageMax);
}

TEST_F(ControlTest, OneFiberIsShownWithItsStackOrNotFound) {
  Start();
  auto inspect = v1::InspectService::NewStub(channel_);
  v1::GetFiberRequest request;
  v1::Fiber fiber;
  const auto get = [&](const std::string& name) {
    request.set_name(name);
    return Try(*inspect, &v1::InspectService::Stub::GetFiber, request, fiber);
  };
  ASSERT_TRUE(get("workers/0/fibers/3").ok());
  EXPECT_EQ(fiber.name(), "workers/0/fibers/3");
  EXPECT_EQ(fiber.display_name(), "fiber-3");
  EXPECT_EQ(fiber.stack_size(), 1);
  EXPECT_EQ(ReasonOf(get("workers/0/fibers/6")), "FIBER_NOT_FOUND");
  EXPECT_EQ(get("workers/9/fibers/1").error_code(), StatusCode::NOT_FOUND);
  for (const char* name : {"", "workers/0", "workers/0/fibers/", "workers/0/fibers/0",
                           "workers/0/fibers/x", "fibers/1", "workers/x/fibers/1"}) {
    EXPECT_EQ(get(name).error_code(), StatusCode::INVALID_ARGUMENT) << name;
  }
  EXPECT_EQ(ReasonOf(get("workers/1/fibers/1")), "WORKER_UNREACHABLE");
  workers_[0]->StopAnswering();
  EXPECT_EQ(ReasonOf(get("workers/0/fibers/3")), "WORKER_UNREACHABLE");
}

TEST_F(ControlTest, TokensAreAskedForAndTheirRolesHold) {
  AddToken("reader", config::v1::Token::ROLE_READ, "reader-secret-0123456789");
  AddToken("writer", config::v1::Token::ROLE_WRITE, "writer-secret-0123456789");
  token_ = "writer-secret-0123456789";
  Start();
  v1::Task task;
  EXPECT_TRUE(Spawn(Spec("echo"), task).ok());
  token_ = "reader-secret-0123456789";
  grpc::Status status = Spawn(Spec("echo"), task);
  EXPECT_EQ(status.error_code(), StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(ReasonOf(status), "ROLE_INSUFFICIENT");
  token_ = "";
  status = Spawn(Spec("echo"), task);
  EXPECT_EQ(status.error_code(), StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(ReasonOf(status), "TOKEN_MISSING");
}

TEST_F(ControlTest, ADrainRefusesSpawnsAndWaitsForWhatRuns) {
  config_.set_drain_timeout_ms(60'000);
  Start();
  v1::Task task;
  ASSERT_TRUE(Spawn(Spec("hang"), task).ok());
  AwaitOnHub([&] { return workers_[0]->attempts_started() == 1; });
  BeginStop();
  AwaitMetric("grove_control_draining 1");
  v1::Task refused;
  const grpc::Status status = Spawn(Spec("echo"), refused);
  EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(status), "DRAINING");
  EXPECT_FALSE(drained_.HasBeenNotified());
  v1::CancelTaskRequest cancel;
  cancel.set_name(task.name());
  v1::CancelTaskResponse cancelled;
  ASSERT_TRUE(Try(*tasks_, &v1::TaskService::Stub::CancelTask, cancel, cancelled).ok());
  drained_.WaitForNotification();
}

TEST_F(ControlTest, AnswersCarryPayloadsOnlyWhenAsked) {
  Start();
  const std::string input = absl::StrCat("\"", std::string(1000, 'x'), "\"");
  for (const auto durability : {v1::DURABILITY_VOLATILE, v1::DURABILITY_DURABLE}) {
    v1::TaskSpec spec = Spec("echo", input);
    spec.set_durability(durability);
    v1::Task task;
    ASSERT_TRUE(Spawn(spec, task).ok());
    EXPECT_EQ(task.spec().input(), "");
    EXPECT_EQ(task.input_size_bytes(), 1002);
    v1::WaitTaskRequest wait;
    wait.set_name(task.name());
    v1::WaitTaskResponse waited;
    ASSERT_TRUE(Try(*tasks_, &v1::TaskService::Stub::WaitTask, wait, waited).ok());
    EXPECT_EQ(waited.task().output(), "");
    EXPECT_EQ(waited.task().output_size_bytes(), 1002);
    wait.set_view(v1::TASK_VIEW_OUTPUT);
    ASSERT_TRUE(Try(*tasks_, &v1::TaskService::Stub::WaitTask, wait, waited).ok());
    EXPECT_EQ(waited.task().output(), input);
    EXPECT_EQ(waited.task().spec().input(), "");
    v1::GetTaskRequest get;
    get.set_name(task.name());
    v1::GetTaskResponse got;
    ASSERT_TRUE(Try(*tasks_, &v1::TaskService::Stub::GetTask, get, got).ok());
    EXPECT_EQ(got.task().output(), input);
    EXPECT_EQ(got.task().spec().input(), input);
  }
}

TEST_F(ControlTest, ManyLargeResultsComeByPage) {
  Start();
  const std::string input = absl::StrCat("\"", std::string(1'000'000, 'x'), "\"");
  v1::BatchWaitTasksRequest wait;
  wait.set_view(v1::TASK_VIEW_OUTPUT);
  for (int i = 0; i < 4; ++i) {
    v1::TaskSpec spec = Spec("echo", input);
    if (i % 2 == 1) spec.set_durability(v1::DURABILITY_DURABLE);
    v1::Task task;
    ASSERT_TRUE(Spawn(spec, task).ok());
    wait.add_names(task.name());
  }
  wait.add_names("tenants/default/queues/default/tasks/01J00000000000000000000000");
  std::vector<int> pages;
  int found = 0;
  do {
    v1::BatchWaitTasksResponse response;
    ASSERT_TRUE(Try(*tasks_, &v1::TaskService::Stub::BatchWaitTasks, wait, response).ok());
    EXPECT_LT(response.ByteSizeLong(), size_t{4} << 20);
    pages.push_back(response.results_size());
    for (const auto& result : response.results()) found += result.task().output() == input;
    wait.set_page_token(response.next_page_token());
  } while (!wait.page_token().empty());
  EXPECT_THAT(pages, testing::ElementsAre(3, 2));
  EXPECT_EQ(found, 4);
}

TEST_F(ControlTest, ANameThatStandsManyTimesCostsNoMoreThanItsAnswer) {
  Start();
  v1::Task task;
  ASSERT_TRUE(Spawn(Spec("echo", absl::StrCat("\"", std::string(900'000, 'x'), "\"")), task).ok());
  v1::BatchWaitTasksRequest wait;
  wait.set_view(v1::TASK_VIEW_FULL);
  for (int i = 0; i < 1000; ++i) wait.add_names(task.name());
  v1::BatchWaitTasksResponse response;
  ASSERT_TRUE(Try(*tasks_, &v1::TaskService::Stub::BatchWaitTasks, wait, response).ok());
  EXPECT_EQ(response.results_size(), 1);
  EXPECT_NE(response.next_page_token(), "");
  EXPECT_LT(response.ByteSizeLong(), size_t{4} << 20);
  wait.set_view(v1::TASK_VIEW_BASIC);
  wait.set_page_token(response.next_page_token());
  const grpc::Status refused = Try(*tasks_, &v1::TaskService::Stub::BatchWaitTasks, wait, response);
  EXPECT_EQ(ReasonOf(refused), "PAGE_TOKEN_INVALID");
}

TEST_F(ControlTest, APortInUseIsAnErrorThatNamesIt) {
  Start();
  config::v1::Config config = config_;
  config.mutable_control()->set_listen(control_->grpc_address());
  const std::string other = absl::StrCat(directory_, "/other");
  std::filesystem::create_directory(other);
  auto store = *tasks::SqliteStore::Open({.state_dir = other});
  auto hub = *Hub::Create();
  schedules::MemoryScheduleStore schedules;
  auto second = Control::Create(*hub, config, scoreboard_, *store, registry_, schedules);
  ASSERT_TRUE(second.ok()) << second.status();
  const absl::Status status = RunForStatus(*hub, [&] { return (*second)->Start(); });
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_TRUE(absl::StrContains(status.message(), control_->grpc_address())) << status;
}

}  // namespace
}  // namespace grove::control
