// Bounds that more than the schema needs to know: what has a place for each of so many.
#ifndef GROVE_SERVER_CONFIG_LIMITS_H_
#define GROVE_SERVER_CONFIG_LIMITS_H_

#include <cstdint>

namespace grove::config {

// Worker processes. The scoreboard and the task engine have a place for each.
inline constexpr int32_t kWorkersMax = 256;
// Processes of others that run tasks (WorkerGatewayService) have the numbers from there on.
inline constexpr int32_t kGatewayWorkersMax = 256;

}  // namespace grove::config

#endif  // GROVE_SERVER_CONFIG_LIMITS_H_
