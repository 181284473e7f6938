// CHECK: states a programming error. The process dies with the place, the condition and the fiber.
//
// Nothing that data, network or operator can cause is a CHECK.
#ifndef GROVE_RUNTIME_HUB_CHECK_H_
#define GROVE_RUNTIME_HUB_CHECK_H_

#include <string_view>

namespace grove {

[[noreturn]] void CheckFailed(const char* file, int line, const char* condition,
                              std::string_view message);

}  // namespace grove

#define GROVE_CHECK(condition, message)                              \
  do {                                                               \
    if (!(condition)) [[unlikely]]                                   \
      ::grove::CheckFailed(__FILE__, __LINE__, #condition, message); \
  } while (false)

#endif  // GROVE_RUNTIME_HUB_CHECK_H_
