// Pool: connections to one database, lent to fibers; and transactions that are run again.
//
//   absl::StatusOr<Result> rows = pool->Query("SELECT …", {id});
//   absl::Status moved = RunTransaction(*pool, {}, [&](Transaction& transaction) { … });
// While all connections are lent, fibers wait, first come, first served. A connection that is given
// back has its transaction ended; one about which something is known to be wrong is closed.
// Hub thread only. It must outlive its leases.
#ifndef GROVE_DATABASE_POSTGRES_POOL_H_
#define GROVE_DATABASE_POSTGRES_POOL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "database/guard/transaction_guard.h"
#include "database/postgres/connection.h"
#include "database/postgres/connector.h"
#include "database/postgres/transaction.h"
#include "runtime/group/resource_pool.h"
#include "runtime/repeat/backoff.h"

namespace grove::postgres {

struct PoolOptions {
  ConnectionOptions connection;
  int64_t min = 0;  // Fill() makes so many
  int64_t max = 10;
  absl::Duration idle_max = absl::Minutes(10);
  absl::Duration age_max = absl::Hours(1);
  // One that was idle for longer is asked whether it answers before it is lent.
  absl::Duration ping_after = absl::Seconds(30);
  absl::Duration ping_timeout = absl::Seconds(5);
  // What every connection runs before it is given back: "DISCARD ALL", "RESET ALL". Empty: nothing
  // but the end of its transaction, so that what SET, LISTEN or temporary tables have made stays.
  std::string clean_statement;
  guard::TransactionGuardOptions guard;
};

class Pool {
  struct Idle {
    std::unique_ptr<Connection> connection;
    MonotonicNanos used_at = 0;
  };
  using Resources = ResourcePool<Idle>;

 public:
  // A connection that is lent. As it dies it is given back if nothing is to be ended, else closed:
  // PutBack() ends it.
  class Lease {
   public:
    Lease(Lease&& other) noexcept
        : pool_(other.pool_), lease_(std::exchange(other.lease_, std::nullopt)) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease();
    Connection& operator*() { return *(*lease_)->connection; }
    Connection* operator->() { return (*lease_)->connection.get(); }
    // The lease is empty then. **Parks** if something is to be ended.
    void PutBack();

   private:
    friend class Pool;
    Lease(Pool& pool, Resources::Lease lease) : pool_(&pool), lease_(std::move(lease)) {}
    Pool* pool_;
    std::optional<Resources::Lease> lease_;
  };

  // kInvalidArgument: what is wrong with the options. Connects nobody.
  static absl::StatusOr<std::unique_ptr<Pool>> Create(PoolOptions options);
  // The same with a connector that others use, too, and that must outlive it.
  static absl::StatusOr<std::unique_ptr<Pool>> Create(PoolOptions options, Connector& connector);
  // Requires: nothing is lent.
  ~Pool();

  // Statuses of Connector::Connect(). **Parks.**
  absl::StatusOr<Lease> Take();
  // A lease, a statement, and back. **Park.**
  absl::StatusOr<Result> Query(std::string_view sql, Params params = {},
                               const QueryOptions& options = {});
  absl::StatusOr<int64_t> Execute(std::string_view sql, Params params = {},
                                  const QueryOptions& options = {});
  // Connects until there are `min`. **Parks.**
  absl::Status Fill() { return resources_->Fill(); }
  void CloseIdle() { resources_->Clear(); }
  void Resize(int64_t max) { resources_->Resize(max); }

  int64_t lent() const { return resources_->lent(); }
  int64_t idle() const { return resources_->idle(); }
  size_t waiting() const { return resources_->waiting(); }
  const Stats& stats() const { return connector_->stats(); }
  const guard::TransactionGuardStats& guard_stats() const { return guard_.stats(); }
  // What RunTransaction() draws its pauses from.
  double Draw() { return random_(); }
  void CountRetry() { ++connector_->services().stats.retries; }

 private:
  Pool(PoolOptions options, std::unique_ptr<Connector> own, Connector& connector);
  bool Healthy(Idle& idle);
  bool Clean(Idle& idle);

  PoolOptions options_;
  const std::unique_ptr<Connector> own_connector_;
  Connector* const connector_;
  guard::TransactionGuard guard_;
  Random random_;
  std::unique_ptr<Resources> resources_;
};

// Pools of several databases, each made as it is first asked for, from the same options.
class PoolMap {
 public:
  // `options.connection.hosts` and `database` are those of Get().
  static absl::StatusOr<std::unique_ptr<PoolMap>> Create(PoolOptions options);
  // Lives as long as the map.
  absl::StatusOr<Pool*> Get(const HostPort& host, const std::string& database);
  size_t size() const { return pools_.size(); }
  const Stats& stats() const { return connector_->stats(); }

 private:
  PoolMap(PoolOptions options, std::unique_ptr<Connector> connector)
      : options_(std::move(options)), connector_(std::move(connector)) {}
  const PoolOptions options_;
  const std::unique_ptr<Connector> connector_;
  absl::flat_hash_map<std::string, std::unique_ptr<Pool>> pools_;
};

struct RunOptions {
  TransactionOptions transaction;
  // Of a transaction that fails for others: a serialization failure, a deadlock.
  int attempts_max = 10;
  // Between them, without a connection.
  BackoffOptions pause = {
      .first = absl::Milliseconds(5), .growth = 2, .jitter = 0.5, .max = absl::Seconds(1)};
};

// One attempt after the other until one is not to be repeated. What RunTransaction() is made of.
absl::Status RunAttempts(Pool& pool, const RunOptions& options,
                         absl::FunctionRef<absl::Status(Transaction&)> body, SourceLocation site);

// Runs `body` (absl::Status or absl::StatusOr<T> of a Transaction&) in a transaction, and commits
// if it returns OK; else rolls back. After a serialization failure or a deadlock, of the commit
// too, all of it is run again, after a pause: `body` must have no other effect that may not be
// had twice. The status of the last attempt; kUnknown as of Transaction::Commit(). A body that ends
// the transaction by itself is done with it. **Parks.**
template <typename F>
std::invoke_result_t<F&, Transaction&> RunTransaction(
    Pool& pool, const RunOptions& options, F&& body,
    SourceLocation site = SourceLocation::Current()) {
  using Returned = std::invoke_result_t<F&, Transaction&>;
  if constexpr (std::is_same_v<Returned, absl::Status>) {
    return RunAttempts(pool, options, body, site);
  } else {
    std::optional<Returned> returned;
    absl::Status status = RunAttempts(
        pool, options,
        [&](Transaction& transaction) { return returned.emplace(body(transaction)).status(); },
        site);
    if (!status.ok()) return status;
    return *std::move(returned);
  }
}

}  // namespace grove::postgres

#endif  // GROVE_DATABASE_POSTGRES_POOL_H_
