// FakeSchedules: ScheduleService of the test's own process.
//
// Keeps what is made; nothing is ever due. A schedule whose expression is "never" is refused.

#ifndef GROVE_CLIENT_FAKE_SCHEDULES_H_
#define GROVE_CLIENT_FAKE_SCHEDULES_H_

#include <grpcpp/grpcpp.h>

#include <map>
#include <mutex>
#include <string>

#include "grove/v1/schedule_service.grpc.pb.h"

namespace grove::client {

class FakeSchedules final : public v1::ScheduleService::Service {
 public:
  grpc::Status CreateSchedule(grpc::ServerContext*, const v1::CreateScheduleRequest* request,
                              v1::CreateScheduleResponse* response) override;
  grpc::Status GetSchedule(grpc::ServerContext*, const v1::GetScheduleRequest* request,
                           v1::GetScheduleResponse* response) override;
  grpc::Status ListSchedules(grpc::ServerContext*, const v1::ListSchedulesRequest* request,
                             v1::ListSchedulesResponse* response) override;
  grpc::Status UpdateSchedule(grpc::ServerContext*, const v1::UpdateScheduleRequest* request,
                              v1::UpdateScheduleResponse* response) override;
  grpc::Status DeleteSchedule(grpc::ServerContext*, const v1::DeleteScheduleRequest* request,
                              v1::DeleteScheduleResponse* response) override;
  grpc::Status PauseSchedule(grpc::ServerContext*, const v1::PauseScheduleRequest* request,
                             v1::PauseScheduleResponse* response) override;
  grpc::Status ResumeSchedule(grpc::ServerContext*, const v1::ResumeScheduleRequest* request,
                              v1::ResumeScheduleResponse* response) override;
  grpc::Status RunSchedule(grpc::ServerContext*, const v1::RunScheduleRequest* request,
                           v1::RunScheduleResponse* response) override;

 private:
  // Does `body` to the one of that name.
  template <typename Body>
  grpc::Status With(const std::string& name, Body body);

  std::mutex mutex_;
  std::map<std::string, v1::Schedule> schedules_;
};

}  // namespace grove::client

#endif  // GROVE_CLIENT_FAKE_SCHEDULES_H_
