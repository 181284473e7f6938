#include "server/tasks/sqlite_store.h"

#include <chrono>
#include <utility>

#include "absl/time/time.h"
#include "server/tasks/sqlite_reader.h"
#include "server/tasks/store_writer.h"

namespace grove::tasks {
namespace {

int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteStore>> SqliteStore::Open(const SqliteStoreOptions& options) {
  auto writer = StoreWriter::Open(options);
  if (!writer.ok()) return writer.status();
  return std::unique_ptr<SqliteStore>(new SqliteStore(*std::move(writer)));
}

SqliteStore::SqliteStore(std::unique_ptr<StoreWriter> writer)
    : writer_(std::move(writer)), reader_(std::make_unique<SqliteReader>(writer_->path())) {}

SqliteStore::~SqliteStore() {
  End(Ending::kDrop);
}

uint64_t SqliteStore::start_number() const {
  return writer_->start_number();
}

absl::Status SqliteStore::Load(const StoreRetention& retention,
                               absl::FunctionRef<void(StoredTask)> each) {
  return writer_->Load(retention, each);
}

absl::Status SqliteStore::LoadEnded(const StoreRetention& retention,
                                    absl::FunctionRef<void(const EndedRecord&)> each) {
  return writer_->LoadEnded(retention, each);
}

absl::Status SqliteStore::LoadQueues(absl::FunctionRef<void(StoredQueue)> each) {
  return writer_->LoadQueues(each);
}

void SqliteStore::Start(ReportCallback report) {
  report_ = std::move(report);
  thread_ = std::thread(&SqliteStore::RunWriter, this);
  reader_->Start();
}

absl::Status SqliteStore::Stop() {
  reader_->Stop();
  End(Ending::kFlush);
  return last_.status.ok() && !writer_->IsIdle() ? last_.room : last_.status;
}

void SqliteStore::End(Ending ending) {
  {
    absl::MutexLock lock(&mutex_);
    if (ending_ == Ending::kNone) ending_ = ending;
  }
  if (thread_.joinable()) thread_.join();
}

void SqliteStore::Write(std::vector<StoreWrite> writes) {
  absl::MutexLock lock(&mutex_);
  pending_.push_back(std::move(writes));
}

void SqliteStore::Read(std::vector<TaskId> tasks, ReadCallback done) {
  reader_->Read(std::move(tasks), std::move(done));
}

void SqliteStore::FindEnded(EndedQuery query, FindCallback done) {
  reader_->FindEnded(std::move(query), std::move(done));
}

void SqliteStore::RunWriter() {
  StoreWriter::Step step;
  std::vector<std::vector<StoreWrite>> batches;
  do {
    for (std::vector<StoreWrite>& batch : batches) writer_->Hold(std::move(batch));
    batches.clear();
    step = writer_->Advance(NowMs(), *reader_);
    Tell(step.report, step.wrote);
  } while (AwaitNextStep(step.more, !step.report.status.ok(), batches));
  if (IsDropping()) return;
  // Files that were taken away since the last step are lost when the store is closed.
  step = writer_->Advance(NowMs(), *reader_);
  Tell(step.report, step.wrote);
}

bool SqliteStore::IsDropping() {
  absl::MutexLock lock(&mutex_);
  return ending_ == Ending::kDrop;
}

void SqliteStore::Tell(const StoreReport& report, bool wrote) {
  const bool changed =
      report.status.code() != last_.status.code() || report.room.code() != last_.room.code();
  last_ = report;
  if (wrote || changed) report_(report);
}

bool SqliteStore::AwaitNextStep(bool more, bool failing,
                                std::vector<std::vector<StoreWrite>>& batches) {
  absl::MutexLock lock(&mutex_);
  // A disk that fails is not tried again for every write that comes.
  const absl::Condition due(this, failing ? &SqliteStore::IsEnding : &SqliteStore::HasWork);
  if (!more) mutex_.AwaitWithTimeout(due, absl::Milliseconds(StoreWriter::kStepMs));
  if (ending_ == Ending::kDrop) return false;
  if (IsEnding() && pending_.empty() && (!more || writer_->IsIdle())) return false;
  batches.swap(pending_);
  return true;
}

bool SqliteStore::HasWork() const {
  return !pending_.empty() || IsEnding();
}

bool SqliteStore::IsEnding() const {
  return ending_ != Ending::kNone;
}

}  // namespace grove::tasks
