#include "server/sqlite/connection.h"

#include <errno.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

#include "gtest/gtest.h"

namespace grove::sqlite {
namespace {

// What SQLite finds when it calls: as if the system had said so in a read.
void FailToRead(sqlite3_context* context, int, sqlite3_value** arguments) {
  errno = sqlite3_value_int(arguments[0]);
  sqlite3_result_error_code(context, SQLITE_IOERR_READ);
}

class ConnectionTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "connection-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    auto opened = Connection::Open(folder_ + "/a.db", Connection::Missing::kCreate);
    ASSERT_TRUE(opened.ok()) << opened.status();
    connection_ = *std::move(opened);
    ASSERT_EQ(sqlite3_create_function(connection_.get(), "fail_to_read", 1, SQLITE_UTF8, nullptr,
                                      FailToRead, nullptr, nullptr),
              SQLITE_OK);
  }
  void TearDown() override {
    connection_.Close();
    std::filesystem::remove_all(folder_);
  }
  absl::Status Fail(int error) {
    return connection_.QueryNumber(("SELECT fail_to_read(" + std::to_string(error) + ")").c_str())
        .status();
  }

  std::string folder_;
  Connection connection_;
};

TEST_F(ConnectionTest, AFailureToReadSaysWhatTheSystemSaid) {
  EXPECT_EQ(Fail(EIO), absl::UnavailableError("read " + folder_ +
                                              "/a.db: disk I/O error (Input/output error)"));
}

TEST_F(ConnectionTest, AFullVolumeIsNoFailingDisk) {
  EXPECT_TRUE(absl::IsResourceExhausted(Fail(ENOSPC)));
  EXPECT_TRUE(absl::IsResourceExhausted(Fail(EDQUOT)));
}

TEST_F(ConnectionTest, AFileThatWasLookedForIsNoReason) {
  EXPECT_EQ(Fail(ENOENT), absl::UnavailableError("read " + folder_ + "/a.db: disk I/O error"));
}

TEST_F(ConnectionTest, WhatTheCallerDidBeforeIsNoReason) {
  errno = ENOSPC;
  EXPECT_EQ(Fail(0), absl::UnavailableError("read " + folder_ + "/a.db: disk I/O error"));
}

TEST_F(ConnectionTest, AFileThatIsMissingIsSaidToBe) {
  const auto opened = Connection::Open(folder_ + "/none.db", Connection::Missing::kRefuse);
  EXPECT_TRUE(absl::IsPermissionDenied(opened.status())) << opened.status();
}

}  // namespace
}  // namespace grove::sqlite
