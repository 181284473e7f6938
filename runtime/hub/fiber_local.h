// FiberLocal: a value per fiber.
//
// A fiber that uses none pays nothing. A value lives to the end of its fiber, after its body and
// closure, in the reverse order of making; its destructor must not park. With kCopied a fiber gets
// copies of its spawner's values, as of the spawn. Make them static, or as long-lived as the fibers
// that use them: the death of a FiberLocal leaves its values to the ends of their fibers.
// Any hub's thread may use the same FiberLocal, each for its own running fiber.
#ifndef GROVE_RUNTIME_HUB_FIBER_LOCAL_H_
#define GROVE_RUNTIME_HUB_FIBER_LOCAL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "runtime/hub/fiber.h"

namespace grove {

enum class Inheritance : uint8_t { kNone, kCopied };

// One fiber's values, by key. Searched one by one: a program has a handful of FiberLocals.
class FiberLocalMap {
 public:
  struct Type {
    void (*destroy)(void* value);
    void* (*copy)(const void* value);  // null: not inherited
  };

  FiberLocalMap() = default;
  ~FiberLocalMap();
  FiberLocalMap(const FiberLocalMap&) = delete;
  FiberLocalMap& operator=(const FiberLocalMap&) = delete;

  // The running fiber's; null if it has none and `make` is false. Requires: a fiber runs.
  static FiberLocalMap* OfRunning(bool make);
  // Never given out twice, so the values of a FiberLocal that died are nobody else's.
  static uint64_t NewKey();

  void* Find(uint64_t key) const;
  // Requires: no value under `key`. Takes `value` over.
  void Add(uint64_t key, void* value, const Type& type);
  void Remove(uint64_t key);
  // What a fiber spawned now inherits; null if nothing.
  std::unique_ptr<FiberLocalMap> CopyInherited() const;

 private:
  struct Value {
    uint64_t key;
    void* value;
    const Type* type;
  };
  std::vector<Value> values_;
};

template <typename T, Inheritance inheritance = Inheritance::kNone>
class FiberLocal {
 public:
  static_assert(inheritance == Inheritance::kNone || std::is_copy_constructible_v<T>,
                "what fibers inherit is copied");

  // `initial` makes the value at a fiber's first Get().
  explicit FiberLocal(std::function<T()> initial = [] { return T(); })
      : initial_(std::move(initial)) {}
  FiberLocal(const FiberLocal&) = delete;
  FiberLocal& operator=(const FiberLocal&) = delete;

  // The running fiber's value. Stays where it is until Clear() or the fiber's end.
  T& Get() {
    if (T* value = Find()) return *value;
    return Add(std::make_unique<T>(initial_()));
  }
  // Null if there is none.
  T* Find() const {
    const FiberLocalMap* map = FiberLocalMap::OfRunning(false);
    return map == nullptr ? nullptr : static_cast<T*>(map->Find(key_));
  }
  void Set(T value) {
    if (T* old = Find()) {
      *old = std::move(value);
    } else {
      Add(std::make_unique<T>(std::move(value)));
    }
  }
  // The next Get() makes it anew.
  void Clear() {
    if (FiberLocalMap* map = FiberLocalMap::OfRunning(false)) map->Remove(key_);
  }

 private:
  static void Destroy(void* value) { delete static_cast<T*>(value); }
  static void* Copy(const void* value) {
    if constexpr (inheritance == Inheritance::kCopied) {
      return new T(*static_cast<const T*>(value));
    } else {
      return nullptr;
    }
  }
  static constexpr FiberLocalMap::Type kType{&Destroy,
                                             inheritance == Inheritance::kCopied ? &Copy : nullptr};

  T& Add(std::unique_ptr<T> value) {
    T& added = *value;
    FiberLocalMap::OfRunning(true)->Add(key_, value.get(), kType);
    (void)value.release();  // the map's now
    return added;
  }

  const uint64_t key_ = FiberLocalMap::NewKey();
  const std::function<T()> initial_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_HUB_FIBER_LOCAL_H_
