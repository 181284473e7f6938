#include "server/metrics/label_set.h"

#include <algorithm>
#include <utility>

#include "absl/container/btree_map.h"

namespace grove::metrics {

LabelSet::LabelSet(SeriesDirectory shown, size_t max)
    : directory_(shown), index_(shown), max_(std::min<size_t>(max, shown.capacity())) {}

void LabelSet::Admit(std::vector<Candidate> candidates) {
  absl::btree_map<std::string, double> fresh;
  for (Candidate& candidate : candidates) {
    if (!index_.Knows(candidate.name)) fresh[std::move(candidate.name)] += candidate.use;
  }
  std::vector<std::pair<std::string, double>> by_use(fresh.begin(), fresh.end());
  std::stable_sort(by_use.begin(), by_use.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  for (const auto& [name, use] : by_use) {
    const bool is_full = directory_.dropped() > 0 || directory_.claimed() >= max_;
    if (!is_full && index_.Find(name) != kOtherSeries) continue;
    if (directory_.dropped() == 0) directory_.NoteDropped();
    ++folded_;
  }
}

std::string LabelSet::Shown(std::string_view name) {
  return index_.Knows(name) ? std::string(name) : kOther;
}

}  // namespace grove::metrics
