// Imap, Starmap: a function over many items on a pool's fibers, results in the items' order.
//
// Items are taken from their source as places become free, and at most the pool's size of them are
// begun and not yet delivered, so memory is bounded however long the source is. An item that fails
// stands at its place, and the following ones still come.
//
//   return FiberPool::Run(200, [&](FiberPool& pool) {  // waits also where the loop is left early
//     for (absl::StatusOr<Page>& page : Imap(pool, urls, Fetch)) {
//       GROVE_RETURN_IF_ERROR(page);  // of the next url
//     }
//     return absl::OkStatus();
//   });
//
// Dropping it cancels what still runs and forgets results. Hub thread only.
#ifndef GROVE_RUNTIME_GROUP_FIBER_MAP_H_
#define GROVE_RUNTIME_GROUP_FIBER_MAP_H_

#include <algorithm>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/group/fiber_pile.h"
#include "runtime/group/fiber_pool.h"
#include "runtime/hub/exception_text.h"
#include "runtime/sync/result_iterator.h"

namespace grove {

namespace fiber_map_internal {
template <typename T>
struct ValueOf {
  using Type = T;
};
template <typename T>
struct ValueOf<absl::StatusOr<T>> {
  using Type = T;
};
}  // namespace fiber_map_internal

// `Call(Item&)` gives an R or an absl::StatusOr<R>.
template <typename Iterator, typename Sentinel, typename Call>
class FiberMap {
 public:
  using Item = std::decay_t<decltype(*std::declval<Iterator&>())>;
  using Result =
      typename fiber_map_internal::ValueOf<std::decay_t<std::invoke_result_t<Call&, Item&>>>::Type;

  FiberMap(FiberPool& pool, Iterator next, Sentinel end, Call call, SpawnOptions options)
      : pool_(pool),
        pile_(pool),
        next_(std::move(next)),
        end_(std::move(end)),
        call_(std::make_shared<Call>(std::move(call))),
        options_(std::move(options)) {}

  // The result of the next item; nothing after the last. An item that failed gives its status,
  // kUnknown for an exception, kResourceExhausted if it could not be begun. kDeadlineExceeded,
  // kCancelled as the outer status are the caller's own: no item was lost. **Parks.**
  absl::StatusOr<std::optional<absl::StatusOr<Result>>> Next();
  // Goes over the results, until there are no more (result_iterator.h). The map must not move
  // meanwhile. **Parks.**
  ResultIterator<FiberMap, Result> begin() { return ResultIterator<FiberMap, Result>(*this); }
  std::default_sentinel_t end() { return {}; }

  // Begun and not yet delivered.
  size_t pending() const { return pile_.pending(); }

 private:
  friend class ResultIterator<FiberMap, Result>;

  // Of ResultIterator.
  std::optional<absl::StatusOr<Result>> NextResult(bool& interrupted) {
    absl::StatusOr<std::optional<absl::StatusOr<Result>>> next = Next();
    interrupted = !next.ok();
    return next.ok() ? *std::move(next) : absl::StatusOr<Result>(next.status());
  }
  // Begins items until the pool or the bound is full. Parks only if nothing is pending: then a
  // place must come from others in the pool, or the caller, a member itself, runs the item.
  absl::Status Fill();
  absl::Status BeginHeld();

  FiberPool& pool_;
  FiberPile<Result> pile_;
  Iterator next_;
  const Sentinel end_;
  const std::shared_ptr<Call> call_;  // shared with the fibers, which may outlive the map
  const SpawnOptions options_;
  std::shared_ptr<Item> held_;  // taken from the source, not begun
};

// `f(item)` for each of [begin, end), which must stay valid as long as the map; items are copied.
template <typename Iterator, typename Sentinel, typename F>
auto Imap(FiberPool& pool, Iterator begin, Sentinel end, F f,
          SpawnOptions options = {.name = "imap"}) {
  return FiberMap<Iterator, Sentinel, F>(pool, std::move(begin), std::move(end), std::move(f),
                                         std::move(options));
}

// Of a container, which must outlive the map unchanged.
template <typename Container, typename F>
auto Imap(FiberPool& pool, Container& items, F f) {
  return Imap(pool, std::begin(items), std::end(items), std::move(f));
}

// As Imap over tuples (or pairs), whose parts become the arguments of `f`.
template <typename Iterator, typename Sentinel, typename F>
auto Starmap(FiberPool& pool, Iterator begin, Sentinel end, F f,
             SpawnOptions options = {.name = "starmap"}) {
  return Imap(
      pool, std::move(begin), std::move(end),
      [f = std::move(f)](auto& item) mutable { return std::apply(f, item); }, std::move(options));
}
template <typename Container, typename F>
auto Starmap(FiberPool& pool, Container& items, F f) {
  return Starmap(pool, std::begin(items), std::end(items), std::move(f));
}

template <typename Iterator, typename Sentinel, typename Call>
absl::Status FiberMap<Iterator, Sentinel, Call>::BeginHeld() {
  absl::Status begun =
      pile_.Spawn(options_, [call = call_, item = held_]() -> absl::StatusOr<Result> {
        // Here and not at the fiber's entry: the caller of a full pool runs items itself.
        try {
          return (*call)(*item);
        } catch (const std::exception&) {
          return absl::UnknownError(DescribeCurrentException("an item"));
        }
      });
  if (begun.ok()) held_ = nullptr;
  return begun;
}

template <typename Iterator, typename Sentinel, typename Call>
absl::Status FiberMap<Iterator, Sentinel, Call>::Fill() {
  while (pending() < static_cast<size_t>(std::max<int64_t>(pool_.size(), 1))) {
    if (pending() > 0 && (pool_.free() <= 0 || pool_.waiting() > 0)) break;
    if (held_ == nullptr) {
      if (next_ == end_) break;
      held_ = std::make_shared<Item>(*next_);
      ++next_;
    }
    if (absl::Status begun = BeginHeld(); !begun.ok()) return begun;
  }
  return absl::OkStatus();
}

template <typename Iterator, typename Sentinel, typename Call>
auto FiberMap<Iterator, Sentinel, Call>::Next()
    -> absl::StatusOr<std::optional<absl::StatusOr<Result>>> {
  using Delivered = std::optional<absl::StatusOr<Result>>;
  const absl::Status filled = Fill();
  if (!filled.ok() && pending() == 0) {
    if (!absl::IsResourceExhausted(filled)) return filled;
    held_ = nullptr;
    return Delivered(std::in_place, filled);
  }
  if (pending() == 0) return Delivered();
  bool waited = true;
  absl::StatusOr<Result> result = pile_.Next(&waited);
  if (!waited) return result.status();
  return Delivered(std::in_place, std::move(result));
}

}  // namespace grove

#endif  // GROVE_RUNTIME_GROUP_FIBER_MAP_H_
