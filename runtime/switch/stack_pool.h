// StackPool: guarded stacks of one size, reused last-in first-out.
//
// Memory is reserved in slabs and touched only where fibers run. Below every stack lies a guard
// region: MADV_GUARD_INSTALL where the kernel has it (Linux 6.13; costs no VMA, so a million
// stacks fit), else mprotect (two VMAs a stack: near 32,000 at the default vm.max_map_count).
// The index of a stack is small and dense: it is the slot of its fiber in the hub's registry.
// Owned by one Hub; hub thread only.
#ifndef GROVE_RUNTIME_SWITCH_STACK_POOL_H_
#define GROVE_RUNTIME_SWITCH_STACK_POOL_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

namespace grove {

struct Stack {
  char* low = nullptr;   // lowest usable byte; the guard lies below
  char* high = nullptr;  // one past the highest usable byte, 64-aligned, coloured (see .cc)
  uint32_t index = 0;
};

class StackPool {
 public:
  struct Options {
    // Reserved for each stack, guard included; rounded up to pages, at least 16 KiB.
    size_t stack_bytes = 64 * 1024;
    // Acquire() fails beyond: kResourceExhausted.
    uint32_t stacks_max = 1'000'000;
  };

  explicit StackPool(Options options);
  ~StackPool();
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;

  // kResourceExhausted at stacks_max, or when the kernel refuses memory or guards.
  absl::StatusOr<Stack> Acquire();
  // The caller may still be running on it, until it leaves for good.
  void Release(const Stack& stack) { free_.push_back(stack); }

  size_t in_use() const { return made_ - free_.size(); }
  size_t made() const { return made_; }
  size_t stack_bytes() const { return options_.stack_bytes; }
  // Whether `address` lies in a guard region; then `*index` names the stack.
  bool IsGuard(const void* address, uint32_t* index) const;
  // The start of the lowest page of `stack` that is in memory, whoever touched it; its high end if
  // none is.
  static const char* LowestTouched(const Stack& stack);

 private:
  absl::Status AddSlab();
  absl::Status Guard(char* low);

  const Options options_;
  const size_t stacks_per_slab_;
  std::vector<char*> slabs_;
  std::vector<Stack> free_;
  size_t made_ = 0;
  bool guard_by_mprotect_ = false;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_SWITCH_STACK_POOL_H_
