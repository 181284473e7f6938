// Series: numbers by label in shared memory, of a fixed number of places.
//
// A SeriesDirectory gives each key (the text of the labels) a number that is the same in every
// process and holds for the daemon's life; what is counted stands in arrays of cells by that
// number, one array for each process that counts and one for the dead. So the death of a process
// moves sums from one array to another and no total falls. Claiming a number takes no lock: a
// process that dies in the middle leaves a place without a key, which counts for nobody. Number 0
// is nobody's: what finds no place is counted there, and is shown as "_other".
// Memory is touched only as far as numbers were claimed.
#ifndef GROVE_SERVER_METRICS_SERIES_H_
#define GROVE_SERVER_METRICS_SERIES_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"

namespace grove::metrics {

using Cell = std::atomic<uint64_t>;

inline constexpr uint32_t kOtherSeries = 0;
inline constexpr char kOther[] = "_other";

// Longer ones are cut, with a hash at their end that keeps them apart.
inline constexpr size_t kSeriesKeyBytesMax = 252;

struct SeriesKey {
  std::atomic<uint32_t> bytes;  // 0: nobody's
  char text[kSeriesKeyBytesMax];
};

struct alignas(64) SeriesCount {
  std::atomic<uint32_t> claimed;
  // Keys that found no place, by every process that met them.
  std::atomic<uint64_t> dropped;
};

// A directory wherever it lies. Any process may hold one.
class SeriesDirectory {
 public:
  SeriesDirectory(SeriesCount& count, std::span<SeriesKey> keys) : count_(&count), keys_(keys) {}

  // Numbers in use: 1 to claimed().
  uint32_t claimed() const { return count_->claimed.load(std::memory_order_acquire); }
  uint64_t dropped() const { return count_->dropped.load(std::memory_order_relaxed); }
  // Numbers that there are.
  uint32_t capacity() const { return static_cast<uint32_t>(keys_.size()) - 1; }
  // Empty: nobody's.
  std::string_view key(uint32_t number) const;

  // The number after `last` for `key`, or 0 if another was claimed meanwhile or none is left.
  uint32_t ClaimAfter(uint32_t last, std::string_view key);
  void NoteDropped() { count_->dropped.fetch_add(1, std::memory_order_relaxed); }

 private:
  SeriesCount* count_;
  std::span<SeriesKey> keys_;  // the first is not used
};

// Memory of a directory of numbers below kMax, in pages of its own.
template <size_t kMax>
struct alignas(4096) SeriesNames {
  static constexpr size_t kEnd = kMax;

  SeriesCount count;
  std::array<SeriesKey, kMax> keys;

  SeriesDirectory directory() { return SeriesDirectory(count, keys); }
};

// Memory of the cells: kCells for each number.
template <size_t kMax, size_t kCells>
struct alignas(4096) SeriesCells {
  std::array<std::array<Cell, kCells>, kMax> of;
};

// What one process knows of a directory. One thread at a time.
class SeriesIndex {
 public:
  explicit SeriesIndex(SeriesDirectory directory) : directory_(directory) {}

  // The number of `key`, claimed if it is new; kOtherSeries if no place is left.
  uint32_t Find(std::string_view key);
  // Whether it has a number; claims none.
  bool Knows(std::string_view key);

 private:
  // Takes in what others have claimed.
  void Learn();

  SeriesDirectory directory_;
  uint32_t learned_ = 0;
  absl::flat_hash_map<std::string, uint32_t> known_;
};

// Adds `from` to `to` and clears it, for numbers 0 to `last`.
template <size_t kMax, size_t kCells>
void FoldCells(SeriesCells<kMax, kCells>& from, SeriesCells<kMax, kCells>& to, uint32_t last) {
  for (uint32_t number = 0; number <= last && number < kMax; ++number) {
    for (size_t i = 0; i < kCells; ++i) {
      const uint64_t dead = from.of[number][i].exchange(0, std::memory_order_relaxed);
      if (dead != 0) to.of[number][i].fetch_add(dead, std::memory_order_relaxed);
    }
  }
}

// Clears numbers 0 to `last`.
template <size_t kMax, size_t kCells>
void ClearCells(SeriesCells<kMax, kCells>& cells, uint32_t last) {
  for (uint32_t number = 0; number <= last && number < kMax; ++number) {
    for (Cell& cell : cells.of[number]) cell.store(0, std::memory_order_relaxed);
  }
}

}  // namespace grove::metrics

#endif  // GROVE_SERVER_METRICS_SERIES_H_
