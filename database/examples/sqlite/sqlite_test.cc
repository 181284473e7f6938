// What docs/databases_other.md shows of SQLite.
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "database/sqlite/database.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove::sqlite {
namespace {

class SqliteExample : public ::testing::Test {
 protected:
  template <typename F>
  void Run(F&& body) {
    const std::string path = ::testing::TempDir() + "/example.db";
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path + end);
    std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 256 * 1024});
    RunOn(*hub, [&] {
      std::unique_ptr<Database> database = *Database::Open(
          {.path = path,
           .schema = "CREATE TABLE account (name TEXT PRIMARY KEY, cents INTEGER NOT NULL);"
                     "INSERT INTO account VALUES ('ann', 100), ('bob', 0)"});
      body(*database);
      database->Close();
    });
  }
};

TEST_F(SqliteExample, AsksAndWrites) {
  Run([](Database& database) {
    // [ask]
    Timeout timeout(absl::Seconds(10));  // stops the statement, should it fire
    auto changed = database.Execute("INSERT INTO account VALUES (?, ?)", {"eve", 7});
    if (!changed.ok()) return;  // nothing was written
    EXPECT_EQ(changed->rows, 1);
    auto rows = database.Query("SELECT name FROM account WHERE cents > ?", {50});
    if (!rows.ok()) return;
    EXPECT_EQ(*rows->rows[0][0].Text(), "ann");
    // [/ask]
  });
}

TEST_F(SqliteExample, Transacts) {
  Run([](Database& database) {
    // [transaction]
    // Runs on the writing thread, between BEGIN IMMEDIATE and COMMIT; what fails is rolled back.
    absl::Status moved = database.Write([](Session& session) -> absl::Status {
      auto ann = session.Query("SELECT cents FROM account WHERE name = ?", {"ann"});
      if (!ann.ok()) return ann.status();
      if (*ann->rows.at(0)[0].Integer() < 30) return absl::FailedPreconditionError("too poor");
      auto from = session.Execute("UPDATE account SET cents = cents - 30 WHERE name = 'ann'");
      if (!from.ok()) return from.status();
      return session.Execute("UPDATE account SET cents = cents + 30 WHERE name = 'bob'").status();
    });
    EXPECT_TRUE(moved.ok());
    // [/transaction]
  });
}

TEST_F(SqliteExample, Streams) {
  Run([](Database& database) {
    // [stream]
    auto accounts = database.Select("SELECT name, cents FROM account");
    if (!accounts.ok()) return;
    int64_t cents = 0;
    for (;;) {
      absl::StatusOr<std::vector<Row>> rows = accounts->Next(1000);
      if (!rows.ok() || rows->empty()) break;
      for (const Row& row : *rows) cents += row[1].Integer().value_or(0);
    }
    EXPECT_EQ(cents, 100);
    // [/stream]
  });
}

}  // namespace
}  // namespace grove::sqlite
