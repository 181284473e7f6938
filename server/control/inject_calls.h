// InjectCalls: what WorkerService.InjectHttpRequest does: one HTTP request into a worker, past the
// network.
//
// The request is checked here, so that nothing in it can frame another one; the worker sends it to
// its own server. Hub thread only.
#ifndef GROVE_SERVER_CONTROL_INJECT_CALLS_H_
#define GROVE_SERVER_CONTROL_INJECT_CALLS_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grove/v1/worker_service.pb.h"
#include "runtime/hub/hub.h"
#include "server/control/worker_links.h"
#include "server/metrics/scoreboard.h"
#include "server/tenancy/principal.h"

namespace grove::control {

inline constexpr size_t kInjectedBodyMax = 1 << 20;
inline constexpr int64_t kInjectedAnswerDefault = 64 << 10;
inline constexpr int64_t kInjectedAnswerMax = 1 << 20;
inline constexpr absl::Duration kInjectedTimeDefault = absl::Seconds(10);
inline constexpr absl::Duration kInjectedTimeMax = absl::Minutes(5);
// Target and headers together: more than any worker takes, so that its own limits are what answers.
inline constexpr size_t kInjectedHeadMax = 256 << 10;
// A worker that does not answer so long after the time that it was given is not waited for.
inline constexpr absl::Duration kInjectedGrace = absl::Seconds(2);

// With what may be left out filled in. INVALID_ARGUMENT (INJECTED_REQUEST_INVALID).
absl::StatusOr<v1::InjectHttpRequestRequest> CheckInjected(
    const v1::InjectHttpRequestRequest& request);

class InjectCalls {
 public:
  InjectCalls(Hub& hub, const metrics::Scoreboard& scoreboard, const WorkerLinks& links)
      : hub_(hub), scoreboard_(scoreboard), links_(links) {}

  // **Parks.**
  absl::StatusOr<v1::InjectHttpRequestResponse> Inject(const tenancy::Principal& who,
                                                       const v1::InjectHttpRequestRequest& request);

 private:
  // Of the one that the name says; of the first that can be asked, where it says none.
  absl::StatusOr<int> WorkerOf(const std::string& name) const;

  Hub& hub_;
  const metrics::Scoreboard& scoreboard_;
  const WorkerLinks& links_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_INJECT_CALLS_H_
