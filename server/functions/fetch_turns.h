// FetchTurns: when a fetch of the running fiber may begin.
//
// The seam between FetchClient and whoever bounds the fetches of a tenant, over all workers.
// Hub thread only.
#ifndef GROVE_SERVER_FUNCTIONS_FETCH_TURNS_H_
#define GROVE_SERVER_FUNCTIONS_FETCH_TURNS_H_

#include <cstdint>

#include "absl/status/statusor.h"

namespace grove::functions {

class FetchTurns {
 public:
  // Those that are bounded together.
  struct Line {};

  virtual ~FetchTurns() = default;
  // What End() is to be told; null: nothing bounds it. First come, first served among the fibers
  // of a line. kDeadlineExceeded, kCancelled: there is no turn. **Parks** while there is none.
  virtual absl::StatusOr<Line*> Await() = 0;
  virtual void End(Line* line) = 0;
  // Fibers that wait for a turn.
  virtual int64_t waiting() const = 0;
};

}  // namespace grove::functions

#endif  // GROVE_SERVER_FUNCTIONS_FETCH_TURNS_H_
