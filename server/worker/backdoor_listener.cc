#include "server/worker/backdoor_listener.h"

#include <utility>

namespace grove::worker {

backdoor::BackdoorLimits BackdoorLimitsOf(const config::v1::Backdoor& config) {
  backdoor::BackdoorLimits limits;
  limits.instructions_max = config.instructions_max();
  limits.time_max = absl::Milliseconds(config.time_max_ms());
  limits.memory_max_bytes = static_cast<size_t>(config.memory_max_bytes());
  limits.output_max_bytes = static_cast<size_t>(config.output_max_bytes());
  return limits;
}

BackdoorListener::BackdoorListener(const config::v1::Backdoor& config,
                                   backdoor::BackdoorEnvironment environment, Publisher& publisher)
    : server_({.limits = BackdoorLimitsOf(config),
               .sessions_max = config.sessions_max(),
               .environment = std::move(environment),
               .on_sessions = [&publisher](int sessions) {
                 publisher.set_backdoor_sessions(sessions);
               }}) {}

}  // namespace grove::worker
