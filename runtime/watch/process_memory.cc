#include "runtime/watch/process_memory.h"

#include <sys/uio.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "runtime/switch/errno_status.h"

namespace grove {

absl::Status ProcessMemory::Read(uintptr_t address, void* to, size_t bytes) const {
  if (bytes == 0) return absl::OkStatus();
  const iovec here{.iov_base = to, .iov_len = bytes};
  const iovec there{.iov_base = reinterpret_cast<void*>(address), .iov_len = bytes};
  const ssize_t got = process_vm_readv(pid_, &here, 1, &there, 1, 0);
  if (got == static_cast<ssize_t>(bytes)) return absl::OkStatus();
  if (got >= 0 || errno == EFAULT) {
    return absl::OutOfRangeError(absl::StrCat("process ", pid_, ": nothing is mapped there"));
  }
  if (errno == ESRCH) return absl::NotFoundError(absl::StrCat("process ", pid_, " is gone"));
  if (errno == EPERM || errno == ENOSYS) {
    return absl::PermissionDeniedError(
        absl::StrCat("reading the memory of process ", pid_,
                     " is not allowed here (kernel.yama.ptrace_scope, or a seccomp filter)"));
  }
  return ErrnoStatus(errno, "process_vm_readv");
}

std::string ProcessMemory::Text(uintptr_t address, size_t bytes) const {
  std::string text(std::min(bytes, kTextMax), '\0');
  return Read(address, text.data(), text.size()).ok() ? text : "?";
}

std::string ProcessMemory::CString(uintptr_t address) const {
  // In pieces that end with their page: what lies behind need not be mapped.
  constexpr size_t kPiece = 64;
  std::string text;
  while (text.size() < kTextMax) {
    const size_t bytes = kPiece - (address + text.size()) % kPiece;
    const size_t before = text.size();
    text.resize(before + bytes);
    if (!Read(address + before, text.data() + before, bytes).ok()) return "?";
    const size_t end = text.find('\0', before);
    if (end != text.npos) return text.substr(0, end);
  }
  return text;
}

}  // namespace grove
