// The report of greened calls: what blocking libraries called inside GreenScopes of this thread,
// from where, and what became of it.
//
// Hub thread only; counts are of the calling thread, since it began or since the last reset.
#ifndef GROVE_RUNTIME_GREEN_GREEN_REPORT_H_
#define GROVE_RUNTIME_GREEN_GREEN_REPORT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"

namespace grove {

// What became of a call.
enum class GreenOutcome : uint8_t {
  kReady,      // it did not have to wait
  kParked,     // its fiber did
  kOffloaded,  // a thread of the offload pool did
  kEscaped,    // the hub's thread may have: nothing can wait for this
  kRefused,    // the same, since the fiber held a lock, with which it must not park
};
inline constexpr int kGreenOutcomes = 5;

struct GreenCall {
  std::string_view function;  // "recv"
  std::string library;        // "/usr/lib/…/libhiredis.so.0.14"; empty: nobody knows
  std::string caller;         // "redisBufferRead+0x48", or "+0x1234" in the library
  uint64_t counts[kGreenOutcomes] = {};
  // Of those that escaped or were refused, all together.
  absl::Duration blocked;

  uint64_t count(GreenOutcome outcome) const { return counts[static_cast<int>(outcome)]; }
};

// What was counted at one place, before anybody has put it into words.
struct GreenSite {
  const void* site = nullptr;
  std::string_view function;
  uint64_t counts[kGreenOutcomes] = {};
  absl::Duration blocked;
};
std::vector<GreenSite> GreenSites();
// In words, what blocked the thread for longest first. Looks each place up among the symbols of its
// library, for up to 100 us. Any thread.
std::vector<GreenCall> DescribeGreenSites(const std::vector<GreenSite>& sites);

// Both of these.
std::vector<GreenCall> GreenReport();
// A line for each, under a heading; "no greened calls yet" without.
std::string GreenReportText();
void ResetGreenReport();

// For the calls themselves. `site`: where the call returns to. `function`: a literal.
void CountGreenCall(std::string_view function, const void* site, GreenOutcome outcome,
                    absl::Duration blocked = absl::ZeroDuration());

}  // namespace grove

#endif  // GROVE_RUNTIME_GREEN_GREEN_REPORT_H_
