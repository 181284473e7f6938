#include "database/postgres/pool.h"

#include <random>

#include "absl/strings/str_format.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"

namespace grove::postgres {

absl::StatusOr<std::unique_ptr<Pool>> Pool::Create(PoolOptions options) {
  absl::StatusOr<std::unique_ptr<Connector>> connector = Connector::Create();
  if (!connector.ok()) return connector.status();
  Connector& used = **connector;
  if (options.connection.hosts.empty()) {
    return absl::InvalidArgumentError("a pool of PostgreSQL connections: no host is named");
  }
  if (options.max < 1 || options.min > options.max) {
    return absl::InvalidArgumentError(
        absl::StrFormat("a pool of %d to %d connections: at least one, and no more than there may "
                        "be",
                        options.min, options.max));
  }
  return std::unique_ptr<Pool>(new Pool(std::move(options), *std::move(connector), used));
}

absl::StatusOr<std::unique_ptr<Pool>> Pool::Create(PoolOptions options, Connector& connector) {
  return std::unique_ptr<Pool>(new Pool(std::move(options), nullptr, connector));
}

Pool::Pool(PoolOptions options, std::unique_ptr<Connector> own, Connector& connector)
    : options_(std::move(options)),
      own_connector_(std::move(own)),
      connector_(&connector),
      guard_(options_.guard),
      random_(SeededRandom(std::random_device{}())) {
  options_.connection.guard = &guard_;
  Resources::Options resources{.min = options_.min,
                               .max = options_.max,
                               .idle_max = options_.idle_max,
                               .age_max = options_.age_max};
  resources.create = [this]() -> absl::StatusOr<Idle> {
    absl::StatusOr<std::unique_ptr<Connection>> made = connector_->Connect(options_.connection);
    if (!made.ok()) return made.status();
    return Idle{*std::move(made), Hub::Current()->now()};
  };
  resources.healthy = [this](Idle& idle) { return Healthy(idle); };
  resources.clean = [this](Idle& idle) { return Clean(idle); };
  resources_ = std::make_unique<Resources>(std::move(resources));
}

Pool::~Pool() = default;

bool Pool::Healthy(Idle& idle) {
  if (!idle.connection->LooksAlive()) return false;
  if (Hub::Current()->now() < DeadlineAfter(idle.used_at, options_.ping_after)) return true;
  Timeout timeout(options_.ping_timeout);
  return idle.connection->Ping().ok();
}

bool Pool::Clean(Idle& idle) {
  idle.used_at = Hub::Current()->now();
  if (!idle.connection->Clean()) return false;
  return options_.clean_statement.empty() ||
         idle.connection->ExecuteScript(options_.clean_statement).ok();
}

Pool::Lease::~Lease() {
  if (!lease_.has_value()) return;
  Connection& connection = **this;
  const bool nothing_to_end = connection.open() && !connection.in_use() &&
                              !connection.in_transaction() &&
                              pool_->options_.clean_statement.empty();
  // Clean() parks for none of these.
  if (nothing_to_end) lease_->PutBack();
}

void Pool::Lease::PutBack() {
  if (lease_.has_value()) lease_->PutBack();
  lease_.reset();
}

absl::StatusOr<Pool::Lease> Pool::Take() {
  absl::StatusOr<Resources::Lease> lease = resources_->Take();
  if (!lease.ok()) return lease.status();
  return Lease(*this, *std::move(lease));
}

absl::StatusOr<Result> Pool::Query(std::string_view sql, Params params,
                                   const QueryOptions& options) {
  absl::StatusOr<Lease> lease = Take();
  if (!lease.ok()) return lease.status();
  absl::StatusOr<Result> result = (*lease)->Query(sql, params, options);
  lease->PutBack();
  return result;
}

absl::StatusOr<int64_t> Pool::Execute(std::string_view sql, Params params,
                                      const QueryOptions& options) {
  absl::StatusOr<Result> result = Query(sql, params, options);
  if (!result.ok()) return result.status();
  return result->rows_affected();
}

absl::StatusOr<std::unique_ptr<PoolMap>> PoolMap::Create(PoolOptions options) {
  absl::StatusOr<std::unique_ptr<Connector>> connector = Connector::Create();
  if (!connector.ok()) return connector.status();
  return std::unique_ptr<PoolMap>(new PoolMap(std::move(options), *std::move(connector)));
}

absl::StatusOr<Pool*> PoolMap::Get(const HostPort& host, const std::string& database) {
  std::unique_ptr<Pool>& pool = pools_[absl::StrFormat("%s:%d/%s", host.host, host.port, database)];
  if (pool != nullptr) return pool.get();
  PoolOptions options = options_;
  options.connection.hosts = {host};
  options.connection.database = database;
  absl::StatusOr<std::unique_ptr<Pool>> made = Pool::Create(std::move(options), *connector_);
  if (!made.ok()) return made.status();
  pool = *std::move(made);
  return pool.get();
}

namespace {

absl::Status RunOnce(Pool& pool, const RunOptions& options,
                     absl::FunctionRef<absl::Status(Transaction&)> body, SourceLocation site) {
  absl::StatusOr<Pool::Lease> lease = pool.Take();
  if (!lease.ok()) return lease.status();
  absl::StatusOr<Transaction> transaction = Transaction::Begin(**lease, options.transaction, site);
  if (!transaction.ok()) return transaction.status();
  absl::Status done = body(*transaction);
  if (transaction->open()) {
    // That a rollback fails is of no interest: the connection is closed then.
    absl::Status ended = done.ok() ? transaction->Commit() : transaction->Rollback();
    if (done.ok()) done = std::move(ended);
  } else if (done.ok() && !(*lease)->open()) {
    done = absl::UnavailableError("the connection broke within the transaction");
  }
  lease->PutBack();
  return done;
}

}  // namespace

absl::Status RunAttempts(Pool& pool, const RunOptions& options,
                         absl::FunctionRef<absl::Status(Transaction&)> body, SourceLocation site) {
  Backoff pauses(options.pause);
  for (int attempt = 1;; ++attempt) {
    absl::Status done = RunOnce(pool, options, body, site);
    if (!MayRetryTransaction(done) || attempt >= options.attempts_max) return done;
    pool.CountRetry();
    if (absl::Status slept = Sleep(pauses.Next(pool.Draw())); !slept.ok()) return slept;
  }
}

}  // namespace grove::postgres
