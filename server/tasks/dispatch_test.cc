#include <functional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "server/tasks/engine_fixture.h"

namespace grove::tasks {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(EngineTest, StartsFifoLifoAndByPriority) {
  Make(R"(tenants { name: 'default' queues { name: 'lifo' order: ORDER_LIFO }
                    queues { name: 'priority' order: ORDER_PRIORITY } })");
  Up(0, 100);
  const std::string f1 = Spawn(), f2 = Spawn("priority: 9");
  Tick();
  EXPECT_THAT(TakeStartedNames(), ElementsAre(f1, f2));
  const std::string l1 = Spawn("queue: 'lifo'"), l2 = Spawn("queue: 'lifo'");
  Tick();
  EXPECT_THAT(TakeStartedNames(), ElementsAre(l2, l1));
  const std::string p1 = Spawn("queue: 'priority' priority: 1"),
                    p9 = Spawn("queue: 'priority' priority: 9"),
                    p1b = Spawn("queue: 'priority' priority: 1");
  Tick();
  EXPECT_THAT(TakeStartedNames(), ElementsAre(p9, p1, p1b));
}

TEST_F(EngineTest, GivesTenantsAndTheirQueuesTurns) {
  Make("tenants { name: 'default' queues { name: 'b' } } tenants { name: 'acme' }");
  Up(0, 0);
  std::vector<std::string> a, b, c;
  for (int i = 0; i < 4; ++i) a.push_back(Spawn());
  for (int i = 0; i < 2; ++i) b.push_back(Spawn("queue: 'b'"));
  for (int i = 0; i < 2; ++i) c.push_back(Spawn("", "tenants/acme"));
  Up(0, 6);
  EXPECT_THAT(TakeStartedNames(), ElementsAre(a[0], c[0], b[0], c[1], a[1], b[1]));
}

TEST_F(EngineTest, SharesAFullPoolBetweenItsQueues) {
  Make("tenants { name: 'default' pools { name: 'default' size: 1 } queues { name: 'b' } }");
  Up(0);
  std::vector<std::string> a, b;
  for (int i = 0; i < 3; ++i) a.push_back(Spawn());
  for (int i = 0; i < 3; ++i) b.push_back(Spawn("queue: 'b'"));
  Tick();
  std::vector<std::string> order;
  for (int i = 0; i < 6; ++i) {
    const auto starts = TakeStarts();
    ASSERT_EQ(starts.size(), 1u);
    order.push_back(starts[0].task());
    End(starts[0].attempt());
  }
  EXPECT_THAT(order, ElementsAre(a[0], b[0], a[1], b[1], a[2], b[2]));
}

TEST_F(EngineTest, PicksTheWorkerWithMostRoom) {
  Up(0, 2);
  Up(1, 3);
  for (int i = 0; i < 6; ++i) Spawn();
  Tick();
  ASSERT_EQ(fx_.to_workers.size(), 2u);
  EXPECT_EQ(fx_.to_workers[0].frames[0].start_size(), 2);
  EXPECT_EQ(fx_.to_workers[1].frames[0].start_size(), 3);
  EXPECT_EQ(Queue().waiting_reason(), "every worker is full: 5 of 5 attempts running");
}

TEST_F(EngineTest, StartsNothingOfAPausedQueue) {
  Make("tenants { name: 'default' queues { name: 'mail' paused: true } }");
  Up(0);
  const std::string name = Spawn("queue: 'mail'");
  Tick();
  EXPECT_THAT(TakeStarts(), IsEmpty());
  EXPECT_EQ(Get(name).waiting_reason(), "queue mail is paused");
  EXPECT_EQ(Queue("mail").waiting_reason(), "queue mail is paused");
}

TEST_F(EngineTest, SetsAsideTasksWhoseFunctionNoWorkerHas) {
  auto hello = Hello(0);
  hello.add_functions()->set_name("old");
  ASSERT_TRUE(engine_->WorkerUp(hello, now_, fx_).ok());
  Up(0, 10, 2);
  const std::string s1 = Spawn("function: 'old'"), s2 = Spawn("function: 'old'"), other = Spawn();
  Tick();
  EXPECT_THAT(TakeStartedNames(), ElementsAre(other));
  EXPECT_EQ(Get(s1).waiting_reason(), "no connected worker has function old");
  hello.set_worker(1);
  ASSERT_TRUE(engine_->WorkerUp(hello, now_, fx_).ok());
  Tick();
  EXPECT_THAT(TakeStartedNames(), ElementsAre(s1, s2));
}

TEST_F(EngineTest, GivesADrainingWorkerNothing) {
  Up(0);
  engine_->WorkerDraining(0);
  const std::string name = Spawn();
  Tick();
  EXPECT_EQ(Get(name).waiting_reason(), "every connected worker is draining");
  Up(1);
  EXPECT_EQ(StateOf(name), v1::TASK_STATE_RUNNING);
  EXPECT_EQ(Get(name).attempts(0).worker(), "workers/1");
}

TEST_F(EngineTest, GoesOnInTheNextTickBeyondItsBudget) {
  Make("tenants { name: 'default' pools { name: 'default' size: 100000 } }");
  Up(0, 100000);
  for (int i = 0; i < 5000; ++i) Spawn();
  Tick();
  EXPECT_EQ(TakeStarts().size(), 4096u);
  EXPECT_EQ(engine_->NextDeadline(), now_);
  Tick();
  EXPECT_EQ(TakeStarts().size(), 904u);
  EXPECT_GT(engine_->NextDeadline(), now_);
}

TEST_F(EngineTest, KnowsHowLongTheOldestTaskWaits) {
  Up(0, 0);
  Spawn();
  Tick(3);
  Spawn();
  EXPECT_EQ(Queue().oldest_age().seconds(), 3);
  EXPECT_EQ(Queue().queued(), 2);
}

TEST_F(EngineTest, AnAttemptThatControlDoesNotKnowGivesItsRoomToWhoWaits) {
  internal::v1::Hello hello = Hello(0, /*capacity=*/1);
  hello.add_running(99);
  ASSERT_TRUE(engine_->WorkerUp(std::move(hello), now_, fx_).ok());
  // Room elsewhere, where nobody knows the function, sends the queue to wait for this worker.
  internal::v1::Hello other = Hello(1);
  other.clear_functions();
  ASSERT_TRUE(engine_->WorkerUp(std::move(other), now_, fx_).ok());
  const std::string task = Spawn();
  Tick();
  EXPECT_THAT(TakeStartedNames(), IsEmpty());
  End(99);
  EXPECT_THAT(TakeStartedNames(), ElementsAre(task));
}

class TwoFunctionsTest : public EngineTest {
 protected:
  // Worker 0 knows "echo" and is full, worker 1 knows "other" and has room.
  void Make(const std::string& config) {
    EngineTest::Make(config);
    Up(0, 1);
    internal::v1::Hello other = Hello(1);
    other.mutable_functions(0)->set_name("other");
    ASSERT_TRUE(engine_->WorkerUp(std::move(other), now_, fx_).ok());
    Spawn();
    Tick();
    EXPECT_EQ(TakeStarts().size(), 1u);
  }
};

TEST_F(TwoFunctionsTest, ATaskBehindACancelledOneIsLookedAt) {
  Make("");
  const std::string waits = Spawn(), behind = Spawn("function: 'other'");
  Tick();
  EXPECT_THAT(TakeStartedNames(), IsEmpty());
  ASSERT_TRUE(engine_->Cancel(waits, "", now_, fx_).ok());
  Tick();
  EXPECT_THAT(TakeStartedNames(), ElementsAre(behind));
}

TEST_F(TwoFunctionsTest, ATaskThatComesBeforeTheWaitingOneIsLookedAt) {
  Make("tenants { name: 'default' queues { name: 'p' order: ORDER_PRIORITY } }");
  Spawn("queue: 'p'");
  Tick();
  const std::string before = Spawn("queue: 'p' function: 'other' priority: 9");
  Tick();
  EXPECT_THAT(TakeStartedNames(), ElementsAre(before));
}

// Who waits for a full worker would wait for ever, were it the only one to know the function.
TEST_F(TwoFunctionsTest, AQueueDoesNotWaitForAWorkerThatIsGone) {
  const std::vector<std::function<void()>> ways = {
      [&] { engine_->WorkerDown(0, now_, fx_); },
      [&] { engine_->WorkerUnlinked(0, now_); },
      [&] { engine_->WorkerDraining(0); },
  };
  for (const std::function<void()>& go : ways) {
    EngineTest::Make("");
    internal::v1::Hello hello = Hello(0, /*capacity=*/1);
    hello.add_running(99);  // Foreign: no task of ours ends with the worker.
    ASSERT_TRUE(engine_->WorkerUp(std::move(hello), now_, fx_).ok());
    internal::v1::Hello other = Hello(1);
    other.mutable_functions(0)->set_name("other");
    ASSERT_TRUE(engine_->WorkerUp(std::move(other), now_, fx_).ok());
    const std::string waits = Spawn(), behind = Spawn("function: 'other'");
    Tick();
    EXPECT_THAT(TakeStartedNames(), IsEmpty());
    go();
    Tick();
    EXPECT_THAT(TakeStartedNames(), ElementsAre(behind));
    Up(0, /*capacity=*/1, /*incarnation=*/2);
    Tick();
    EXPECT_THAT(TakeStartedNames(), ElementsAre(waits));
  }
}

}  // namespace
}  // namespace grove::tasks
