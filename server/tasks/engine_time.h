// EngineMicros: the task engine's time.
//
// Microseconds that never jump: the wall clock's when the engine was made, and from then on as many
// more as the monotonic clock counts. Delays, back-offs, time-outs and retention are durations on
// it. What is stored or shown is WallMicros (EngineState::wall_us()).
#ifndef GROVE_SERVER_TASKS_ENGINE_TIME_H_
#define GROVE_SERVER_TASKS_ENGINE_TIME_H_

#include <cstdint>

namespace grove::tasks {

using EngineMicros = int64_t;

inline constexpr int64_t kUsPerMs = 1000;
inline constexpr int64_t kUsPerSecond = 1000000;

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_ENGINE_TIME_H_
