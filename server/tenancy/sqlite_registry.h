// SqliteRegistry: the registry in a SQLite file of its own, `registry.db` in the state directory.
//
// Beside the tasks' database, not in it: what may come in has another life than what came in, and
// another owner of its thread. One change after the other is written, so that one that fails fails
// alone. The lock of the state directory is the task store's to hold.
#ifndef GROVE_SERVER_TENANCY_SQLITE_REGISTRY_H_
#define GROVE_SERVER_TENANCY_SQLITE_REGISTRY_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/sqlite/connection.h"
#include "server/sqlite/side_writer.h"
#include "server/tenancy/registry.h"

namespace grove::tenancy {

class SqliteRegistry final : public RegistryStore {
 public:
  // Opens or creates it; only its owner may read it. FAILED_PRECONDITION: a database of another
  // program, or of a newer version; else as sqlite::Connection.
  static absl::StatusOr<std::unique_ptr<SqliteRegistry>> Open(const std::string& state_dir);
  // Without Stop() drops what is pending, as a crash would.
  ~SqliteRegistry() override = default;
  SqliteRegistry(const SqliteRegistry&) = delete;
  SqliteRegistry& operator=(const SqliteRegistry&) = delete;

  absl::StatusOr<Registry> Load() override;
  void Write(RegistryChange change, Done done) override;
  void Stop() override;

 private:
  SqliteRegistry(std::string path, sqlite::Connection connection);
  absl::Status Prepare();
  absl::Status ApplyAll(const RegistryChange& change);
  absl::Status LoadTenants(RegistryChange& all) const;
  absl::Status LoadTokens(RegistryChange& all) const;
  absl::Status LoadLimits(RegistryChange& all) const;
  const std::string path_;
  // The thread's, once it runs.
  sqlite::Connection connection_;
  // After connection_: finalized before it is closed.
  sqlite::Statement put_tenant_;
  sqlite::Statement drop_tenant_;
  sqlite::Statement put_token_;
  sqlite::Statement drop_token_;
  sqlite::Statement drop_tokens_;
  sqlite::Statement put_limit_;
  sqlite::Statement drop_limit_;
  sqlite::Statement drop_limits_;
  // Ends its thread first.
  sqlite::SideWriter writer_;
};

}  // namespace grove::tenancy

#endif  // GROVE_SERVER_TENANCY_SQLITE_REGISTRY_H_
