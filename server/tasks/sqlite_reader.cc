#include "server/tasks/sqlite_reader.h"

#include <utility>

#include "server/tasks/ended_search.h"
#include "server/tasks/task_rows.h"

namespace grove::tasks {
namespace {

absl::Status Stopped() {
  return absl::UnavailableError("the task store is stopping");
}

}  // namespace

SqliteReader::~SqliteReader() {
  End(Ending::kDrop);
}

void SqliteReader::Start() {
  thread_ = std::thread(&SqliteReader::Run, this);
}

void SqliteReader::Stop() {
  End(Ending::kAnswer);
}

void SqliteReader::End(Ending ending) {
  {
    absl::MutexLock lock(&mutex_);
    if (ending_ == Ending::kNone) ending_ = ending;
  }
  if (thread_.joinable()) thread_.join();
}

void SqliteReader::Read(std::vector<TaskId> tasks, TaskStore::ReadCallback done) {
  Ask([this, tasks = std::move(tasks), done = std::move(done)](const absl::Status& status) mutable {
    if (!status.ok()) return done(status);
    done(FindAll(tasks));
  });
}

void SqliteReader::FindEnded(EndedQuery query, TaskStore::FindCallback done) {
  Ask([this, query = std::move(query), done = std::move(done)](const absl::Status& status) mutable {
    if (!status.ok()) return done(status);
    done(FindPage(query));
  });
}

void SqliteReader::Ask(Request request) {
  {
    absl::MutexLock lock(&mutex_);
    if (ending_ == Ending::kNone) {
      waiting_.push_back(std::move(request));
      return;
    }
  }
  request(Stopped());
}

void SqliteReader::Run() {
  Request request;
  while (TakeRequest(request)) request(absl::OkStatus());
  AnswerWhatWaits();
}

bool SqliteReader::TakeRequest(Request& request) {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &SqliteReader::HasWork));
  if (ending_ != Ending::kNone) return false;
  request = std::move(waiting_.front());
  waiting_.pop_front();
  return true;
}

void SqliteReader::AnswerWhatWaits() {
  std::deque<Request> waiting;
  {
    absl::MutexLock lock(&mutex_);
    waiting.swap(waiting_);
    if (ending_ == Ending::kDrop) return;
  }
  for (Request& request : waiting) request(Stopped());
}

bool SqliteReader::HasWork() const {
  return !waiting_.empty() || ending_ != Ending::kNone;
}

absl::StatusOr<std::vector<StoredTask>> SqliteReader::FindAll(const std::vector<TaskId>& tasks) {
  std::vector<StoredTask> found;
  for (const TaskId& task : tasks) {
    if (absl::Status status = Find(task, found); !status.ok()) return status;
  }
  return found;
}

absl::Status SqliteReader::Find(const TaskId& task, std::vector<StoredTask>& found) {
  absl::MutexLock lock(&between_reads_);
  if (absl::Status connected = Connect(); !connected.ok()) return connected;
  BindId(select_.get(), 1, task);
  const int code = connection_.Step(select_.get());
  if (code == SQLITE_ROW) found.push_back(DecodeRow(select_.get()));
  absl::Status status =
      code == SQLITE_ROW || code == SQLITE_DONE ? absl::OkStatus() : connection_.Error("read");
  sqlite3_reset(select_.get());
  return status;
}

absl::StatusOr<EndedPage> SqliteReader::FindPage(const EndedQuery& query) {
  absl::MutexLock lock(&between_reads_);
  if (absl::Status connected = Connect(); !connected.ok()) return connected;
  return tasks::FindEnded(connection_, query);
}

absl::Status SqliteReader::Connect() {
  if (select_ != nullptr) return absl::OkStatus();
  auto connection = sqlite::Connection::Open(path_, sqlite::Connection::Missing::kRefuse);
  if (!connection.ok()) return connection.status();
  connection_ = *std::move(connection);
  auto select = connection_.Prepare(kSelectTask);
  if (!select.ok()) return select.status();
  select_ = *std::move(select);
  return absl::OkStatus();
}

void SqliteReader::CloseConnection() {
  select_.reset();
  connection_.Close();
}

}  // namespace grove::tasks
