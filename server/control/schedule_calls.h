// ScheduleCalls: what ScheduleService does.
//
// Hub thread only.
#ifndef GROVE_SERVER_CONTROL_SCHEDULE_CALLS_H_
#define GROVE_SERVER_CONTROL_SCHEDULE_CALLS_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grove/config/v1/config.pb.h"
#include "grove/v1/schedule_service.pb.h"
#include "server/control/engine_driver.h"
#include "server/control/live_schedules.h"
#include "server/tenancy/directory.h"
#include "server/tenancy/principal.h"

namespace grove::control {

// A page ends at so many bytes of schedules.
inline constexpr size_t kSchedulesPageBytesMax = 3 << 20;
inline constexpr size_t kRunRequestIdMax = 40;

class ScheduleCalls {
 public:
  // All outlive it.
  ScheduleCalls(const tenancy::Directory& directory, EngineDriver& driver, LiveSchedules& live,
                int64_t input_max_bytes);

  absl::StatusOr<v1::GetScheduleResponse> Get(const tenancy::Principal& who,
                                              const v1::GetScheduleRequest& request) const;
  absl::StatusOr<v1::ListSchedulesResponse> List(const tenancy::Principal& who,
                                                 const v1::ListSchedulesRequest& request) const;
  // These **park.**
  absl::StatusOr<v1::CreateScheduleResponse> Create(const tenancy::Principal& who,
                                                    const v1::CreateScheduleRequest& request);
  absl::StatusOr<v1::UpdateScheduleResponse> Update(const tenancy::Principal& who,
                                                    const v1::UpdateScheduleRequest& request);
  absl::StatusOr<v1::DeleteScheduleResponse> Delete(const tenancy::Principal& who,
                                                    const v1::DeleteScheduleRequest& request);
  absl::StatusOr<v1::PauseScheduleResponse> Pause(const tenancy::Principal& who,
                                                  const v1::PauseScheduleRequest& request);
  absl::StatusOr<v1::ResumeScheduleResponse> Resume(const tenancy::Principal& who,
                                                    const v1::ResumeScheduleRequest& request);
  absl::StatusOr<v1::RunScheduleResponse> Run(const tenancy::Principal& who,
                                              const v1::RunScheduleRequest& request);

  // --- What a program's code declares (declared_schedules.h) is held to the same ----------------

  using Key = schedules::ScheduleKey;
  using State = schedules::ScheduleState;
  // The schedule that CreateSchedule would make of it, not stamped yet. Requires: changes() of the
  // live ones is locked, here and below.
  absl::StatusOr<State> Make(const tenancy::Principal& who, const Key& key,
                             const v1::Schedule& sent) const;
  struct Remade {
    v1::Schedule settings;
    schedules::RunTimes times;
  };
  // What is to take the place of what a schedule that is there has been.
  absl::StatusOr<Remade> Remake(const Key& key, const v1::Schedule& sent) const;

 private:
  absl::StatusOr<Key> Find(const tenancy::Principal& who, const std::string& name) const;
  absl::Status CheckRoom(const Key& key) const;
  absl::Status CheckBytes(const Key& key, const v1::Schedule& settings) const;
  // The settings alone of what a client sent, which can be.
  absl::StatusOr<v1::Schedule> Settings(std::string_view tenant, const v1::Schedule& sent) const;
  absl::Status CheckSpec(std::string_view tenant, const v1::TaskSpec& spec) const;
  // Its input, where that is a payload.
  absl::Status CheckPayload(std::string_view tenant, const v1::TaskSpec& spec) const;
  // Of what workers have told; before the first one has come, nobody knows.
  struct Known {
    std::optional<v1::Function> function;
    bool any = false;
  };
  Known FindFunction(std::string_view tenant, std::string_view name) const;
  absl::Status CheckEtag(const Key& key, std::string_view etag) const;
  // That no code says what it is.
  absl::Status CheckFree(const Key& key) const;
  v1::Schedule View(const Key& key) const;

  const tenancy::Directory& directory_;
  EngineDriver& driver_;
  LiveSchedules& live_;
  // Of an input in the spec, and of one that a function reads whole.
  const int64_t input_max_bytes_;
  const int64_t whole_max_bytes_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_SCHEDULE_CALLS_H_
