// CHECK: states a programming error. The process dies with the place, the condition and the fiber.
//
// Nothing that data, network or operator can cause is a CHECK. A DCHECK is one that a hot path
// could not afford: it is there in debug builds, under the sanitizers and in the tests that are
// compiled for it (GROVE_DCHECKS), and costs nothing elsewhere.
#ifndef GROVE_RUNTIME_HUB_CHECK_H_
#define GROVE_RUNTIME_HUB_CHECK_H_

#include <string_view>

namespace grove {

[[noreturn]] void CheckFailed(const char* file, int line, const char* condition,
                              std::string_view message);

// The kernel refuses what this process cannot be without, for good: says so on standard error and
// dies (SIGABRT), where going on would be to spin. For what an EINTR or a fall-back has not mended.
[[noreturn]] void Die(std::string_view message);

}  // namespace grove

#define GROVE_CHECK(condition, message)                              \
  do {                                                               \
    if (!(condition)) [[unlikely]]                                   \
      ::grove::CheckFailed(__FILE__, __LINE__, #condition, message); \
  } while (false)

#if defined(GROVE_DCHECKS) || !defined(NDEBUG)
#define GROVE_DCHECKS_ARE_ON 1
#define GROVE_DCHECK(condition, message) GROVE_CHECK(condition, message)
#else
#define GROVE_DCHECKS_ARE_ON 0
#define GROVE_DCHECK(condition, message)        \
  do {                                          \
    if (false) GROVE_CHECK(condition, message); \
  } while (false)
#endif

#endif  // GROVE_RUNTIME_HUB_CHECK_H_
