// Attempts: what one worker runs for control.
//
// Each attempt is a fiber of its own, bounded by its time-out. What happens to it gathers in an
// outbox until the link takes it, and its end is kept until control has acknowledged it, so neither
// a broken link nor a new control loses a result.
// Hub thread only.
#ifndef GROVE_SERVER_WORKER_ATTEMPTS_H_
#define GROVE_SERVER_WORKER_ATTEMPTS_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grove/internal/v1/link.pb.h"
#include "runtime/hub/clock.h"
#include "runtime/sync/event.h"
#include "runtime/trace/span.h"
#include "server/application.h"
#include "server/worker/attempt_streams.h"

namespace grove::worker {

struct AttemptLimits {
  int64_t running_max = 10'000;
  size_t output_max_bytes = 4 << 20;
  absl::Duration default_timeout = absl::Minutes(5);
};

// Ends that travel in one frame; above it the rest waits for the next. One end may be larger.
inline constexpr size_t kEndsPerFrameBytesMax = size_t{8} << 20;
// So do checkpoints.
inline constexpr size_t kCheckpointsPerFrameBytesMax = size_t{8} << 20;
// Longer messages of ReportProgress are cut.
inline constexpr size_t kProgressMessageBytesMax = 1024;
// So are longer messages of errors, and content types.
inline constexpr size_t kErrorMessageBytesMax = 4096;
inline constexpr size_t kContentTypeBytesMax = 255;

struct AttemptStats {
  uint64_t started = 0;
  uint64_t ended = 0;
  uint64_t run_time_us = 0;
};

class Attempts {
 public:
  using Functions = std::map<std::string, Application::FunctionEntry>;

  // Both must outlive it.
  Attempts(const Functions& functions, WorkerServices& services, AttemptLimits limits);
  // Requires: none runs.
  ~Attempts();

  // For attempts from now on.
  void set_limits(const AttemptLimits& limits) { limits_ = limits; }
  // Each attempt is a span of it; before the first attempt. Must outlive them.
  void set_tracer(Tracer* tracer) { tracer_ = tracer; }
  // Where payloads are; before the first attempt. What bounds them, as control says it.
  void set_payload_folder(std::string folder) { payloads_.folder = std::move(folder); }
  void set_payload_bounds(const internal::v1::PayloadBounds& bounds) { payloads_.bounds = bounds; }

  // --- What control says ------------------------------------------------------------------------

  // Beyond the limit, or while draining, it ends as INTERRUPTED. No effect on a known one.
  void Start(internal::v1::StartAttempt start);
  // No effect on an unknown or ended one.
  void Cancel(const internal::v1::CancelAttempt& cancel);
  void Acknowledge(uint64_t attempt);

  // --- What control hears -----------------------------------------------------------------------

  // A new control: what runs, and that all ends have yet to be told.
  void FillHello(internal::v1::Hello& hello);
  // Moves what has gathered into `frame`; false if nothing has.
  bool TakeNews(internal::v1::WorkerFrame& frame);
  // Set while there is news.
  Event& news() { return news_; }

  // --- The end ----------------------------------------------------------------------------------

  // Refuses new ones, waits until none runs, and gives back as INTERRUPTED what runs at `deadline`.
  // **Parks.**
  absl::Status Drain(MonotonicNanos deadline);
  // After Drain(): until control has acknowledged every end. **Parks.**
  absl::Status AwaitAcknowledged();

  int64_t running() const { return running_; }
  size_t unacknowledged() const { return attempts_.size() - running_; }
  const AttemptStats& stats() const { return stats_; }

 private:
  struct Attempt;
  class Context;

  // nullptr if it is known.
  Attempt* Register(internal::v1::StartAttempt start);
  absl::Status SpawnFiber(Attempt& attempt);
  absl::StatusOr<Output> Call(Attempt& attempt);
  absl::Status Run(Attempt& attempt);
  void EndsWithoutResult(uint64_t id);
  internal::v1::AttemptEnded::Outcome Judge(const Attempt& attempt, absl::Status& status) const;
  // Writes its AttemptEnded.
  void Conclude(Attempt& attempt, absl::Status status);
  void Account(const internal::v1::AttemptEnded& end);
  void Refuse(Attempt& attempt, internal::v1::AttemptEnded::Outcome outcome, absl::Status why);
  // There is a heartbeat to tell, and the checkpoint if it has not been told.
  void Hear(Attempt& attempt);
  void TakeProgress(internal::v1::WorkerFrame& frame);
  void TakeHeartbeats(internal::v1::WorkerFrame& frame);
  void TakeEnds(internal::v1::WorkerFrame& frame);

  const Functions& functions_;
  WorkerServices& services_;
  AttemptLimits limits_;
  PayloadAccess payloads_;
  Tracer* tracer_ = nullptr;  // null: nothing is told

  // Owns every attempt from Start() to Acknowledge().
  std::unordered_map<uint64_t, std::unique_ptr<Attempt>> attempts_;
  int64_t running_ = 0;
  bool draining_ = false;
  AttemptStats stats_;

  // The outbox: ids, since an attempt may be gone before its news is taken.
  Event news_;
  std::vector<uint64_t> started_;
  std::vector<uint64_t> progressed_;
  std::deque<uint64_t> heard_;
  std::deque<uint64_t> ended_;
  Event idle_;
  Event acknowledged_;
};

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_ATTEMPTS_H_
