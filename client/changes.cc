// What is done to tasks and queues that are there, and what is asked about them.
#include <utility>

#include "client/client.h"
#include "client/stubs.h"

namespace grove::client {
namespace {

template <typename Request>
Request Named(std::string_view name) {
  Request request;
  request.set_name(std::string(name));
  return request;
}

// The task, or the queue, of an answer.
template <typename Response>
absl::StatusOr<v1::Task> TaskOf(absl::StatusOr<Response> response) {
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_task());
}
template <typename Response>
absl::StatusOr<v1::Queue> QueueOf(absl::StatusOr<Response> response) {
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_queue());
}

}  // namespace

absl::StatusOr<v1::Task> Client::Cancel(std::string_view name, std::string_view reason) {
  auto request = Named<v1::CancelTaskRequest>(name);
  request.set_reason(std::string(reason));
  return Cancel(request);
}

absl::StatusOr<v1::Task> Client::Cancel(const v1::CancelTaskRequest& request) {
  return TaskOf(stubs_->Call(stubs_->tasks, &v1::TaskService::Stub::CancelTask, request));
}

absl::StatusOr<v1::Task> Client::ForceCancel(std::string_view name, std::string_view reason) {
  auto request = Named<v1::ForceCancelTaskRequest>(name);
  request.set_reason(std::string(reason));
  return ForceCancel(request);
}

absl::StatusOr<v1::Task> Client::ForceCancel(const v1::ForceCancelTaskRequest& request) {
  return TaskOf(stubs_->Call(stubs_->tasks, &v1::TaskService::Stub::ForceCancelTask, request));
}

absl::StatusOr<v1::Task> Client::Pause(std::string_view name, std::string_view reason) {
  auto request = Named<v1::PauseTaskRequest>(name);
  request.set_reason(std::string(reason));
  return TaskOf(stubs_->Call(stubs_->tasks, &v1::TaskService::Stub::PauseTask, request));
}

absl::StatusOr<v1::Task> Client::Resume(std::string_view name) {
  return TaskOf(stubs_->Call(stubs_->tasks, &v1::TaskService::Stub::ResumeTask,
                             Named<v1::ResumeTaskRequest>(name)));
}

absl::StatusOr<v1::Task> Client::Retry(std::string_view name) {
  return TaskOf(stubs_->Call(stubs_->tasks, &v1::TaskService::Stub::RetryTask,
                             Named<v1::RetryTaskRequest>(name)));
}

absl::StatusOr<v1::Task> Client::RetryAsNew(std::string_view name) {
  auto request = Named<v1::RetryTaskRequest>(name);
  request.set_as_new(true);
  return TaskOf(stubs_->Call(stubs_->tasks, &v1::TaskService::Stub::RetryTask, request));
}

absl::Status Client::Delete(std::string_view name) {
  return stubs_
      ->Call(stubs_->tasks, &v1::TaskService::Stub::DeleteTask, Named<v1::DeleteTaskRequest>(name))
      .status();
}

absl::StatusOr<v1::Task> Client::Update(const v1::UpdateTaskRequest& request) {
  return TaskOf(stubs_->Call(stubs_->tasks, &v1::TaskService::Stub::UpdateTask, request));
}

absl::StatusOr<v1::BatchChangeTasksResponse> Client::ChangeBatch(
    const v1::BatchChangeTasksRequest& request) {
  return stubs_->Call(stubs_->tasks, &v1::TaskService::Stub::BatchChangeTasks, request);
}

absl::StatusOr<v1::CountTasksResponse> Client::CountTasks(const v1::CountTasksRequest& request) {
  return stubs_->CallAgain(stubs_->tasks, &v1::TaskService::Stub::CountTasks, request);
}

absl::StatusOr<v1::ExplainTaskResponse> Client::Explain(std::string_view name) {
  return stubs_->CallAgain(stubs_->tasks, &v1::TaskService::Stub::ExplainTask,
                           Named<v1::ExplainTaskRequest>(name));
}

absl::StatusOr<v1::Queue> Client::PauseQueue(std::string_view name, std::string_view reason) {
  auto request = Named<v1::PauseQueueRequest>(name);
  request.set_reason(std::string(reason));
  return QueueOf(stubs_->Call(stubs_->queues, &v1::QueueService::Stub::PauseQueue, request));
}

absl::StatusOr<v1::Queue> Client::ResumeQueue(std::string_view name) {
  return QueueOf(stubs_->Call(stubs_->queues, &v1::QueueService::Stub::ResumeQueue,
                              Named<v1::ResumeQueueRequest>(name)));
}

absl::StatusOr<v1::PurgeQueueResponse> Client::PurgeQueue(const v1::PurgeQueueRequest& request) {
  return stubs_->Call(stubs_->queues, &v1::QueueService::Stub::PurgeQueue, request);
}

}  // namespace grove::client
