// Against the distribution's mariadbd.
#include "database/mariadb/client.h"

#include <mysqld_error.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "database/mariadb/mariadb_fixture.h"
#include "database/mariadb/server_error.h"
#include "runtime/group/fiber_group.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/listener.h"
#include "runtime/io/socket.h"
#include "runtime/tls/fixture.h"

namespace grove::mariadb {
namespace {

class MariadbClientTest : public MariadbTest {
 protected:
  static void Fresh(Client& client) {
    EXPECT_TRUE(client.Execute("DROP TABLE IF EXISTS t").ok());
    const auto made = client.Execute(
        "CREATE TABLE t (id BIGINT AUTO_INCREMENT PRIMARY KEY, n BIGINT, text LONGTEXT, UNIQUE "
        "(n))");
    EXPECT_TRUE(made.ok()) << made.status();
  }
  static int64_t Number(Client& client, std::string_view sql) {
    absl::StatusOr<Rows> rows = client.Query(sql);
    EXPECT_TRUE(rows.ok()) << rows.status();
    return rows.ok() ? *rows->rows.at(0).at(0).Integer() : -1;
  }
  // Until the server runs so many statements with `text` in them.
  static void AwaitRunning(Client& client, std::string_view text, int64_t count) {
    const std::string like = "%" + std::string(text) + "%";
    for (;;) {
      absl::StatusOr<Rows> rows = client.Query(
          "SELECT count(*) FROM information_schema.processlist "
          "WHERE info LIKE ? AND id <> connection_id() AND command <> 'Killed'",
          {like});
      ASSERT_TRUE(rows.ok()) << rows.status();
      if (*rows->rows[0][0].Integer() == count) return;
      ASSERT_TRUE(Sleep(absl::Milliseconds(2)).ok());
    }
  }
};

TEST_F(MariadbClientTest, BindsAndReadsEveryType) {
  RunWith([](Client& client) {
    Fresh(client);
    const std::string bytes("a\0b'\"\\", 6);
    absl::StatusOr<Changes> changes =
        client.Execute("INSERT INTO t (n, text) VALUES (?, ?), (?, ?)",
                       {int64_t{-1} << 60, bytes, nullptr, std::string(1'000'000, 'x')});
    ASSERT_TRUE(changes.ok()) << changes.status();
    EXPECT_EQ(changes->rows, 2u);
    EXPECT_EQ(changes->last_insert_id, 1u);
    absl::StatusOr<Rows> rows = client.Query("SELECT n, text, 1.5e0, ? FROM t ORDER BY id",
                                             {uint64_t{18446744073709551615u}});
    ASSERT_TRUE(rows.ok()) << rows.status();
    EXPECT_EQ(rows->columns.at(1), "text");
    ASSERT_EQ(rows->rows.size(), 2u);
    EXPECT_EQ(*rows->rows[0][0].Integer(), int64_t{-1} << 60);
    EXPECT_EQ(*rows->rows[0][1].Text(), bytes);
    EXPECT_EQ(*rows->rows[0][2].Double(), 1.5);
    EXPECT_EQ(*rows->rows[0][3].Unsigned(), 18446744073709551615u);
    EXPECT_TRUE(rows->rows[1][0].null());
    EXPECT_TRUE(absl::IsNotFound(rows->rows[1][0].Integer().status()));
    EXPECT_EQ(rows->rows[1][1].Text()->size(), 1'000'000u);
    EXPECT_TRUE(absl::IsFailedPrecondition(rows->rows[0][1].Integer().status()));
    EXPECT_EQ(client.stats().dialer.connects, 1u) << "one connection serves one after the other";
  });
}

TEST_F(MariadbClientTest, ErrorsHaveTheirNumber) {
  RunWith([](Client& client) {
    Fresh(client);
    EXPECT_TRUE(client.Execute("INSERT INTO t (n) VALUES (1)").ok());
    const absl::Status twice = client.Execute("INSERT INTO t (n) VALUES (1)").status();
    EXPECT_TRUE(absl::IsAlreadyExists(twice)) << twice;
    EXPECT_EQ(ErrorNumber(twice), static_cast<unsigned>(ER_DUP_ENTRY));
    EXPECT_TRUE(absl::IsInvalidArgument(client.Query("SELEC 1").status()));
    EXPECT_TRUE(absl::IsInvalidArgument(client.Query("SELECT ?").status()));
    EXPECT_TRUE(absl::IsInvalidArgument(client.Query("SELECT nothing FROM t").status()));
    EXPECT_TRUE(absl::IsNotFound(client.Query("SELECT 1 FROM nothing").status()));
    EXPECT_EQ(Number(client, "SELECT 1"), 1) << "the connection is as good as before";
    EXPECT_EQ(client.stats().dialer.connects, 1u);
    EXPECT_EQ(ErrorNumber(absl::UnknownError("")), 0u);
  });
}

TEST_F(MariadbClientTest, SaysWhyItCannotConnect) {
  ServerOptions wrong = Options();
  wrong.user = "nobody-knows";
  RunWith(wrong, [](Client& client) {
    const absl::Status refused = client.Query("SELECT 1").status();
    EXPECT_TRUE(absl::IsUnauthenticated(refused)) << refused;
  });
  wrong = Options();
  wrong.database = "none";
  RunWith(wrong,
          [](Client& client) { EXPECT_TRUE(absl::IsNotFound(client.Query("SELECT 1").status())); });
  wrong.unix_socket += ".none";
  RunWith(wrong, [](Client& client) {
    const absl::Status nobody = client.Query("SELECT 1").status();
    EXPECT_TRUE(absl::IsUnavailable(nobody)) << nobody;
  });
  EXPECT_TRUE(absl::IsInvalidArgument(Client::Create({.server = {.host = ""}}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Client::Create({.connections_max = 0}).status()));
}

TEST_F(MariadbClientTest, WhileOneWaitsOthersAreServed) {
  RunWith([](Client& client) {
    std::vector<FiberHandle> fibers;
    fibers.reserve(3);
    for (int i = 0; i < 3; ++i) {
      fibers.push_back(
          *Spawn("sleeps", [&] { return client.Query("SELECT sleep(3600)").status(); }));
    }
    AwaitRunning(client, "sleep(3600)", 3);
    EXPECT_EQ(Number(client, "SELECT 1"), 1);
    for (FiberHandle& fiber : fibers) fiber.Cancel();
    for (FiberHandle& fiber : fibers) EXPECT_TRUE(absl::IsCancelled(fiber.Join()));
    AwaitRunning(client, "sleep(3600)", 0);
    EXPECT_EQ(client.stats().connection.interrupted, 3u);
    EXPECT_EQ(client.stats().dialer.kills, 3u);
    EXPECT_EQ(client.stats().dialer.kill_failures, 0u);
    EXPECT_EQ(client.stats().connections_lent, 0);
  });
}

TEST_F(MariadbClientTest, ATimeoutIsTheFibersAndEndsTheStatement) {
  RunWith([](Client& client) {
    const absl::Status late = WithTimeout(absl::Milliseconds(50), [&] {
                                return client.Query("SELECT sleep(3601)");
                              }).status();
    EXPECT_TRUE(absl::IsDeadlineExceeded(late)) << late;
    AwaitRunning(client, "sleep(3601)", 0);
  });
}

TEST_F(MariadbClientTest, TransactionsAreWholeOrNothing) {
  RunWith([](Client& client) {
    Fresh(client);
    const absl::Status failed = client.Transact([](Connection& connection) -> absl::Status {
      auto done = connection.Execute("INSERT INTO t (n) VALUES (1)");
      return done.ok() ? absl::DataLossError("mine") : done.status();
    });
    EXPECT_TRUE(absl::IsDataLoss(failed)) << failed;
    EXPECT_THROW((void)client.Transact([](Connection& connection) -> absl::Status {
      EXPECT_TRUE(connection.Execute("INSERT INTO t (n) VALUES (2)").ok());
      throw std::runtime_error("thrown");
    }),
                 std::runtime_error);
    EXPECT_EQ(Number(client, "SELECT count(*) FROM t"), 0);
    EXPECT_TRUE(client
                    .Transact([](Connection& connection) {
                      return connection.Execute("INSERT INTO t (n) VALUES (3)").status();
                    })
                    .ok());
    EXPECT_EQ(Number(client, "SELECT n FROM t"), 3);
  });
}

TEST_F(MariadbClientTest, ADeadlockIsTriedAgain) {
  RunWith([](Client& client) {
    Fresh(client);
    EXPECT_TRUE(client.Execute("INSERT INTO t (id, n) VALUES (1, 0), (2, 10)").ok());
    int both = 0;  // hold their first row
    Event meet;
    const auto move = [&](int first, int second) {
      return client.Transact([&, first, second](Connection& connection) -> absl::Status {
        auto one = connection.Execute("UPDATE t SET n = n + 100 WHERE id = ?", {first});
        if (!one.ok()) return one.status();
        if (++both == 2) meet.Set();
        if (absl::Status met = meet.Wait(); !met.ok()) return met;
        return connection.Execute("UPDATE t SET n = n + 100 WHERE id = ?", {second}).status();
      });
    };
    FiberHandle there = *Spawn("there", [&] { return move(1, 2); });
    FiberHandle back = *Spawn("back", [&] { return move(2, 1); });
    EXPECT_TRUE(there.Join().ok());
    EXPECT_TRUE(back.Join().ok());
    EXPECT_EQ(Number(client, "SELECT n FROM t WHERE id = 1"), 200);
    EXPECT_EQ(Number(client, "SELECT n FROM t WHERE id = 2"), 210);
    EXPECT_EQ(client.stats().retries, 1u);
    EXPECT_EQ(client.stats().transactions, 2u);
  });
}

TEST_F(MariadbClientTest, ALeaseIsGivenBackAsNew) {
  ClientOptions options{.server = Options()};
  options.connections_max = 1;
  RunWith(options, [](Client& client) {
    Fresh(client);
    {
      absl::StatusOr<Client::Lease> connection = client.Take();
      ASSERT_TRUE(connection.ok()) << connection.status();
      EXPECT_TRUE((*connection)->Execute("SET @mine = 1").ok());
      EXPECT_TRUE((*connection)->Begin().ok());
      EXPECT_TRUE((*connection)->Execute("INSERT INTO t (n) VALUES (1)").ok());
      EXPECT_TRUE((*connection)->InTransaction());
      connection->PutBack();
    }
    EXPECT_EQ(Number(client, "SELECT coalesce(@mine, 7)"), 7);
    EXPECT_EQ(Number(client, "SELECT count(*) FROM t"), 0);
    EXPECT_EQ(client.stats().dialer.connects, 1u);
    {
      absl::StatusOr<Client::Lease> connection = client.Take();
      EXPECT_TRUE((*connection)->Begin().ok());
    }
    EXPECT_EQ(Number(client, "SELECT count(*) FROM t"), 0);
    EXPECT_EQ(client.stats().dialer.connects, 2u) << "one that just dies is closed";
  });
}

TEST_F(MariadbClientTest, StreamsRows) {
  RunWith([](Client& client) {
    absl::StatusOr<Client::Lease> connection = client.Take();
    ASSERT_TRUE(connection.ok()) << connection.status();
    {
      absl::StatusOr<Connection::Stream> stream =
          (*connection)->Select("SELECT seq FROM seq_1_to_1000 WHERE seq > ?", {10});
      ASSERT_TRUE(stream.ok()) << stream.status();
      EXPECT_EQ(stream->columns(), (std::vector<std::string>{"seq"}));
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
    }
    EXPECT_TRUE((*connection)->Query("SELECT 1").ok()) << "it is free again";
    {
      absl::StatusOr<Connection::Stream> stream =
          (*connection)->Select("SELECT seq FROM seq_1_to_100000000");
      EXPECT_EQ(stream->Next(1)->size(), 1u);
    }
    EXPECT_TRUE((*connection)->broken()) << "nobody reads the rest";
    EXPECT_TRUE(absl::IsUnavailable((*connection)->Query("SELECT 1").status()));
  });
}

TEST_F(MariadbClientTest, RowsAndStatementsAreBounded) {
  ClientOptions options{.server = Options()};
  options.connection.rows_bytes_max = 10'000;
  options.connection.statements_max = 2;
  RunWith(options, [](Client& client) {
    EXPECT_TRUE(absl::IsResourceExhausted(
        client.Query("SELECT repeat('x', 900) FROM seq_1_to_100").status()));
    EXPECT_TRUE(client.Query("SELECT repeat('x', 900) FROM seq_1_to_5").ok());
    for (int round = 0; round < 2; ++round) {
      for (int i = 0; i < 4; ++i) {
        const std::string sql = "SELECT " + std::to_string(i);
        EXPECT_EQ(Number(client, sql), i);
        EXPECT_EQ(Number(client, sql), i);
      }
    }
    EXPECT_EQ(client.stats().connection.prepared, 2 + 8u);
    // Of all connections: those of other tests may still be ending.
    while (Number(client,
                  "SELECT variable_value FROM information_schema.global_status "
                  "WHERE variable_name = 'Prepared_stmt_count'") != 2) {
      ASSERT_TRUE(Sleep(absl::Milliseconds(1)).ok());
    }
  });
}

TEST_F(MariadbClientTest, AProceduresResultsAreReadToTheirEnd) {
  RunWith([](Client& client) {
    EXPECT_TRUE(
        client.Execute("CREATE OR REPLACE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END").ok());
    absl::StatusOr<Rows> rows = client.Query("CALL p()");
    ASSERT_TRUE(rows.ok()) << rows.status();
    EXPECT_EQ(*rows->rows.at(0).at(0).Integer(), 1);
    EXPECT_EQ(Number(client, "SELECT 3"), 3);
    EXPECT_EQ(client.stats().dialer.connects, 1u);
  });
}

TEST_F(MariadbClientTest, OutlivesItsServersDeath) {
  RunWith([](Client& client) {
    EXPECT_EQ(Number(client, "SELECT 1"), 1);
    FiberHandle sleeps =
        *Spawn("sleeps", [&] { return client.Query("SELECT sleep(3602)").status(); });
    AwaitRunning(client, "sleep(3602)", 1);
    server_->Kill();
    const absl::Status lost = sleeps.Join();
    EXPECT_TRUE(absl::IsUnavailable(lost)) << lost;
    EXPECT_TRUE(absl::IsUnavailable(client.Query("SELECT 1").status()));
    server_->Start();
    EXPECT_EQ(Number(client, "SELECT 1"), 1) << "the pool drops what has died";
  });
}

// Both ways between a TCP client and the server's UNIX socket.
void Forward(Socket& from, Socket& to) {
  char piece[16384];
  for (;;) {
    absl::StatusOr<size_t> got = from.Read(piece);
    if (!got.ok() || *got == 0 || !to.Write({piece, *got}).ok()) break;
  }
  to.ShutdownWrite().IgnoreError();
}

TEST_F(MariadbClientTest, SpeaksTlsToTheServerThatItKnows) {
  TestAuthority authority("mariadb");
  const TlsCertificateFiles files = authority.Issue("mariadb", {.names = "DNS:localhost"});
  server_->Kill();
  server_->Start({"--ssl-cert=" + server_->Readable(files.chain),
                  "--ssl-key=" + server_->Readable(files.key)});
  ServerOptions options = Options();
  options.tls = TlsOptions{.ca_file = authority.ca_file()};
  const auto cipher = [](Client& client) {
    absl::StatusOr<Rows> rows = client.Query("SHOW STATUS LIKE 'Ssl_cipher'");
    return rows.ok() ? absl::StatusOr<std::string>(rows->rows.at(0).at(1).Text()) : rows.status();
  };
  RunWith(options, [&](Client& client) {
    const absl::StatusOr<std::string> agreed = cipher(client);
    EXPECT_TRUE(agreed.ok() && !agreed->empty()) << agreed.status();
    EXPECT_EQ(Number(client, "SELECT 1"), 1) << "an idle one is taken for healthy";
    EXPECT_EQ(client.stats().dialer.connects, 1u);
  });
  ServerOptions distrusts = options;
  distrusts.tls->ca_file = TestAuthority("other").ca_file();
  RunWith(distrusts, [&](Client& client) {
    EXPECT_TRUE(absl::IsFailedPrecondition(cipher(client).status())) << cipher(client).status();
  });
  // By name, over TCP; and by the address, which the certificate does not name.
  std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 256 * 1024});
  RunOn(*hub, [&] {
    Listener listener = *Listener::Adopt(*BindListener(*SocketAddress::Parse("127.0.0.1:0")));
    FiberGroup group;
    EXPECT_TRUE(group
                    .Spawn("proxy",
                           [&] {
                             for (;;) {
                               absl::StatusOr<Socket> client = listener.Accept();
                               if (!client.ok()) return;
                               auto near = std::make_shared<Socket>(*std::move(client));
                               auto far = std::make_shared<Socket>(
                                   *Socket::ConnectUnix(server_->socket()));
                               (void)group.Spawn("there", [=] { Forward(*near, *far); });
                               (void)group.Spawn("back", [=] { Forward(*far, *near); });
                             }
                           })
                    .ok());
    options.unix_socket = "";
    options.port = listener.LocalAddress().port();
    for (const char* host : {"localhost", "127.0.0.1"}) {
      options.host = host;
      std::unique_ptr<Client> client = *Client::Create({.server = options});
      const absl::Status asked = cipher(*client).status();
      EXPECT_EQ(asked.ok(), options.host == "localhost") << asked;
      client->Close();
    }
    options.tls.reset();
    options.host = "localhost";
    std::unique_ptr<Client> plain = *Client::Create({.server = options});
    EXPECT_EQ(Number(*plain, "SELECT 1"), 1) << "found by the resolver";
    plain->Close();
    group.Cancel();
    group.Join().IgnoreError();
  });
  server_->Kill();
  server_->Start();
}

}  // namespace
}  // namespace grove::mariadb
