// ResultIterator: goes over what a source of results gives, for range-for and C++20's ranges.
//
//   for (absl::StatusOr<Page>& page : Imap(pool, urls, Fetch)) {
//     GROVE_RETURN_IF_ERROR(page);
//
// Every element is a result: a value, or the error that stands in its place. The loop ends where
// the source does. If the wait for an element is ended by the caller's own Timeout or Cancel(),
// that error is one more element, and the last: nothing of the source is lost, and a new loop goes
// on.
//
// A single pass (std::input_iterator): an element lives until the next step. begin() and ++ take
// from the source, and so **park**. The source must outlive it. Hub thread only.
#ifndef GROVE_RUNTIME_SYNC_RESULT_ITERATOR_H_
#define GROVE_RUNTIME_SYNC_RESULT_ITERATOR_H_

#include <cstddef>
#include <iterator>
#include <optional>

#include "absl/status/statusor.h"

namespace grove {

// `Source` has std::optional<absl::StatusOr<T>> NextResult(bool& interrupted): nothing at its end.
template <typename Source, typename T>
class ResultIterator {
 public:
  using value_type = absl::StatusOr<T>;
  using difference_type = std::ptrdiff_t;
  using iterator_concept = std::input_iterator_tag;

  explicit ResultIterator(Source& source) : source_(&source) { Step(); }
  ResultIterator(ResultIterator&&) noexcept = default;
  ResultIterator& operator=(ResultIterator&&) noexcept = default;

  absl::StatusOr<T>& operator*() const { return *result_; }
  absl::StatusOr<T>* operator->() const { return &*result_; }
  ResultIterator& operator++() {
    Step();
    return *this;
  }
  void operator++(int) { Step(); }

  friend bool operator==(const ResultIterator& iterator, std::default_sentinel_t) {
    return !iterator.result_.has_value();
  }

 private:
  void Step() {
    result_.reset();
    if (!interrupted_) result_ = source_->NextResult(interrupted_);
  }

  Source* source_;
  mutable std::optional<absl::StatusOr<T>> result_;  // nothing at the end
  bool interrupted_ = false;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_SYNC_RESULT_ITERATOR_H_
