#include "runtime/switch/stack_pool.h"

#include "runtime/hub/hub_fixture.h"

namespace grove {
namespace {

// More than a process can address (47 bits): the kernel refuses whatever the machine has.
constexpr size_t kTooMuch = size_t{1} << 47;

TEST(StackPool, WithoutMemoryItSaysSoAndHowMuchItAskedFor) {
  StackPool stacks({.stack_bytes = kTooMuch});
  const absl::Status refused = stacks.Acquire().status();
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_NE(refused.message().find("140737488355328 bytes"), refused.message().npos) << refused;
  EXPECT_EQ(stacks.made(), 0u);
}

TEST(StackPool, HandsOutAtMostItsLimitAndTheLastReleasedFirst) {
  StackPool stacks({.stacks_max = 2});
  const Stack first = *stacks.Acquire();
  const Stack second = *stacks.Acquire();
  EXPECT_TRUE(absl::IsResourceExhausted(stacks.Acquire().status()));
  stacks.Release(first);
  stacks.Release(second);
  EXPECT_EQ(stacks.Acquire()->index, second.index);
  EXPECT_EQ(stacks.in_use(), 1u);
}

TEST(StackPool, BelowEachStackLiesItsGuard) {
  StackPool stacks({.stack_bytes = 64 * 1024});
  ASSERT_TRUE(stacks.Acquire().ok());
  const Stack stack = *stacks.Acquire();
  uint32_t index = 99;
  EXPECT_FALSE(stacks.IsGuard(stack.low, &index));
  EXPECT_TRUE(stacks.IsGuard(stack.low - 1, &index));
  EXPECT_EQ(index, stack.index);
  EXPECT_DEATH(stack.low[-1] = 1, "");
}

TEST(Hub, WithoutMemoryForAStackRunAndSpawnReturnAStatus) {
  auto hub = *Hub::Create({.stack_bytes = kTooMuch});
  EXPECT_TRUE(absl::IsResourceExhausted(hub->Run([] { ADD_FAILURE(); })));
  EXPECT_EQ(hub->Stats().spawned, hub->Stats().ended);
}

}  // namespace
}  // namespace grove
