// The library's blocking calls, unmodified, in a GreenScope: what programs have that know no
// fibers.
#include <mysql.h>

#include <string>

#include "database/mariadb/mariadb_fixture.h"
#include "runtime/green/green_report.h"
#include "runtime/green/green_scope.h"
#include "runtime/hub/wait_for.h"

namespace grove::mariadb {
namespace {

class BlockingCallsTest : public MariadbTest {
 protected:
  // Closes itself in its fiber.
  class Session {
   public:
    explicit Session(const ServerOptions& options) : mysql_(mysql_init(nullptr)) {
      MYSQL* const done = mysql_real_connect(mysql_, nullptr, options.user.c_str(), nullptr,
                                             "grove", 0, options.unix_socket.c_str(), 0);
      EXPECT_NE(done, nullptr) << mysql_error(mysql_);
    }
    ~Session() { mysql_close(mysql_); }
    // The first field of the first row.
    std::string Ask(const std::string& sql) {
      EXPECT_EQ(mysql_real_query(mysql_, sql.data(), sql.size()), 0) << mysql_error(mysql_);
      MYSQL_RES* const rows = mysql_store_result(mysql_);
      if (rows == nullptr) return "";
      const MYSQL_ROW row = mysql_fetch_row(rows);
      std::string field = row == nullptr || row[0] == nullptr ? "" : row[0];
      mysql_free_result(rows);
      return field;
    }

   private:
    MYSQL* const mysql_;
  };
};

TEST_F(BlockingCallsTest, ParkTheirFiberInAGreenScope) {
  ResetGreenReport();
  std::unique_ptr<Hub> hub = *Hub::Create({.stack_bytes = 512 * 1024});
  OffloadPool pool({.threads = 1});
  RunOn(*hub, [&] {
    const GreenScope green({.offload = &pool});
    Session holder(Options());
    EXPECT_EQ(holder.Ask("SELECT GET_LOCK('one', 60)"), "1");
    std::string got;
    FiberHandle waiter = *Spawn("waiter", [&] {
      const GreenScope own({.offload = &pool});
      Session session(Options());
      got = session.Ask("SELECT GET_LOCK('one', 60)");  // until the holder lets go of it
    });
    // The server knows that it waits; had it blocked this thread, nobody would ask.
    while (holder.Ask("SELECT count(*) FROM information_schema.processlist WHERE state = "
                      "'User lock'") != "1") {
      Yield();
    }
    EXPECT_EQ(holder.Ask("SELECT RELEASE_LOCK('one')"), "1");
    EXPECT_TRUE(waiter.Join().ok());
    EXPECT_EQ(got, "1");
  });
  uint64_t parked = 0;
  for (const GreenCall& call : GreenReport()) {
    if (call.library.find("libmariadb") == std::string::npos) continue;
    parked += call.count(GreenOutcome::kParked);
    if (call.function == "pthread_mutex_lock") continue;
    EXPECT_EQ(call.count(GreenOutcome::kEscaped), 0u) << GreenReportText();
    EXPECT_EQ(call.count(GreenOutcome::kRefused), 0u) << GreenReportText();
  }
  EXPECT_GT(parked, 0u) << GreenReportText();
  EXPECT_EQ(hub->Stats().descriptors, 0u);
}

}  // namespace
}  // namespace grove::mariadb
