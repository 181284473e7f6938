#include "database/postgres/transaction.h"

#include <memory>
#include <string>

#include "database/postgres/server_fixture.h"

namespace grove::postgres {
namespace {

class TransactionTest : public PostgresTest {
 protected:
  static int64_t Count(Connection& connection) {
    return *connection.Query("SELECT count(*) FROM t")->Value<int64_t>();
  }
  template <typename F>
  void WithTable(F&& body) {
    WithConnection([&](Connection& connection) {
      ASSERT_TRUE(connection.ExecuteScript("CREATE TEMP TABLE t (a int PRIMARY KEY)").ok());
      body(connection);
    });
  }
};

TEST_F(TransactionTest, IsCommittedOrRolledBack) {
  WithTable([](Connection& connection) {
    auto first = Transaction::Begin(connection);
    EXPECT_TRUE(connection.in_transaction());
    EXPECT_EQ(*first->Execute("INSERT INTO t VALUES (1)"), 1);
    EXPECT_TRUE(first->Commit().ok());
    EXPECT_FALSE(connection.in_transaction());
    EXPECT_TRUE(absl::IsFailedPrecondition(first->Query("SELECT 1").status()));
    EXPECT_TRUE(absl::IsFailedPrecondition(first->Commit()));
    auto second = Transaction::Begin(connection);
    EXPECT_TRUE(absl::IsFailedPrecondition(Transaction::Begin(connection).status()));
    EXPECT_EQ(*second->Execute("INSERT INTO t VALUES (2)"), 1);
    EXPECT_TRUE(second->Rollback().ok());
    EXPECT_EQ(Count(connection), 1);
  });
}

TEST_F(TransactionTest, HasOptions) {
  WithConnection([](Connection& connection) {
    auto transaction = Transaction::Begin(
        connection, {.isolation = Isolation::kSerializable, .read_only = true, .deferrable = true});
    ASSERT_TRUE(transaction.ok());
    EXPECT_EQ(*transaction->Query("SHOW transaction_isolation")->Value<std::string>(),
              "serializable");
    EXPECT_EQ(SqlStateOf(transaction->Execute("CREATE TABLE x (a int)").status()), "25006");
    EXPECT_TRUE(transaction->Rollback().ok());
    auto repeatable = Transaction::Begin(connection, {.isolation = Isolation::kRepeatableRead});
    EXPECT_EQ(*repeatable->Query("SHOW transaction_isolation")->Value<std::string>(),
              "repeatable read");
    EXPECT_TRUE(repeatable->Commit().ok());
  });
}

TEST_F(TransactionTest, OneInWhichAStatementFailedIsNotCommitted) {
  WithTable([](Connection& connection) {
    auto transaction = Transaction::Begin(connection);
    EXPECT_TRUE(transaction->Execute("INSERT INTO t VALUES (1)").ok());
    EXPECT_TRUE(absl::IsAlreadyExists(transaction->Execute("INSERT INTO t VALUES (1)").status()));
    EXPECT_EQ(SqlStateOf(transaction->Query("SELECT 1").status()), "25P02");
    EXPECT_TRUE(absl::IsAborted(transaction->Commit()));
    EXPECT_EQ(Count(connection), 0);
  });
}

TEST_F(TransactionTest, ASavepointKeepsAFailureFromTheRest) {
  WithTable([](Connection& connection) {
    auto transaction = Transaction::Begin(connection);
    EXPECT_TRUE(transaction->Execute("INSERT INTO t VALUES (1)").ok());
    const absl::Status failed = transaction->WithSavepoint([&]() -> absl::Status {
      EXPECT_TRUE(transaction->Execute("INSERT INTO t VALUES (2)").ok());
      return transaction->Execute("INSERT INTO t VALUES (1)").status();
    });
    EXPECT_TRUE(absl::IsAlreadyExists(failed));
    EXPECT_TRUE(transaction
                    ->WithSavepoint(
                        [&] { return transaction->Execute("INSERT INTO t VALUES (3)").status(); })
                    .ok());
    EXPECT_TRUE(transaction->Commit().ok());
    EXPECT_EQ(*connection.Query("SELECT sum(a) FROM t")->Value<int64_t>(), 4);
  });
}

TEST_F(TransactionTest, OneThatDiesClosesItsConnection) {
  WithTable([](Connection& connection) {
    {
      auto transaction = Transaction::Begin(connection);
      EXPECT_TRUE(transaction->Execute("INSERT INTO t VALUES (1)").ok());
    }
    EXPECT_FALSE(connection.open());
  });
}

TEST_F(TransactionTest, ACommitWithoutAnAnswerIsUnknown) {
  Run([&] {
    auto connector = *Connector::Create();
    auto connection = *connector->Connect(server_->Options());
    auto transaction = Transaction::Begin(*connection);
    EXPECT_TRUE(transaction->Query("SELECT 1").ok());
    server_->Kill();
    EXPECT_EQ(transaction->Commit().code(), absl::StatusCode::kUnknown);
    EXPECT_FALSE(connection->open());
    server_->Start();
  });
}

}  // namespace
}  // namespace grove::postgres
