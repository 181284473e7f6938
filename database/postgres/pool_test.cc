#include "database/postgres/pool.h"

#include <memory>
#include <string>
#include <vector>

#include "database/postgres/server_fixture.h"
#include "runtime/group/fiber_group.h"
#include "runtime/hub/timeout.h"

namespace grove::postgres {
namespace {

class PoolTest : public PostgresTest {
 protected:
  static PoolOptions Options(int64_t max = 2) {
    PoolOptions options;
    options.connection = server_->Options();
    options.max = max;
    return options;
  }
  template <typename F>
  void WithPool(PoolOptions options, F&& body) {
    Run([&] {
      absl::StatusOr<std::unique_ptr<Pool>> pool = Pool::Create(std::move(options));
      ASSERT_TRUE(pool.ok()) << pool.status();
      body(**pool);
      EXPECT_EQ((*pool)->lent(), 0);
    });
  }
};

TEST_F(PoolTest, LendsOneConnectionAgainAndAgain) {
  WithPool(Options(), [](Pool& pool) {
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(pool.Query("SELECT 1").ok());
    EXPECT_EQ(*pool.Execute("SELECT 1"), 1);
    EXPECT_EQ(pool.stats().connects, 1u);
    EXPECT_EQ(pool.idle(), 1);
    pool.CloseIdle();
    EXPECT_EQ(pool.stats().connections, 0);
  });
}

TEST_F(PoolTest, WhoComesWhileAllAreLentWaits) {
  WithPool(Options(2), [](Pool& pool) {
    FiberGroup group;
    for (int i = 0; i < 20; ++i) {
      (void)group.Spawn("asks", [&] { return pool.Query("SELECT pg_sleep(0.001)").status(); });
    }
    EXPECT_TRUE(group.Join().ok());
    EXPECT_EQ(pool.stats().connects, 2u);
    EXPECT_EQ(pool.stats().statements, 20u);
    auto first = pool.Take();
    auto second = pool.Take();
    Timeout timeout(absl::Milliseconds(10));
    EXPECT_TRUE(absl::IsDeadlineExceeded(pool.Take().status()));
  });
}

TEST_F(PoolTest, AnOpenTransactionIsEndedAsTheConnectionIsGivenBack) {
  WithPool(Options(1), [](Pool& pool) {
    ASSERT_TRUE(pool.Execute("CREATE TABLE held (a int)").ok());
    int pid = 0;
    {
      auto lease = pool.Take();
      pid = (*lease)->backend_pid();
      ASSERT_TRUE((*lease)->ExecuteScript("BEGIN; INSERT INTO held VALUES (1)").ok());
      lease->PutBack();
    }
    {
      auto lease = pool.Take();
      EXPECT_EQ((*lease)->backend_pid(), pid);
      EXPECT_FALSE((*lease)->in_transaction());
      ASSERT_TRUE((*lease)->ExecuteScript("BEGIN; INSERT INTO held VALUES (1)").ok());
      // Without PutBack() there is no waiting for it: it is closed.
    }
    EXPECT_EQ(pool.idle(), 0);
    EXPECT_EQ(*pool.Query("SELECT count(*) FROM held")->Value<int64_t>(), 0);
    EXPECT_EQ(pool.stats().connects, 2u);
    EXPECT_TRUE(pool.Execute("DROP TABLE held").ok());
  });
}

TEST_F(PoolTest, TheCleanStatementRunsBeforeTheNextUse) {
  PoolOptions options = Options(1);
  options.clean_statement = "RESET ALL";
  WithPool(options, [](Pool& pool) {
    EXPECT_TRUE(pool.Execute("SET statement_timeout = '9s'").ok());
    EXPECT_EQ(*pool.Query("SHOW statement_timeout")->Value<std::string>(), "0");
    EXPECT_EQ(pool.stats().connects, 1u);
  });
}

TEST_F(PoolTest, AfterARestartOfTheServerItsConnectionsAreNew) {
  WithPool(Options(), [](Pool& pool) {
    {
      auto first = pool.Take();
      auto second = pool.Take();
    }
    EXPECT_EQ(pool.idle(), 2);
    server_->Kill();
    EXPECT_TRUE(absl::IsUnavailable(pool.Query("SELECT 1").status()));
    server_->Start();
    auto answer = pool.Query("SELECT 1");
    EXPECT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(pool.idle(), 1);
  });
}

TEST_F(PoolTest, AConnectionThatWasIdleForLongIsAskedFirst) {
  PoolOptions options = Options(1);
  options.ping_after = absl::ZeroDuration();
  WithPool(options, [](Pool& pool) {
    EXPECT_TRUE(pool.Query("SELECT 1").ok());
    EXPECT_TRUE(pool.Query("SELECT 1").ok());
    EXPECT_EQ(pool.stats().connects, 1u);
    server_->Kill();
    server_->Start();
    EXPECT_TRUE(pool.Query("SELECT 1").ok());
    EXPECT_EQ(pool.stats().connects, 2u);
  });
}

TEST_F(PoolTest, ATransactionIsCommittedOrRolledBackByItsBodysStatus) {
  WithPool(Options(), [](Pool& pool) {
    ASSERT_TRUE(pool.Execute("CREATE TABLE t (a int)").ok());
    const auto insert = [&](absl::Status status) {
      return RunTransaction(pool, {}, [&](Transaction& transaction) -> absl::Status {
        EXPECT_TRUE(transaction.Execute("INSERT INTO t VALUES (1)").ok());
        return status;
      });
    };
    EXPECT_TRUE(insert(absl::OkStatus()).ok());
    EXPECT_TRUE(absl::IsNotFound(insert(absl::NotFoundError("no"))));
    absl::StatusOr<int64_t> rows =
        RunTransaction(pool, {}, [](Transaction& transaction) -> absl::StatusOr<int64_t> {
          absl::StatusOr<Result> counted = transaction.Query("SELECT count(*) FROM t");
          if (!counted.ok()) return counted.status();
          return counted->Value<int64_t>();
        });
    EXPECT_EQ(*rows, 1);
    EXPECT_EQ(pool.stats().connects, 1u);
    EXPECT_TRUE(pool.Execute("DROP TABLE t").ok());
  });
}

TEST_F(PoolTest, ATransactionThatLostARaceIsRunAgain) {
  WithPool(Options(4), [](Pool& pool) {
    ASSERT_TRUE(pool.Execute("CREATE TABLE counter AS SELECT 0 AS n").ok());
    RunOptions options{.transaction = {.isolation = Isolation::kSerializable},
                       .attempts_max = 1000};
    FiberGroup group;
    for (int i = 0; i < 4; ++i) {
      (void)group.Spawn("adds", [&]() -> absl::Status {
        for (int j = 0; j < 5; ++j) {
          absl::Status added = RunTransaction(pool, options, [](Transaction& transaction) {
            absl::StatusOr<Result> read = transaction.Query("SELECT n FROM counter");
            if (!read.ok()) return read.status();
            return transaction.Execute("UPDATE counter SET n = $1", {*read->Value<int>() + 1})
                .status();
          });
          if (!added.ok()) return added;
        }
        return absl::OkStatus();
      });
    }
    const absl::Status all = group.Join();
    EXPECT_TRUE(all.ok()) << all;
    EXPECT_EQ(*pool.Query("SELECT n FROM counter")->Value<int>(), 20);
    EXPECT_GT(pool.stats().retries, 0u);
    EXPECT_TRUE(pool.Execute("DROP TABLE counter").ok());
  });
}

TEST_F(PoolTest, AttemptsAreBounded) {
  WithPool(Options(), [](Pool& pool) {
    int attempts = 0;
    const absl::Status lost =
        RunTransaction(pool, {.attempts_max = 3}, [&](Transaction& transaction) {
          ++attempts;
          return transaction.Execute("DO $$ BEGIN RAISE 'lost' USING ERRCODE = '40001'; END $$")
              .status();
        });
    EXPECT_TRUE(absl::IsAborted(lost));
    EXPECT_EQ(attempts, 3);
    EXPECT_EQ(pool.stats().retries, 2u);
  });
}

TEST_F(PoolTest, ATransactionWhoseServerIsKilledIsUnavailable) {
  WithPool(Options(), [](Pool& pool) {
    const absl::Status broken =
        RunTransaction(pool, {}, [](Transaction& transaction) -> absl::Status {
          if (auto one = transaction.Query("SELECT 1"); !one.ok()) return one.status();
          server_->Kill();
          return transaction.Query("SELECT 1").status();
        });
    EXPECT_TRUE(absl::IsUnavailable(broken)) << broken;
    server_->Start();
    EXPECT_EQ(*RunTransaction(pool, {},
                              [](Transaction& transaction) {
                                return transaction.Query("SELECT 1")->Value<int>();
                              }),
              1);
  });
}

TEST_F(PoolTest, WaitsForOthersInsideOfATransactionAreSeen) {
  PoolOptions options = Options(2);
  std::vector<guard::HeldWaitReport> reports;
  options.guard.report = [&](const guard::HeldWaitReport& report) { reports.push_back(report); };
  WithPool(options, [&](Pool& pool) {
    const unsigned line = __LINE__ + 1;
    EXPECT_TRUE(RunTransaction(pool, {}, [&](Transaction& transaction) -> absl::Status {
                  EXPECT_TRUE(transaction.Query("SELECT 1").ok());
                  EXPECT_TRUE(transaction.Query("SELECT pg_sleep(0.01)").ok());
                  EXPECT_EQ(pool.guard_stats().network, 0u);  // its own waits
                  (void)Sleep(absl::Milliseconds(1));
                  EXPECT_TRUE(pool.Query("SELECT 1").ok());  // another connection
                  return absl::OkStatus();
                }).ok());
    EXPECT_EQ(pool.guard_stats().sleeps, 1u);
    EXPECT_GT(pool.guard_stats().network, 0u);
    ASSERT_EQ(reports.size(), 1u);
    EXPECT_EQ(reports[0].held_at.line(), line);
    EXPECT_EQ(pool.guard_stats().held, 0);
    (void)Sleep(absl::Milliseconds(1));
    EXPECT_EQ(pool.guard_stats().sleeps, 1u);
  });
}

TEST_F(PoolTest, TheGuardCanBeSwitchedOff) {
  PoolOptions options = Options();
  options.guard.enabled = false;
  WithPool(options, [](Pool& pool) {
    EXPECT_TRUE(
        RunTransaction(pool, {}, [](Transaction&) { return Sleep(absl::Milliseconds(1)); }).ok());
    EXPECT_EQ(pool.guard_stats().marks, 0u);
  });
}

TEST_F(PoolTest, AMapHasAPoolForEachDatabase) {
  Run([] {
    absl::StatusOr<std::unique_ptr<PoolMap>> map = PoolMap::Create(Options());
    ASSERT_TRUE(map.ok());
    const HostPort host = server_->Options().hosts[0];
    Pool* const first = *(*map)->Get(host, "postgres");
    EXPECT_EQ(*(*map)->Get(host, "postgres"), first);
    Pool* const second = *(*map)->Get(host, "template1");
    EXPECT_EQ(*first->Query("SELECT current_database()")->Value<std::string>(), "postgres");
    EXPECT_EQ(*second->Query("SELECT current_database()")->Value<std::string>(), "template1");
    EXPECT_EQ((*map)->size(), 2u);
    EXPECT_EQ((*map)->stats().connects, 2u);
  });
}

TEST_F(PoolTest, OptionsThatCannotBeAreRefused) {
  EXPECT_TRUE(absl::IsInvalidArgument(Pool::Create({}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Pool::Create(Options(0)).status()));
}

}  // namespace
}  // namespace grove::postgres
