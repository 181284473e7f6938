#include "server/tasks/sqlite_store.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "server/tasks/sqlite_database.h"

namespace grove::tasks {
namespace {

// Writes per transaction: enough to make the flush's share small, few enough that nobody waits for
// long.
constexpr size_t kTransactionWritesMax = 10000;
constexpr absl::Duration kRetryAfterError = absl::Seconds(1);

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteStore>> SqliteStore::Open(const std::string& state_dir) {
  auto database = SqliteDatabase::Open(state_dir);
  if (!database.ok()) return database.status();
  const auto start_number = (*database)->CountStart();
  if (!start_number.ok()) return start_number.status();
  return std::unique_ptr<SqliteStore>(new SqliteStore(*std::move(database), *start_number));
}

SqliteStore::SqliteStore(std::unique_ptr<SqliteDatabase> database, uint64_t start_number)
    : start_number_(start_number), database_(std::move(database)) {}

SqliteStore::~SqliteStore() {
  End(Ending::kDrop);
}

absl::StatusOr<std::vector<StoredTask>> SqliteStore::LoadAll() {
  return database_->LoadAll();
}

void SqliteStore::Start(PersistedCallback persisted) {
  persisted_ = std::move(persisted);
  writer_ = std::thread(&SqliteStore::RunWriter, this);
}

absl::Status SqliteStore::Stop() {
  End(Ending::kFlush);
  return last_status_;
}

void SqliteStore::End(Ending ending) {
  {
    absl::MutexLock lock(&mutex_);
    if (ending_ == Ending::kNone) ending_ = ending;
  }
  if (writer_.joinable()) writer_.join();
}

void SqliteStore::Write(std::vector<StoreWrite> writes) {
  absl::MutexLock lock(&mutex_);
  if (pending_.empty()) {
    pending_ = std::move(writes);
  } else {
    pending_.insert(pending_.end(), std::make_move_iterator(writes.begin()),
                    std::make_move_iterator(writes.end()));
  }
}

void SqliteStore::RunWriter() {
  std::vector<StoreWrite> batch;
  while (TakeBatch(batch)) {
    absl::Span<const StoreWrite> rest(batch);
    while (!rest.empty()) {
      const absl::Span<const StoreWrite> some = rest.subspan(0, kTransactionWritesMax);
      last_status_ = database_->Apply(some);
      persisted_(last_status_, last_status_.ok() ? some.back().ticket : 0);
      if (last_status_.ok()) {
        rest.remove_prefix(some.size());
      } else if (!WaitBeforeRetry()) {
        return;
      }
    }
  }
}

bool SqliteStore::TakeBatch(std::vector<StoreWrite>& batch) {
  batch.clear();
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &SqliteStore::HasWork));
  if (ending_ == Ending::kDrop || pending_.empty()) return false;
  batch.swap(pending_);
  return true;
}

bool SqliteStore::WaitBeforeRetry() {
  absl::MutexLock lock(&mutex_);
  return !mutex_.AwaitWithTimeout(absl::Condition(this, &SqliteStore::IsEnding), kRetryAfterError);
}

bool SqliteStore::HasWork() const {
  return !pending_.empty() || IsEnding();
}

bool SqliteStore::IsEnding() const {
  return ending_ != Ending::kNone;
}

}  // namespace grove::tasks
