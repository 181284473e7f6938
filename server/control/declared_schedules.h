// DeclaredSchedules: keeps the schedules as the code of the daemon's program says.
//
// What the program's code has is made, or changed in place; what a program's code had, and this
// one's has no more, is paused and kept. Whatever cannot be so now (a tenant that is not there, a
// disk that is full, a schedule of that name that a call has made) is said in the log and tried
// again. What operators do beside (a pause, a run) stays. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_DECLARED_SCHEDULES_H_
#define GROVE_SERVER_CONTROL_DECLARED_SCHEDULES_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grove/internal/v1/link.pb.h"
#include "runtime/hub/hub.h"
#include "runtime/sync/event.h"
#include "server/control/live_schedules.h"
#include "server/control/program_choice.h"
#include "server/control/schedule_calls.h"

namespace grove::control {

// How often it looks whether all is still so: a tenant may have come, or a schedule made by a call
// gone.
inline constexpr absl::Duration kDeclareAgain = absl::Seconds(30);

// What was done, or refused.
struct DeclaredChange {
  enum class Kind : uint8_t { kCreated, kUpdated, kWithdrawn };
  Kind kind;
  std::string_view schedule;  // resource name
  std::string_view tenant;
  std::string_view program;
};

class DeclaredSchedules {
 public:
  // All outlive it.
  DeclaredSchedules(Hub& hub, LiveSchedules& live, const ScheduleCalls& calls)
      : hub_(hub), live_(live), calls_(calls) {}

  // Whether anything may be changed now; told of each change that was made.
  void set_gate(absl::AnyInvocable<absl::Status()> gate) { gate_ = std::move(gate); }
  void set_auditor(absl::AnyInvocable<void(const DeclaredChange&)> auditor) {
    auditor_ = std::move(auditor);
  }

  // What runs in a worker that is linked; null: it is linked no more.
  void TakeProgram(int32_t worker, internal::v1::Program* program);
  // The body of its fiber: until cancelled. To be begun once the first workers have come, so that
  // the newest of them speaks. **Parks.**
  absl::Status Run();

 private:
  using Key = schedules::ScheduleKey;
  using State = schedules::ScheduleState;

  // **Park.**
  void Apply(const internal::v1::Program& program);
  absl::Status Declare(const internal::v1::Program& program,
                       const internal::v1::DeclaredSchedule& declared);
  absl::Status Create(const internal::v1::Program& program, const Key& key,
                      const v1::Schedule& settings);
  absl::Status Update(const internal::v1::Program& program, const Key& key,
                      const v1::Schedule& settings);
  bool WithdrawOthers(const internal::v1::Program& program);

  // Says once why it is not as the code says.
  void Note(const Key& key, const absl::Status& status);

  Hub& hub_;
  LiveSchedules& live_;
  const ScheduleCalls& calls_;
  absl::AnyInvocable<absl::Status()> gate_ = [] { return absl::OkStatus(); };
  absl::AnyInvocable<void(const DeclaredChange&)> auditor_ = [](const DeclaredChange&) {};

  ProgramChoice choice_;
  Event changed_;
  // When the program started that the others were withdrawn for; 0: none.
  int64_t withdrawn_for_ns_ = 0;
  std::map<Key, std::string> failures_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_DECLARED_SCHEDULES_H_
