#include "server/tasks/explain.h"

#include "gmock/gmock.h"
#include "server/tasks/engine_fixture.h"

namespace grove::tasks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Why = v1::WaitExplanation;

class ExplainTest : public EngineTest {
 protected:
  v1::ExplainTaskResponse Explain(const std::string& name,
                                  Audience audience = Audience::kOperators) {
    return *engine_->Explain(*engine_->Find(name), now_, audience);
  }
  std::vector<Why::Cause> Causes(const std::string& name) {
    std::vector<Why::Cause> causes;
    const v1::ExplainTaskResponse explained = Explain(name);
    for (const Why& why : explained.all()) causes.push_back(why.cause());
    return causes;
  }
  // Seconds from now; -1: none.
  int64_t ExpectedIn(const std::string& name) {
    const Why why = Explain(name).wait();
    return why.has_expected_start_time() ? why.expected_start_time().seconds() - now_ / kSecond
                                         : -1;
  }
  void Pause(const std::string& name, const std::string& reason = "") {
    EXPECT_TRUE(engine_
                    ->Change(*engine_->Find(name),
                             {.kind = TaskAction::Kind::kPause, .reason = reason}, now_, fx_)
                    .ok());
  }
  // Occupies one slot, after an attempt of the queue took `seconds`.
  void RunFor(int64_t seconds) {
    Spawn();
    Tick();
    const uint64_t attempt = TakeOnlyStart();
    Tick(seconds);
    End(attempt);
  }
};

TEST_F(ExplainTest, WhatDoesNotWaitHasNoReason) {
  Up(0);
  const std::string a = Spawn();
  Tick();
  EXPECT_THAT(Causes(a), IsEmpty());
  EXPECT_FALSE(Explain(a).has_wait());
  EXPECT_FALSE(Get(a).has_wait());
}

TEST_F(ExplainTest, Storing) {
  Up(0);
  const std::string a = Spawn("durability: DURABILITY_DURABLE");
  EXPECT_THAT(Causes(a), ElementsAre(Why::CAUSE_STORING));
}

TEST_F(ExplainTest, Delayed) {
  Up(0);
  const std::string a = Spawn("delay { seconds: 30 }");
  EXPECT_THAT(Causes(a), ElementsAre(Why::CAUSE_DELAYED));
  EXPECT_EQ(ExpectedIn(a), 30);
  Pause(a);
  EXPECT_THAT(Causes(a), ElementsAre(Why::CAUSE_TASK_PAUSED, Why::CAUSE_DELAYED));
  EXPECT_EQ(ExpectedIn(a), -1) << "nobody knows when it is resumed";
}

TEST_F(ExplainTest, Backoff) {
  Up(0);
  const std::string a =
      Spawn("retry_policy { max_attempts: 2 jitter: 0 initial_backoff { seconds: 20 } }");
  Tick();
  End(TakeOnlyStart(), Outcome::OUTCOME_FAILED);
  EXPECT_THAT(Causes(a), ElementsAre(Why::CAUSE_BACKOFF));
  EXPECT_EQ(ExpectedIn(a), 20);
}

TEST_F(ExplainTest, PausedTaskAndQueue) {
  Up(0);
  const std::string a = Spawn();
  Pause(a, "by hand");
  EXPECT_THAT(Causes(a), ElementsAre(Why::CAUSE_TASK_PAUSED));
  EXPECT_THAT(Get(a).waiting_reason(), HasSubstr("by hand"));
  EXPECT_TRUE(engine_->PauseQueue("tenants/default/queues/default", "deploy", fx_).ok());
  EXPECT_THAT(Causes(a), ElementsAre(Why::CAUSE_TASK_PAUSED, Why::CAUSE_QUEUE_PAUSED));
  const std::string b = Spawn();
  const auto explained = Explain(b);
  EXPECT_EQ(explained.wait().cause(), Why::CAUSE_QUEUE_PAUSED);
  EXPECT_EQ(explained.wait().subject(), "tenants/default/queues/default");
  EXPECT_THAT(explained.wait().text(), HasSubstr("deploy"));
  EXPECT_EQ(explained.task().waiting_reason(), explained.wait().text());
  EXPECT_EQ(ExpectedIn(b), -1);
}

TEST_F(ExplainTest, NoWorkerAndUnknownFunction) {
  Up(0);
  engine_->WorkerDraining(0);
  const std::string a = Spawn();
  EXPECT_THAT(Causes(a), ElementsAre(Why::CAUSE_NO_WORKER));
  internal::v1::Hello other = Hello(1);
  other.mutable_functions(0)->set_name("other");
  ASSERT_TRUE(engine_->WorkerUp(other, now_, fx_).ok());
  Tick();
  const auto explained = Explain(a);
  EXPECT_EQ(explained.wait().cause(), Why::CAUSE_FUNCTION_UNKNOWN);
  EXPECT_EQ(explained.wait().subject(), "functions/echo");
}

TEST_F(ExplainTest, PoolFull) {
  Make("tenants { name: 'default' pools { name: 'default' size: 1 } }");
  Up(0);
  RunFor(10);
  Spawn();
  const std::string a = Spawn(), b = Spawn();
  Tick();
  const Why why = Explain(a).wait();
  EXPECT_EQ(why.cause(), Why::CAUSE_POOL_FULL);
  EXPECT_EQ(why.subject(), "tenants/default/pools/default");
  EXPECT_EQ(why.used(), 1);
  EXPECT_EQ(why.limit(), 1);
  EXPECT_EQ(ExpectedIn(a), 10) << "one run of one slot";
  EXPECT_THAT(Causes(b), ElementsAre(Why::CAUSE_POOL_FULL, Why::CAUSE_BEHIND_OTHERS));
  EXPECT_EQ(ExpectedIn(b), 20);
  EXPECT_EQ(Explain(b).all(1).ahead(), 1);
}

TEST_F(ExplainTest, WorkersFullAndWhatATenantIsToldOfThem) {
  Up(0, 1);
  Spawn();
  const std::string a = Spawn();
  Tick();
  Why why = Explain(a).wait();
  EXPECT_EQ(why.cause(), Why::CAUSE_WORKERS_FULL);
  EXPECT_EQ(why.used(), 1);
  EXPECT_EQ(why.limit(), 1);
  EXPECT_EQ(ExpectedIn(a), -1) << "no attempt has ended yet";
  why = Explain(a, Audience::kTenant).wait();
  EXPECT_EQ(why.cause(), Why::CAUSE_WORKERS_FULL);
  EXPECT_EQ(why.used(), 0);
  EXPECT_EQ(why.limit(), 0);
  EXPECT_THAT(why.text(), Not(HasSubstr("1")));
  const auto id = *engine_->Find(a);
  EXPECT_THAT(engine_->Get(id, v1::TASK_VIEW_BASIC, now_, Audience::kTenant)->waiting_reason(),
              Not(HasSubstr("1")));
  EXPECT_THAT(engine_->GetQueue("tenants/default/queues/default", now_, Audience::kTenant)
                  ->waiting_reason(),
              Not(HasSubstr("1")));
}

TEST_F(ExplainTest, BehindOthers) {
  Up(0);
  const std::string a = Spawn(), b = Spawn(), c = Spawn();
  const Why why = Explain(c).wait();
  EXPECT_EQ(why.cause(), Why::CAUSE_BEHIND_OTHERS);
  EXPECT_EQ(why.ahead(), 2);
  EXPECT_EQ(Get(b).wait().ahead(), 1);
  EXPECT_EQ(ExpectedIn(a), 0);
  EXPECT_EQ(ExpectedIn(c), -1) << "no attempt has ended yet";
}

TEST_F(ExplainTest, NobodyKnowsWhatComesIntoALifoQueue) {
  Make("tenants { name: 'default' queues { name: 'default' order: ORDER_LIFO } }");
  Up(0, 1);
  RunFor(10);
  Spawn();
  Tick();
  const std::string a = Spawn(), b = Spawn();
  EXPECT_EQ(Explain(a).all(1).ahead(), 1);
  EXPECT_EQ(ExpectedIn(a), -1);
  EXPECT_EQ(ExpectedIn(b), 10);
}

}  // namespace
}  // namespace grove::tasks
