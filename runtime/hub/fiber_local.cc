#include "runtime/hub/fiber_local.h"

#include <algorithm>
#include <atomic>

#include "runtime/hub/check.h"
#include "runtime/hub/hub.h"

namespace grove {

FiberLocalMap::~FiberLocalMap() {
  while (!values_.empty()) {
    const Value last = values_.back();
    values_.pop_back();
    last.type->destroy(last.value);
  }
}

FiberLocalMap* FiberLocalMap::OfRunning(bool make) {
  Hub* const hub = Hub::Current();
  GROVE_CHECK(hub != nullptr && hub->running() != nullptr, "a FiberLocal was used outside a fiber");
  Fiber& fiber = *hub->running();
  if (fiber.locals_ == nullptr && make) fiber.locals_ = new FiberLocalMap;
  return fiber.locals_;
}

uint64_t FiberLocalMap::NewKey() {
  static std::atomic<uint64_t> next{0};
  return next.fetch_add(1, std::memory_order_relaxed);
}

void* FiberLocalMap::Find(uint64_t key) const {
  for (const Value& value : values_) {
    if (value.key == key) return value.value;
  }
  return nullptr;
}

void FiberLocalMap::Add(uint64_t key, void* value, const Type& type) {
  values_.push_back({key, value, &type});
}

void FiberLocalMap::Remove(uint64_t key) {
  const auto found = std::find_if(values_.begin(), values_.end(),
                                  [key](const Value& value) { return value.key == key; });
  if (found == values_.end()) return;
  const Value removed = *found;
  values_.erase(found);
  removed.type->destroy(removed.value);  // last: it may use FiberLocals, too
}

std::unique_ptr<FiberLocalMap> FiberLocalMap::CopyInherited() const {
  std::unique_ptr<FiberLocalMap> copies;
  for (const Value& value : values_) {
    if (value.type->copy == nullptr) continue;
    if (copies == nullptr) copies = std::make_unique<FiberLocalMap>();
    copies->values_.reserve(values_.size());
    copies->values_.push_back({value.key, value.type->copy(value.value), value.type});
  }
  return copies;
}

}  // namespace grove
