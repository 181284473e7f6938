// database_pool: many fibers that share a few connections to a database.
//
// eventlet's: db_pool, a pool over a DB-API module whose calls run on threads. So does this one, on
// SQLite: one connection writes, four read, and whoever waits for one parks. The same over
// PostgreSQL is database/examples/pooled.cc; ResourcePool lends connections of any other library.
//
//   database_pool visits.db
#include <iostream>

#include "database/sqlite/database.h"
#include "runtime/runtime.h"

absl::Status Main(const grove::Arguments& arguments) {
  GROVE_ASSIGN_OR_RETURN(const auto visits,
                         grove::sqlite::Database::Open(
                             {.path = arguments.empty() ? "visits.db" : arguments[0],
                              .schema = "CREATE TABLE IF NOT EXISTS visit (guest INTEGER)"}));
  using grove::FiberGroup;
  GROVE_RETURN_IF_ERROR(FiberGroup::Run(FiberGroup::OnFailure::kCancelRest, [&](auto& group) {
    for (int guest = 1; guest <= 100; ++guest) {
      GROVE_RETURN_IF_ERROR(group.Spawn("guest", [&visits, guest] {
        return visits->Execute("INSERT INTO visit VALUES (?)", {guest}).status();
      }));
    }
    return absl::OkStatus();
  }));
  GROVE_ASSIGN_OR_RETURN(const auto counted,
                         visits->Query("SELECT count(*), count(DISTINCT guest) FROM visit"));
  std::cout << *counted.rows[0][0].Integer() << " visits of " << *counted.rows[0][1].Integer()
            << " guests\n";
  visits->Close();
  return absl::OkStatus();
}

int main(int argc, char** argv) {
  return grove::RunMain(argc, argv, Main);
}
