#include "server/worker/program.h"

#include <string>
#include <string_view>

#include "grove/v1/schedule_service.pb.h"
#include "proto/well_known_times.h"
#include "server/worker/task_spec_of.h"
#include "server/worker/utf8_text.h"

namespace grove::worker {
namespace {

// Above what control lets pass, so that it says what is wrong.
constexpr size_t kTextBytesMax = 1024;

std::string Text(std::string_view text) {
  return Utf8Text(text, kTextBytesMax);
}

v1::Schedule::OverlapPolicy ToProto(Overlap overlap) {
  switch (overlap) {
    case Overlap::kSkip:
      return v1::Schedule::OVERLAP_POLICY_SKIP;
    case Overlap::kAllow:
      return v1::Schedule::OVERLAP_POLICY_ALLOW;
    case Overlap::kBufferOne:
      return v1::Schedule::OVERLAP_POLICY_BUFFER_ONE;
    case Overlap::kCancelRunning:
      break;
  }
  return v1::Schedule::OVERLAP_POLICY_CANCEL_RUNNING;
}

void SetDuration(absl::Duration duration, google::protobuf::Duration* field) {
  proto::SetMicros(absl::ToInt64Microseconds(duration), field);
}

void FillSettings(const Application::ScheduleEntry& entry, v1::Schedule& settings) {
  const ScheduleOptions& options = entry.options;
  for (const std::string& cron : options.cron) settings.add_cron_expressions(Text(cron));
  if (options.every != absl::ZeroDuration()) {
    SetDuration(options.every, settings.mutable_interval()->mutable_every());
  }
  if (options.offset != absl::ZeroDuration()) {
    SetDuration(options.offset, settings.mutable_interval()->mutable_offset());
  }
  settings.set_time_zone(Text(options.time_zone));
  if (options.jitter != absl::ZeroDuration()) {
    SetDuration(options.jitter, settings.mutable_jitter());
  }
  settings.set_overlap_policy(ToProto(options.overlap));
  settings.set_catchup_policy(options.catchup == Catchup::kAll
                                  ? v1::Schedule::CATCHUP_POLICY_ALL
                                  : v1::Schedule::CATCHUP_POLICY_LATEST);
  if (options.catchup_window != absl::ZeroDuration()) {
    SetDuration(options.catchup_window, settings.mutable_catchup_window());
  }
  settings.set_pause_on_failure(options.pause_on_failure);
  FillTaskSpec(entry.task, settings.mutable_spec());
}

}  // namespace

internal::v1::Program ProgramOf(const Application& application) {
  internal::v1::Program program;
  program.set_started_ns(application.made_at_ns());
  program.set_name(Text(application.name()));
  for (const Application::ScheduleEntry& entry : application.schedules()) {
    internal::v1::DeclaredSchedule& declared = *program.add_schedules();
    declared.set_tenant(Text(entry.options.tenant));
    declared.set_id(Text(entry.id));
    FillSettings(entry, *declared.mutable_settings());
  }
  return program;
}

}  // namespace grove::worker
