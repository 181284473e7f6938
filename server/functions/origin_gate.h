// OriginGate: whether an origin may be asked now.
//
// The seam between outgoing requests and whoever bounds them for each tenant and origin, over all
// workers. It never waits: what may not be asked now comes again. Hub thread only.
#ifndef GROVE_SERVER_FUNCTIONS_ORIGIN_GATE_H_
#define GROVE_SERVER_FUNCTIONS_ORIGIN_GATE_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/time/time.h"
#include "http/client/url.h"
#include "server/functions/fetch_stats.h"

namespace grove::functions {

// What became of a request at its origin.
struct OriginAnswer {
  enum class Kind {
    kAnswered,  // it works
    kFailed,    // no answer, or one that says that it does not work
    kNothing,   // nothing was learned: cancelled, refused here
  };
  Kind kind = Kind::kNothing;
  // It wants no more before.
  absl::Duration retry_after = absl::ZeroDuration();
};

class OriginGate {
 public:
  // A request that may go out; what it is to whom it came from.
  struct Pass {
    void* cell = nullptr;
    int64_t began_ns = 0;
    int64_t trial_until_ns = 0;  // 0: none
    int32_t breaker_failures = 0;
    int64_t breaker_open_ns = 0;
  };
  struct Entry {
    std::optional<Pass> pass;
    // Without one: when to come again, and why.
    absl::Duration wait = absl::ZeroDuration();
    OriginBound bound = OriginBound::kConcurrency;
  };

  virtual ~OriginGate() = default;
  virtual Entry Enter(std::string_view tenant, const http::Url& url) = 0;
  virtual void Leave(const Pass& pass, const OriginAnswer& answer) = 0;
  virtual OriginStats stats() const = 0;
};

}  // namespace grove::functions

#endif  // GROVE_SERVER_FUNCTIONS_ORIGIN_GATE_H_
