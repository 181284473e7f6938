#include "client/fake_schedules.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/fake_error.h"

namespace grove::client {
namespace {

using google::protobuf::FieldDescriptor;

grpc::Status Refuse(grpc::StatusCode code, const std::string& message, const std::string& reason) {
  return grpc::Status(code, message, FakeError(code, message, reason).SerializeAsString());
}

}  // namespace

template <typename Body>
grpc::Status FakeSchedules::With(const std::string& name, Body body) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = schedules_.find(name);
  if (found == schedules_.end()) {
    return Refuse(grpc::NOT_FOUND, absl::StrCat("there is no ", name), "SCHEDULE_NOT_FOUND");
  }
  body(found->second);
  return grpc::Status::OK;
}

grpc::Status FakeSchedules::CreateSchedule(grpc::ServerContext*,
                                           const v1::CreateScheduleRequest* request,
                                           v1::CreateScheduleResponse* response) {
  const std::lock_guard<std::mutex> lock(mutex_);
  v1::Schedule& schedule = *response->mutable_schedule();
  schedule = request->schedule();
  schedule.set_name(absl::StrCat(request->parent(), "/schedules/", request->schedule_id()));
  if (schedules_.count(schedule.name()) > 0) {
    return Refuse(grpc::ALREADY_EXISTS, schedule.name() + " exists", "SCHEDULE_EXISTS");
  }
  if (!schedule.cron_expressions().empty() && schedule.cron_expressions(0) == "never") {
    return Refuse(grpc::INVALID_ARGUMENT, "schedule.cron_expressions[0]: comes never",
                  "SCHEDULE_NEVER_RUNS");
  }
  schedule.set_state(v1::Schedule::STATE_ACTIVE);
  schedule.set_etag("1");
  schedule.add_next_run_times()->set_seconds(4'000'000'000);
  if (!request->validate_only()) schedules_[schedule.name()] = schedule;
  return grpc::Status::OK;
}

grpc::Status FakeSchedules::GetSchedule(grpc::ServerContext*, const v1::GetScheduleRequest* request,
                                        v1::GetScheduleResponse* response) {
  return With(request->name(), [&](v1::Schedule& found) { *response->mutable_schedule() = found; });
}

grpc::Status FakeSchedules::ListSchedules(grpc::ServerContext*,
                                          const v1::ListSchedulesRequest* request,
                                          v1::ListSchedulesResponse* response) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const std::string parent = request->parent().empty() ? "tenants/default" : request->parent();
  for (const auto& [name, schedule] : schedules_) {
    if (parent == "tenants/-" || absl::StartsWith(name, parent + "/")) {
      *response->add_schedules() = schedule;
    }
  }
  return grpc::Status::OK;
}

grpc::Status FakeSchedules::UpdateSchedule(grpc::ServerContext*,
                                           const v1::UpdateScheduleRequest* request,
                                           v1::UpdateScheduleResponse* response) {
  const v1::Schedule& sent = request->schedule();
  return With(sent.name(), [&](v1::Schedule& found) {
    for (const std::string& path : request->update_mask().paths()) {
      v1::Schedule alone = sent;
      std::vector<const FieldDescriptor*> set;
      alone.GetReflection()->ListFields(alone, &set);
      for (const FieldDescriptor* field : set) {
        if (field->name() != path) alone.GetReflection()->ClearField(&alone, field);
      }
      found.GetReflection()->ClearField(&found, found.GetDescriptor()->FindFieldByName(path));
      found.MergeFrom(alone);
    }
    *response->mutable_schedule() = found;
  });
}

grpc::Status FakeSchedules::DeleteSchedule(grpc::ServerContext*,
                                           const v1::DeleteScheduleRequest* request,
                                           v1::DeleteScheduleResponse*) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (schedules_.erase(request->name()) > 0) return grpc::Status::OK;
  return Refuse(grpc::NOT_FOUND, absl::StrCat("there is no ", request->name()),
                "SCHEDULE_NOT_FOUND");
}

grpc::Status FakeSchedules::PauseSchedule(grpc::ServerContext*,
                                          const v1::PauseScheduleRequest* request,
                                          v1::PauseScheduleResponse* response) {
  return With(request->name(), [&](v1::Schedule& found) {
    found.set_state(v1::Schedule::STATE_PAUSED);
    found.set_pause_reason(request->reason());
    *response->mutable_schedule() = found;
  });
}

grpc::Status FakeSchedules::ResumeSchedule(grpc::ServerContext*,
                                           const v1::ResumeScheduleRequest* request,
                                           v1::ResumeScheduleResponse* response) {
  return With(request->name(), [&](v1::Schedule& found) {
    found.set_state(v1::Schedule::STATE_ACTIVE);
    found.clear_pause_reason();
    *response->mutable_schedule() = found;
  });
}

grpc::Status FakeSchedules::RunSchedule(grpc::ServerContext*, const v1::RunScheduleRequest* request,
                                        v1::RunScheduleResponse* response) {
  return With(request->name(), [&](v1::Schedule& found) {
    const std::string tenant = found.name().substr(0, found.name().find("/schedules/"));
    response->mutable_task()->set_name(tenant + "/queues/default/tasks/T1");
    v1::ScheduleRun& run = *found.add_recent_runs();
    run.set_outcome(v1::ScheduleRun::OUTCOME_SPAWNED);
    run.set_manual(true);
    run.set_task(response->task().name());
    found.set_spawned_total(found.spawned_total() + 1);
  });
}

}  // namespace grove::client
