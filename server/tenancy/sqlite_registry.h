// SqliteRegistry: the registry in a SQLite file of its own, `registry.db` in the state directory.
//
// Beside the tasks' database, not in it: what may come in has another life than what came in, and
// another owner of its thread. A thread of its own writes one change after the other. The lock of
// the state directory is the task store's to hold.
#ifndef GROVE_SERVER_TENANCY_SQLITE_REGISTRY_H_
#define GROVE_SERVER_TENANCY_SQLITE_REGISTRY_H_

#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/sqlite/connection.h"
#include "server/sqlite/side_file.h"
#include "server/tenancy/registry.h"

namespace grove::tenancy {

class SqliteRegistry final : public RegistryStore {
 public:
  // Opens or creates it; only its owner may read it. FAILED_PRECONDITION: a database of another
  // program, or of a newer version; else as sqlite::Connection.
  static absl::StatusOr<std::unique_ptr<SqliteRegistry>> Open(const std::string& state_dir);
  // Without Stop() drops what is pending, as a crash would.
  ~SqliteRegistry() override;
  SqliteRegistry(const SqliteRegistry&) = delete;
  SqliteRegistry& operator=(const SqliteRegistry&) = delete;

  absl::StatusOr<Registry> Load() override;
  void Write(RegistryChange change, Done done) override;
  void Stop() override;

 private:
  struct Pending {
    RegistryChange change;
    Done done;
  };
  enum class Ending { kNone, kFlush, kDrop };

  SqliteRegistry(std::string path, sqlite::Connection connection);
  absl::Status Prepare();
  absl::Status Commit(const RegistryChange& change);
  absl::Status ApplyAll(const RegistryChange& change);
  absl::Status LoadTenants(RegistryChange& all) const;
  absl::Status LoadTokens(RegistryChange& all) const;
  absl::Status LoadLimits(RegistryChange& all) const;
  void RunThread();
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(Ending ending);

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
  sqlite::PlaceOfFile place_;

  std::thread thread_;
  absl::Mutex mutex_;
  std::deque<Pending> pending_ ABSL_GUARDED_BY(mutex_);
  Ending ending_ ABSL_GUARDED_BY(mutex_) = Ending::kNone;
};

}  // namespace grove::tenancy

#endif  // GROVE_SERVER_TENANCY_SQLITE_REGISTRY_H_
