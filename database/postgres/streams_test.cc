// Rows and COPY as streams.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "database/postgres/copy.h"
#include "database/postgres/row_stream.h"
#include "database/postgres/server_fixture.h"
#include "runtime/hub/timeout.h"

namespace grove::postgres {
namespace {

class StreamsTest : public PostgresTest {};

TEST_F(StreamsTest, RowsComeOneAfterTheOtherHoweverMany) {
  ConnectionOptions options = server_->Options();
  options.result_bytes_max = 1 << 20;  // of one row
  WithConnection(
      [](Connection& connection) {
        auto rows =
            connection.Stream("SELECT i, repeat('x', $1) FROM generate_series(1, 100000) i", {100});
        ASSERT_TRUE(rows.ok()) << rows.status();
        int64_t sum = 0;
        for (;;) {
          absl::StatusOr<bool> more = rows->Next();
          ASSERT_TRUE(more.ok()) << more.status();
          if (!*more) break;
          sum += *rows->row().Get<int64_t>("i");
        }
        EXPECT_EQ(sum, int64_t{100'000} * 100'001 / 2);
        EXPECT_FALSE(*rows->Next());
        EXPECT_TRUE(connection.Ping().ok());
      },
      options);
}

TEST_F(StreamsTest, NothingElseMayBeAskedMeanwhile) {
  WithConnection([](Connection& connection) {
    auto rows = connection.Stream("SELECT 1");
    EXPECT_TRUE(absl::IsFailedPrecondition(connection.Ping()));
    EXPECT_TRUE(*rows->Next());
    EXPECT_FALSE(*rows->Next());
    EXPECT_TRUE(connection.Ping().ok());
  });
}

TEST_F(StreamsTest, AFailureAfterRowsIsToldAndLeavesTheConnection) {
  WithConnection([](Connection& connection) {
    auto rows = connection.Stream("SELECT 1 / (3 - i) FROM generate_series(1, 5) i");
    EXPECT_TRUE(*rows->Next());
    EXPECT_TRUE(*rows->Next());
    EXPECT_EQ(SqlStateOf(rows->Next().status()), "22012");
    EXPECT_FALSE(*rows->Next());
    EXPECT_TRUE(connection.Ping().ok());
    auto bad = connection.Stream("SELEKT");
    ASSERT_TRUE(bad.ok());
    EXPECT_TRUE(absl::IsInvalidArgument(bad->Next().status()));
  });
}

TEST_F(StreamsTest, FinishEndsItAtTheServerAndKeepsTheConnection) {
  WithConnection([](Connection& connection) {
    auto rows = connection.Stream("SELECT generate_series(1, 1000000000)");
    EXPECT_TRUE(*rows->Next());
    EXPECT_TRUE(rows->Finish().ok());
    EXPECT_EQ(*connection.Query("SELECT 7")->Value<int>(), 7);
  });
}

TEST_F(StreamsTest, OneThatIsLeftClosesItsConnection) {
  WithConnection([](Connection& connection) {
    {
      auto rows = connection.Stream("SELECT generate_series(1, 1000000000)");
      EXPECT_TRUE(*rows->Next());
    }
    EXPECT_FALSE(connection.open());
    EXPECT_FALSE(connection.in_use());
  });
}

TEST_F(StreamsTest, CopyStoresRowsAndGivesThemBack) {
  WithConnection([](Connection& connection) {
    ASSERT_TRUE(connection.ExecuteScript("CREATE TEMP TABLE t (a int, b text)").ok());
    auto in = connection.StartCopyIn("COPY t FROM STDIN");
    ASSERT_TRUE(in.ok()) << in.status();
    std::string lines;
    AppendCopyRow({"1", "tab\tline\nback\\slash\r"}, lines);
    AppendCopyRow({"2", std::nullopt}, lines);
    for (const char byte : lines) ASSERT_TRUE(in->Write({&byte, 1}).ok());
    EXPECT_EQ(*in->Finish(), 2);
    EXPECT_TRUE(absl::IsFailedPrecondition(in->Write("more")));
    auto rows = connection.Query("SELECT b FROM t ORDER BY a");
    EXPECT_EQ(*(*rows)[0].Get<std::string>(0), "tab\tline\nback\\slash\r");
    EXPECT_FALSE((*rows)[1].Get<std::optional<std::string>>(0)->has_value());
    auto out = connection.StartCopyOut("COPY (SELECT * FROM t ORDER BY a) TO STDOUT");
    ASSERT_TRUE(out.ok()) << out.status();
    std::string back;
    for (std::string_view piece = *out->Next(); !piece.empty(); piece = *out->Next()) back += piece;
    EXPECT_EQ(back, lines);
    EXPECT_TRUE(out->Next()->empty());
    EXPECT_TRUE(connection.Ping().ok());
  });
}

TEST_F(StreamsTest, CopyWaitsWhileTheServerTakesNoMore) {
  Run([&] {
    auto connector = *Connector::Create();
    auto connection = *connector->Connect(server_->Options());
    auto blocker = *connector->Connect(server_->Options());
    ASSERT_TRUE(connection->ExecuteScript("CREATE TABLE held (a text)").ok());
    // The trigger waits for the lock, and the server reads nothing meanwhile.
    ASSERT_TRUE(connection
                    ->ExecuteScript("CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS "
                                    "'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END';"
                                    "CREATE TRIGGER w BEFORE INSERT ON held FOR EACH ROW "
                                    "EXECUTE FUNCTION wait()")
                    .ok());
    ASSERT_TRUE(blocker->Query("SELECT pg_advisory_lock(1)").ok());
    auto in = connection->StartCopyIn("COPY held FROM STDIN");
    size_t lines = 0;
    bool done = false;
    const std::string line(10'000, 'x');
    auto writer = *Spawn("writes", [&]() -> absl::Status {
      for (; lines < 2'000; ++lines) {
        if (absl::Status sent = in->Write(line + "\n"); !sent.ok()) return sent;
      }
      absl::Status ended = in->Finish().status();
      done = true;
      return ended;
    });
    // It stops for good once the buffers are full: its fiber waits for the descriptor.
    while (writer->state() != FiberState::kParked) Yield();
    EXPECT_LT(lines, 2'000u);
    EXPECT_FALSE(done);
    ASSERT_TRUE(blocker->Query("SELECT pg_advisory_unlock(1)").ok());
    EXPECT_TRUE(writer.Join().ok());
    EXPECT_EQ(*connection->Query("SELECT count(*) FROM held")->Value<int64_t>(), 2'000);
    EXPECT_TRUE(connection->ExecuteScript("DROP TABLE held; DROP FUNCTION wait").ok());
  });
}

TEST_F(StreamsTest, ACopyThatIsAbortedOrMalformedStoresNothing) {
  WithConnection([](Connection& connection) {
    ASSERT_TRUE(connection.ExecuteScript("CREATE TEMP TABLE t (a int)").ok());
    auto in = connection.StartCopyIn("COPY t FROM STDIN");
    ASSERT_TRUE(in->Write("1\n").ok());
    EXPECT_TRUE(in->Abort("not today").ok());
    auto bad = connection.StartCopyIn("COPY t FROM STDIN");
    ASSERT_TRUE(bad->Write("no number\n").ok());
    EXPECT_TRUE(absl::IsInvalidArgument(bad->Finish().status()));
    EXPECT_EQ(*connection.Query("SELECT count(*) FROM t")->Value<int64_t>(), 0);
    EXPECT_TRUE(absl::IsInvalidArgument(connection.StartCopyIn("SELECT 1").status()));
    EXPECT_FALSE(connection.StartCopyIn("COPY nowhere FROM STDIN").ok());
    EXPECT_TRUE(connection.Ping().ok());
    {
      auto left = connection.StartCopyIn("COPY t FROM STDIN");
      EXPECT_TRUE(left->Write("1\n").ok());
    }
    EXPECT_FALSE(connection.open());
  });
}

TEST_F(StreamsTest, ATimeoutWithinAStreamClosesTheConnection) {
  WithConnection([](Connection& connection) {
    auto rows = connection.Stream("SELECT pg_sleep(3600)");
    Timeout timeout(absl::Milliseconds(20));
    EXPECT_TRUE(absl::IsDeadlineExceeded(rows->Next().status()));
    EXPECT_FALSE(connection.open());
  });
}

}  // namespace
}  // namespace grove::postgres
