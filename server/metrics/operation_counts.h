// OperationCounts: how many operations of operators have ended, by what they were and how they did.
//
// On the scoreboard: the supervisor, which carries operations out, counts; control reads.
#ifndef GROVE_SERVER_METRICS_OPERATION_COUNTS_H_
#define GROVE_SERVER_METRICS_OPERATION_COUNTS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace grove::metrics {

// By supervisor::OperationKind, whose names in the log these are too.
inline constexpr std::array<std::string_view, 7> kOperationKinds = {
    "scale", "restart", "drain", "reload", "upgrade", "set_log_level", "recycle"};
inline constexpr std::array<std::string_view, 3> kOperationOutcomes = {"succeeded", "failed",
                                                                       "superseded"};

struct OperationCounts {
  // By kind, then by outcome.
  std::array<std::array<std::atomic<uint64_t>, kOperationOutcomes.size()>, kOperationKinds.size()>
      ended;
};

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_OPERATION_COUNTS_H_
