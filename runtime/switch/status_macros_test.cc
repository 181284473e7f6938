#include "runtime/switch/status_macros.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace grove {
namespace {

absl::StatusOr<int> Half(int number) {
  if (number % 2 != 0) return absl::InvalidArgumentError("odd");
  return number / 2;
}

absl::StatusOr<std::string> Quarter(int number) {
  GROVE_ASSIGN_OR_RETURN(const int half, Half(number));
  GROVE_ASSIGN_OR_RETURN(int quarter, Half(half));
  GROVE_ASSIGN_OR_RETURN(quarter, absl::StatusOr<int>(quarter));  // to what is there
  return std::to_string(quarter);
}

TEST(StatusMacros, AssignTheValueOrPassTheErrorOn) {
  EXPECT_EQ(*Quarter(12), "3");
  EXPECT_EQ(Quarter(6).status(), absl::InvalidArgumentError("odd"));
}

TEST(StatusMacros, ReturnTheErrorOfAStatusAndOfAResult) {
  int reached = 0;
  const auto both = [&](absl::Status status, absl::StatusOr<int> result) {
    GROVE_RETURN_IF_ERROR(status);
    ++reached;
    GROVE_RETURN_IF_ERROR(result);
    ++reached;
    return absl::OkStatus();  // no type is written: all returns are absl::Status
  };
  EXPECT_TRUE(absl::IsNotFound(both(absl::NotFoundError(""), 1)));
  EXPECT_EQ(reached, 0);
  EXPECT_TRUE(absl::IsAborted(both(absl::OkStatus(), absl::AbortedError(""))));
  EXPECT_EQ(reached, 1);
  EXPECT_TRUE(both(absl::OkStatus(), 1).ok());
  EXPECT_EQ(reached, 3);
}

TEST(StatusMacros, EvaluateTheirExpressionOnce) {
  int calls = 0;
  const auto call = [&]() -> absl::StatusOr<int> { return ++calls; };
  const auto twice = [&]() -> absl::Status {
    GROVE_RETURN_IF_ERROR(call());
    GROVE_ASSIGN_OR_RETURN([[maybe_unused]] const int value, call());
    return absl::OkStatus();
  };
  EXPECT_TRUE(twice().ok());
  EXPECT_EQ(calls, 2);
}

TEST(StatusMacros, MoveWhatCannotBeCopied) {
  const auto take = []() -> absl::StatusOr<std::unique_ptr<int>> {
    GROVE_ASSIGN_OR_RETURN(std::unique_ptr<int> taken,
                           absl::StatusOr<std::unique_ptr<int>>(std::make_unique<int>(7)));
    return taken;
  };
  EXPECT_EQ(**take(), 7);
}

TEST(StatusMacros, AnElseBehindAReturnBelongsToTheIfAround) {
  const auto check = [](bool first, const absl::Status& status, int& otherwise) {
    if (first)
      GROVE_RETURN_IF_ERROR(status);
    else
      ++otherwise;
    return absl::OkStatus();
  };
  int otherwise = 0;
  EXPECT_TRUE(absl::IsNotFound(check(true, absl::NotFoundError(""), otherwise)));
  EXPECT_TRUE(check(true, absl::OkStatus(), otherwise).ok());
  EXPECT_EQ(otherwise, 0);
  EXPECT_TRUE(check(false, absl::NotFoundError(""), otherwise).ok());
  EXPECT_EQ(otherwise, 1);
}

// Commas outside of parentheses are no arguments of the macro's.
TEST(StatusMacros, TakeExpressionsWithCommas) {
  const auto build = []() -> absl::StatusOr<int> {
    GROVE_ASSIGN_OR_RETURN(const int value, absl::StatusOr<int>{std::pair<int, int>(1, 2).second});
    GROVE_RETURN_IF_ERROR(std::pair<absl::Status, int>{absl::OkStatus(), 1}.first);
    return value;
  };
  EXPECT_EQ(*build(), 2);
}

}  // namespace
}  // namespace grove
