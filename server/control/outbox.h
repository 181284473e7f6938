// Outbox: frames for one worker that wait to be written.
//
// Small ones are merged while they wait, so that a turn's worth of starts is one write. Bounded by
// bytes. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_OUTBOX_H_
#define GROVE_SERVER_CONTROL_OUTBOX_H_

#include <cstddef>
#include <deque>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grove/internal/v1/link.pb.h"
#include "runtime/sync/event.h"

namespace grove::control {

class Outbox {
 public:
  // Takes no more than `bytes_max`; a frame that was merged stays below `merged_bytes_max`.
  Outbox(size_t bytes_max, size_t merged_bytes_max)
      : bytes_max_(bytes_max), merged_bytes_max_(merged_bytes_max) {
    written_.Set();
  }

  // kResourceExhausted: `frame` does not fit, and is dropped.
  absl::Status Put(internal::v1::ControlFrame frame);
  // The next frame, serialised; whoever calls again has written the last one. **Parks** until there
  // is one: kCancelled, kDeadlineExceeded.
  absl::StatusOr<std::string> Next();
  // Until everything is written: kCancelled, kDeadlineExceeded. **Parks.**
  absl::Status AwaitWritten() { return written_.Wait(); }
  // Drops everything: there is nobody to write it to.
  void Clear();

 private:
  struct Waiting {
    internal::v1::ControlFrame frame;
    size_t bytes;
  };

  const size_t bytes_max_;
  const size_t merged_bytes_max_;

  std::deque<Waiting> frames_;
  // Of all frames that are not written yet, the one that Next() has given out among them.
  size_t bytes_ = 0;
  size_t given_out_bytes_ = 0;
  Event filled_;
  // Set while nothing waits.
  Event written_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_OUTBOX_H_
