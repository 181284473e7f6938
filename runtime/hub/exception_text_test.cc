#include "runtime/hub/exception_text.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace grove {
namespace {

template <typename T>
std::string Described(T thrown, std::string_view where) {
  try {
    throw thrown;
  } catch (...) {
    return DescribeCurrentException(where);
  }
}

TEST(ExceptionText, SaysWhereAndWhat) {
  EXPECT_EQ(Described(std::runtime_error("oops"), "fiber \"f\""), "exception in fiber \"f\": oops");
  EXPECT_EQ(Described(std::runtime_error("oops"), ""), "exception: oops");
}

TEST(ExceptionText, SaysThatTheTypeIsUnknown) {
  EXPECT_EQ(Described(42, "a call"), "exception of unknown type in a call");
  EXPECT_EQ(Described(42, ""), "exception of unknown type");
}

TEST(ExceptionText, OutsideACatchBlockThereIsNone) {
  EXPECT_DEATH((void)DescribeCurrentException(), "no exception is being handled");
}

}  // namespace
}  // namespace grove
