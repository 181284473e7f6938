// Functions of which only so many attempts run at once.
#include "server/tasks/aside_tasks.h"

#include "gmock/gmock.h"
#include "server/tasks/engine_fixture.h"

namespace grove::tasks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class AsideTasksTest : public EngineTest {
 protected:
  // "echo" without a bound, and "one", of which `max` attempts run at once.
  void UpWith(int64_t max, int64_t capacity = 10) {
    internal::v1::Hello hello = Hello(0, capacity);
    internal::v1::FunctionDescription& one = *hello.add_functions();
    one.set_name("one");
    one.set_concurrency_max(max);
    ASSERT_TRUE(engine_->WorkerUp(std::move(hello), now_, fx_).ok());
    Tick();
  }
  std::string One(const std::string& text = "", const std::string& parent = "") {
    return Spawn("function: 'one' " + text, parent);
  }
  std::string Echo() { return Spawn(); }
};

TEST_F(AsideTasksTest, RunsNoMoreAtOnceAndLetsOthersPass) {
  UpWith(2);
  const std::string a = One(), b = One(), c = One(), d = One();
  const std::string echo = Echo();
  Tick();
  auto starts = TakeStarts();
  std::vector<std::string> names;
  names.reserve(starts.size());
  for (const auto& start : starts) names.push_back(start.task());
  EXPECT_THAT(names, ElementsAre(a, b, echo));
  EXPECT_EQ(StateOf(c), v1::TASK_STATE_QUEUED);
  End(starts[0].attempt());
  EXPECT_THAT(TakeStartedNames(), ElementsAre(c));
  End(starts[1].attempt());
  EXPECT_THAT(TakeStartedNames(), ElementsAre(d));
}

TEST_F(AsideTasksTest, SaysSo) {
  UpWith(1);
  One();
  const std::string name = One();
  Tick();
  const v1::WaitExplanation wait = Get(name).wait();
  EXPECT_EQ(wait.cause(), v1::WaitExplanation::CAUSE_FUNCTION_FULL);
  EXPECT_THAT(wait.text(), HasSubstr("function one is full: 1 attempts run"));
  EXPECT_EQ(wait.subject(), "functions/one");
  EXPECT_EQ(wait.used(), 1);
  EXPECT_EQ(wait.limit(), 1);
  const auto told = engine_->Explain(*engine_->Find(name), now_, Audience::kTenant);
  EXPECT_EQ(told->wait().used(), 0) << "others' tasks are none of a tenant's business";
  EXPECT_THAT(Queue().waiting_reason(), HasSubstr("function one is full"));
}

TEST_F(AsideTasksTest, KeepsTheQueuesOrder) {
  Make(
      "tenants { name: 'default' queues { name: 'lifo' order: ORDER_LIFO } "
      "queues { name: 'urgent' order: ORDER_PRIORITY } }");
  for (const std::string queue : {"default", "lifo", "urgent"}) {
    SCOPED_TRACE(queue);
    UpWith(1);
    std::vector<std::string> names;
    for (int i = 0; i < 4; ++i) {
      names.push_back(One("queue: '" + queue + "' priority: " + std::to_string(i)));
      Tick();
      now_ += 1;
    }
    std::vector<std::string> started;
    for (auto starts = TakeStarts(); !starts.empty(); starts = TakeStarts()) {
      started.push_back(starts[0].task());
      End(starts[0].attempt());
    }
    if (queue == "default") {
      EXPECT_EQ(started, names);
    } else {
      EXPECT_THAT(started, ElementsAre(names[0], names[3], names[2], names[1]));
    }
  }
}

TEST_F(AsideTasksTest, TenantsTakeTurnsForAFullFunction) {
  Make("tenants { name: 'default' } tenants { name: 'acme' }");
  UpWith(1);
  std::vector<std::string> flood;
  flood.reserve(20);
  for (int i = 0; i < 20; ++i) flood.push_back(One());
  Tick();
  const std::string quiet = One("", "tenants/acme");
  Tick();
  auto starts = TakeStarts();
  int before = 0;
  while (!starts.empty() && starts[0].task() != quiet) {
    ++before;
    now_ += 1000;
    End(starts[0].attempt());
    starts = TakeStarts();
  }
  EXPECT_LE(before, 2);
}

TEST_F(AsideTasksTest, WhoStandsAsideCanBeCancelledPausedAndMadeMoreUrgent) {
  Make("tenants { name: 'default' queues { name: 'default' order: ORDER_PRIORITY } }");
  UpWith(1);
  const std::string first = One(), cancelled = One(), paused = One(), urgent = One();
  Tick();
  const uint64_t attempt = TakeOnlyStart();
  ASSERT_TRUE(engine_->Cancel(cancelled, "", now_, fx_).ok());
  const auto change = [&](const std::string& name, const TaskAction& action) {
    EXPECT_TRUE(engine_->Change(*engine_->Find(name), action, now_, fx_).ok());
    Tick();
  };
  change(paused, {.kind = TaskAction::Kind::kPause});
  const std::string last = One();
  Tick();
  change(last, {.kind = TaskAction::Kind::kUpdate, .priority = 9});
  End(attempt);
  EXPECT_THAT(TakeStartedNames(), ElementsAre(last));
  change(paused, {.kind = TaskAction::Kind::kResume});
  EXPECT_EQ(StateOf(urgent), v1::TASK_STATE_QUEUED);
  EXPECT_EQ(StateOf(paused), v1::TASK_STATE_QUEUED);
}

TEST_F(AsideTasksTest, WhoWasCalledBackAndGoesMakesWayForTheNext) {
  Make("tenants { name: 'default' pools { name: 'default' size: 2 } }");
  UpWith(1);
  const std::string first = One(), second = One(), third = One();
  Tick();
  const uint64_t attempt = TakeOnlyStart();
  Spawn();
  Tick();
  const uint64_t echo = TakeOnlyStart();
  ASSERT_TRUE(engine_->ResizePool("tenants/default/pools/default", 1).ok());
  End(attempt);
  EXPECT_THAT(Get(second).waiting_reason(), HasSubstr("pool default is full"));
  ASSERT_TRUE(engine_->Cancel(second, "", now_, fx_).ok());
  Tick();
  End(echo);
  EXPECT_THAT(TakeStartedNames(), ElementsAre(third));
}

TEST_F(AsideTasksTest, AHigherBoundHoldsAtOnce) {
  UpWith(1);
  for (int i = 0; i < 5; ++i) One();
  Tick();
  EXPECT_THAT(TakeStarts(), ::testing::SizeIs(1));
  internal::v1::Hello hello = Hello(1);
  internal::v1::FunctionDescription& one = *hello.add_functions();
  one.set_name("one");
  one.set_concurrency_max(3);
  ASSERT_TRUE(engine_->WorkerUp(std::move(hello), now_, fx_).ok());
  Tick();
  EXPECT_THAT(TakeStarts(), ::testing::SizeIs(2));
}

TEST_F(AsideTasksTest, TheBoundHoldsOverARestart) {
  UpWith(1);
  One("durability: DURABILITY_DURABLE");
  const std::string second = One("durability: DURABILITY_DURABLE");
  Persist();
  const uint64_t attempt = TakeOnlyStart();
  Persist();
  Make("", 2);
  Recover(Disk());
  internal::v1::Hello hello = Hello(0);
  hello.add_running(attempt);
  hello.add_functions()->set_name("one");
  hello.mutable_functions(1)->set_concurrency_max(1);
  ASSERT_TRUE(engine_->WorkerUp(std::move(hello), now_, fx_).ok());
  Tick();
  EXPECT_THAT(TakeStarts(), IsEmpty());
  End(attempt);
  EXPECT_THAT(TakeStartedNames(), ElementsAre(second));
}

}  // namespace
}  // namespace grove::tasks
