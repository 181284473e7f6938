#include "server/metrics/series.h"

#include <cstring>

#include "absl/strings/str_format.h"
#include "runtime/switch/abseil_text.h"

namespace grove::metrics {
namespace {

// FNV-1a: the same in every process, as absl's is not.
uint32_t HashOf(std::string_view text) {
  uint32_t hash = 2166136261;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619;
  return hash;
}

std::string Fitting(std::string_view key) {
  if (key.size() <= kSeriesKeyBytesMax) return std::string(key);
  const std::string tail = absl::StrFormat("~%08x", HashOf(key));
  return std::string(key.substr(0, kSeriesKeyBytesMax - tail.size())) + tail;
}

}  // namespace

std::string_view SeriesDirectory::key(uint32_t number) const {
  const SeriesKey& key = keys_[number];
  return {key.text, key.bytes.load(std::memory_order_acquire)};
}

uint32_t SeriesDirectory::ClaimAfter(uint32_t last, std::string_view key) {
  if (last >= capacity()) return kOtherSeries;
  uint32_t expected = last;
  if (!count_->claimed.compare_exchange_strong(expected, last + 1, std::memory_order_acq_rel)) {
    return kOtherSeries;
  }
  SeriesKey& place = keys_[last + 1];
  memcpy(place.text, key.data(), key.size());
  place.bytes.store(static_cast<uint32_t>(key.size()), std::memory_order_release);
  return last + 1;
}

void SeriesIndex::Learn() {
  for (const uint32_t claimed = directory_.claimed(); learned_ < claimed;) {
    // One whose claimer has not finished is not waited for: the key may get a second number, and
    // who reads adds the two up.
    const std::string_view key = directory_.key(++learned_);
    if (!key.empty()) known_.emplace(key, learned_);
  }
}

bool SeriesIndex::Knows(std::string_view key) {
  Learn();
  const auto found = known_.find(Fitting(key));
  return found != known_.end() && found->second != kOtherSeries;
}

uint32_t SeriesIndex::Find(std::string_view key) {
  const std::string fitting = Fitting(key);
  for (;;) {
    const auto found = known_.find(fitting);
    if (found != known_.end()) return found->second;
    if (directory_.claimed() > learned_) {
      Learn();
      continue;
    }
    if (learned_ >= directory_.capacity()) break;
    const uint32_t claimed = directory_.ClaimAfter(learned_, fitting);
    if (claimed == kOtherSeries) continue;
    learned_ = claimed;
    known_.emplace(fitting, claimed);
    return claimed;
  }
  directory_.NoteDropped();
  // So that it is dropped once; but not more of these than there are places.
  if (known_.size() < 2 * directory_.capacity()) known_.emplace(fitting, kOtherSeries);
  return kOtherSeries;
}

}  // namespace grove::metrics
