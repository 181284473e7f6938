#include "server/http/serving/accept_share.h"

#include <algorithm>

namespace grove::http {

uint64_t AcceptShare::Allowance(uint64_t own, std::span<const WorkerLoad> others) const {
  uint64_t fewest = kUnbounded;
  for (size_t i = 0; i < others.size(); ++i) {
    const bool absent = i < absent_since_.size() && absent_since_[i] == others[i].last_turn;
    if (others[i].accepts && !absent) fewest = std::min(fewest, others[i].open);
  }
  if (fewest == kUnbounded) return kUnbounded;
  const uint64_t most = fewest + std::max(kAheadMax, fewest / kAheadPart);
  return most - std::min(most, own);
}

void AcceptShare::NoteChance(std::span<const WorkerLoad> before,
                             std::span<const WorkerLoad> after) {
  absent_since_.resize(std::max(absent_since_.size(), after.size()), -1);
  for (size_t i = 0; i < std::min(before.size(), after.size()); ++i) {
    if (before[i].last_turn == after[i].last_turn) absent_since_[i] = after[i].last_turn;
  }
}

}  // namespace grove::http
