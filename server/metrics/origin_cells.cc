#include "server/metrics/origin_cells.h"

namespace grove::metrics {
namespace {

size_t PlaceOf(uint64_t key, size_t i) {
  return (key + i) % kOriginsMax;
}

// Nothing is lost with it.
bool IsBlank(const OriginCell& cell, int workers, int64_t now_ns) {
  return cell.running.Sum(workers) == 0 && cell.failures == 0 && cell.open_until_ns == 0 &&
         cell.full_at_ns <= now_ns && cell.not_before_ns <= now_ns && cell.turn_at_ns <= now_ns;
}

bool IsOld(const OriginCell& cell, int workers, int64_t now_ns) {
  return cell.running.Sum(workers) == 0 && cell.full_at_ns <= now_ns &&
         cell.not_before_ns <= now_ns && cell.open_until_ns <= now_ns &&
         cell.used_ns <= now_ns - kOriginForgottenNs;
}

}  // namespace

// The first in order: two that claim at once come to the same.
OriginCell* OriginCells::Look(uint64_t key) {
  for (size_t i = 0; i < kOriginPlaces; ++i) {
    if (keys_[PlaceOf(key, i)] == key) return &cells_[PlaceOf(key, i)];
  }
  return nullptr;
}

bool OriginCells::Claim(size_t place, uint64_t old, uint64_t key, int64_t now_ns) {
  if (!keys_[place].compare_exchange_strong(old, key)) return old == key;
  ++claims_;
  OriginCell& cell = cells_[place];
  for (std::atomic<int64_t>* time : {&cell.full_at_ns, &cell.not_before_ns, &cell.open_until_ns,
                                     &cell.trial_until_ns, &cell.turn_at_ns, &cell.mean_ns}) {
    *time = 0;
  }
  cell.failures = 0;
  cell.openings = 0;
  cell.used_ns = now_ns;
  return true;
}

OriginCell* OriginCells::Find(uint64_t key, int workers, int64_t now_ns) {
  if (OriginCell* const found = Look(key); found != nullptr) {
    found->used_ns = now_ns;
    return found;
  }
  const auto claim = [&](auto may_go) -> OriginCell* {
    for (size_t i = 0; i < kOriginPlaces; ++i) {
      const size_t place = PlaceOf(key, i);
      const uint64_t old = keys_[place];
      if (!may_go(old, cells_[place])) continue;
      if (Claim(place, old, key, now_ns)) return Look(key);
    }
    return nullptr;
  };
  if (OriginCell* const fresh = claim([](uint64_t old, OriginCell&) { return old == 0; })) {
    return fresh;
  }
  OriginCell* const blank =
      claim([&](uint64_t, OriginCell& cell) { return IsBlank(cell, workers, now_ns); });
  if (blank != nullptr) return blank;
  return claim([&](uint64_t, OriginCell& cell) { return IsOld(cell, workers, now_ns); });
}

bool OriginCells::Holds(const OriginCell& cell, uint64_t key) const {
  return keys_[static_cast<size_t>(&cell - cells_.data())] == key;
}

void OriginCells::Forget(int worker) {
  if (claims_ == 0) return;
  for (size_t place = 0; place < kOriginsMax; ++place) {
    if (keys_[place] != 0) cells_[place].running.of(worker) = 0;
  }
}

size_t OriginCells::claimed() const {
  size_t count = 0;
  for (const std::atomic<uint64_t>& key : keys_) count += key == 0 ? 0 : 1;
  return count;
}

}  // namespace grove::metrics
