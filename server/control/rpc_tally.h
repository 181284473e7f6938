// RpcTally: counts answered calls on the scoreboard, where it outlives this process.
//
// By method and code. Any thread.
#ifndef GROVE_SERVER_CONTROL_RPC_TALLY_H_
#define GROVE_SERVER_CONTROL_RPC_TALLY_H_

#include <cstdint>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/control/authorizer.h"
#include "server/metrics/scoreboard.h"
#include "server/metrics/series.h"

namespace grove::control {

class RpcTally {
 public:
  // `series` must outlive it.
  explicit RpcTally(metrics::SharedSeries& series)
      : series_(series), index_(series.calls.directory()) {}

  void Count(const MethodRow& method, absl::StatusCode code, absl::Duration took);

 private:
  metrics::SharedSeries& series_;
  absl::Mutex mutex_;
  metrics::SeriesIndex index_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::pair<const MethodRow*, absl::StatusCode>, uint32_t> numbers_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_RPC_TALLY_H_
