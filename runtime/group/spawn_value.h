// SpawnValue: a fiber with a result.
//
// The handle's Join() returns what the body returned: by many fibers, more than once, and also
// after the end. The value lives as long as a handle does, and so does the ended fiber's stack.
//
//   auto answer = SpawnValue("fetch", [&]() -> absl::StatusOr<std::string> { … });
//   absl::StatusOr<std::string> text = answer->Join();
//
// Hub thread only.
#ifndef GROVE_RUNTIME_GROUP_SPAWN_VALUE_H_
#define GROVE_RUNTIME_GROUP_SPAWN_VALUE_H_

#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/statusor.h"
#include "runtime/hub/hub.h"

namespace grove {

// A counted reference to a fiber and its result. Dropping it does not end the fiber.
template <typename T>
class ValueHandle {
 public:
  ValueHandle(FiberHandle fiber, std::shared_ptr<std::optional<T>> value)
      : fiber_(std::move(fiber)), value_(std::move(value)) {}

  bool ended() const { return fiber_.ended(); }
  const FiberHandle& fiber() const { return fiber_; }
  void Cancel() { fiber_.Cancel(); }

  // A copy of the value; the body's failure; kCancelled if it never started; kUnknown with the text
  // of what() if an exception left it; kFailedPrecondition after Take(). kDeadlineExceeded /
  // kCancelled of the caller's own leave the fiber running: ended() is false then. **Parks.**
  absl::StatusOr<T> Join() { return Copy(fiber_.Join()); }
  // As Join(), but throws on the exception that left the body. **Parks.**
  absl::StatusOr<T> JoinOrThrow() { return Copy(fiber_.JoinOrThrow()); }
  // As Join(), but moves the value out: for one joiner, or a type that can't be copied. **Parks.**
  absl::StatusOr<T> Take() {
    if (absl::Status status = fiber_.Join(); !status.ok()) return status;
    if (!value_->has_value()) return Taken();
    absl::StatusOr<T> taken = *std::move(*value_);
    value_->reset();
    return taken;
  }

 private:
  static absl::Status Taken() {
    return absl::FailedPreconditionError("the fiber's value has been taken already");
  }
  absl::StatusOr<T> Copy(const absl::Status& status) const {
    if (!status.ok()) return status;
    if (!value_->has_value()) return Taken();
    return **value_;
  }

  FiberHandle fiber_;
  std::shared_ptr<std::optional<T>> value_;
};

namespace internal {

template <typename R>
struct ResultOf {
  using Type = R;
};
template <typename T>
struct ResultOf<absl::StatusOr<T>> {
  using Type = T;
};

}  // namespace internal

// Starts `body` (T() or absl::StatusOr<T>()). As Spawn otherwise.
template <typename F>
auto SpawnValue(SpawnOptions options, F&& body, SourceLocation site = SourceLocation::Current()) {
  using Returned = std::invoke_result_t<std::decay_t<F>&>;
  using T = typename internal::ResultOf<Returned>::Type;
  static_assert(!std::is_void_v<T> && !std::is_same_v<T, absl::Status>, "without a value: Spawn");
  auto value = std::make_shared<std::optional<T>>();
  absl::StatusOr<FiberHandle> fiber = Spawn(
      std::move(options),
      [value, body = std::forward<F>(body)]() mutable -> absl::Status {
        Returned returned = body();
        if constexpr (std::is_same_v<Returned, T>) {
          value->emplace(std::move(returned));
        } else {
          if (!returned.ok()) return returned.status();
          value->emplace(*std::move(returned));
        }
        return absl::OkStatus();
      },
      site);
  using Handle = absl::StatusOr<ValueHandle<T>>;
  return fiber.ok() ? Handle(ValueHandle<T>(*std::move(fiber), std::move(value)))
                    : Handle(fiber.status());
}
template <typename F>
auto SpawnValue(std::string_view name, F&& body, SourceLocation site = SourceLocation::Current()) {
  return SpawnValue(SpawnOptions{.name = name}, std::forward<F>(body), site);
}

}  // namespace grove

#endif  // GROVE_RUNTIME_GROUP_SPAWN_VALUE_H_
