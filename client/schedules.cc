// Client's schedules.

#include <string_view>
#include <utility>

#include "client/client.h"
#include "client/stubs.h"

namespace grove::client {

using ScheduleStub = v1::ScheduleService::Stub;

absl::StatusOr<v1::Schedule> Client::CreateSchedule(const v1::CreateScheduleRequest& request) {
  auto response = stubs_->Call(stubs_->schedules, &ScheduleStub::CreateSchedule, request);
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_schedule());
}

absl::StatusOr<v1::Schedule> Client::GetSchedule(std::string_view name) {
  v1::GetScheduleRequest request;
  request.set_name(std::string(name));
  auto response = stubs_->Call(stubs_->schedules, &ScheduleStub::GetSchedule, request);
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_schedule());
}

absl::StatusOr<v1::ListSchedulesResponse> Client::ListSchedules(v1::ListSchedulesRequest request,
                                                                int64_t limit) {
  return stubs_->Pages(
      stubs_->schedules, &ScheduleStub::ListSchedules, std::move(request), limit,
      [](v1::ListSchedulesResponse& response) { return response.mutable_schedules(); });
}

absl::StatusOr<v1::Schedule> Client::UpdateSchedule(const v1::UpdateScheduleRequest& request) {
  auto response = stubs_->Call(stubs_->schedules, &ScheduleStub::UpdateSchedule, request);
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_schedule());
}

absl::Status Client::DeleteSchedule(std::string_view name, std::string_view etag) {
  v1::DeleteScheduleRequest request;
  request.set_name(std::string(name));
  request.set_etag(std::string(etag));
  return stubs_->Call(stubs_->schedules, &ScheduleStub::DeleteSchedule, request).status();
}

absl::StatusOr<v1::Schedule> Client::PauseSchedule(std::string_view name, std::string_view reason) {
  v1::PauseScheduleRequest request;
  request.set_name(std::string(name));
  request.set_reason(std::string(reason));
  auto response = stubs_->Call(stubs_->schedules, &ScheduleStub::PauseSchedule, request);
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_schedule());
}

absl::StatusOr<v1::Schedule> Client::ResumeSchedule(std::string_view name) {
  v1::ResumeScheduleRequest request;
  request.set_name(std::string(name));
  auto response = stubs_->Call(stubs_->schedules, &ScheduleStub::ResumeSchedule, request);
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_schedule());
}

absl::StatusOr<v1::Task> Client::RunSchedule(std::string_view name, std::string_view request_id) {
  v1::RunScheduleRequest request;
  request.set_name(std::string(name));
  request.set_request_id(std::string(request_id));
  auto response = stubs_->Call(stubs_->schedules, &ScheduleStub::RunSchedule, request);
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_task());
}

}  // namespace grove::client
