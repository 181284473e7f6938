#include "runtime/hub/wait_for.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace grove {
namespace {

TEST(WaitFor, EveryKindHasANameOfItsOwn) {
  std::set<std::string_view> names;
  const int last = static_cast<int>(WaitFor::Kind::kOffload);
  for (int kind = 0; kind <= last; ++kind) {
    const std::string_view name = WaitForKindName(static_cast<WaitFor::Kind>(kind));
    EXPECT_NE(name, "?");
    EXPECT_TRUE(names.insert(name).second) << name;
  }
}

TEST(WaitFor, TextNamesTheDescriptorOrTheObject) {
  EXPECT_EQ(WaitForText({}), "");
  EXPECT_EQ(WaitForText({.kind = WaitFor::Kind::kTimer}), "timer");
  EXPECT_EQ(WaitForText({.kind = WaitFor::Kind::kProcess, .fd = 7}), "process fd 7");
  EXPECT_EQ(WaitForText(
                {.kind = WaitFor::Kind::kQueuePut, .object = reinterpret_cast<const void*>(0x10)}),
            "queue put 0x10");
}

}  // namespace
}  // namespace grove
