#include "database/sqlite/database.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "database/sqlite/result_code.h"
#include "runtime/group/fiber_group.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/hub_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/sync/event.h"

namespace grove::sqlite {
namespace {

// Counts for hours, unless it is stopped.
constexpr const char* kEndless =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

// Where a thread says that it has come, and stays until it is let go. Made on the hub.
class Gate {
 public:
  // On a thread.
  void Pass() {
    Enter();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_; });
  }
  void Enter() {
    hub_.Post([this] { entered_.Set(); });
  }
  // On the hub. Parks.
  void AwaitEntered() { EXPECT_TRUE(entered_.Wait().ok()); }
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  Hub& hub_ = *Hub::Current();
  Event entered_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

// On the real clock: threads take the time that they take.
class DatabaseTest : public ::testing::Test {
 protected:
  DatabaseTest() {
    path_ = ::testing::TempDir() + "/" +
            ::testing::UnitTest::GetInstance()->current_test_info()->name() + ".db";
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + end);
  }

  DatabaseOptions Options() const {
    return {.path = path_,
            .schema = "CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, text TEXT UNIQUE)"};
  }
  void With(DatabaseOptions options, const std::function<void(Database&)>& body) {
    std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 256 * 1024});
    RunOn(*hub, [&] {
      absl::StatusOr<std::unique_ptr<Database>> database = Database::Open(std::move(options));
      ASSERT_TRUE(database.ok()) << database.status();
      body(**database);
      (*database)->Close();
    });
    EXPECT_EQ(hub->Stats().fibers_live, 0u);
  }
  void With(const std::function<void(Database&)>& body) { With(Options(), body); }
  static int64_t Number(Database& database, std::string_view sql) {
    absl::StatusOr<Rows> rows = database.Query(sql);
    EXPECT_TRUE(rows.ok()) << rows.status();
    return rows.ok() ? *rows->rows.at(0).at(0).Integer() : -1;
  }

  std::string path_;
};

TEST_F(DatabaseTest, BindsAndReadsEveryType) {
  With([](Database& database) {
    ASSERT_TRUE(database.Execute("CREATE TABLE t (a, b, c, d, e)").ok());
    const std::string text("a\0b", 3);
    absl::StatusOr<Changes> changes = database.Execute(
        "INSERT INTO t VALUES (?, ?, ?, ?, ?)", {nullptr, int64_t{1} << 60, 2.5, text, Blob{text}});
    ASSERT_TRUE(changes.ok()) << changes.status();
    EXPECT_EQ(changes->rows, 1);
    EXPECT_EQ(changes->last_insert_rowid, 1);
    absl::StatusOr<Rows> rows = database.Query("SELECT * FROM t WHERE b > ?", {17});
    ASSERT_TRUE(rows.ok()) << rows.status();
    EXPECT_EQ(rows->columns, (std::vector<std::string>{"a", "b", "c", "d", "e"}));
    const Row& row = rows->rows.at(0);
    EXPECT_TRUE(row[0].null());
    EXPECT_EQ(*row[1].Integer(), int64_t{1} << 60);
    EXPECT_EQ(*row[2].Real(), 2.5);
    EXPECT_EQ(*row[3].Text(), text);
    EXPECT_EQ(*row[4].Bytes(), text);
    EXPECT_TRUE(absl::IsNotFound(row[0].Integer().status()));
    EXPECT_TRUE(absl::IsFailedPrecondition(row[3].Integer().status()));
  });
}

TEST_F(DatabaseTest, ErrorsHaveTheirCode) {
  With([](Database& database) {
    EXPECT_TRUE(database.Execute("INSERT INTO note (text) VALUES ('a')").ok());
    const absl::Status twice = database.Execute("INSERT INTO note (text) VALUES ('a')").status();
    EXPECT_TRUE(absl::IsAlreadyExists(twice)) << twice;
    EXPECT_EQ(ResultCode(twice), SQLITE_CONSTRAINT_UNIQUE);
    EXPECT_TRUE(absl::IsInvalidArgument(database.Query("SELEC 1").status()));
    EXPECT_TRUE(absl::IsInvalidArgument(database.Query("SELECT ?").status()));
    EXPECT_TRUE(absl::IsInvalidArgument(database.Query("SELECT 1; SELECT 2").status()));
    EXPECT_TRUE(absl::IsInvalidArgument(database.Query(" ").status()));
    EXPECT_TRUE(absl::IsPermissionDenied(database.Query("DELETE FROM note").status()))
        << "a reader does not write";
    EXPECT_EQ(ResultCode(absl::UnknownError("")), 0);
  });
}

TEST_F(DatabaseTest, OpeningSaysWhatIsWrong) {
  std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 256 * 1024});
  RunOn(*hub, [&] {
    EXPECT_TRUE(absl::IsInvalidArgument(Database::Open({.path = ":memory:"}).status()));
    EXPECT_TRUE(absl::IsInvalidArgument(Database::Open({.path = path_, .readers = 0}).status()));
    EXPECT_TRUE(absl::IsNotFound(Database::Open({.path = path_, .create = false}).status()));
    FILE* file = fopen(path_.c_str(), "w");
    for (int i = 0; i < 1000; ++i) fputs("no database\n", file);
    fclose(file);
    const absl::Status bad = Database::Open({.path = path_}).status();
    EXPECT_TRUE(absl::IsDataLoss(bad)) << bad;
    EXPECT_NE(bad.message().find("OpeningSays"), std::string::npos) << "names the file";
  });
}

TEST_F(DatabaseTest, WritesThatWaitShareATransactionAndKeepTheirOutcomes) {
  With([](Database& database) {
    Gate gate;
    FiberHandle first = *Spawn("first", [&] {
      return database.Write([&](Session&) {
        gate.Pass();
        return absl::OkStatus();
      });
    });
    std::vector<absl::Status> results(20);
    FiberGroup group;
    for (int i = 0; i < 20; ++i) {
      EXPECT_TRUE(group
                      .Spawn("writes",
                             [&, i] {
                               // The last is there already.
                               results[i] = database
                                                .Execute("INSERT INTO note (text) VALUES (?)",
                                                         {std::to_string(i % 19)})
                                                .status();
                             })
                      .ok());
    }
    gate.AwaitEntered();
    EXPECT_EQ(database.stats().writers_waiting, 20u);
    gate.Open();
    EXPECT_TRUE(group.Join().ok());
    EXPECT_TRUE(first.Join().ok());
    for (int i = 0; i < 19; ++i) EXPECT_TRUE(results[i].ok()) << results[i];
    EXPECT_TRUE(absl::IsAlreadyExists(results[19])) << results[19];
    EXPECT_EQ(Number(database, "SELECT count(*) FROM note"), 19);
    EXPECT_EQ(database.stats().grouped, 20u);
    EXPECT_EQ(database.stats().transactions, 3u) << "the schema, the gate, the group";
  });
}

TEST_F(DatabaseTest, AGroupThatFailsAsAWholeIsDoneOneByOne) {
  With([](Database& database) {
    Gate gate;
    FiberHandle first = *Spawn("first", [&] {
      return database.Write([&](Session&) {
        gate.Pass();
        return absl::OkStatus();
      });
    });
    absl::Status good, bad;
    FiberHandle one = *Spawn("good", [&] {
      good = database.Execute("INSERT INTO note (text) VALUES ('good')").status();
    });
    // Rolls back the transaction around it, too.
    FiberHandle two = *Spawn("bad", [&] {
      bad = database.Execute("INSERT OR ROLLBACK INTO note (id, text) VALUES (1, 'good')").status();
    });
    gate.AwaitEntered();
    EXPECT_EQ(database.stats().writers_waiting, 2u);
    gate.Open();
    EXPECT_TRUE(one.Join().ok());
    EXPECT_TRUE(two.Join().ok());
    EXPECT_TRUE(first.Join().ok());
    EXPECT_TRUE(good.ok()) << good;
    EXPECT_TRUE(absl::IsAlreadyExists(bad)) << bad;
    EXPECT_EQ(Number(database, "SELECT count(*) FROM note"), 1);
    EXPECT_EQ(database.stats().regrouped, 2u);
  });
}

TEST_F(DatabaseTest, NobodyEndsTheTransactionThatOthersShare) {
  for (const char* end : {"COMMIT", "ROLLBACK", "RELEASE one"}) {
    With([&](Database& database) {
      EXPECT_TRUE(database.Execute("DELETE FROM note").ok());
      Gate gate;
      FiberHandle first = *Spawn("first", [&] {
        return database.Write([&](Session&) {
          gate.Pass();
          return absl::OkStatus();
        });
      });
      absl::Status good, bad;
      FiberHandle one = *Spawn("good", [&] {
        good = database.Execute("INSERT INTO note (text) VALUES ('good')").status();
      });
      FiberHandle two = *Spawn("bad", [&] { bad = database.Execute(end).status(); });
      gate.AwaitEntered();
      gate.Open();
      for (FiberHandle* each : {&first, &one, &two}) EXPECT_TRUE(each->Join().ok());
      EXPECT_TRUE(good.ok()) << end << ": " << good << " (done twice?)";
      EXPECT_FALSE(bad.ok()) << end;
      EXPECT_EQ(Number(database, "SELECT count(*) FROM note"), 1) << end;
    });
  }
}

TEST_F(DatabaseTest, AFunctionIsATransactionThatFailsAsAWhole) {
  With([](Database& database) {
    const absl::Status failed = database.Write([](Session& session) -> absl::Status {
      if (auto done = session.Execute("INSERT INTO note (text) VALUES ('a')"); !done.ok()) {
        return done.status();
      }
      return absl::DataLossError("mine");
    });
    EXPECT_TRUE(absl::IsDataLoss(failed));
    EXPECT_THROW((void)database.Write([](Session& session) -> absl::Status {
      EXPECT_TRUE(session.Execute("INSERT INTO note (text) VALUES ('b')").ok());
      throw std::runtime_error("thrown");
    }),
                 std::runtime_error);
    EXPECT_EQ(Number(database, "SELECT count(*) FROM note"), 0);
    int64_t sum = 0;
    EXPECT_TRUE(database
                    .Write([&](Session& session) -> absl::Status {
                      for (int i = 1; i <= 3; ++i) {
                        auto done = session.Execute("INSERT INTO note (id) VALUES (?)", {i});
                        if (!done.ok()) return done.status();
                      }
                      return session.ForEach("SELECT id FROM note", {}, [&](Row& row) {
                        sum += *row[0].Integer();
                        return absl::OkStatus();
                      });
                    })
                    .ok());
    EXPECT_EQ(sum, 6);
    EXPECT_TRUE(absl::IsFailedPrecondition(
        database.Write([](Session& session) { return session.Execute("COMMIT").status(); })));
    EXPECT_TRUE(database.Execute("DELETE FROM note").ok()) << "nothing is left open";
  });
}

TEST_F(DatabaseTest, ReadersSeeOneMomentWhileOthersWrite) {
  With([](Database& database) {
    Gate gate;
    int64_t before = -1, after = -1;
    const auto count = [](Session& session) {
      return *session.Query("SELECT count(*) FROM note")->rows.at(0).at(0).Integer();
    };
    FiberHandle reads = *Spawn("reads", [&] {
      return database.Read([&](Session& session) {
        before = count(session);
        gate.Pass();
        after = count(session);
        return absl::OkStatus();
      });
    });
    gate.AwaitEntered();
    EXPECT_TRUE(database.Execute("INSERT INTO note (text) VALUES ('a')").ok());
    gate.Open();
    EXPECT_TRUE(reads.Join().ok());
    EXPECT_EQ(before, 0);
    EXPECT_EQ(after, 0);
    EXPECT_EQ(Number(database, "SELECT count(*) FROM note"), 1);
  });
}

TEST_F(DatabaseTest, StreamsByBatchesAndGivesItsReaderBack) {
  DatabaseOptions options = Options();
  options.readers = 1;
  With(options, [](Database& database) {
    EXPECT_TRUE(database
                    .Execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                             "WHERE i < 1000) INSERT INTO note (id) SELECT i FROM n")
                    .ok());
    {
      absl::StatusOr<Database::Stream> stream =
          database.Select("SELECT id FROM note WHERE id > ? ORDER BY id", {10});
      ASSERT_TRUE(stream.ok()) << stream.status();
      EXPECT_EQ(stream->columns(), (std::vector<std::string>{"id"}));
      EXPECT_EQ(database.stats().readers_lent, 1);
      int64_t next = 11;
      std::vector<size_t> sizes;
      for (;;) {
        absl::StatusOr<std::vector<Row>> rows = stream->Next(400);
        ASSERT_TRUE(rows.ok()) << rows.status();
        sizes.push_back(rows->size());
        if (rows->empty()) break;
        for (const Row& row : *rows) EXPECT_EQ(*row[0].Integer(), next++);
      }
      EXPECT_EQ(sizes, (std::vector<size_t>{400, 400, 190, 0}));
      EXPECT_EQ(database.stats().readers_lent, 0) << "at the end, not at its death";
    }
    {
      absl::StatusOr<Database::Stream> stream = database.Select("SELECT id FROM note");
      EXPECT_EQ(stream->Next(1)->size(), 1u);
    }
    EXPECT_EQ(Number(database, "SELECT count(*) FROM note"), 1000) << "it was left halfway";
  });
}

TEST_F(DatabaseTest, ATimeoutStopsWhatRuns) {
  With([](Database& database) {
    const absl::Status late =
        WithTimeout(absl::Milliseconds(20), [&] { return database.Query(kEndless); }).status();
    EXPECT_TRUE(absl::IsDeadlineExceeded(late)) << late;
    EXPECT_EQ(Number(database, "SELECT 1"), 1) << "the reader is as new";
    Gate gate;
    FiberHandle writes = *Spawn("writes", [&] {
      return database.Write([&](Session& session) -> absl::Status {
        auto done = session.Execute("INSERT INTO note (text) VALUES ('a')");
        gate.Enter();
        return done.ok() ? session.Query(kEndless).status() : done.status();
      });
    });
    gate.AwaitEntered();
    writes.Cancel();
    EXPECT_TRUE(absl::IsCancelled(writes.Join()));
    EXPECT_GE(database.stats().interrupted, 1u);
    EXPECT_EQ(Number(database, "SELECT count(*) FROM note"), 0);
    EXPECT_TRUE(database.Execute("INSERT INTO note (text) VALUES ('a')").ok());
  });
}

TEST_F(DatabaseTest, AWriteThatWaitsAndIsCancelledIsNeverDone) {
  With([](Database& database) {
    Gate gate;
    FiberHandle first = *Spawn("first", [&] {
      return database.Write([&](Session&) {
        gate.Pass();
        return absl::OkStatus();
      });
    });
    FiberHandle second = *Spawn("second", [&] {
      return database.Execute("INSERT INTO note (text) VALUES ('second')").status();
    });
    FiberHandle third = *Spawn("third", [&] {
      return database.Execute("INSERT INTO note (text) VALUES ('third')").status();
    });
    gate.AwaitEntered();
    EXPECT_EQ(database.stats().writers_waiting, 2u);
    second.Cancel();
    EXPECT_TRUE(absl::IsCancelled(second.Join()));
    gate.Open();
    EXPECT_TRUE(third.Join().ok());
    EXPECT_TRUE(first.Join().ok());
    EXPECT_EQ(Number(database, "SELECT count(*) FROM note WHERE text = 'third'"), 1);
    EXPECT_EQ(Number(database, "SELECT count(*) FROM note"), 1);
  });
}

TEST_F(DatabaseTest, WritersThatWaitAreBounded) {
  DatabaseOptions options = Options();
  options.writers_waiting_max = 1;
  With(options, [](Database& database) {
    Gate gate;
    FiberHandle first = *Spawn("first", [&] {
      return database.Write([&](Session&) {
        gate.Pass();
        return absl::OkStatus();
      });
    });
    FiberHandle second =
        *Spawn("second", [&] { return database.Execute("DELETE FROM note").status(); });
    gate.AwaitEntered();
    EXPECT_EQ(database.stats().writers_waiting, 1u);
    EXPECT_TRUE(absl::IsResourceExhausted(database.Execute("DELETE FROM note").status()));
    gate.Open();
    EXPECT_TRUE(first.Join().ok());
    EXPECT_TRUE(second.Join().ok());
  });
}

TEST_F(DatabaseTest, RowsAndValuesAreBounded) {
  DatabaseOptions options = Options();
  options.rows_bytes_max = 10'000;
  options.value_bytes_max = 2000;
  With(options, [](Database& database) {
    const std::string text(900, 'x');
    for (int i = 0; i < 20; ++i) {
      EXPECT_TRUE(
          database.Execute("INSERT INTO note (text) VALUES (?)", {text + std::to_string(i)}).ok());
    }
    EXPECT_TRUE(absl::IsResourceExhausted(database.Query("SELECT text FROM note").status()));
    EXPECT_TRUE(database.Query("SELECT text FROM note LIMIT 5").ok());
    EXPECT_TRUE(absl::IsResourceExhausted(
        database.Execute("INSERT INTO note (text) VALUES (?)", {std::string(3000, 'x')}).status()));
  });
}

TEST_F(DatabaseTest, AnotherProcesssLockIsWaitedForAndGivenUp) {
  DatabaseOptions options = Options();
  options.busy_timeout = absl::Milliseconds(30);
  With(options, [this](Database& database) {
    sqlite3* other = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &other), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
    const absl::Status locked = database.Execute("DELETE FROM note").status();
    EXPECT_TRUE(absl::IsUnavailable(locked)) << locked;
    EXPECT_EQ(ResultCode(locked), SQLITE_BUSY);
    EXPECT_GT(database.stats().busy_waits, 1u);
    EXPECT_EQ(Number(database, "SELECT count(*) FROM note"), 0) << "readers do not wait for it";
    ASSERT_EQ(sqlite3_exec(other, "COMMIT", nullptr, nullptr, nullptr), SQLITE_OK);
    EXPECT_TRUE(database.Execute("DELETE FROM note").ok());
    sqlite3_close(other);
  });
}

TEST_F(DatabaseTest, AWaitForALockEndsWithItsFiber) {
  DatabaseOptions options = Options();
  options.busy_timeout = absl::Hours(1);
  With(options, [this](Database& database) {
    sqlite3* other = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &other), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
    FiberHandle writes =
        *Spawn("writes", [&] { return database.Execute("DELETE FROM note").status(); });
    while (database.stats().busy_waits == 0) ASSERT_TRUE(Sleep(absl::Milliseconds(1)).ok());
    writes.Cancel();
    EXPECT_TRUE(absl::IsCancelled(writes.Join()));
    sqlite3_close(other);
  });
}

TEST_F(DatabaseTest, KeepsStatementsWithinTheirBound) {
  DatabaseOptions options = Options();
  options.statements_max = 3;
  options.readers = 1;
  With(options, [](Database& database) {
    for (int round = 0; round < 2; ++round) {
      for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(Number(database, "SELECT " + std::to_string(i)), i);
        EXPECT_EQ(Number(database, "SELECT " + std::to_string(i)), i);
      }
    }
    EXPECT_EQ(database.stats().statements_reused, 10u);
  });
}

TEST_F(DatabaseTest, AfterCloseItIsOfNoUse) {
  With([](Database& database) {
    database.Close();
    EXPECT_TRUE(absl::IsFailedPrecondition(database.Query("SELECT 1").status()));
    EXPECT_TRUE(absl::IsFailedPrecondition(database.Execute("SELECT 1").status()));
    EXPECT_TRUE(absl::IsFailedPrecondition(database.Select("SELECT 1").status()));
  });
  EXPECT_FALSE(std::filesystem::exists(path_ + "-wal")) << "the log is in the file";
}

}  // namespace
}  // namespace grove::sqlite
