#include "server/tasks/tenant_heap.h"

namespace grove::tasks {

void TenantHeap::Put(uint32_t position, const Entry& entry) {
  heap_[position] = entry;
  positions_[entry.tenant] = position;
}

void TenantHeap::SiftUp(uint32_t position, Entry entry) {
  while (position > 0) {
    const uint32_t parent = (position - 1) / 2;
    if (!Before(entry, heap_[parent])) break;
    Put(position, heap_[parent]);
    position = parent;
  }
  Put(position, entry);
}

void TenantHeap::SiftDown(uint32_t position, Entry entry) {
  const auto size = static_cast<uint32_t>(heap_.size());
  for (;;) {
    uint32_t child = 2 * position + 1;
    if (child >= size) break;
    if (child + 1 < size && Before(heap_[child + 1], heap_[child])) ++child;
    if (!Before(heap_[child], entry)) break;
    Put(position, heap_[child]);
    position = child;
  }
  Put(position, entry);
}

void TenantHeap::Sift(uint32_t position, const Entry& entry) {
  if (position > 0 && Before(entry, heap_[(position - 1) / 2])) {
    SiftUp(position, entry);
  } else {
    SiftDown(position, entry);
  }
}

void TenantHeap::Set(size_t tenant, double key) {
  if (positions_.size() <= tenant) positions_.resize(tenant + 1, kNowhere);
  const Entry entry{key, ++sets_, static_cast<uint32_t>(tenant)};
  const uint32_t position = positions_[tenant];
  if (position != kNowhere) return Sift(position, entry);
  heap_.emplace_back();
  SiftUp(static_cast<uint32_t>(heap_.size() - 1), entry);
}

void TenantHeap::Remove(size_t tenant) {
  if (!Contains(tenant)) return;
  const uint32_t position = positions_[tenant];
  positions_[tenant] = kNowhere;
  const Entry last = heap_.back();
  heap_.pop_back();
  if (last.tenant != tenant) Sift(position, last);
}

}  // namespace grove::tasks
