// What a tenant's quotas and limits refuse, and what they hold.
#include "server/tasks/spawn_quotas.h"

#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/bounds_fixture.h"

namespace grove::tasks {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Why = v1::WaitExplanation;

template <typename Detail>
Detail DetailOf(const absl::Status& status, std::string_view type) {
  Detail detail;
  const auto payload = status.GetPayload(Abseil(type));
  EXPECT_TRUE(payload.has_value() && detail.ParseFromString(std::string(*payload))) << status;
  return detail;
}

int64_t RetryMs(const absl::Status& status) {
  const auto retry = DetailOf<google::rpc::RetryInfo>(status, kRetryInfoType).retry_delay();
  return retry.seconds() * 1000 + retry.nanos() / 1'000'000;
}

std::string SubjectOf(const absl::Status& status) {
  const auto quota = DetailOf<google::rpc::QuotaFailure>(status, kQuotaFailureType);
  return quota.violations_size() == 1 ? quota.violations(0).subject() : "";
}

class SpawnQuotasTest : public BoundsTest {
 protected:
  void SetUp() override {
    Make("tenants { name: 'acme' }");
    Up(0);
  }
  static constexpr char kAcme[] = "tenants/acme";
};

TEST_F(SpawnQuotasTest, SoManyTasksWaitAndNoMore) {
  SetQuotas("queued_max: 2");
  const std::string first = Spawn();
  Spawn("delay { seconds: 60 }");
  const absl::Status refused = Refused("");
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(RefusalReason(refused), "QUOTA_QUEUED");
  EXPECT_EQ(refused.message(),
            "tenants/default: 2 of 2 tasks wait (queued_max in the quotas of tenants/default)");
  EXPECT_EQ(SubjectOf(refused), "tenants/default");
  EXPECT_EQ(RetryMs(refused), 1000);
  Spawn("", kAcme);
  EXPECT_THAT(Started(), ::testing::Contains(first)) << "what runs does not wait";
  Spawn();
  EXPECT_EQ(Queue().rejected_total(), 1);
}

TEST_F(SpawnQuotasTest, TheInputsOfWhatWaitsAreCounted) {
  SetQuotas("queued_bytes_max: 100");
  const std::string name = Spawn("input: '" + std::string(60, '1') + "'");
  EXPECT_EQ(Load().queued_bytes, 60);
  const absl::Status refused = Refused("input: '" + std::string(41, '1') + "'");
  EXPECT_EQ(RefusalReason(refused), "QUOTA_QUEUED_BYTES");
  EXPECT_EQ(SubjectOf(refused), "tenants/default");
  Spawn("input: '" + std::string(40, '1') + "'");
  EXPECT_EQ(Load().queued_bytes, 100);
  EXPECT_THAT(Started(), ::testing::SizeIs(2));
  EXPECT_EQ(Load().queued_bytes, 0);
}

TEST_F(SpawnQuotasTest, ARateLetsABurstInAndThenOneAfterTheOther) {
  SetQuotas("spawns_per_second: 10 spawn_burst: 3");
  for (int i = 0; i < 3; ++i) Spawn();
  const absl::Status refused = Refused("");
  EXPECT_EQ(RefusalReason(refused), "QUOTA_SPAWN_RATE");
  EXPECT_EQ(RetryMs(refused), 100);
  now_ += 99'999;
  EXPECT_EQ(RetryMs(Refused("")), 1);
  now_ += 1;
  Spawn();
  EXPECT_EQ(RetryMs(Refused("")), 100) << "what was refused has cost nothing";
  Spawn("", kAcme);
}

TEST_F(SpawnQuotasTest, WhatIsNoNewTaskTakesNothingOfTheRate) {
  SetQuotas("spawns_per_minute: 2");
  Spawn("request_id: 'r'");
  Spawn("request_id: 'r'");
  Spawn("unique_key { key: 'k' }");
  EXPECT_TRUE(engine_->Spawn("", Spec("unique_key { key: 'k' }"), now_, fx_)->attached);
  EXPECT_EQ(RefusalReason(Refused("")), "QUOTA_SPAWN_RATE");
  EXPECT_EQ(RefusalReason(Refused("priority: 11")), "PRIORITY_OUT_OF_RANGE");
  EXPECT_EQ(RetryMs(Refused("")), 30'000);
}

TEST_F(SpawnQuotasTest, EachKeyHasItsOwnBounds) {
  SetLimit("pattern: 'a' queued_max: 2");
  SetLimit("pattern: 'a/*' queued_max: 1");
  SetLimit("pattern: 'r*' spawns_per_second: 1");
  Of("a/x", "delay { seconds: 60 }");
  absl::Status refused = Refused(Keys("a/x"));
  EXPECT_EQ(RefusalReason(refused), "LIMIT_QUEUED");
  EXPECT_EQ(SubjectOf(refused), "a/x");
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("a/x: 1 of 1 tasks wait (queued_max in the limit a/* of tenants/default)"));
  Of("a/y", "delay { seconds: 60 }");
  refused = Refused(Keys("a/z"));
  EXPECT_EQ(SubjectOf(refused), "a");
  Of("r1");
  Of("r2/z");
  refused = Refused(Keys("r2"));
  EXPECT_EQ(RefusalReason(refused), "LIMIT_SPAWN_RATE");
  EXPECT_EQ(SubjectOf(refused), "r2");
  EXPECT_EQ(RetryMs(refused), 1000);
  // Those of another tenant are others.
  EXPECT_TRUE(engine_->Spawn(kAcme, Spec(Keys("a/x")), now_, fx_).ok());
}

TEST_F(SpawnQuotasTest, WhatOneLevelRefusesTakesNothingOfAnother) {
  SetQuotas("spawns_per_minute: 2");
  SetLimit("pattern: 'a' queued_max: 1");
  SetLimit("pattern: 'b' spawns_per_minute: 1");
  Of("a", "delay { seconds: 600 }");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(RefusalReason(Refused(Keys("a"))), "LIMIT_QUEUED");
  Of("b");
  Tick(30);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(RefusalReason(Refused(Keys("b"))), "LIMIT_SPAWN_RATE");
  Of("c");
}

TEST_F(SpawnQuotasTest, OtherQuotasHoldAtOnce) {
  SetQuotas("queued_max: 1");
  Spawn();
  EXPECT_EQ(RefusalReason(Refused("")), "QUOTA_QUEUED");
  SetQuotas("queued_max: 2");
  Spawn();
  EXPECT_EQ(RefusalReason(Refused("")), "QUOTA_QUEUED");
  SetQuotas("");
  Spawn();
}

TEST_F(SpawnQuotasTest, SoManySlotsAndTheTenantsOtherTasksWait) {
  SetQuotas("running_max: 3");
  const std::string one = Spawn("slot_cost: 2"), two = Spawn(), three = Spawn(),
                    acme = Spawn("", kAcme);
  std::vector<std::string> started = Started();
  EXPECT_THAT(started, ::testing::UnorderedElementsAre(one, two, acme));
  EXPECT_EQ(Load().running_slots, 3);
  const Why wait = WaitOf(three);
  EXPECT_EQ(wait.cause(), Why::CAUSE_QUOTA);
  EXPECT_EQ(wait.text(), "the quota of tenants/default is full: 3 of 3 slots taken");
  EXPECT_EQ(wait.subject(), "tenants/default");
  EXPECT_EQ(wait.used(), 3);
  EXPECT_EQ(wait.limit(), 3);
  EndOf(two);
  EXPECT_THAT(Started(), ElementsAre(three));
  const std::string large = Spawn("slot_cost: 2"), small = Spawn();
  EXPECT_THAT(Started(), IsEmpty());
  SetQuotas("running_max: 5");
  EXPECT_THAT(Started(), ElementsAre(large));
  SetQuotas("");
  EXPECT_THAT(Started(), ElementsAre(small));
}

TEST_F(SpawnQuotasTest, AQuotaHoldsAllQueuesOfATenant) {
  Make(
      "tenants { name: 'default' queues { name: 'other' } pools { name: 'p' } "
      "queues { name: 'third' pool: 'p' } quotas { running_max: 1 } }");
  Up(0);
  std::vector<std::string> names;
  for (const char* queue : {"default", "other", "third"}) {
    names.push_back(Spawn("queue: '" + std::string(queue) + "'"));
  }
  std::vector<std::string> all;
  for (auto started = Started(); !started.empty(); started = Started()) {
    ASSERT_EQ(started.size(), 1u);
    all.push_back(started[0]);
    EndOf(started[0]);
  }
  EXPECT_EQ(all, names);
}

TEST_F(SpawnQuotasTest, AWaitingQueueLooksAgainWhenItsFirstTaskIsAnother) {
  SetQuotas("running_max: 3");
  const std::string one = Spawn("slot_cost: 2");
  EXPECT_THAT(Started(), ElementsAre(one));
  const std::string large = Spawn("slot_cost: 2"), small = Spawn();
  EXPECT_THAT(Started(), IsEmpty()) << "it is not passed";
  ASSERT_TRUE(engine_->Cancel(large, "", now_, fx_).ok());
  EXPECT_THAT(Started(), ElementsAre(small));
}

TEST_F(SpawnQuotasTest, ASlotCostCountsInThePool) {
  ASSERT_TRUE(engine_->ResizePool("tenants/default/pools/default", 4).ok());
  const std::string one = Spawn("slot_cost: 3"), two = Spawn("slot_cost: 2"), three = Spawn();
  EXPECT_THAT(Started(), ElementsAre(one));
  EXPECT_EQ(Pool().running(), 3);
  EXPECT_EQ(Pool().free(), 1);
  EXPECT_EQ(WaitOf(two).cause(), Why::CAUSE_POOL_FULL);
  EXPECT_EQ(WaitOf(two).text(),
            "pool default has too little room: 3 of 4 running, and the task takes 2");
  ASSERT_TRUE(engine_->ResizePool("tenants/default/pools/default", 5).ok());
  EXPECT_THAT(Started(), ElementsAre(two));
  EndOf(one);
  EXPECT_THAT(Started(), ElementsAre(three));
  EXPECT_EQ(Pool().running(), 3);
}

TEST_F(SpawnQuotasTest, AFunctionsSlotCostIsItsTasksDefault) {
  internal::v1::Hello hello = Hello(0);
  hello.mutable_functions(0)->set_slot_cost(4);
  ASSERT_TRUE(engine_->WorkerUp(std::move(hello), now_, fx_).ok());
  EXPECT_EQ(Get(Spawn()).spec().slot_cost(), 4);
  EXPECT_EQ(Get(Spawn("slot_cost: 2")).spec().slot_cost(), 2);
  EXPECT_EQ(RefusalReason(Refused("slot_cost: -1")), "SLOT_COST_OUT_OF_RANGE");
  EXPECT_EQ(RefusalReason(Refused("slot_cost: 1001")), "SLOT_COST_OUT_OF_RANGE");
}

TEST_F(SpawnQuotasTest, AnOutputBeyondTheQuotaIsAFailureForGood) {
  SetQuotas("output_bytes_max: 3");
  const std::string fits = Spawn("retry_policy { max_attempts: 5 }");
  const std::string large = Spawn("retry_policy { max_attempts: 5 }");
  Started();
  End(attempts_[fits], Outcome::OUTCOME_SUCCEEDED, 0, "123");
  End(attempts_[large], Outcome::OUTCOME_SUCCEEDED, 0, "1234");
  EXPECT_EQ(StateOf(fits), v1::TASK_STATE_SUCCEEDED);
  const v1::Task task = Get(large);
  EXPECT_EQ(task.state(), v1::TASK_STATE_FAILED);
  EXPECT_EQ(task.output(), "");
  EXPECT_EQ(task.error().code(), static_cast<int>(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(task.error().message(), HasSubstr("4 bytes, more than the 3"));
  google::rpc::ErrorInfo info;
  ASSERT_EQ(task.error().details_size(), 1);
  ASSERT_TRUE(task.error().details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "QUOTA_OUTPUT_BYTES");
  EXPECT_EQ(task.attempts(0).state(), v1::Attempt::STATE_FAILED);
}

TEST_F(SpawnQuotasTest, AnEndedTaskComesBackOnlyWithinTheQuotas) {
  const std::string ended = Of("a");
  Started();
  EndOf(ended);
  const TaskId id = *engine_->Find(ended);
  const TaskAction retry = {.kind = TaskAction::Kind::kRetry};
  const auto reason = [&] { return RefusalReason(engine_->WouldChange(id, retry).status()); };
  SetQuotas("queued_max: 1");
  Spawn("delay { seconds: 60 }");
  EXPECT_EQ(reason(), "QUOTA_QUEUED");
  SetQuotas("queued_bytes_max: 3");
  EXPECT_EQ(reason(), "QUOTA_QUEUED_BYTES") << "two inputs of {}";
  SetQuotas("spawns_per_minute: 1");
  SetLimit("pattern: '*' queued_max: 1");
  Of("a", "delay { seconds: 60 }");
  EXPECT_EQ(reason(), "LIMIT_QUEUED");
  SetLimit("pattern: '*' queued_max: 2");
  EXPECT_EQ(reason(), "") << "however often one may spawn";
  EXPECT_TRUE(*engine_->Change(id, retry, now_, fx_));
  EXPECT_THAT(Started(), ElementsAre(ended));
}

TEST_F(SpawnQuotasTest, ARestartMakesNoBucketFull) {
  const auto bound = [this] {
    SetQuotas("spawns_per_minute: 6 spawn_burst: 4");
    SetLimit("pattern: 'k' spawns_per_minute: 1 spawn_burst: 2");
  };
  bound();
  const std::string durable = "durability: DURABILITY_DURABLE ";
  for (int i = 0; i < 2; ++i) {
    Of("k", durable);
    Of("", durable);
  }
  Persist();
  now_ += 5 * kUsPerSecond;
  EXPECT_EQ(RetryMs(Refused("")), 5000);
  const std::vector<StoredTask> disk = Disk();
  Make("tenants { name: 'acme' }", 2);
  // Before the tasks are read, as those of the config and of the registry are.
  bound();
  Recover(disk);
  Up(0);
  EXPECT_EQ(RetryMs(Refused("")), 5000) << "as before";
  now_ += 5 * kUsPerSecond;
  EXPECT_EQ(SubjectOf(Refused(Keys("k"))), "k");
  EXPECT_EQ(RetryMs(Refused(Keys("k"))), 50'000);
  Spawn();
  EXPECT_EQ(RetryMs(Refused("")), 10'000);
}

TEST_F(SpawnQuotasTest, KeysHaveAForm) {
  const auto reason = [this](const std::string& text) { return RefusalReason(Refused(text)); };
  EXPECT_EQ(reason("limit_keys: 'a' limit_keys: 'b' limit_keys: 'c'"), "TOO_MANY_LIMIT_KEYS");
  for (const char* bad : {"''", "'a/b'", "'a*'", "'a b'"}) {
    EXPECT_EQ(reason(StrCat("limit_keys: ", bad)), "LIMIT_KEY_INVALID") << bad;
  }
  EXPECT_EQ(Get(Of("a:1/B.2")).spec().limit_keys(1), "B.2");
}

}  // namespace
}  // namespace grove::tasks
