// What docs/postgres.md shows.
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "database/postgres/copy.h"
#include "database/postgres/listener.h"
#include "database/postgres/pipeline.h"
#include "database/postgres/pool.h"
#include "database/postgres/row_stream.h"
#include "database/postgres/server_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/subprocess.h"

namespace grove::postgres {
namespace {

class PostgresExample : public PostgresTest {
 protected:
  template <typename F>
  void RunPool(F&& body) {
    Run([&] {
      std::unique_ptr<Pool> pool = *Pool::Create({.connection = server_->Options(), .max = 4});
      ASSERT_TRUE(pool->Execute("DROP TABLE IF EXISTS accounts, lines").ok());
      ASSERT_TRUE(
          pool->Execute("CREATE TABLE accounts (id int PRIMARY KEY, owner text, cents int8)").ok());
      ASSERT_TRUE(
          pool->Execute("INSERT INTO accounts VALUES (1, 'Ada', 500), (2, 'Bob', 20)").ok());
      ASSERT_TRUE(pool->Execute("CREATE TABLE lines (number int, words text)").ok());
      body(*pool);
    });
  }
};

TEST_F(PostgresExample, Options) {
  Run([] {
    const std::string address = "postgresql://grove@/postgres?host=/tmp&port=5432";
    // [options]
    absl::StatusOr<ConnectionOptions> connection = ConnectionOptions::Parse(address);
    if (!connection.ok()) return;
    connection->settings = {{"statement_timeout", "10s"}};
    PoolOptions options{.connection = *connection};
    options.max = 20;
    options.idle_max = absl::Minutes(5);
    absl::StatusOr<std::unique_ptr<Pool>> pool = Pool::Create(options);
    // [/options]
    EXPECT_TRUE(pool.ok());
  });
}

TEST_F(PostgresExample, Asks) {
  RunPool([](Pool& pool) {
    // [query]
    Timeout timeout(absl::Seconds(5));  // of all of it: the wait for a connection, the answer
    absl::StatusOr<Result> rows =
        pool.Query("SELECT id, owner FROM accounts WHERE cents > $1 ORDER BY id", {int64_t{10}});
    if (!rows.ok()) return;
    std::string owners;
    for (const Row row : *rows) {
      absl::StatusOr<std::string_view> owner = row.Get<std::string_view>("owner");
      if (!owner.ok()) return;  // NULL, or no text: the status says which column, and why
      owners += *owner;
    }
    EXPECT_EQ(owners, "AdaBob");
    // [/query]
    // [error]
    const absl::Status twice =
        pool.Execute("INSERT INTO accounts VALUES ($1, $2, $3)", {1, "Eve", nullptr}).status();
    EXPECT_TRUE(absl::IsAlreadyExists(twice));
    EXPECT_EQ(SqlStateOf(twice), kUniqueViolation);
    EXPECT_EQ(SqlErrorOf(twice)->constraint, "accounts_pkey");
    // [/error]
  });
}

TEST_F(PostgresExample, Transacts) {
  RunPool([](Pool& pool) {
    const int from = 1;
    const int to = 2;
    const int64_t cents = 100;
    // [transaction]
    absl::Status moved = RunTransaction(
        pool, {.transaction = {.isolation = Isolation::kSerializable}},
        [&](Transaction& transaction) -> absl::Status {
          absl::StatusOr<int64_t> taken = transaction.Execute(
              "UPDATE accounts SET cents = cents - $1 WHERE id = $2 AND cents >= $1",
              {cents, from});
          if (!taken.ok()) return taken.status();
          if (*taken == 0) return absl::FailedPreconditionError("not as much is there");
          return transaction
              .Execute("UPDATE accounts SET cents = cents + $1 WHERE id = $2", {cents, to})
              .status();
        });
    // [/transaction]
    EXPECT_TRUE(moved.ok()) << moved;
    EXPECT_EQ(*pool.Query("SELECT cents FROM accounts WHERE id = 2")->Value<int64_t>(), 120);
    // [session]
    absl::StatusOr<Pool::Lease> session = pool.Take();
    if (!session.ok()) return;
    (void)(*session)->Execute("SET work_mem = '64MB'");
    (void)(*session)->Query("SELECT count(*) FROM accounts");
    session->PutBack();  // ends a transaction that is open; may park
    // [/session]
  });
}

TEST_F(PostgresExample, Streams) {
  RunPool([](Pool& pool) {
    auto lease = pool.Take();
    Connection& connection = **lease;
    // [copy_in]
    absl::StatusOr<CopyIn> in = connection.StartCopyIn("COPY lines (number, words) FROM STDIN");
    if (!in.ok()) return;
    std::string row;
    for (int number = 0; number < 1000; ++number) {
      row.clear();
      AppendCopyRow({std::to_string(number), "some words"}, row);
      if (absl::Status sent = in->Write(row); !sent.ok()) return;  // parks while it is too much
    }
    absl::StatusOr<int64_t> stored = in->Finish();
    EXPECT_EQ(*stored, 1000);
    // [/copy_in]
    // [stream]
    absl::StatusOr<RowStream> rows = connection.Stream("SELECT number, words FROM lines");
    if (!rows.ok()) return;
    int seen = 0;
    for (;;) {
      absl::StatusOr<bool> more = rows->Next();
      if (!more.ok()) return;  // what was seen was not all
      if (!*more) break;
      seen += rows->row().Get<int>("number").ok() ? 1 : 0;
    }
    EXPECT_EQ(seen, 1000);
    // [/stream]
  });
}

TEST_F(PostgresExample, Listens) {
  RunPool([](Pool& pool) {
    std::unique_ptr<Connector> connector = *Connector::Create();
    const ConnectionOptions options = server_->Options();
    int looked = 0;
    std::string payload;
    auto notifies = *Spawn("notifies", [&] {
      while (looked == 0) (void)Sleep(absl::Milliseconds(1));
      (void)pool.Query("SELECT pg_notify('jobs', '7')");
    });
    const auto look_for_jobs = [&] { ++looked; };
    // [listen]
    Listener listener(*connector, options, {"jobs"});
    while (payload.empty()) {
      absl::StatusOr<Listened> next = listener.Next();
      if (!next.ok()) return;
      if (next->kind == Listened::Kind::kListening) {
        look_for_jobs();  // what was notified before, or while nobody was connected
      } else {
        payload = next->payload;
      }
    }
    // [/listen]
    EXPECT_EQ(payload, "7");
    EXPECT_TRUE(notifies.Join().ok());
  });
}

TEST_F(PostgresExample, SharesConnections) {
  Run([] {
    const ConnectionOptions connection = server_->Options();
    // [pipeline]
    std::unique_ptr<Pipeline> pipeline =
        *Pipeline::Create({.connection = connection, .connections = 4});
    std::vector<FiberHandle> fibers;
    for (int i = 0; i < 100; ++i) {
      fibers.push_back(*Spawn("asks", [&, i] {
        absl::StatusOr<Result> answer = pipeline->Query("SELECT $1 + 1", {i});
        EXPECT_EQ(*answer->Value<int>(), i + 1);
      }));
    }
    for (FiberHandle& fiber : fibers) (void)fiber.Join();
    // [/pipeline]
    pipeline.reset();
    (void)Sleep(absl::Milliseconds(1));
  });
}

TEST_F(PostgresExample, Guards) {
  Run([] {
    const ConnectionOptions connection = server_->Options();
    std::vector<std::string> lines;
    // [guard]
    PoolOptions options{.connection = connection};
    options.guard.report = [&](const guard::HeldWaitReport& report) {
      lines.push_back(report.ToString());
    };
    std::unique_ptr<Pool> pool = *Pool::Create(options);
    (void)RunTransaction(*pool, {}, [](Transaction& transaction) -> absl::Status {
      if (auto one = transaction.Query("SELECT 1"); !one.ok()) return one.status();
      return Sleep(absl::Milliseconds(10));  // is seen
    });
    EXPECT_EQ(pool->guard_stats().sleeps, 1u);
    // [/guard]
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_NE(lines[0].find("sleeps (timer) while it holds a transaction that was begun at "
                            "database/examples/postgres_test.cc:"),
              std::string::npos)
        << lines[0];
  });
}

TEST_F(PostgresExample, TheProgramPrintsTwentySquares) {
  Run([] {
    const std::string address =
        "user=grove dbname=postgres password='" + std::string(TestServer::kPassword) +
        "' host=" + server_->Options().hosts[0].host + " port=" + std::to_string(server_->port());
    auto program = Subprocess::Start({"database/examples/pooled", address});
    ASSERT_TRUE(program.ok()) << program.status();
    auto output = program->Communicate();
    ASSERT_TRUE(output.ok()) << output.status();
    EXPECT_TRUE(output->status.ok()) << output->err;
    EXPECT_NE(output->out.find("20: 400\n"), std::string::npos) << output->out;
  });
}

}  // namespace
}  // namespace grove::postgres
