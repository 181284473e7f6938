#include "server/control/watch_service.h"

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "grove/v1/inspect_service.grpc.pb.h"
#include "grove/v1/queue_service.grpc.pb.h"
#include "grove/v1/task_service.grpc.pb.h"
#include "server/control/control_fixture.h"
#include "server/control/watch_limits.h"

namespace grove::control {
namespace {

using grpc::StatusCode;

class WatchServiceTest : public ControlFixture {
 protected:
  using Tasks = grpc::ClientReader<v1::WatchTasksResponse>;
  using Queues = grpc::ClientReader<v1::WatchQueueResponse>;

  void Start() {
    StartWorker(0);
    StartControl();
    ASSERT_FALSE(HasFatalFailure());
    tasks_ = v1::TaskService::NewStub(channel_);
    queues_ = v1::QueueService::NewStub(channel_);
    const auto inspect = v1::InspectService::NewStub(channel_);
    for (v1::ListFunctionsResponse functions; functions.functions_size() == 0;) {
      grpc::ClientContext context;
      Authorize(context);
      ASSERT_TRUE(inspect->ListFunctions(&context, {}, &functions).ok());
    }
  }
  void Authorize(grpc::ClientContext& context) {
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    if (!token_.empty()) context.AddMetadata("authorization", "Bearer " + token_);
  }
  std::unique_ptr<Tasks> Watch(grpc::ClientContext& context,
                               const v1::WatchTasksRequest& request = {}) {
    Authorize(context);
    return tasks_->WatchTasks(&context, request);
  }
  std::unique_ptr<Queues> WatchQueue(grpc::ClientContext& context, const std::string& name) {
    Authorize(context);
    v1::WatchQueueRequest request;
    request.set_name(name);
    request.mutable_interval()->set_nanos(100'000'000);
    return queues_->WatchQueue(&context, request);
  }
  std::string Spawn(const std::string& function, v1::Durability durability,
                    const std::string& input = "{}") {
    grpc::ClientContext context;
    Authorize(context);
    v1::SpawnTaskRequest request;
    request.mutable_spec()->set_function(function);
    request.mutable_spec()->set_input(input);
    request.mutable_spec()->set_durability(durability);
    v1::SpawnTaskResponse response;
    const grpc::Status status = tasks_->SpawnTask(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.task().name();
  }
  // Reads on until the task is told in `state`.
  static v1::Task Await(Tasks& stream, const std::string& name, v1::TaskState state) {
    v1::WatchTasksResponse message;
    while (stream.Read(&message)) {
      for (const auto& event : message.events()) {
        const v1::Task& task = event.has_existing() ? event.existing() : event.changed();
        if (task.name() == name && task.state() == state) return task;
      }
    }
    ADD_FAILURE() << "the watch ended";
    return {};
  }

  std::string token_;
  std::unique_ptr<v1::TaskService::Stub> tasks_;
  std::unique_ptr<v1::QueueService::Stub> queues_;
};

TEST_F(WatchServiceTest, TellsTheEndOfATaskThatWasSpawnedMeanwhile) {
  Start();
  grpc::ClientContext context;
  const auto stream = Watch(context);
  v1::WatchTasksResponse message;
  ASSERT_TRUE(stream->Read(&message));
  EXPECT_FALSE(message.resume_token().empty());
  const std::string name = Spawn("echo", v1::DURABILITY_DURABLE);
  Await(*stream, name, v1::TASK_STATE_SUCCEEDED);
}

TEST_F(WatchServiceTest, TellsPayloadsThatOnlyTheStoreHas) {
  Start();
  const std::string input = "\"" + std::string(100'000, 'x') + "\"";
  const std::string name = Spawn("echo", v1::DURABILITY_DURABLE, input);
  v1::WatchTasksRequest request;
  request.set_with_existing(true);
  request.set_view(v1::TASK_VIEW_FULL);
  grpc::ClientContext context;
  const auto stream = Watch(context, request);
  const v1::Task task = Await(*stream, name, v1::TASK_STATE_SUCCEEDED);
  EXPECT_EQ(task.spec().input(), input);
  EXPECT_EQ(task.output(), input);
}

TEST_F(WatchServiceTest, WhoComesBackWithATokenMissesNothing) {
  Start();
  v1::WatchTasksRequest request;
  v1::WatchTasksResponse message;
  {
    grpc::ClientContext context;
    const auto stream = Watch(context);
    ASSERT_TRUE(stream->Read(&message));
    request.set_resume_token(message.resume_token());
    context.TryCancel();
    stream->Finish();
  }
  std::set<std::string> missing;
  for (int i = 0; i < 20; ++i) missing.insert(Spawn("echo", v1::DURABILITY_VOLATILE));
  grpc::ClientContext context;
  const auto stream = Watch(context, request);
  while (!missing.empty() && stream->Read(&message)) {
    for (const auto& event : message.events()) {
      if (event.changed().state() == v1::TASK_STATE_SUCCEEDED)
        missing.erase(event.changed().name());
    }
  }
  EXPECT_TRUE(missing.empty());
}

TEST_F(WatchServiceTest, TellsAQueueAtOnceAndWhenItIsPaused) {
  Start();
  grpc::ClientContext context;
  const auto stream = WatchQueue(context, "tenants/default/queues/-");
  v1::WatchQueueResponse message;
  ASSERT_TRUE(stream->Read(&message));
  ASSERT_EQ(message.queues_size(), 1);
  EXPECT_EQ(message.queues(0).state(), v1::Queue::STATE_ACTIVE);
  v1::PauseQueueRequest pause;
  pause.set_name("tenants/default/queues/default");
  v1::PauseQueueResponse paused;
  grpc::ClientContext other;
  ASSERT_TRUE(queues_->PauseQueue(&other, pause, &paused).ok());
  ASSERT_TRUE(stream->Read(&message));
  EXPECT_EQ(message.queues(0).state(), v1::Queue::STATE_PAUSED);
}

TEST_F(WatchServiceTest, WhatIsNotThereIsNotWatched) {
  Start();
  v1::WatchTasksRequest request;
  request.set_parent("tenants/nobody");
  grpc::ClientContext context;
  EXPECT_EQ(Watch(context, request)->Finish().error_code(), StatusCode::NOT_FOUND);
  for (const char* name : {"tenants/nobody/queues/-", "tenants/default/queues/none"}) {
    grpc::ClientContext each;
    EXPECT_EQ(WatchQueue(each, name)->Finish().error_code(), StatusCode::NOT_FOUND) << name;
  }
  for (const char* name : {"", "queues/-", "tenants/-", "tenants/X/queues/-"}) {
    grpc::ClientContext each;
    EXPECT_EQ(WatchQueue(each, name)->Finish().error_code(), StatusCode::INVALID_ARGUMENT) << name;
  }
}

TEST_F(WatchServiceTest, TheEndOfControlEndsWatches) {
  Start();
  grpc::ClientContext of_tasks;
  const auto tasks = Watch(of_tasks);
  grpc::ClientContext of_queue;
  const auto queue = WatchQueue(of_queue, "tenants/default/queues/default");
  v1::WatchTasksResponse task_message;
  ASSERT_TRUE(tasks->Read(&task_message));
  v1::WatchQueueResponse queue_message;
  ASSERT_TRUE(queue->Read(&queue_message));
  BeginStop();
  while (tasks->Read(&task_message)) {
  }
  while (queue->Read(&queue_message)) {
  }
  for (const grpc::Status& status : {tasks->Finish(), queue->Finish()}) {
    EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE);
    EXPECT_EQ(ReasonOf(status), "CONTROL_ENDS");
  }
}

TEST_F(WatchServiceTest, ARevokedTokenEndsItsWatches) {
  AddToken("ci", config::v1::Token::ROLE_ADMIN, "boss-secret-0123456789");
  token_ = "boss-secret-0123456789";
  Start();
  grpc::ClientContext context;
  const auto stream = Watch(context);
  v1::WatchTasksResponse message;
  ASSERT_TRUE(stream->Read(&message));
  ASSERT_TRUE(control_->tokens().Revoke("operators/tokens/ci"));
  while (stream->Read(&message)) {
  }
  EXPECT_EQ(ReasonOf(stream->Finish()), "TOKEN_REVOKED");
}

TEST_F(WatchServiceTest, ThereAreNoMoreThanThereMayBeAndWhoLeavesMakesRoom) {
  Start();
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<Tasks>> streams;
  v1::WatchTasksResponse message;
  for (size_t i = 0; i < kWatchesMax; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    streams.push_back(Watch(*contexts.back()));
    ASSERT_TRUE(streams.back()->Read(&message));
  }
  grpc::ClientContext another;
  const grpc::Status refused = Watch(another)->Finish();
  EXPECT_EQ(refused.error_code(), StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ReasonOf(refused), "TOO_MANY_WATCHES");
  contexts[0]->TryCancel();
  streams[0]->Finish();
  // That it has gone reaches control when it does.
  for (bool read = false; !read;) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    streams.push_back(Watch(*contexts.back()));
    read = streams.back()->Read(&message);
  }
  for (const auto& context : contexts) context->TryCancel();
  for (size_t i = 1; i < streams.size(); ++i) streams[i]->Finish();
}

}  // namespace
}  // namespace grove::control
