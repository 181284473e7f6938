#include "runtime/sync/ring_buffer.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace grove {
namespace {

TEST(RingBuffer, KeepsTheOrderAcrossItsEndAndItsGrowth) {
  RingBuffer<int> ring;
  int in = 0;
  int out = 0;
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 3 + round % 5; ++i) ring.Push(int{in++});
    for (int i = 0; i < 3; ++i) EXPECT_EQ(ring.Pop(), out++);
  }
  while (!ring.empty()) EXPECT_EQ(ring.Pop(), out++);
  EXPECT_EQ(out, in);
}

TEST(RingBuffer, HoldsWhatCanOnlyBeMovedAndDestroysWhatIsLeft) {
  const auto watched = std::make_shared<int>(1);
  {
    RingBuffer<std::shared_ptr<int>> ring;
    for (int i = 0; i < 20; ++i) ring.Push(std::shared_ptr<int>(watched));
    EXPECT_EQ(ring.Pop(), watched);
    EXPECT_EQ(watched.use_count(), 20);
    RingBuffer<std::unique_ptr<std::string>> moved;
    moved.Push(std::make_unique<std::string>("x"));
    EXPECT_EQ(*moved.Pop(), "x");
  }
  EXPECT_EQ(watched.use_count(), 1);
}

TEST(RingBufferDeathTest, PoppingFromAnEmptyOneFailsACheck) {
  RingBuffer<int> ring;
  EXPECT_DEATH((void)ring.Pop(), "empty ring buffer");
}

}  // namespace
}  // namespace grove
