#include "server/sqlite/side_writer.h"

#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace grove::sqlite {
namespace {

using ::testing::ElementsAre;
using Commits = SideWriter::Commits;

class SideWriterTest : public testing::TestWithParam<Commits> {
 protected:
  SideWriterTest() {
    connection_ = *OpenSideFile(path_, {.application_id = 1,
                                        .schema_version = 1,
                                        .create_tables = "CREATE TABLE n (n INTEGER UNIQUE);"});
    writer_ = std::make_unique<SideWriter>(connection_, GetParam());
    EXPECT_TRUE(writer_->Guard(path_).ok());
  }
  ~SideWriterTest() override {
    writer_.reset();
    connection_.Close();
    for (const char* end : {"", "-wal", "-shm"}) unlink((path_ + end).c_str());
  }

  void Write(int number) {
    writer_->Write(
        [this, number] {
          return connection_.Execute("INSERT INTO n VALUES (" + std::to_string(number) + ")");
        },
        [this, number](const absl::Status& status) {
          (status.ok() ? written_ : failed_).push_back(number);
        });
  }
  // The thread is busy until this is notified; what comes meanwhile gathers.
  void Hold(absl::Notification& go) {
    writer_->Write(
        [&go] {
          go.WaitForNotification();
          return absl::OkStatus();
        },
        [](const absl::Status&) {});
  }
  int64_t Rows() { return *connection_.QueryNumber("SELECT COUNT(*) FROM n"); }

  std::string path_ = testing::TempDir() + "/side-" + std::to_string(getpid()) + ".db";
  Connection connection_;
  std::unique_ptr<SideWriter> writer_;
  // By the thread; read once it has ended.
  std::vector<int> written_;
  std::vector<int> failed_;
};

TEST_P(SideWriterTest, WritesInTheOrderInWhichItIsTold) {
  absl::Notification go;
  Hold(go);
  for (int i = 1; i <= 3; ++i) Write(i);
  go.Notify();
  writer_->Stop();
  EXPECT_THAT(written_, ElementsAre(1, 2, 3));
  EXPECT_EQ(Rows(), 3);
}

TEST_P(SideWriterTest, OneThatFailsFailsAloneOrWithItsGroup) {
  absl::Notification go, again;
  Hold(go);
  Write(1);
  Write(1);
  Write(2);
  go.Notify();
  writer_->Stop();
  if (GetParam() == Commits::kAlone) {
    EXPECT_THAT(written_, ElementsAre(1, 2));
    EXPECT_THAT(failed_, ElementsAre(1));
    EXPECT_EQ(Rows(), 2);
  } else {
    EXPECT_THAT(failed_, ElementsAre(1, 1, 2));
    EXPECT_EQ(Rows(), 0);
  }
}

TEST_P(SideWriterTest, WhatIsDroppedIsDroppedWhole) {
  absl::Notification go;
  Hold(go);
  Write(1);
  // The destructor waits for the thread, which goes on once it has been told.
  std::thread later([&] { go.Notify(); });
  writer_.reset();
  later.join();
  EXPECT_EQ(Rows(), static_cast<int64_t>(written_.size()));
}

TEST_P(SideWriterTest, RefusesOnceTheFileIsGone) {
  Write(1);
  absl::Notification done;
  writer_->Write([] { return absl::OkStatus(); }, [&](const absl::Status&) { done.Notify(); });
  done.WaitForNotification();
  ASSERT_EQ(unlink(path_.c_str()), 0);
  Write(2);
  writer_->Stop();
  EXPECT_THAT(written_, ElementsAre(1));
  EXPECT_THAT(failed_, ElementsAre(2));
}

INSTANTIATE_TEST_SUITE_P(Both, SideWriterTest,
                         testing::Values(Commits::kAlone, Commits::kTogether));

}  // namespace
}  // namespace grove::sqlite
