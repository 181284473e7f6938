// GROVE_RETURN_IF_ERROR, GROVE_ASSIGN_OR_RETURN: pass an error on to the caller.
//
//   GROVE_RETURN_IF_ERROR(socket.Write("hello\n"));
//   GROVE_ASSIGN_OR_RETURN(const std::string line, reader.ReadLine());
//
// For functions and lambdas that return absl::Status or absl::StatusOr of anything. A lambda whose
// other returns are absl::Status needs no return type. What the error should say beside stays an
// `if`: these pass it on as it is.
#ifndef GROVE_RUNTIME_SWITCH_STATUS_MACROS_H_
#define GROVE_RUNTIME_SWITCH_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Evaluates an absl::Status or StatusOr once, and returns its status unless that is OK; a value is
// dropped. A statement: may be the whole of an `if` or `else`.
#define GROVE_RETURN_IF_ERROR(...)                                                        \
  if (absl::Status grove_status = ::grove::status_macros_internal::StatusOf(__VA_ARGS__); \
      grove_status.ok()) {                                                                \
  } else                                                                                  \
    return grove_status

// Evaluates an absl::StatusOr once; returns its status unless that is OK, else moves its value into
// `target`, a declaration or what can be assigned to. Several statements: not the whole of an `if`.
// `target` may hold no comma: declare the variable above.
#define GROVE_ASSIGN_OR_RETURN(target, ...) \
  GROVE_ASSIGN_OR_RETURN_AS(GROVE_STATUS_MACROS_JOIN(grove_result_, __LINE__), target, __VA_ARGS__)

#define GROVE_STATUS_MACROS_JOIN(a, b) GROVE_STATUS_MACROS_JOIN_NOW(a, b)
#define GROVE_STATUS_MACROS_JOIN_NOW(a, b) a##b
// NOLINTBEGIN(bugprone-macro-parentheses): a declaration can't stand in parentheses.
#define GROVE_ASSIGN_OR_RETURN_AS(result, target, ...)        \
  auto result = (__VA_ARGS__);                                \
  if (!result.ok()) [[unlikely]]                              \
    return ::grove::status_macros_internal::StatusOf(result); \
  target = *std::move(result)
// NOLINTEND(bugprone-macro-parentheses)

namespace grove::status_macros_internal {

inline absl::Status StatusOf(absl::Status status) {
  return status;
}
template <typename T>
absl::Status StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

}  // namespace grove::status_macros_internal

#endif  // GROVE_RUNTIME_SWITCH_STATUS_MACROS_H_
