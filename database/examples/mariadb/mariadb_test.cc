// What docs/databases_other.md shows of MariaDB.
#include <memory>
#include <string>
#include <vector>

#include "database/mariadb/client.h"
#include "database/mariadb/mariadb_fixture.h"
#include "database/mariadb/server_error.h"
#include "runtime/hub/timeout.h"

namespace grove::mariadb {
namespace {

class MariadbExample : public MariadbTest {
 protected:
  static void Tables(Client& client) {
    EXPECT_TRUE(client
                    .Execute("CREATE OR REPLACE TABLE account (name VARCHAR(20) PRIMARY KEY, "
                             "cents BIGINT NOT NULL)")
                    .ok());
    EXPECT_TRUE(client.Execute("INSERT INTO account VALUES ('ann', 100), ('bob', 0)").ok());
  }
};

TEST_F(MariadbExample, Asks) {
  RunWith([](Client& client) {
    Tables(client);
    // [ask]
    Timeout timeout(absl::Seconds(10));  // then KILL QUERY, and kDeadlineExceeded
    auto changed = client.Execute("INSERT INTO account VALUES (?, ?)", {"eve", 7});
    if (!changed.ok()) return;
    EXPECT_EQ(changed->rows, 1u);
    auto rows = client.Query("SELECT name FROM account WHERE cents > ?", {50});
    if (!rows.ok()) return;
    EXPECT_EQ(*rows->rows[0][0].Text(), "ann");

    auto twice = client.Execute("INSERT INTO account VALUES (?, ?)", {"eve", 7});
    EXPECT_TRUE(absl::IsAlreadyExists(twice.status()));
    EXPECT_EQ(ErrorNumber(twice.status()), 1062u);
    // [/ask]
  });
}

TEST_F(MariadbExample, Transacts) {
  RunWith([](Client& client) {
    Tables(client);
    // [transaction]
    // Again after a deadlock; rolled back after any other failure.
    absl::Status moved = client.Transact([](Connection& connection) -> absl::Status {
      auto from = connection.Execute(
          "UPDATE account SET cents = cents - 30 WHERE name = ? AND cents >= 30", {"ann"});
      if (!from.ok()) return from.status();
      if (from->rows != 1) return absl::FailedPreconditionError("too poor");
      return connection.Execute("UPDATE account SET cents = cents + 30 WHERE name = ?", {"bob"})
          .status();
    });
    EXPECT_TRUE(moved.ok());
    // [/transaction]
  });
}

TEST_F(MariadbExample, Streams) {
  RunWith([](Client& client) {
    Tables(client);
    // [stream]
    absl::StatusOr<Client::Lease> connection = client.Take();
    if (!connection.ok()) return;
    auto accounts = (*connection)->Select("SELECT name, cents FROM account");
    if (!accounts.ok()) return;
    int64_t cents = 0;
    for (;;) {
      absl::StatusOr<std::vector<Row>> rows = accounts->Next(1000);
      if (!rows.ok() || rows->empty()) break;
      for (const Row& row : *rows) cents += row[1].Integer().value_or(0);
    }
    EXPECT_EQ(cents, 100);
    connection->PutBack();  // as new; one that just dies is closed
    // [/stream]
  });
}

}  // namespace
}  // namespace grove::mariadb
