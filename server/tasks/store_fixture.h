// Fixture for tests of the store's parts: a state directory, and a writer that is moved by hand.
#ifndef GROVE_SERVER_TASKS_STORE_FIXTURE_H_
#define GROVE_SERVER_TASKS_STORE_FIXTURE_H_

#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/tasks/sqlite_reader.h"
#include "server/tasks/store_writer.h"

namespace grove::tasks {

class StoreFixture : public ::testing::Test {
 protected:
  using Kind = StoreWrite::Kind;

  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/storeXXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    options_.state_dir = pattern;
  }
  void TearDown() override {
    Close();
    std::filesystem::remove_all(options_.state_dir);
  }

  std::string File(const std::string& name) const { return options_.state_dir + "/" + name; }

  absl::Status TryOpen() {
    Close();
    auto writer = StoreWriter::Open(options_);
    if (!writer.ok()) return writer.status();
    writer_ = *std::move(writer);
    reader_ = std::make_unique<SqliteReader>(writer_->path());
    reader_->Start();
    return absl::OkStatus();
  }
  void Open() {
    const absl::Status status = TryOpen();
    ASSERT_TRUE(status.ok()) << status;
  }
  void Close() {
    reader_.reset();
    writer_.reset();
  }

  StoreWrite Write(Kind kind, uint64_t id, const std::string& spec = "s",
                   WallMicros end_time_us = 0) {
    StoreWrite write;
    write.kind = kind;
    write.ticket = ++ticket_;
    write.task.id = {id, 0};
    write.task.tenant = "acme";
    write.task.queue = "mail";
    write.task.spec = spec;
    write.task.progress.task = "p";
    write.task.progress.end_time_us = end_time_us;
    return write;
  }
  // Steps until there is nothing to do at once; the last report.
  StoreReport Advance(std::vector<StoreWrite> writes = {}) {
    writer_->Hold(std::move(writes));
    StoreWriter::Step step;
    do {
      now_ms_ += StoreWriter::kStepMs;
      step = writer_->Advance(now_ms_, *reader_);
    } while (step.more);
    return step.report;
  }
  StoreReport Insert(uint64_t id, const std::string& spec = "s") {
    return Advance({Write(Kind::kInsert, id, spec)});
  }

  std::vector<uint64_t> LoadIds(const StoreRetention& retention = {}) {
    std::vector<uint64_t> ids;
    const absl::Status loaded =
        writer_->Load(retention, [&](const StoredTask& task) { ids.push_back(task.id.high); });
    EXPECT_TRUE(loaded.ok()) << loaded;
    return ids;
  }
  // How many of these the reader finds, or why it finds none.
  absl::StatusOr<size_t> Read(const std::vector<uint64_t>& ids) {
    std::vector<TaskId> tasks;
    tasks.reserve(ids.size());
    for (const uint64_t id : ids) tasks.push_back({id, 0});
    absl::Notification answered;
    absl::StatusOr<size_t> count;
    reader_->Read(tasks, [&](absl::StatusOr<std::vector<StoredTask>> found) {
      if (found.ok()) {
        count = found->size();
      } else {
        count = found.status();
      }
      answered.Notify();
    });
    answered.WaitForNotification();
    return count;
  }

  SqliteStoreOptions options_;
  std::unique_ptr<StoreWriter> writer_;
  std::unique_ptr<SqliteReader> reader_;
  uint64_t ticket_ = 0;
  int64_t now_ms_ = 0;
};

}  // namespace grove::tasks

#endif  // GROVE_SERVER_TASKS_STORE_FIXTURE_H_
