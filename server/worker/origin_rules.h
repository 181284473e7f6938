// OriginRules: whether a tenant's request to an origin may go out now, and what an answer means for
// those that follow.
//
// Four bounds, in shared memory for all workers: what the origin itself has asked for
// (Retry-After), a breaker, requests at once, and a rate. Nothing waits here: who is put off is
// told a moment of his own, so that many do not come back at once. The breaker opens after some
// failures in a row; then one trial at a time goes out, and the first that is answered closes it.
// Told the time, and pure but for the cell.
#ifndef GROVE_SERVER_WORKER_ORIGIN_RULES_H_
#define GROVE_SERVER_WORKER_ORIGIN_RULES_H_

#include <cstdint>
#include <vector>

#include "grove/config/v1/config.pb.h"
#include "http/client/url.h"
#include "server/config/origin_pattern.h"
#include "server/functions/origin_gate.h"
#include "server/metrics/origin_cells.h"
#include "server/tenancy/gcra.h"

namespace grove::worker {

// What an origin can ask for at most: it may be mistaken.
inline constexpr absl::Duration kOriginRetryAfterMax = absl::Hours(1);
// After which a trial that nobody has heard of again was its worker's last.
inline constexpr absl::Duration kOriginTrialMax = absl::Minutes(1);
// Those that are put off are spread over so much, one behind the other, and then from the start.
inline constexpr absl::Duration kOriginSpreadMax = absl::Minutes(10);
// An open time grows up to this.
inline constexpr int64_t kOriginOpenFactorMax = 10;

struct OriginBounds {
  int64_t concurrency_max = 16;
  tenancy::Rate rate;
  int32_t breaker_failures = 5;
  int64_t breaker_open_ns = 30'000'000'000;
};

// Of a resolved config: the most specific pattern's.
class OriginBook {
 public:
  explicit OriginBook(const config::v1::Fetch& config);
  const OriginBounds& Of(const http::Url& url) const;

 private:
  struct Entry {
    config::OriginPattern pattern;
    OriginBounds bounds;
  };
  OriginBounds rest_;
  std::vector<Entry> entries_;  // the highest rank first
};

// Who asks: a worker among so many.
struct OriginAsker {
  int worker = 0;
  int workers = 1;
};

functions::OriginGate::Entry EnterOrigin(metrics::OriginCell& cell, const OriginBounds& bounds,
                                         const OriginAsker& asker, int64_t now_ns);
// Without learning anything.
void StepBack(metrics::OriginCell& cell, const functions::OriginGate::Pass& pass,
              const OriginAsker& asker);
// True: the breaker has opened.
bool LeaveOrigin(metrics::OriginCell& cell, const functions::OriginGate::Pass& pass,
                 const functions::OriginAnswer& answer, const OriginAsker& asker, int64_t now_ns);

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_ORIGIN_RULES_H_
