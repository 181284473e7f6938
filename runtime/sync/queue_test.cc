// Queue, LifoQueue and PriorityQueue: orders, boundaries, resize, and tasks.
#include "runtime/sync/queue.h"

#include <memory>
#include <ranges>
#include <string>
#include <utility>
#include <vector>

#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/sync/queue_order.h"

namespace grove {
namespace {

using QueueTest = HubTest;
using LifoQueueTest = HubTest;
using PriorityQueueTest = HubTest;

template <typename Q>
auto Drain(Q& queue) {
  std::vector<typename decltype(queue.TryGet())::value_type> got;
  while (auto value = queue.TryGet()) got.push_back(*std::move(value));
  return got;
}

TEST_F(QueueTest, TakesItsCapacityAndNotOneMore) {
  Run([] {
    Queue<int> queue(2);
    EXPECT_TRUE(queue.TryPut(1));
    EXPECT_FALSE(queue.full());
    EXPECT_TRUE(queue.TryPut(2));
    EXPECT_TRUE(queue.full());
    EXPECT_FALSE(queue.TryPut(3));
    EXPECT_EQ(Drain(queue), (std::vector<int>{1, 2}));
  });
}

TEST_F(QueueTest, WithCapacityZeroItIsEmptyAndFullAtOnce) {
  Run([] {
    Queue<int> queue(0);
    EXPECT_TRUE(queue.empty());
    EXPECT_TRUE(queue.full());
  });
}

TEST_F(QueueTest, KeepsOrderAndParksPutterWhileFull) {
  std::vector<int> got;
  Run([&] {
    Queue<int> queue(2);
    auto producer = *Spawn("producer", [&] {
      for (int i = 0; i < 6; ++i) EXPECT_TRUE(queue.Put(i).ok());
      queue.Close();
    });
    Yield();
    EXPECT_EQ(queue.putting(), 1u);
    for (auto value = queue.Get(); value.ok(); value = queue.Get()) got.push_back(*value);
    EXPECT_TRUE(producer.Join().ok());
  });
  EXPECT_EQ(got, (std::vector<int>{0, 1, 2, 3, 4, 5}));
}

TEST_F(QueueTest, WithoutCapacityIsARendezvous) {
  Run([] {
    Queue<std::string> queue(0);
    std::string value = "no getter";
    EXPECT_FALSE(queue.TryPut(std::move(value)));
    EXPECT_EQ(value, "no getter");  // NOLINT(bugprone-use-after-move): it promises that
    auto getter = *Spawn("getter", [&] { EXPECT_EQ(*queue.Get(), "handed over"); });
    EXPECT_TRUE(queue.Put("handed over").ok());
    EXPECT_TRUE(getter.Join().ok());
  });
}

TEST_F(QueueTest, CloseWakesGettersAndPutters) {
  Run([] {
    Queue<int> empty;
    Queue<int> full(0);
    auto getter = *Spawn("getter", [&] { EXPECT_TRUE(absl::IsOutOfRange(empty.Get().status())); });
    auto putter = *Spawn("putter", [&] { EXPECT_TRUE(absl::IsFailedPrecondition(full.Put(1))); });
    Yield();
    empty.Close();
    full.Close();
    EXPECT_TRUE(getter.Join().ok());
    EXPECT_TRUE(putter.Join().ok());
  });
}

TEST_F(QueueTest, ATimedOutPutLeavesNothingAndATimedOutGetTakesNothing) {
  Run([] {
    Queue<int> queue(1);
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(queue.Get().status()));
    }
    EXPECT_TRUE(queue.Put(1).ok());
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(queue.Put(2)));
    }
    EXPECT_EQ(queue.putting() + queue.getting(), 0u);
    EXPECT_EQ(Drain(queue), (std::vector<int>{1}));
    EXPECT_EQ(queue.unfinished(), 1u);
  });
}

TEST_F(QueueTest, ACallOutsideAnyFiberHandsItsValueToAWaitingGetter) {
  Run([] {
    Queue<int> queue(0);
    bool put = false;
    (void)ScheduleCall(absl::Seconds(1), [&] { put = queue.TryPut(7) && !queue.TryPut(8); });
    EXPECT_EQ(*queue.Get(), 7);
    EXPECT_TRUE(put);
    put = false;
    Hub::Current()->Post([&] { put = queue.TryPut(9) && !queue.TryPut(10); });
    EXPECT_EQ(*queue.Get(), 9);
    EXPECT_TRUE(put);
  });
}

TEST_F(QueueTest, APutThatNeedNotWaitNeverSwitches) {
  Run([this] {
    Queue<int> queue(1);
    auto getter = *Spawn("getter", [&] { EXPECT_EQ(*queue.Get(), 1); });
    Yield();
    const uint64_t switches = hub_->Stats().switches;
    EXPECT_TRUE(queue.Put(1).ok());  // to the getter
    EXPECT_TRUE(queue.Put(2).ok());  // there is room
    EXPECT_EQ(hub_->Stats().switches, switches);
    EXPECT_FALSE(getter.ended());
    EXPECT_TRUE(getter.Join().ok());
  });
}

TEST_F(QueueTest, DyingWhileFibersWaitIsAProgrammingError) {
  EXPECT_DEATH(Run([] {
                 auto queue = std::make_unique<Queue<int>>();
                 (void)Spawn("getter", [&q = *queue] { (void)q.Get(); });
                 Yield();
                 queue = nullptr;
               }),
               "a Queue died while fibers wait for it");
}

TEST_F(QueueTest, ACancelledGetterLeavesTheValueToTheNext) {
  Run([] {
    Queue<int> queue;
    auto first = *Spawn("first", [&] { EXPECT_TRUE(absl::IsCancelled(queue.Get().status())); });
    auto second = *Spawn("second", [&] { EXPECT_EQ(*queue.Get(), 7); });
    Yield();
    first.Cancel();
    EXPECT_TRUE(first.Join().ok());
    EXPECT_TRUE(queue.TryPut(7));
    EXPECT_TRUE(second.Join().ok());
  });
}

TEST_F(QueueTest, AGetterThatWasServedKeepsTheValueThoughItIsCancelledInTheSameTurn) {
  Run([] {
    Queue<int> queue;
    auto getter = *Spawn("getter", [&] { EXPECT_EQ(*queue.Get(), 7); });
    Yield();
    EXPECT_TRUE(queue.TryPut(7));
    getter.Cancel();
    EXPECT_TRUE(getter.Join().ok());
  });
}

TEST_F(QueueTest, ServesGettersAndPuttersFirstComeFirstServed) {
  std::vector<std::pair<int, int>> got;
  std::vector<int> put;
  Run([&] {
    Queue<int> queue(1);
    for (int i = 0; i < 3; ++i) {
      (void)Spawn("getter", [&, i] { got.emplace_back(i, *queue.Get()); });
    }
    Yield();
    EXPECT_EQ(queue.getting(), 3u);
    for (int i = 0; i < 7; ++i) {
      (void)Spawn("putter", [&, i] {
        EXPECT_TRUE(queue.Put(i).ok());
        put.push_back(i);
      });
    }
    (void)Sleep(absl::Seconds(1));
    EXPECT_EQ(queue.putting(), 3u);
    for (int i = 3; i < 7; ++i) EXPECT_EQ(*queue.Get(), i);
    (void)Sleep(absl::Seconds(1));
  });
  EXPECT_EQ(got, (std::vector<std::pair<int, int>>{{0, 0}, {1, 1}, {2, 2}}));
  EXPECT_EQ(put, (std::vector<int>{0, 1, 2, 3, 4, 5, 6}));
}

TEST_F(QueueTest, ClosingItKeepsWhatIsThereForTheGetters) {
  Run([] {
    Queue<int> queue;
    EXPECT_TRUE(queue.Put(1).ok());
    queue.Close();
    EXPECT_TRUE(absl::IsFailedPrecondition(queue.Put(2)));
    EXPECT_FALSE(queue.TryPut(2));
    EXPECT_EQ(*queue.Get(), 1);
    EXPECT_TRUE(absl::IsOutOfRange(queue.Get().status()));
  });
}

TEST_F(QueueTest, GrowingLetsInAsManyPuttersAsThereIsRoomFor) {
  Run([] {
    Queue<int> queue(0);
    for (int i = 0; i < 3; ++i) (void)Spawn("putter", [&, i] { (void)queue.Put(i); });
    Yield();
    queue.Resize(2);
    EXPECT_EQ(queue.size(), 2u);
    EXPECT_EQ(queue.putting(), 1u);
    queue.Resize(Queue<int>::kUnbounded);
    EXPECT_EQ(Drain(queue), (std::vector<int>{0, 1, 2}));
  });
}

TEST_F(QueueTest, ShrinkingKeepsTheValuesAndAdmitsNobodyUntilThereIsRoom) {
  Run([] {
    Queue<int> queue(3);
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(queue.Put(i).ok());
    auto putter = *Spawn("putter", [&] { EXPECT_TRUE(queue.Put(3).ok()); });
    Yield();
    queue.Resize(1);
    EXPECT_EQ(queue.size(), 3u);
    EXPECT_EQ(*queue.TryGet(), 0);
    EXPECT_EQ(*queue.TryGet(), 1);
    EXPECT_EQ(queue.putting(), 1u);
    EXPECT_EQ(*queue.TryGet(), 2);
    EXPECT_EQ(queue.putting(), 0u);
    EXPECT_EQ(*queue.Get(), 3);
    EXPECT_TRUE(putter.Join().ok());
  });
}

TEST_F(QueueTest, ShrunkToZeroItBecomesARendezvousOnceItIsEmpty) {
  Run([] {
    Queue<int> queue(1);
    EXPECT_TRUE(queue.Put(1).ok());
    auto putter = *Spawn("putter", [&] { EXPECT_TRUE(queue.Put(2).ok()); });
    Yield();
    queue.Resize(0);
    EXPECT_EQ(*queue.Get(), 1);
    EXPECT_EQ(queue.putting(), 1u);
    EXPECT_EQ(*queue.Get(), 2);
    EXPECT_TRUE(putter.Join().ok());
  });
}

TEST_F(QueueTest, JoinWaitsForTheLastTaskDoneAndNotForTheLastGet) {
  Run([] {
    Queue<int> queue;
    EXPECT_TRUE(queue.Join().ok());
    EXPECT_TRUE(queue.Put(1).ok());
    EXPECT_TRUE(queue.Put(2).ok());
    bool joined = false;
    auto joiner = *Spawn("joiner", [&] {
      EXPECT_TRUE(queue.Join().ok());
      joined = true;
    });
    Drain(queue);
    EXPECT_TRUE(queue.TaskDone().ok());
    (void)Sleep(absl::Seconds(1));
    EXPECT_FALSE(joined);
    EXPECT_EQ(queue.unfinished(), 1u);
    EXPECT_TRUE(queue.TaskDone().ok());
    EXPECT_TRUE(joiner.Join().ok());
    EXPECT_TRUE(joined);
  });
}

TEST_F(QueueTest, CountsATaskHoweverItsValueWentThrough) {
  Run([] {
    Queue<int> queue(0);
    auto getter = *Spawn("getter", [&] { (void)queue.Get(); });
    Yield();
    EXPECT_TRUE(queue.TryPut(1));  // to a waiting getter
    auto putters = *Spawn("putter", [&] { (void)queue.Put(2); });
    Yield();
    EXPECT_EQ(queue.unfinished(), 1u);
    EXPECT_EQ(*queue.Get(), 2);  // from a waiting putter
    EXPECT_EQ(queue.unfinished(), 2u);
    auto third = *Spawn("putter", [&] { (void)queue.Put(3); });
    Yield();
    queue.Resize(1);  // from a waiting putter into the queue
    EXPECT_EQ(queue.unfinished(), 3u);
  });
}

TEST_F(QueueTest, OneTaskDoneTooManyIsAnError) {
  Run([] {
    Queue<int> queue;
    EXPECT_TRUE(absl::IsFailedPrecondition(queue.TaskDone()));
    EXPECT_TRUE(queue.Put(1).ok());
    EXPECT_TRUE(queue.TaskDone().ok());
    EXPECT_TRUE(absl::IsFailedPrecondition(queue.TaskDone()));
  });
}

TEST_F(QueueTest, ATimedOutJoinAndACancelledOneLeaveTheTaskUnfinished) {
  Run([] {
    Queue<int> queue;
    EXPECT_TRUE(queue.Put(1).ok());
    auto joiner = *Spawn("joiner", [&] { EXPECT_TRUE(absl::IsCancelled(queue.Join())); });
    {
      Timeout timeout(absl::Seconds(1));
      EXPECT_TRUE(absl::IsDeadlineExceeded(queue.Join()));
    }
    joiner.Cancel();
    EXPECT_TRUE(joiner.Join().ok());
    EXPECT_EQ(queue.unfinished(), 1u);
  });
}

TEST_F(LifoQueueTest, TheLastInComesOutFirst) {
  Run([] {
    LifoQueue<int> queue(3);
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(queue.TryPut(int{i}));
    EXPECT_FALSE(queue.TryPut(3));
    EXPECT_EQ(Drain(queue), (std::vector<int>{2, 1, 0}));
  });
}

TEST_F(LifoQueueTest, APutterThatWaitedIsTheLastIn) {
  Run([] {
    LifoQueue<int> queue(1);
    EXPECT_TRUE(queue.Put(0).ok());
    for (int i = 1; i < 3; ++i) (void)Spawn("putter", [&, i] { (void)queue.Put(i); });
    Yield();
    EXPECT_EQ(Drain(queue), (std::vector<int>{0, 1, 2}));
  });
}

TEST_F(LifoQueueTest, WithoutCapacityIsARendezvousAndCloseEndsIt) {
  Run([] {
    LifoQueue<std::string> queue(0);
    EXPECT_FALSE(queue.TryPut("no getter"));
    auto getter = *Spawn("getter", [&] {
      EXPECT_EQ(*queue.Get(), "handed over");
      EXPECT_TRUE(absl::IsOutOfRange(queue.Get().status()));
    });
    EXPECT_TRUE(queue.Put("handed over").ok());
    Yield();
    queue.Close();
    EXPECT_TRUE(getter.Join().ok());
  });
}

TEST_F(PriorityQueueTest, TheSmallestComesOutFirst) {
  Run([] {
    PriorityQueue<int> queue(5);
    for (int value : {4, 1, 5, 2, 3}) EXPECT_TRUE(queue.TryPut(int{value}));
    EXPECT_FALSE(queue.TryPut(0));
    EXPECT_EQ(Drain(queue), (std::vector<int>{1, 2, 3, 4, 5}));
  });
}

struct Job {
  int priority;
  int number;
  bool operator<(const Job& other) const { return priority < other.priority; }
};

TEST_F(PriorityQueueTest, AmongEqualOnesTheFirstInComesFirst) {
  Run([] {
    PriorityQueue<Job> queue;
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(queue.Put({i % 2, i}).ok());
    for (int i = 0; i < 10; ++i) EXPECT_EQ(queue.Get()->number, 2 * i);
    for (int i = 0; i < 10; ++i) EXPECT_EQ(queue.Get()->number, 2 * i + 1);
  });
}

TEST_F(PriorityQueueTest, TakesMoveOnlyValuesAndItsOwnOrder) {
  using Value = std::unique_ptr<int>;
  struct Larger {
    bool operator()(const Value& a, const Value& b) const { return *a > *b; }
  };
  Run([] {
    PriorityQueue<Value, Larger> queue;
    for (int i : {1, 3, 2}) EXPECT_TRUE(queue.Put(std::make_unique<int>(i)).ok());
    for (int i : {3, 2, 1}) EXPECT_EQ(**queue.Get(), i);
  });
}

TEST_F(PriorityQueueTest, ASmallValueDoesNotOvertakeThePuttersThatWait) {
  Run([] {
    PriorityQueue<int> queue(1);
    EXPECT_TRUE(queue.Put(5).ok());
    for (int value : {9, 1}) (void)Spawn("putter", [&, value] { (void)queue.Put(value); });
    Yield();
    EXPECT_EQ(Drain(queue), (std::vector<int>{5, 9, 1}));
  });
}

static_assert(std::ranges::input_range<Queue<int>>);

TEST_F(QueueTest, ALoopOverItTakesValuesUntilItIsClosedAndEmpty) {
  Run([] {
    Queue<int> queue;
    std::vector<int> taken;
    auto taker = *Spawn("taker", [&] {
      for (absl::StatusOr<int>& value : queue) taken.push_back(*value);
    });
    for (int value : {1, 2}) EXPECT_TRUE(queue.Put(value).ok());
    Yield();
    EXPECT_TRUE(queue.Put(3).ok());
    queue.Close();
    EXPECT_TRUE(taker.Join().ok());
    EXPECT_EQ(taken, (std::vector<int>{1, 2, 3}));
  });
}

TEST_F(QueueTest, ALoopThatIsInterruptedGetsTheErrorAsItsLastElement) {
  Run([] {
    Queue<int> queue;
    EXPECT_TRUE(queue.Put(1).ok());
    std::vector<absl::Status> got;
    {
      Timeout timeout(absl::Seconds(1));
      for (absl::StatusOr<int>& value : queue) got.push_back(value.status());
    }
    ASSERT_EQ(got.size(), 2u);
    EXPECT_TRUE(got[0].ok());
    EXPECT_TRUE(absl::IsDeadlineExceeded(got[1]));
    EXPECT_TRUE(queue.Put(2).ok());
    EXPECT_EQ(**queue.begin(), 2);  // nothing was lost
  });
}

}  // namespace
}  // namespace grove
