#include "server/tasks/payload_ledger.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/tasks/refusal.h"

namespace grove::tasks {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kRetention = 100 * kSecond;

class PayloadLedgerTest : public ::testing::Test {
 protected:
  // Its name.
  std::string Add(uint64_t id, int64_t bytes = 10, const std::string& tenant = "acme",
                  bool is_output = false) {
    PayloadRecord record{.tenant = tenant, .id = {1, id}, .size_bytes = bytes};
    record.create_us = kSecond;
    record.is_output = is_output;
    ledger_.Add(record);
    return record.name();
  }
  // The low halves of the ids of those that are to go.
  std::vector<uint64_t> Leaving(WallMicros now_us) {
    std::vector<uint64_t> ids;
    for (const TaskId& id :
         ledger_.TakeLeaving(now_us, [this](uint64_t ticket) { return ticket <= on_disk_; })) {
      ids.push_back(id.low);
    }
    return ids;
  }

  PayloadLedger ledger_{{.bytes_max = 1000, .retention_us = kRetention, .number_max = 4}};
  uint64_t on_disk_ = 0;
  const TaskId task_{2, 1};
  const TaskId other_{2, 2};
};

TEST_F(PayloadLedgerTest, OneThatNoTaskNamesGoesWhenItsTimeIsOver) {
  Add(1);
  EXPECT_THAT(Leaving(kSecond + kRetention - 1), IsEmpty());
  EXPECT_THAT(Leaving(kSecond + kRetention), ElementsAre(1));
  EXPECT_EQ(ledger_.size(), 0u);
  EXPECT_EQ(ledger_.bytes(), 0);
}

TEST_F(PayloadLedgerTest, OneThatATaskNamesStays) {
  ledger_.Hold(Add(1), task_);
  EXPECT_THAT(Leaving(INT64_MAX), IsEmpty());
}

TEST_F(PayloadLedgerTest, ItGoesWithTheLastTaskThatNamesIt) {
  const std::string name = Add(1);
  ledger_.Hold(name, task_);
  ledger_.Hold(name, other_);
  ledger_.Hold(name, other_);
  EXPECT_EQ(ledger_.Find(name)->tasks, 2);
  ledger_.ReleaseAll(task_, 0);
  EXPECT_THAT(Leaving(kSecond), IsEmpty());
  ledger_.ReleaseAll(other_, 0);
  EXPECT_THAT(Leaving(kSecond), ElementsAre(1));
}

TEST_F(PayloadLedgerTest, ItDoesNotGoBeforeTheTasksDeletionIsOnDisk) {
  ledger_.Hold(Add(1), task_);
  ledger_.ReleaseAll(task_, 7);
  on_disk_ = 6;
  EXPECT_THAT(Leaving(INT64_MAX), IsEmpty());
  on_disk_ = 7;
  EXPECT_THAT(Leaving(kSecond), ElementsAre(1));
}

TEST_F(PayloadLedgerTest, OneThatIsTakenAgainStays) {
  const std::string name = Add(1);
  ledger_.Hold(name, task_);
  ledger_.ReleaseAll(task_, 7);
  ledger_.Hold(name, other_);
  on_disk_ = 7;
  EXPECT_THAT(Leaving(INT64_MAX), IsEmpty());
}

TEST_F(PayloadLedgerTest, OneNameOfATaskIsReleasedAlone) {
  const std::string input = Add(1);
  const std::string output = Add(2);
  ledger_.Hold(input, task_);
  ledger_.Hold(output, task_);
  ledger_.Release(output, task_, 0);
  EXPECT_THAT(Leaving(kSecond), ElementsAre(2));
  EXPECT_EQ(ledger_.Find(input)->tasks, 1);
}

TEST_F(PayloadLedgerTest, AnOutputOfNoTaskWaitsForTheWorkersWordAfterAStart) {
  Add(1, 10, "acme", /*is_output=*/true);
  ledger_.Hold(Add(2, 10, "acme", /*is_output=*/true), task_);
  const WallMicros now_us = kSecond + 1000 * kRetention;
  ledger_.EndRecovery(now_us);
  EXPECT_THAT(Leaving(now_us + kOutputGraceUs - 1), IsEmpty());
  EXPECT_THAT(Leaving(now_us + kOutputGraceUs), ElementsAre(1));
}

TEST_F(PayloadLedgerTest, WhatIsReservedCountsForTheTenantAndTheDaemon) {
  Add(1, 600);
  EXPECT_EQ(RefusalReason(ledger_.Reserve("acme", 101, 700)), "QUOTA_PAYLOAD_BYTES");
  EXPECT_TRUE(ledger_.Reserve("acme", 100, 700).ok());
  EXPECT_EQ(RefusalReason(ledger_.Reserve("acme", 1, 700)), "QUOTA_PAYLOAD_BYTES");
  EXPECT_EQ(RefusalReason(ledger_.Reserve("borage", 301, 0)), "PAYLOADS_FULL");
  ledger_.Unreserve("acme", 100);
  EXPECT_TRUE(ledger_.Reserve("borage", 301, 0).ok());
  EXPECT_EQ(ledger_.BytesOf("acme"), 600);
  EXPECT_EQ(ledger_.BytesOf("borage"), 0);
}

TEST_F(PayloadLedgerTest, ARefusalSaysWhenToTryAgain) {
  const absl::Status refused = ledger_.Reserve("acme", 2, 1);
  EXPECT_TRUE(refused.GetPayload(std::string(kRetryInfoType)).has_value());
  EXPECT_TRUE(refused.GetPayload(std::string(kQuotaFailureType)).has_value());
  EXPECT_TRUE(ledger_.Reserve("acme", 1001, 0).GetPayload(std::string(kRetryInfoType)).has_value());
}

TEST_F(PayloadLedgerTest, TheirNumberIsBounded) {
  for (uint64_t id = 1; id <= 4; ++id) Add(id, 0);
  EXPECT_EQ(RefusalReason(ledger_.Reserve("acme", 0, 0)), "PAYLOADS_FULL");
}

TEST_F(PayloadLedgerTest, OneInUseIsNotRemoved) {
  const std::string name = Add(1);
  ledger_.Hold(name, task_);
  EXPECT_EQ(RefusalReason(ledger_.Remove(name)), "PAYLOAD_IN_USE");
  ledger_.Release(name, task_, 0);
  EXPECT_TRUE(ledger_.Remove(name).ok());
  EXPECT_THAT(Leaving(kSecond), ElementsAre(1));
}

TEST_F(PayloadLedgerTest, OneThatAScheduleNamesOutlastsItsTasks) {
  const std::string name = Add(1);
  ledger_.HoldForSchedule(name);
  ledger_.Hold(name, task_);
  ledger_.ReleaseAll(task_, 7);
  EXPECT_THAT(Leaving(INT64_MAX), IsEmpty());
  EXPECT_EQ(RefusalReason(ledger_.Remove(name)), "PAYLOAD_IN_USE");
  ledger_.ReleaseFromSchedule(name);
  on_disk_ = 6;
  EXPECT_THAT(Leaving(kSecond), IsEmpty());
  on_disk_ = 7;
  EXPECT_THAT(Leaving(kSecond), ElementsAre(1));
}

TEST_F(PayloadLedgerTest, OneOfAScheduleThatIsGoneOutlastsItToItsLastTask) {
  const std::string name = Add(1);
  ledger_.HoldForSchedule(name);
  ledger_.HoldForSchedule(name);
  ledger_.Hold(name, task_);
  ledger_.ReleaseFromSchedule(name);
  EXPECT_EQ(ledger_.Find(name)->schedules, 1);
  ledger_.ReleaseFromSchedule(name);
  EXPECT_THAT(Leaving(INT64_MAX), IsEmpty());
  ledger_.ReleaseAll(task_, 0);
  EXPECT_THAT(Leaving(kSecond), ElementsAre(1));
}

TEST_F(PayloadLedgerTest, OneOfAScheduleThatHasNotComeToBeIsAsBefore) {
  const std::string name = Add(1);
  ledger_.HoldForSchedule(name);
  ledger_.UndoHoldForSchedule(name);
  EXPECT_THAT(Leaving(kSecond + kRetention - 1), IsEmpty());
  EXPECT_THAT(Leaving(kSecond + kRetention), ElementsAre(1));
  // Of a task's meanwhile, it goes.
  const std::string other = Add(2);
  ledger_.HoldForSchedule(other);
  ledger_.Hold(other, task_);
  ledger_.ReleaseAll(task_, 0);
  ledger_.UndoHoldForSchedule(other);
  EXPECT_THAT(Leaving(kSecond), ElementsAre(2));
}

TEST_F(PayloadLedgerTest, AnOutputThatAScheduleNamesOutlastsAStart) {
  const std::string name = Add(1, 10, "acme", /*is_output=*/true);
  ledger_.HoldForSchedule(name);
  ledger_.EndRecovery(kSecond);
  EXPECT_THAT(Leaving(INT64_MAX), IsEmpty());
  // As control does it: schedules are restored behind the tasks.
  ledger_.UndoHoldForSchedule(name);
  ledger_.EndRecovery(kSecond);
  ledger_.HoldForSchedule(name);
  EXPECT_THAT(Leaving(INT64_MAX), IsEmpty());
}

TEST_F(PayloadLedgerTest, WhatATenantHoldsIsCounted) {
  Add(1, 10);
  const std::string empty = Add(2, 0);
  Add(3, 30, "borage");
  EXPECT_EQ(ledger_.held().at("acme").files, 2);
  EXPECT_EQ(ledger_.held().at("acme").bytes, 10);
  EXPECT_TRUE(ledger_.Remove(empty).ok());
  EXPECT_THAT(Leaving(kSecond), ElementsAre(2));
  EXPECT_EQ(ledger_.held().at("acme").files, 1);
  EXPECT_THAT(Leaving(INT64_MAX), ElementsAre(1, 3));
  EXPECT_TRUE(ledger_.held().empty());
}

TEST_F(PayloadLedgerTest, TheyAreListedByNameOfOneTenantOrOfAll) {
  Add(2);
  Add(1);
  Add(3, 10, "borage");
  const auto ids = [this](std::string_view tenant, const std::pair<std::string, TaskId>& after,
                          size_t max) {
    std::vector<uint64_t> found;
    for (const PayloadRecord* record : ledger_.List(tenant, after, max)) {
      found.push_back(record->id.low);
    }
    return found;
  };
  EXPECT_THAT(ids("acme", {}, 10), ElementsAre(1, 2));
  EXPECT_THAT(ids("", {}, 10), ElementsAre(1, 2, 3));
  EXPECT_THAT(ids("", {}, 2), ElementsAre(1, 2));
  EXPECT_THAT(ids("", {"acme", {1, 2}}, 2), ElementsAre(3));
  EXPECT_THAT(ids("acme", {"acme", {1, 1}}, 2), ElementsAre(2));
}

TEST_F(PayloadLedgerTest, ThoseOfATenantThatIsGoneGo) {
  Add(1);
  ledger_.Hold(Add(2), task_);
  Add(3, 10, "borage");
  ledger_.RemoveAllOf("acme");
  EXPECT_THAT(Leaving(kSecond), ElementsAre(1, 2));
  EXPECT_EQ(ledger_.size(), 1u);
  // Its tasks are forgotten, too.
  ledger_.ReleaseAll(task_, 0);
  EXPECT_THAT(Leaving(kSecond), IsEmpty());
}

TEST_F(PayloadLedgerTest, NamesOfNoPayloadAreNobodys) {
  Add(1);
  ledger_.Hold("tenants/acme/payloads/never", task_);
  ledger_.Hold("never", task_);
  ledger_.ReleaseAll(task_, 0);
  EXPECT_EQ(ledger_.Find("tenants/borage/payloads/" + TaskId{1, 1}.ToString()), nullptr);
  EXPECT_EQ(ledger_.Find("never"), nullptr);
}

}  // namespace
}  // namespace grove::tasks
