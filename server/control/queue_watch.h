// QueueWatch: which queues a watch tells of.
//
// Told all that it is about as they are, it finds those that differ from what was told last. How
// long the oldest task waits is no change. Pure.
#ifndef GROVE_SERVER_CONTROL_QUEUE_WATCH_H_
#define GROVE_SERVER_CONTROL_QUEUE_WATCH_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grove/v1/queue_service.pb.h"

namespace grove::control {

inline constexpr absl::Duration kQueueWatchInterval = absl::Seconds(1);
inline constexpr absl::Duration kQueueWatchIntervalMin = absl::Milliseconds(100);
inline constexpr absl::Duration kQueueWatchIntervalMax = absl::Hours(1);

class QueueWatch {
 public:
  // INVALID_ARGUMENT: the interval, or a token of another watch.
  static absl::StatusOr<QueueWatch> Create(const v1::WatchQueueRequest& request);

  // Whether `message`, which is made of those of `queues` that have changed, is to be sent: always
  // the first.
  bool Take(const std::vector<v1::Queue>& queues, v1::WatchQueueResponse& message);
  absl::Duration interval() const { return interval_; }

 private:
  QueueWatch(std::string list, absl::Duration interval, std::string known)
      : list_(std::move(list)), interval_(interval), known_(std::move(known)) {}

  // All that selects what is told.
  const std::string list_;
  const absl::Duration interval_;
  // How all queues were when the client's token was made; empty: it has none.
  const std::string known_;
  bool begun_ = false;
  // By name.
  absl::flat_hash_map<std::string, uint64_t> told_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_QUEUE_WATCH_H_
