#include "server/schedules/sqlite_schedule_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <utility>

#include "absl/synchronization/notification.h"

namespace grove::schedules {
namespace {

using ::testing::HasSubstr;

class SqliteScheduleStoreTest : public ::testing::Test {
 protected:
  SqliteScheduleStoreTest() {
    char pattern[] = "/tmp/schedules-XXXXXX";
    folder_ = mkdtemp(pattern);
    Open();
  }
  ~SqliteScheduleStoreTest() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::string File() const { return folder_ + "/schedules.db"; }

  void Open() {
    store_.reset();
    auto opened = SqliteScheduleStore::Open(folder_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }
  absl::Status Write(ScheduleChange change) {
    absl::Status written;
    absl::Notification done;
    store_->Write(std::move(change), [&](absl::Status status) {
      written = std::move(status);
      done.Notify();
    });
    done.WaitForNotification();
    return written;
  }
  static ScheduleChange::Put Some(const std::string& tenant, const std::string& id) {
    ScheduleChange::Put put{.key = {tenant, id}, .seen_us = 7};
    put.settings.emplace();
    put.settings->add_cron_expressions("@daily");
    put.runs.set_spawned_total(3);
    return put;
  }

  std::string folder_;
  std::unique_ptr<SqliteScheduleStore> store_;
};

TEST_F(SqliteScheduleStoreTest, WhatWasWrittenIsThereAgain) {
  ASSERT_TRUE(Write({.puts = {Some("beta", "a"), Some("acme", "b"), Some("acme", "a")}}).ok());
  Open();
  const auto all = *store_->Load();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].key, ScheduleKey("acme", "a"));
  EXPECT_EQ(all[2].key, ScheduleKey("beta", "a"));
  EXPECT_EQ(all[0].settings.cron_expressions(0), "@daily");
  EXPECT_EQ(all[0].runs.spawned_total(), 3);
  EXPECT_EQ(all[0].seen_us, 7);
}

TEST_F(SqliteScheduleStoreTest, ARunLeavesTheSettingsAsTheyAre) {
  ASSERT_TRUE(Write({.puts = {Some("acme", "a")}}).ok());
  ScheduleChange::Put run = Some("acme", "a");
  run.settings.reset();
  run.runs.set_spawned_total(4);
  run.seen_us = 8;
  ASSERT_TRUE(Write({.puts = {run}}).ok());
  Open();
  const auto all = *store_->Load();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].settings.cron_expressions(0), "@daily");
  EXPECT_EQ(all[0].runs.spawned_total(), 4);
  EXPECT_EQ(all[0].seen_us, 8);
}

TEST_F(SqliteScheduleStoreTest, WhatWasDroppedIsGone) {
  ASSERT_TRUE(Write({.puts = {Some("acme", "a"), Some("acme", "b")}}).ok());
  ASSERT_TRUE(Write({.drops = {{"acme", "a"}, {"acme", "none"}}}).ok());
  Open();
  const auto all = *store_->Load();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].key.second, "b");
}

TEST_F(SqliteScheduleStoreTest, AStopWritesWhatIsPending) {
  store_->Write({.puts = {Some("acme", "a")}}, [](const absl::Status&) {});
  store_->Stop();
  Open();
  EXPECT_EQ(store_->Load()->size(), 1u);
}

TEST_F(SqliteScheduleStoreTest, OnlyItsOwnerMayReadIt) {
  struct stat file {};
  ASSERT_EQ(stat(File().c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
}

TEST_F(SqliteScheduleStoreTest, AFileThatWasTakenAwayTakesNothing) {
  std::filesystem::remove(File());
  const absl::Status written = Write({.puts = {Some("acme", "a")}});
  EXPECT_EQ(written.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(written.message()), HasSubstr("was taken away"));
}

TEST_F(SqliteScheduleStoreTest, ADatabaseOfAnotherProgramIsLeftAlone) {
  store_.reset();
  auto other = sqlite::Connection::Open(File(), sqlite::Connection::Missing::kRefuse);
  ASSERT_TRUE(other->Execute("PRAGMA application_id = 1").ok());
  other->Close();
  const absl::Status opened = SqliteScheduleStore::Open(folder_).status();
  EXPECT_EQ(opened.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(opened.message()), HasSubstr("of another program"));
}

TEST_F(SqliteScheduleStoreTest, ARecordThatDoesNotParseIsNotPassedOver) {
  ASSERT_TRUE(Write({.puts = {Some("acme", "a")}}).ok());
  store_.reset();
  auto broken = sqlite::Connection::Open(File(), sqlite::Connection::Missing::kRefuse);
  ASSERT_TRUE(broken->Execute("UPDATE schedules SET settings = x'ff'").ok());
  broken->Close();
  Open();
  EXPECT_EQ(store_->Load().status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace grove::schedules
