// Table: rows that the code of all workers reads and changes, each change whole or not at all.
//
// For what is small and everybody's: counters, switches, what is cached for all. It lives in memory
// as long as the daemon does: over a worker's death, a reload, a change of the worker count and an
// upgrade. Never parks; any thread.
#ifndef GROVE_SERVER_SHARED_TABLE_H_
#define GROVE_SERVER_SHARED_TABLE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/hub/clock.h"

namespace grove::shared {

class TableMemory;

struct SharedRow {
  std::string value;
  absl::Duration left = absl::InfiniteDuration();  // until it expires
};

// Of a counter that is not there yet.
struct CounterStart {
  int64_t initial = 0;
  absl::Duration expiry = absl::InfiniteDuration();
};

// All of them: kInvalidArgument, a key or a value over its bound, or an expiry that is not above
// zero; kResourceExhausted, no row is left; kFailedPrecondition, there is no table (its rows_max is
// 0); kUnavailable, a process that was stopped holds what is needed.
class Table {
 public:
  // The new value; of a row that is not there: nullopt. May park, and may be called again.
  using Updater = std::function<absl::StatusOr<std::string>(const std::optional<std::string>&)>;
  // How often an update begins again since somebody else has changed the row meanwhile.
  static constexpr int kUpdateTriesMax = 100;

  // Both outlive it. Null: there is no table.
  Table(TableMemory* memory, Clock& clock) : memory_(memory), clock_(clock) {}

  // kNotFound: none, or it has expired.
  absl::StatusOr<SharedRow> Get(std::string_view key);
  // In place of what was there.
  absl::Status Put(std::string_view key, std::string_view value,
                   absl::Duration expiry = absl::InfiniteDuration());
  // Adds to a number that the row has as a text, or begins one; what it is now. An expiry is of the
  // counter's beginning: later calls leave it. kFailedPrecondition: the row holds no number;
  // kOutOfRange: the sum is none.
  absl::StatusOr<int64_t> Add(std::string_view key, int64_t delta, const CounterStart& start = {});
  // Writes what `update` makes of the value, unless somebody has written the row meanwhile: then it
  // is asked again. What was written. Without an expiry the row keeps its own. An error of `update`
  // changes nothing. kAborted: kUpdateTriesMax times somebody else was faster.
  absl::StatusOr<std::string> Update(std::string_view key, const Updater& update,
                                     std::optional<absl::Duration> expiry = std::nullopt);
  // Whether there was one.
  absl::StatusOr<bool> Erase(std::string_view key);

 private:
  absl::StatusOr<TableMemory*> Memory() const;

  TableMemory* const memory_;
  Clock& clock_;
};

// For code that runs without a worker.
Table& NoTable();
// What is said where there is none.
absl::Status NoSharedTable();
// When what is given `expiry` now expires.
absl::StatusOr<MonotonicNanos> ExpiresAt(Clock& clock, absl::Duration expiry);

}  // namespace grove::shared

#endif  // GROVE_SERVER_SHARED_TABLE_H_
