// RingBuffer: values in the order they came, in one array that grows by doubling.
//
// Unlike std::deque it allocates nothing while it holds no more than it once held, and asking for
// its size is one load. Not shrunk before it is destroyed.
#ifndef GROVE_RUNTIME_SYNC_RING_BUFFER_H_
#define GROVE_RUNTIME_SYNC_RING_BUFFER_H_

#include <cstddef>
#include <memory>
#include <utility>

#include "runtime/hub/check.h"

namespace grove {

template <typename T>
class RingBuffer {
 public:
  RingBuffer() = default;
  ~RingBuffer() {
    while (!empty()) (void)Pop();
    std::allocator<T>().deallocate(slots_, capacity_);
  }
  RingBuffer(const RingBuffer&) = delete;
  RingBuffer& operator=(const RingBuffer&) = delete;

  void Push(T&& value) {
    if (size_ == capacity_) [[unlikely]]
      Grow();
    std::construct_at(slots_ + ((first_ + size_) & (capacity_ - 1)), std::move(value));
    ++size_;
  }
  // Requires: not empty.
  T Pop() {
    GROVE_CHECK(size_ > 0, "popped from an empty ring buffer");
    T* const slot = slots_ + first_;
    T value = std::move(*slot);
    std::destroy_at(slot);
    first_ = (first_ + 1) & (capacity_ - 1);
    --size_;
    return value;
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  static constexpr size_t kCapacityMin = 8;  // a power of two, as every capacity

  void Grow() {
    const size_t capacity = capacity_ == 0 ? kCapacityMin : 2 * capacity_;
    T* const slots = std::allocator<T>().allocate(capacity);
    for (size_t i = 0; i < size_; ++i) {
      T* const old = slots_ + ((first_ + i) & (capacity_ - 1));
      std::construct_at(slots + i, std::move(*old));
      std::destroy_at(old);
    }
    std::allocator<T>().deallocate(slots_, capacity_);
    slots_ = slots;
    capacity_ = capacity;
    first_ = 0;
  }

  T* slots_ = nullptr;
  size_t capacity_ = 0;
  size_t first_ = 0;
  size_t size_ = 0;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_SYNC_RING_BUFFER_H_
