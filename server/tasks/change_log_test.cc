#include "server/tasks/change_log.h"

#include <vector>

#include "gtest/gtest.h"

namespace grove::tasks {
namespace {

constexpr EngineMicros kNow = 1'000'000;

TaskId Id(uint64_t number) {
  return {0, number};
}

// Tasks of the changes behind `position`.
std::vector<uint64_t> Behind(const ChangeLog& log, uint64_t position) {
  std::vector<uint64_t> found;
  while (const auto change = log.After(position)) {
    position = change->first;
    found.push_back(change->second.task.low);
  }
  return found;
}

TEST(ChangeLogTest, ATaskStandsInItOnceAtItsLatestChange) {
  ChangeLog log(1);
  for (const uint64_t task : {1, 2, 1, 3, 1}) log.Note(Id(task), 0, 10);
  EXPECT_EQ(Behind(log, 0), (std::vector<uint64_t>{2, 3, 1}));
  EXPECT_EQ(Behind(log, 4), (std::vector<uint64_t>{1}));
  EXPECT_TRUE(Behind(log, log.end()).empty());
}

TEST(ChangeLogTest, ForgetsTheOldestChangesBeyondItsBound) {
  ChangeLog log(1);
  for (const uint64_t task : {1, 2, 3, 4}) log.Note(Id(task), 0, 2);
  EXPECT_EQ(Behind(log, 0), (std::vector<uint64_t>{3, 4}));
  EXPECT_TRUE(log.HasForgotten(1));
  EXPECT_FALSE(log.HasForgotten(2));
}

TEST(ChangeLogTest, TheSameTaskAgainAndAgainPushesNothingOut) {
  ChangeLog log(1);
  log.Note(Id(1), 0, 2);
  for (int i = 0; i < 100; ++i) log.Note(Id(2), 0, 2);
  EXPECT_EQ(Behind(log, 0), (std::vector<uint64_t>{1, 2}));
  EXPECT_FALSE(log.HasForgotten(0));
}

TEST(ChangeLogsTest, NothingIsKeptWhileNobodyWatches) {
  ChangeLogs logs;
  logs.Note(0, Id(1), 0);
  EXPECT_EQ(logs.size(), 0u);
  EXPECT_EQ(logs.Join(0, kNow).end(), 0u);
}

TEST(ChangeLogsTest, EachTenantHasItsOwnAndThereIsOneOfAll) {
  ChangeLogs logs;
  const ChangeLog& own = logs.Join(0, kNow);
  const ChangeLog& all = logs.Join(ChangeLogs::kAllTenants, kNow);
  logs.Note(0, Id(1), 0);
  logs.Note(1, Id(2), 1);
  EXPECT_EQ(Behind(own, 0), (std::vector<uint64_t>{1}));
  EXPECT_EQ(Behind(all, 0), (std::vector<uint64_t>{1, 2}));
}

TEST(ChangeLogsTest, ALogOutlastsItsLastReaderForAWhile) {
  ChangeLogs logs;
  const uint64_t serial = logs.Join(0, kNow).serial();
  logs.Leave(0, serial, kNow);
  logs.Note(0, Id(1), 0);
  EXPECT_EQ(Behind(logs.Join(0, kNow + kChangesKeptUs - 1), 0), (std::vector<uint64_t>{1}));
  logs.Leave(0, serial, kNow);
  const ChangeLog& later = logs.Join(0, kNow + kChangesKeptUs);
  EXPECT_NE(later.serial(), serial);
  EXPECT_EQ(later.end(), 0u);
}

TEST(ChangeLogsTest, ALogThatNobodyComesBackToGoesByItself) {
  ChangeLogs logs;
  logs.Leave(0, logs.Join(0, kNow).serial(), kNow);
  logs.DropIdle(kNow + kChangesKeptUs - 1);
  EXPECT_EQ(logs.size(), 1u);
  logs.DropIdle(kNow + kChangesKeptUs);
  EXPECT_EQ(logs.size(), 0u);
}

TEST(ChangeLogsTest, ALogThatIsReadIsNotDropped) {
  ChangeLogs logs;
  const uint64_t serial = logs.Join(0, kNow).serial();
  logs.Join(1, kNow + 10 * kChangesKeptUs);
  EXPECT_NE(logs.Find(0, serial), nullptr);
}

TEST(ChangeLogsTest, TooManyIdleOnesGoFromTheOldestOn) {
  ChangeLogs logs;
  for (size_t tenant = 0; tenant < kChangeLogsMax + 10; ++tenant) {
    const auto now = kNow + static_cast<EngineMicros>(tenant);
    logs.Leave(tenant, logs.Join(tenant, now).serial(), now);
  }
  EXPECT_LE(logs.size(), kChangeLogsMax);
  EXPECT_EQ(logs.Find(0, 1), nullptr);
  EXPECT_NE(logs.Find(kChangeLogsMax + 9, kChangeLogsMax + 10), nullptr);
}

TEST(ChangeLogsTest, WhatIsForgottenBeginsAnew) {
  ChangeLogs logs;
  const uint64_t serial = logs.Join(0, kNow).serial();
  logs.Forget(0);
  EXPECT_EQ(logs.Find(0, serial), nullptr);
  EXPECT_NE(logs.Join(0, kNow).serial(), serial);
}

}  // namespace
}  // namespace grove::tasks
