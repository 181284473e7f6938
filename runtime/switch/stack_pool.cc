#include "runtime/switch/stack_pool.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#if defined(GROVE_ASAN)
#include <sanitizer/asan_interface.h>
#endif

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "runtime/switch/errno_status.h"

namespace grove {
namespace {

// Linux 6.13, madvise(2); glibc 2.36 has no name for it.
constexpr int kMadvGuardInstall = 102;
constexpr size_t kSlabBytes = 64 << 20;
constexpr size_t kStackBytesMin = 16 * 1024;
// Equal alignment would let the hot ends of all stacks fight for the same cache sets, so each
// stack starts one of 16 lines lower. All of it stays within the page that is touched anyway.
constexpr size_t kColours = 16;
constexpr size_t kColourBytes = 64;

size_t PageBytes() {
  static const size_t bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

size_t RoundUp(size_t value, size_t unit) {
  return (value + unit - 1) / unit * unit;
}

}  // namespace

StackPool::StackPool(Options options)
    : options_{RoundUp(std::max(options.stack_bytes, kStackBytesMin), PageBytes()),
               options.stacks_max},
      stacks_per_slab_(std::max<size_t>(kSlabBytes / options_.stack_bytes, 1)) {}

StackPool::~StackPool() {
  for (char* slab : slabs_) {
#if defined(GROVE_ASAN)
    // As in Acquire(), for whoever maps memory here next.
    ASAN_UNPOISON_MEMORY_REGION(slab, stacks_per_slab_ * options_.stack_bytes);
#endif
    munmap(slab, stacks_per_slab_ * options_.stack_bytes);
  }
}

absl::Status StackPool::AddSlab() {
  const size_t bytes = stacks_per_slab_ * options_.stack_bytes;
  void* slab = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (slab == MAP_FAILED)
    return ErrnoStatus(errno, absl::StrCat("mmap of ", bytes, " bytes of stacks"));
  // Before the first touch. A huge page would make the first touch of one stack cost the memory
  // of 32.
  madvise(slab, bytes, MADV_NOHUGEPAGE);
  slabs_.push_back(static_cast<char*>(slab));
  free_.reserve(slabs_.size() * stacks_per_slab_);  // Release() never allocates
  return absl::OkStatus();
}

absl::Status StackPool::Guard(char* low) {
  if (!guard_by_mprotect_) {
    if (madvise(low, PageBytes(), kMadvGuardInstall) == 0) return absl::OkStatus();
    if (errno != EINVAL && !IsNotOffered(errno)) {
      return ErrnoStatus(errno, "madvise(MADV_GUARD_INSTALL)");
    }
    guard_by_mprotect_ = true;  // EINVAL: an older kernel
  }
  if (mprotect(low, PageBytes(), PROT_NONE) == 0) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrFormat(
      "cannot guard stack %d: mprotect: %s (vm.max_map_count bounds guarded stacks on kernels "
      "before 6.13)",
      made_, strerror(errno)));
}

absl::StatusOr<Stack> StackPool::Acquire() {
  // What was given back last comes first: its pages are there, and warm.
  if (!free_.empty()) {
    const Stack stack = free_.back();
    free_.pop_back();
#if defined(GROVE_ASAN)
    // Frames that were left for good have their red zones still poisoned.
    ASAN_UNPOISON_MEMORY_REGION(stack.low, stack.high - stack.low);
#endif
    return stack;
  }
  // The limit of fibers (invariant 12): nothing else bounds them.
  if (made_ >= options_.stacks_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat("fiber limit reached: ", options_.stacks_max, " fibers are alive"));
  }
  if (made_ / stacks_per_slab_ >= slabs_.size()) {
    if (absl::Status status = AddSlab(); !status.ok()) return status;
  }
  char* base = slabs_[made_ / stacks_per_slab_] + made_ % stacks_per_slab_ * options_.stack_bytes;
  // Guarded before it is counted: one that can't be is tried again by the next, not handed out.
  if (absl::Status status = Guard(base); !status.ok()) return status;
  const uint32_t index = static_cast<uint32_t>(made_++);
  return Stack{.low = base + PageBytes(),
               .high = base + options_.stack_bytes - index % kColours * kColourBytes,
               .index = index};
}

bool StackPool::IsGuard(const void* address, uint32_t* index) const {
  const char* at = static_cast<const char*>(address);
  for (size_t i = 0; i < slabs_.size(); ++i) {
    if (at < slabs_[i] || at >= slabs_[i] + stacks_per_slab_ * options_.stack_bytes) continue;
    const size_t offset = at - slabs_[i];
    *index = static_cast<uint32_t>(i * stacks_per_slab_ + offset / options_.stack_bytes);
    return offset % options_.stack_bytes < PageBytes();
  }
  return false;
}

const char* StackPool::LowestTouched(const Stack& stack) {
  constexpr size_t kPagesAtOnce = 256;
  unsigned char resident[kPagesAtOnce];
  for (char* at = stack.low; at < stack.high; at += kPagesAtOnce * PageBytes()) {
    const size_t bytes =
        std::min<size_t>(RoundUp(stack.high - at, PageBytes()), kPagesAtOnce * PageBytes());
    if (mincore(at, bytes, resident) != 0) return stack.high;
    for (size_t page = 0; page < bytes / PageBytes(); ++page) {
      if ((resident[page] & 1) != 0) return at + page * PageBytes();
    }
  }
  return stack.high;
}

}  // namespace grove
