#include "runtime/hub/run_queue.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "runtime/hub/hub_fixture.h"

namespace grove {
namespace {

// Fibers "a" to "d" on a queue of the test's own; their links stand beside them.
class RunQueueTest : public HubTest {
 protected:
  auto Next() {
    return [this](Fiber& fiber) -> Fiber*& { return links_[&fiber]; };
  }
  void WithFibers(const std::function<void()>& body) {
    Run([&] {
      for (const char* name : {"a", "b", "c", "d"}) fibers_.push_back(*Spawn(name, [] {}));
      body();
      fibers_.clear();
    });
  }
  void Push(int place) { queue_.Push(*fibers_[place], Next()); }
  // The names of those that are left, by popping them all.
  std::string Drain() {
    std::string names;
    while (!queue_.empty()) names += queue_.Pop(Next()).name();
    return names;
  }

  std::vector<FiberHandle> fibers_;
  std::map<Fiber*, Fiber*> links_;
  RunQueue queue_;
};

TEST_F(RunQueueTest, TheFirstInIsTheFirstOut) {
  WithFibers([this] {
    EXPECT_TRUE(queue_.empty());
    for (const int place : {2, 0, 1}) Push(place);
    EXPECT_EQ(queue_.Pop(Next()).name(), "c");
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
    queue_.Rotate(Next());  // alone, it stays
    Push(1);
    Push(2);
    queue_.Rotate(Next());
    EXPECT_EQ(Drain(), "bca");
  });
}

TEST_F(RunQueueTest, CountsWhatWasPushedAndNotWhatWasRotated) {
  WithFibers([this] {
    Push(0);
    Push(1);
    queue_.Rotate(Next());
    EXPECT_EQ(Drain(), "ba");
    Push(2);
    EXPECT_EQ(queue_.pushed(), 3u);
    EXPECT_EQ(Drain(), "c");
  });
}

}  // namespace
}  // namespace grove
