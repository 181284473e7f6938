#include "database/postgres/connection.h"

#include <memory>
#include <string>
#include <vector>

#include "database/postgres/server_fixture.h"
#include "runtime/hub/timeout.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/sync/event.h"

namespace grove::postgres {
namespace {

class ConnectionTest : public PostgresTest {};

// Until a session of the server is in `state`, by another session.
void AwaitActivity(Connection& watcher, int pid, std::string_view state) {
  for (;;) {
    auto seen = watcher.Query("SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND state = $2",
                              {pid, state});
    ASSERT_TRUE(seen.ok()) << seen.status();
    if (*seen->Value<int64_t>() == 1) return;
  }
}

TEST_F(ConnectionTest, AsksForPasswordsAndIsToldWhoIsRefused) {
  Run([&] {
    auto connector = *Connector::Create();
    ConnectionOptions options = server_->Options();
    options.password = "not it";
    const absl::Status refused = connector->Connect(options).status();
    EXPECT_TRUE(absl::IsUnauthenticated(refused)) << refused;
    EXPECT_EQ(SqlStateOf(refused), "28P01");
    EXPECT_EQ(Std(refused.message()).find("not it"), std::string_view::npos);
    options = server_->Options();
    options.database = "nowhere";
    EXPECT_TRUE(absl::IsNotFound(connector->Connect(options).status()));
    EXPECT_EQ(connector->stats().connect_failures, 2u);
    EXPECT_EQ(connector->stats().connects, 0u);
  });
}

TEST_F(ConnectionTest, SpeaksTlsWithAServerWhoseNameIsChecked) {
  WithConnection(
      [&](Connection& connection) {
        EXPECT_TRUE(connection.uses_tls());
        // Several records of TLS, which one read of libpq does not empty.
        auto rows = connection.Query("SELECT repeat('x', 1000000) FROM generate_series(1, 3)");
        ASSERT_TRUE(rows.ok()) << rows.status();
        EXPECT_EQ((*rows)[2].Get<std::string_view>(0)->size(), 1000000u);
      },
      server_->TcpOptions());
  Run([&] {
    auto connector = *Connector::Create();
    ConnectionOptions options = server_->TcpOptions();
    options.hosts[0].host = "127.0.0.1";  // the certificate is localhost's
    EXPECT_TRUE(absl::IsUnavailable(connector->Connect(options).status()));
    options.tls = TlsMode::kVerifyCa;
    EXPECT_TRUE(connector->Connect(options).ok());
  });
}

TEST_F(ConnectionTest, TriesHostsInTurn) {
  ConnectionOptions options = server_->Options();
  options.hosts.insert(options.hosts.begin(),
                       {{.host = "/nowhere"}, {.host = "no.such.invalid", .port = 5432}});
  WithConnection([](Connection& connection) { EXPECT_TRUE(connection.Ping().ok()); }, options);
  options.hosts.pop_back();
  Run([&] {
    auto connector = *Connector::Create();
    const absl::Status failed = connector->Connect(options).status();
    EXPECT_FALSE(failed.ok());
    EXPECT_NE(Std(failed.message()).find("/nowhere"), std::string_view::npos) << failed;
  });
}

TEST_F(ConnectionTest, SetsTheSession) {
  ConnectionOptions options = server_->Options();
  options.settings = {{"grove.note", "a b\\c"}, {"statement_timeout", "7s"}};
  WithConnection(
      [](Connection& connection) {
        EXPECT_EQ(*connection.Query("SHOW grove.note")->Value<std::string>(), "a b\\c");
        EXPECT_EQ(*connection.Query("SHOW statement_timeout")->Value<std::string>(), "7s");
        EXPECT_EQ(*connection.Query("SHOW application_name")->Value<std::string>(), "grove");
        EXPECT_EQ(connection.parameter("server_encoding"), "UTF8");
      },
      options);
}

TEST_F(ConnectionTest, AnErrorOfTheServerLeavesItUsable) {
  WithConnection([](Connection& connection) {
    EXPECT_TRUE(absl::IsInvalidArgument(connection.Query("SELEKT").status()));
    EXPECT_EQ(SqlStateOf(connection.Query("SELECT * FROM nowhere").status()), kUndefinedTable);
    ASSERT_TRUE(connection.Execute("CREATE TEMP TABLE users (mail text UNIQUE)").ok());
    EXPECT_EQ(*connection.Execute("INSERT INTO users VALUES ($1)", {"a@b"}), 1);
    const absl::Status twice =
        connection.Execute("INSERT INTO users VALUES ($1)", {"a@b"}).status();
    EXPECT_TRUE(absl::IsAlreadyExists(twice));
    EXPECT_EQ(Std(twice.message()).find("a@b"), std::string_view::npos) << twice;
    EXPECT_EQ(SqlErrorOf(twice)->constraint, "users_mail_key");
    EXPECT_EQ(*connection.Query("SELECT count(*) FROM users")->Value<int64_t>(), 1);
    EXPECT_EQ(connection.Query("COPY users TO STDOUT").status().code(),
              absl::StatusCode::kInvalidArgument);
    EXPECT_FALSE(connection.open());
    EXPECT_TRUE(absl::IsFailedPrecondition(connection.Ping()));
  });
}

TEST_F(ConnectionTest, AStatementIsPreparedOnceAndTheOldestMakesRoom) {
  ConnectionOptions options = server_->Options();
  options.statements_max = 2;
  WithConnection(
      [](Connection& connection) {
        constexpr const char* kPrepared = "SELECT count(*) FROM pg_prepared_statements";
        for (int i = 0; i < 3; ++i) EXPECT_TRUE(connection.Query("SELECT $1::int", {i}).ok());
        EXPECT_EQ(connection.prepared_statements(), 1u);
        EXPECT_EQ(*connection.Query(kPrepared, {}, {.prepare = false})->Value<int64_t>(), 1);
        // Another type is another statement.
        EXPECT_TRUE(connection.Query("SELECT $1::int", {int64_t{1}}).ok());
        EXPECT_TRUE(connection.Query("SELECT 3").ok());
        EXPECT_EQ(connection.prepared_statements(), 2u);
        EXPECT_EQ(*connection.Query(kPrepared, {}, {.prepare = false})->Value<int64_t>(), 2);
        EXPECT_TRUE(connection.Query("SELECT $1::int", {7}).ok());
        // One that fails as it is run stays prepared; one that cannot be prepared does not.
        EXPECT_EQ(SqlStateOf(connection.Query("SELECT 1 / $1::int", {0}).status()), "22012");
        EXPECT_EQ(*connection.Query("SELECT 1 / $1::int", {1})->Value<int>(), 1);
        EXPECT_EQ(connection.prepared_statements(), 2u);
        EXPECT_FALSE(connection.Query("SELECT nothing").ok());
        EXPECT_EQ(connection.prepared_statements(), 1u);
      },
      options);
}

TEST_F(ConnectionTest, AStalePreparedStatementIsPreparedAgain) {
  WithConnection([](Connection& connection) {
    ASSERT_TRUE(
        connection.ExecuteScript("CREATE TEMP TABLE t (a int); INSERT INTO t VALUES (1)").ok());
    ASSERT_TRUE(connection.Query("SELECT * FROM t").ok());
    ASSERT_TRUE(connection.ExecuteScript("ALTER TABLE t ADD COLUMN b int DEFAULT 2").ok());
    auto rows = connection.Query("SELECT * FROM t");
    ASSERT_TRUE(rows.ok()) << rows.status();
    EXPECT_EQ(*(*rows)[0].Get<int>("b"), 2);
    ASSERT_TRUE(connection.ExecuteScript("DEALLOCATE ALL").ok());
    EXPECT_TRUE(connection.Query("SELECT * FROM t").ok());
  });
}

TEST_F(ConnectionTest, ATimeoutEndsTheStatementAtTheServer) {
  Run([&] {
    auto connector = *Connector::Create();
    auto watcher = *connector->Connect(server_->Options());
    auto connection = *connector->Connect(server_->Options());
    const int pid = connection->backend_pid();
    {
      Timeout timeout(absl::Milliseconds(50));
      const absl::Status slept = connection->Query("SELECT pg_sleep(3600)").status();
      EXPECT_TRUE(absl::IsDeadlineExceeded(slept)) << slept;
    }
    EXPECT_FALSE(connection->open());
    // Only a request to cancel ends such a sleep.
    for (int64_t left = 1; left > 0;) {
      left = *watcher->Query("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", {pid})
                  ->Value<int64_t>();
    }
    EXPECT_EQ(connector->stats().cancels, 1u);
    EXPECT_EQ(connector->stats().abandoned, 1u);
  });
}

TEST_F(ConnectionTest, ACancelledFiberEndsTheStatementAtTheServer) {
  Run([&] {
    auto connector = *Connector::Create();
    auto watcher = *connector->Connect(server_->Options());
    auto connection = *connector->Connect(server_->Options());
    const int pid = connection->backend_pid();
    auto fiber =
        *Spawn("asks", [&] { return connection->Query("SELECT pg_sleep(3600)").status(); });
    AwaitActivity(*watcher, pid, "active");
    fiber.Cancel();
    EXPECT_TRUE(absl::IsCancelled(fiber.Join()));
    for (int64_t left = 1; left > 0;) {
      left = *watcher->Query("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", {pid})
                  ->Value<int64_t>();
    }
  });
}

TEST_F(ConnectionTest, WhatTheServerCancelsIsCancelledAndTheConnectionGoesOn) {
  ConnectionOptions options = server_->Options();
  options.settings = {{"statement_timeout", "20ms"}};
  WithConnection(
      [](Connection& connection) {
        const absl::Status slept = connection.Query("SELECT pg_sleep(3600)").status();
        EXPECT_TRUE(absl::IsCancelled(slept));
        EXPECT_EQ(SqlStateOf(slept), kQueryCanceled);
        EXPECT_TRUE(connection.Ping().ok());
      },
      options);
}

TEST_F(ConnectionTest, OneFiberAtATime) {
  WithConnection([](Connection& connection) {
    auto first =
        *Spawn("first", [&] { return connection.Query("SELECT pg_sleep(0.05)").status(); });
    Yield();
    EXPECT_TRUE(absl::IsFailedPrecondition(connection.Query("SELECT 1").status()));
    EXPECT_TRUE(first.Join().ok());
    EXPECT_TRUE(connection.Query("SELECT 1").ok());
  });
}

TEST_F(ConnectionTest, OthersRunWhileItWaits) {
  WithConnection([](Connection& connection) {
    Event asked;
    auto other = *Spawn("other", [&] { asked.Set(); });
    EXPECT_FALSE(asked.ready());
    // Not answered before the fiber has looked.
    EXPECT_TRUE(connection.Query("SELECT pg_sleep(0.02)").ok());
    EXPECT_TRUE(asked.ready());
  });
}

TEST_F(ConnectionTest, AParameterThatTheKernelDoesNotTakeAtOnceIsSentWhole) {
  WithConnection([](Connection& connection) {
    const std::string large(20'000'000, 'x');
    auto length = connection.Query("SELECT length($1::text)", {large});
    ASSERT_TRUE(length.ok()) << length.status();
    EXPECT_EQ(*length->Value<int>(), 20'000'000);
  });
}

TEST_F(ConnectionTest, AResultBeyondTheLimitIsRefused) {
  ConnectionOptions options = server_->Options();
  options.result_bytes_max = 1 << 20;
  WithConnection(
      [](Connection& connection) {
        EXPECT_TRUE(connection.Query("SELECT repeat('x', 500000)").ok());
        const absl::Status large =
            connection.Query("SELECT repeat('x', 1000) FROM generate_series(1, 1000000)").status();
        EXPECT_TRUE(absl::IsResourceExhausted(large)) << large;
        EXPECT_FALSE(connection.open());
      },
      options);
}

TEST_F(ConnectionTest, NoticesGoToTheirReceiver) {
  std::vector<SqlError> notices;
  ConnectionOptions options = server_->Options();
  options.notice = [&](const SqlError& notice) { notices.push_back(notice); };
  WithConnection(
      [](Connection& connection) {
        EXPECT_TRUE(connection.ExecuteScript("DO $$ BEGIN RAISE WARNING 'look'; END $$").ok());
      },
      options);
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_EQ(notices[0].severity, "WARNING");
  EXPECT_EQ(notices[0].message, "look");
}

TEST_F(ConnectionTest, AServerThatIsKilledIsUnavailable) {
  Run([&] {
    auto connector = *Connector::Create();
    auto idle = *connector->Connect(server_->Options());
    auto asking = *connector->Connect(server_->Options());
    auto watcher = *connector->Connect(server_->Options());
    auto fiber = *Spawn("asks", [&] { return asking->Query("SELECT pg_sleep(3600)").status(); });
    AwaitActivity(*watcher, asking->backend_pid(), "active");
    server_->Kill();
    EXPECT_TRUE(absl::IsUnavailable(fiber.Join()));
    EXPECT_FALSE(asking->open());
    EXPECT_TRUE(absl::IsUnavailable(idle->Query("SELECT 1").status()));
    EXPECT_TRUE(absl::IsUnavailable(connector->Connect(server_->Options()).status()));
    server_->Start();
    auto again = connector->Connect(server_->Options());
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_TRUE((*again)->Ping().ok());
  });
}

TEST_F(ConnectionTest, AnAdministratorsEndOfTheSessionIsUnavailableWithItsState) {
  Run([&] {
    auto connector = *Connector::Create();
    auto victim = *connector->Connect(server_->Options());
    auto other = *connector->Connect(server_->Options());
    auto fiber = *Spawn("asks", [&] { return victim->Query("SELECT pg_sleep(3600)").status(); });
    AwaitActivity(*other, victim->backend_pid(), "active");
    EXPECT_TRUE(other->Query("SELECT pg_terminate_backend($1)", {victim->backend_pid()}).ok());
    const absl::Status ended = fiber.Join();
    EXPECT_TRUE(absl::IsUnavailable(ended));
    EXPECT_EQ(SqlStateOf(ended), "57P01");
  });
}

TEST_F(ConnectionTest, NamesAreQuoted) {
  EXPECT_EQ(Connection::QuoteIdentifier("a\"b"), "\"a\"\"b\"");
  WithConnection([](Connection& connection) {
    EXPECT_TRUE(connection.Query("SELECT 1 AS " + Connection::QuoteIdentifier("; \"x")).ok());
  });
}

}  // namespace
}  // namespace grove::postgres
