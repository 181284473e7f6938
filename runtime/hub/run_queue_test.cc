#include "runtime/hub/run_queue.h"

#include <functional>
#include <string>
#include <vector>

#include "runtime/hub/hub_fixture.h"
#include "runtime/sync/event.h"

namespace grove {
namespace {

// Parked fibers "a" to "d", which are on no queue of the hub's, and a queue of the test's own.
class RunQueueTest : public HubTest {
 protected:
  void WithFibers(const std::function<void()>& body) {
    Run([&] {
      Event gate;
      for (const char* name : {"a", "b", "c", "d"}) {
        fibers_.push_back(*Spawn(name, [&gate] { EXPECT_TRUE(gate.Wait().ok()); }));
      }
      Yield();
      body();
      ASSERT_TRUE(queue_.empty());
      gate.Set();
      for (FiberHandle& fiber : fibers_) EXPECT_TRUE(fiber.Join().ok());
      fibers_.clear();
    });
  }
  void Push(int place) { queue_.Push(*fibers_[place]); }
  // The names of those that are left, by popping them all.
  std::string Drain() {
    std::string names;
    while (!queue_.empty()) names += queue_.Pop().name();
    return names;
  }

  std::vector<FiberHandle> fibers_;
  RunQueue queue_;
};

TEST_F(RunQueueTest, TheFirstInIsTheFirstOut) {
  WithFibers([this] {
    EXPECT_TRUE(queue_.empty());
    for (const int place : {2, 0, 1}) Push(place);
    EXPECT_EQ(queue_.Pop().name(), "c");
    Push(3);
    EXPECT_EQ(Drain(), "abd");
    EXPECT_TRUE(queue_.empty());
  });
}

TEST_F(RunQueueTest, OneThatWasEmptiedTakesFibersAgain) {
  WithFibers([this] {
    for (int round = 0; round < 2; ++round) {
      Push(0);
      Push(1);
      EXPECT_EQ(Drain(), "ab");
    }
  });
}

TEST_F(RunQueueTest, RotatingMakesTheFirstTheLast) {
  WithFibers([this] {
    Push(0);
    queue_.Rotate();  // alone, it stays
    Push(1);
    Push(2);
    queue_.Rotate();
    EXPECT_EQ(Drain(), "bca");
  });
}

TEST_F(RunQueueTest, CountsWhatWasPushedAndNotWhatWasRotated) {
  WithFibers([this] {
    Push(0);
    Push(1);
    queue_.Rotate();
    EXPECT_EQ(Drain(), "ba");
    Push(2);
    EXPECT_EQ(queue_.pushed(), 3u);
    EXPECT_EQ(Drain(), "c");
  });
}

}  // namespace
}  // namespace grove
