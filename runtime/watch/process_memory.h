// ProcessMemory: what stands in the memory of another process, which may run or go meanwhile.
//
// By process_vm_readv(2): for processes of the same user, as far as ptrace(2)'s rules allow. Reads
// only, stops nobody. Any thread.
#ifndef GROVE_RUNTIME_WATCH_PROCESS_MEMORY_H_
#define GROVE_RUNTIME_WATCH_PROCESS_MEMORY_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#include "absl/status/statusor.h"

namespace grove {

class ProcessMemory {
 public:
  explicit ProcessMemory(pid_t pid) : pid_(pid) {}

  pid_t pid() const { return pid_; }

  // All of it, or kNotFound: the process is gone; kPermissionDenied; kOutOfRange: not all of that
  // is mapped.
  absl::Status Read(uintptr_t address, void* to, size_t bytes) const;

  template <typename T>
  absl::StatusOr<T> Get(uintptr_t address) const {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    if (absl::Status read = Read(address, &value, sizeof(value)); !read.ok()) return read;
    return value;
  }
  // `bytes` of text, cut at kTextMax; "?" if it cannot be read.
  std::string Text(uintptr_t address, size_t bytes) const;
  // The same up to a zero byte.
  std::string CString(uintptr_t address) const;

  static constexpr size_t kTextMax = 256;

 private:
  const pid_t pid_;
};

}  // namespace grove

#endif  // GROVE_RUNTIME_WATCH_PROCESS_MEMORY_H_
