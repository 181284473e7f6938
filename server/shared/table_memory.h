// TableMemory: the memory file with the rows and locks that all workers share.
//
// The supervisor makes it before it forks, and hands it on in an upgrade. A key's hash names its
// bucket: a robust mutex of all processes, and the chain of the rows that it has taken out of those
// that are free. Each row has two places for its value and a word that says which of them counts,
// so whoever is killed in the middle of a write leaves the old value whole; the next one to hold
// the bucket is told of the death, and links its rows anew. It is told the time, and never parks:
// a bucket is held for a few copies of memory. Any thread of any process.
#ifndef GROVE_SERVER_SHARED_TABLE_MEMORY_H_
#define GROVE_SERVER_SHARED_TABLE_MEMORY_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/hub/clock.h"

namespace grove::shared {

// Of a row's key, or a lock's name.
inline constexpr size_t kKeyBytesMax = 255;
// For a bucket that somebody else holds: only one that was stopped holds it for longer, on a
// machine however busy. Below runtime.stuck_ms.
inline constexpr absl::Duration kHoldWaitMax = absl::Seconds(1);

// Rows and locks have the same memory, and keys of their own.
enum class RowKind { kValue, kLock };

struct TableSize {
  int rows = 0;
  int value_bytes = 0;

  friend bool operator==(const TableSize&, const TableSize&) = default;
};

// A row as its bucket's holder sees it.
struct RowView {
  std::string_view value;
  MonotonicNanos expires = kNever;
  uint64_t version = 0;  // another one after each write of any row
};

// What is to become of it.
struct RowEdit {
  enum class Kind { kKeep, kPut, kErase };

  Kind kind = Kind::kKeep;
  std::string_view value = "";  // the caller's
  MonotonicNanos expires = kNever;
};

// The pid that a lock's value names.
struct LockState {
  uint64_t token = 0;
  int64_t holder = 0;

  static LockState Of(std::string_view value);
  std::string_view bytes() const { return {reinterpret_cast<const char*>(this), sizeof(*this)}; }
};

struct TableUse {
  int64_t rows = 0;  // locks among them, and those that have expired and that nobody needed so far
  int64_t locks = 0;
  uint64_t refusals = 0;  // for want of a row
};

class TableMemory {
 public:
  // Of another one everything is in another place.
  static constexpr uint32_t kLayout = 1;

  // An empty one. Only rows that were ever written have memory. Tokens begin with `first_token`.
  static absl::StatusOr<TableMemory> Create(const TableSize& size, uint64_t first_token);
  // Maps one that was handed over; kFailedPrecondition: it has another layout.
  static absl::StatusOr<TableMemory> Open(int fd);
  TableMemory(TableMemory&& other) noexcept;
  TableMemory& operator=(TableMemory&&) = delete;
  ~TableMemory();

  // Sees the row, null if there is none or it has expired, and says what becomes of it. Runs with
  // the bucket held, and perhaps twice: it neither parks nor has to do with the table.
  using Decision = absl::FunctionRef<absl::StatusOr<RowEdit>(const RowView* row)>;
  // One step, whole or not at all. An error of `decide` changes nothing. kResourceExhausted: every
  // row is taken, and none has expired. kInvalidArgument: a key or a value over its bound.
  // kUnavailable: the bucket was held for kHoldWaitMax.
  absl::Status Change(RowKind kind, std::string_view key, MonotonicNanos now, Decision decide);

  // One that none before had, of this table.
  uint64_t NextToken();
  // Supervisor, after the death of a process: of its locks, how many it has released.
  int ReleaseLocksOf(pid_t holder);

  int fd() const { return fd_; }  // CLOEXEC
  TableSize size() const;
  // Looks at every row's owner: not for each call.
  TableUse use() const;

 private:
  struct Header;
  struct Bucket;
  struct Row;
  struct Place;
  struct Layout;
  static constexpr uint32_t kNone = 0xffffffff;

  TableMemory(int fd, Header* header, size_t bytes) : fd_(fd), header_(header), bytes_(bytes) {}
  Layout layout() const;

  absl::Status Hold(uint32_t bucket);
  void Release(uint32_t bucket);
  // The rest requires: the bucket is held.
  void Rebuild(uint32_t bucket);
  uint32_t Find(uint32_t bucket, RowKind kind, std::string_view key) const;
  // kNone: there is none left.
  uint32_t Claim(uint32_t bucket, RowKind kind, std::string_view key);
  void Write(uint32_t row, std::string_view value, MonotonicNanos expires);
  void Erase(uint32_t bucket, uint32_t row);
  // False: no row was left.
  absl::StatusOr<bool> TryChange(RowKind kind, std::string_view key, MonotonicNanos now,
                                 Decision decide);
  // Frees rows that have expired, whosever; whether there were any. Requires: no bucket is held.
  bool Sweep(MonotonicNanos now);

  int fd_;
  Header* header_;
  size_t bytes_;
};

}  // namespace grove::shared

#endif  // GROVE_SERVER_SHARED_TABLE_MEMORY_H_
