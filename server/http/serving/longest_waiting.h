// LongestWaiting: which of many connections has waited for its client longest.
//
// Asked only when there is no place for another. A list kept in order would cost each request two
// cache misses; so it looks at all of them, remembers the eighth that waits longest, and answers
// from these while they stand. Hub thread only.
#ifndef GROVE_SERVER_HTTP_SERVING_LONGEST_WAITING_H_
#define GROVE_SERVER_HTTP_SERVING_LONGEST_WAITING_H_

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

#include "runtime/hub/clock.h"

namespace grove::http {

// `Set`: of pointers to what has std::optional<MonotonicNanos> waiting_since() const, with
// contains(). Since when one waits only ever grows.
template <typename Set>
class LongestWaiting {
 public:
  using Pointer = typename Set::value_type;

  // Null if none has waited since `before` or longer. The same again if asked again.
  Pointer Find(const Set& all, MonotonicNanos before) {
    if (Pointer found = FromKnown(all); found != nullptr) return Checked(before);
    Gather(all);
    return FromKnown(all) == nullptr ? nullptr : Checked(before);
  }

 private:
  static constexpr size_t kKnownMin = 8;
  static constexpr size_t kKnownPart = 8;
  struct Known {
    MonotonicNanos since;
    Pointer connection;
  };

  // Drops those that have gone on, or have gone.
  Pointer FromKnown(const Set& all) {
    while (!known_.empty()) {
      const Known& known = known_.back();
      if (all.contains(known.connection) && known.connection->waiting_since() == known.since) {
        return known.connection;
      }
      known_.pop_back();
    }
    return nullptr;
  }
  // All that are not known wait for less long than the last of these.
  Pointer Checked(MonotonicNanos before) const {
    return known_.back().since <= before ? known_.back().connection : nullptr;
  }
  void Gather(const Set& all) {
    for (const Pointer connection : all) {
      if (const std::optional<MonotonicNanos> since = connection->waiting_since()) {
        known_.push_back({*since, connection});
      }
    }
    const auto earlier = [](const Known& a, const Known& b) { return a.since < b.since; };
    const size_t kept = std::min(known_.size(), std::max(kKnownMin, known_.size() / kKnownPart));
    std::partial_sort(known_.begin(), known_.begin() + static_cast<std::ptrdiff_t>(kept),
                      known_.end(), earlier);
    known_.resize(kept);
    std::reverse(known_.begin(), known_.end());
  }

  std::vector<Known> known_;  // the longest last
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_SERVING_LONGEST_WAITING_H_
