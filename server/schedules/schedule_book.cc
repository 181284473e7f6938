#include "server/schedules/schedule_book.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace grove::schedules {
namespace {

constexpr WallMicros kNever = std::numeric_limits<int64_t>::max();

}  // namespace

ScheduleState& ScheduleBook::Put(const ScheduleKey& key, ScheduleState state) {
  Remove(key);
  auto entry = std::make_unique<Entry>(Entry{std::move(state), kNever});
  Entry& placed = *entries_.emplace(key, std::move(entry)).first->second;
  SetWake(key, placed, placed.state.NextWake());
  return placed.state;
}

void ScheduleBook::Remove(const ScheduleKey& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  SetWake(key, *found->second, kNever);
  entries_.erase(found);
}

ScheduleState* ScheduleBook::Find(const ScheduleKey& key) {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : &found->second->state;
}

const ScheduleState* ScheduleBook::Find(const ScheduleKey& key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : &found->second->state;
}

void ScheduleBook::SetWake(const ScheduleKey& key, Entry& entry, WallMicros wake_us) {
  if (entry.wake_us == wake_us) return;
  if (entry.wake_us != kNever) wakes_.erase({entry.wake_us, key});
  entry.wake_us = wake_us;
  if (wake_us != kNever) wakes_.emplace(wake_us, key);
}

void ScheduleBook::Changed(const ScheduleKey& key) {
  const auto found = entries_.find(key);
  if (found != entries_.end()) SetWake(key, *found->second, found->second->state.NextWake());
}

void ScheduleBook::Suspend(const ScheduleKey& key) {
  const auto found = entries_.find(key);
  if (found != entries_.end()) SetWake(key, *found->second, kNever);
}

WallMicros ScheduleBook::NextWake() const {
  return wakes_.empty() ? kNever : wakes_.begin()->first;
}

std::vector<ScheduleKey> ScheduleBook::Due(WallMicros now_us) const {
  std::vector<ScheduleKey> due;
  for (const auto& [wake_us, key] : wakes_) {
    if (wake_us > now_us) break;
    due.push_back(key);
  }
  return due;
}

std::vector<ScheduleKey> ScheduleBook::KeysAfter(const ScheduleKey& after, std::string_view tenant,
                                                 size_t max) const {
  std::vector<ScheduleKey> keys;
  const ScheduleKey first(std::string(tenant), "");
  for (auto it = entries_.upper_bound(std::max(after, first)); it != entries_.end(); ++it) {
    if (keys.size() == max || (!tenant.empty() && it->first.first != tenant)) break;
    keys.push_back(it->first);
  }
  return keys;
}

std::vector<ScheduleKey> ScheduleBook::KeysOf(std::string_view tenant) const {
  return KeysAfter({}, tenant, entries_.size());
}

size_t ScheduleBook::BytesBeside(const ScheduleKey& key) const {
  size_t bytes = 0;
  for (const ScheduleKey& other : KeysOf(key.first)) {
    if (other != key) bytes += Find(other)->schedule().spec().ByteSizeLong();
  }
  return bytes;
}

size_t ScheduleBook::CountOf(std::string_view tenant) const {
  return KeysOf(tenant).size();
}

}  // namespace grove::schedules
