// ScheduleRunner: schedules of an application under test, by the wall clock that its test has.
//
// It has control's part: what is due is spawned, and runs at once. Times, overlaps, runs that are
// left out and the account of them are those of the daemon (server/schedules/schedule_state.h); no
// attempt is repeated, and nothing is stored. Hub thread only.
#ifndef GROVE_SERVER_TEST_KIT_SCHEDULE_RUNNER_H_
#define GROVE_SERVER_TEST_KIT_SCHEDULE_RUNNER_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grove/v1/schedule_service.pb.h"
#include "runtime/group/fiber_group.h"
#include "runtime/sync/event.h"
#include "server/schedules/schedule_state.h"
#include "server/test_kit/spawned_tasks.h"
#include "server/wall_time.h"

namespace grove::test_kit {

class ScheduleRunner {
 public:
  // `tasks` must outlive it. `wall` is what the clock on the wall says; `cancel` ends the attempt
  // of a task.
  ScheduleRunner(SpawnedTasks& tasks, std::function<WallMicros()> wall,
                 std::function<void(const std::string& task)> cancel)
      : tasks_(tasks), wall_(std::move(wall)), cancel_(std::move(cancel)) {}
  // Requires: Stop(), if it has any.
  ~ScheduleRunner() = default;
  ScheduleRunner(const ScheduleRunner&) = delete;
  ScheduleRunner& operator=(const ScheduleRunner&) = delete;

  // As CreateSchedule: kAlreadyExists, kInvalidArgument.
  absl::Status Add(std::string_view id, v1::Schedule schedule);
  // As GetSchedule; kNotFound.
  absl::StatusOr<v1::Schedule> Get(std::string_view id) const;
  // Spawns nothing more. **Parks.**
  void Stop();

 private:
  struct Live {
    explicit Live(schedules::ScheduleState its_state) : state(std::move(its_state)) {}
    schedules::ScheduleState state;
    Event changed;  // a task has ended
  };

  absl::Status RunDue(Live& live);
  void Spawn(Live& live, WallMicros due_us);
  void RunTask(Live& live, const std::string& task);

  SpawnedTasks& tasks_;
  const std::function<WallMicros()> wall_;
  const std::function<void(const std::string&)> cancel_;
  std::map<std::string, std::unique_ptr<Live>, std::less<>> schedules_;
  FiberGroup group_{FiberGroup::OnFailure::kLetRestRun, "schedules"};
};

}  // namespace grove::test_kit

#endif  // GROVE_SERVER_TEST_KIT_SCHEDULE_RUNNER_H_
