// EngineEvent: opens the body of every event of the engine.
#ifndef GROVE_SERVER_TASKS_ENGINE_EVENT_H_
#define GROVE_SERVER_TASKS_ENGINE_EVENT_H_

#include <string>

#include "runtime/hub/check.h"
#include "server/tasks/engine_state.h"
#include "server/tasks/invariants.h"

namespace grove::tasks {

// What is true between two events is checked where the event ends.
class EngineEvent {
 public:
  explicit EngineEvent(const EngineState& state) : state_(state) {}
  ~EngineEvent() {
    if (state_.self_check == SelfCheck::kNever) return;
    const absl::Status holds = CheckInvariants(state_);
    GROVE_CHECK(holds.ok(), std::string(holds.message()));
  }
  EngineEvent(const EngineEvent&) = delete;
  EngineEvent& operator=(const EngineEvent&) = delete;

 private:
  const EngineState& state_;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_ENGINE_EVENT_H_
