// RouteStats: what requests came to, by the route that answered them.
//
// Counts into cells that lie elsewhere (the scoreboard): asked for once for each route, method and
// code, then found by a look-up in a small table. Hub thread only.
#ifndef GROVE_SERVER_HTTP_SERVING_ROUTE_STATS_H_
#define GROVE_SERVER_HTTP_SERVING_ROUTE_STATS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"

namespace grove::http {

class RouteStats {
 public:
  using Cell = std::atomic<uint64_t>;
  struct Cells {
    Cell* requests = nullptr;
    // A bucket each by kDurationBounds, one above, and the sum in microseconds.
    std::span<Cell> durations;
  };
  // Never fails: what has no place of its own shares one.
  using Source = absl::AnyInvocable<Cells(std::string_view route, size_t method, int status)>;

  explicit RouteStats(Source source) : source_(std::move(source)) {}

  // `method`: of kCountedMethods. `bucket`: of kDurationBounds; kNoDuration: says nothing of it.
  void Count(std::string_view route, size_t method, int status, size_t bucket, int64_t nanos) {
    const Cells& cells = Find(route, method, status);
    Add(*cells.requests, 1);
    if (bucket == kNoDuration) return;
    Add(cells.durations[bucket], 1);
    Add(cells.durations.back(), static_cast<uint64_t>(nanos) / 1000);
  }
  static constexpr size_t kNoDuration = SIZE_MAX;
  // What was looked up so far, where routes are replaced: their texts go with them.
  void Forget();

 private:
  struct Key {
    const char* address = nullptr;  // of the route's text
    uint32_t what = 0;              // method and status

    bool operator==(const Key&) const = default;
    template <typename H>
    friend H AbslHashValue(H hash, const Key& key) {
      return H::combine(std::move(hash), key.address, key.what);
    }
  };
  struct Entry {
    std::string route;
    Cells cells;
  };

  // One writer: no locked addition.
  static void Add(Cell& cell, uint64_t more) {
    cell.store(cell.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
  }
  const Cells& Find(std::string_view route, size_t method, int status) {
    const uint32_t what = static_cast<uint32_t>(method) << 10 | static_cast<uint32_t>(status);
    const Key key{route.data(), what};
    // The text too: once routes were replaced, another pattern may stand there.
    if (key == last_key_ && route == last_->route) [[likely]]
      return last_->cells;
    return Look(route, key, method, status);
  }
  const Cells& Look(std::string_view route, const Key& key, size_t method, int status);

  Source source_;
  absl::flat_hash_map<Key, std::unique_ptr<Entry>> entries_;
  Key last_key_;  // what was found last
  const Entry* last_ = nullptr;
  Cells beyond_;  // for what the table has no entry for
};

}  // namespace grove::http

#endif  // GROVE_SERVER_HTTP_SERVING_ROUTE_STATS_H_
