#include "database/sqlite/database.h"

#include <algorithm>
#include <utility>

#include "runtime/hub/check.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/hub.h"
#include "runtime/switch/abseil_text.h"

namespace grove::sqlite {
namespace {

absl::Status ClosedDatabase() {
  return absl::FailedPreconditionError("sqlite: the database is closed");
}

// What a thread says of a fiber that is interrupted, as that hears it from any park.
absl::Status AsFiberHearsIt(absl::Status status) {
  const Wake why = Hub::Current()->interruption();
  if (!absl::IsCancelled(status) || why == Wake::kReady) return status;
  return WakeStatus(why, "sqlite");
}

// Rolls back what has not been committed, also when an exception passes.
class OpenTransaction {
 public:
  explicit OpenTransaction(Session& session) : session_(session) { session_.ForbidCommits(); }
  OpenTransaction(const OpenTransaction&) = delete;
  OpenTransaction& operator=(const OpenTransaction&) = delete;
  ~OpenTransaction() {
    session_.AllowCommits();
    if (!session_.InTransaction()) return;
    session_.ClearStop();  // it concerned what is undone here
    (void)session_.RunScript("ROLLBACK");
  }

 private:
  Session& session_;
};

}  // namespace

// --- Life

absl::StatusOr<std::unique_ptr<Database>> Database::Open(DatabaseOptions options) {
  if (options.path.empty() || options.path == ":memory:" || options.path.starts_with("file:")) {
    return absl::InvalidArgumentError(
        StrCat("sqlite: path \"", options.path, "\": want a file that connections can share"));
  }
  if (options.readers < 1 || options.group_max < 1) {
    return absl::InvalidArgumentError("sqlite: readers and group_max begin at 1");
  }
  std::unique_ptr<Database> database(new Database(std::move(options)));
  absl::StatusOr<Reader> writer = database->OpenSession(database->writer_thread_, false);
  if (!writer.ok()) return writer.status();
  database->writer_ = *std::move(writer);
  const std::string& schema = database->options_.schema;
  if (schema.empty()) return database;
  const absl::Status made =
      database->Write([&](Session& session) { return session.RunScript(schema); });
  if (!made.ok()) return made;
  return database;
}

Database::Database(DatabaseOptions options)
    : options_(std::move(options)),
      writer_thread_({.threads = 1}),
      reader_threads_({.threads = options_.readers}),
      readers_({
          .max = options_.readers,
          .create = [this] { return OpenSession(reader_threads_, true); },
      }) {}

Database::~Database() {
  GROVE_CHECK(jobs_.empty() && !led_, "a Database died while fibers wait for it");
}

SessionOptions Database::OptionsOf(bool read_only) const {
  return {.path = options_.path,
          .create = options_.create && !read_only,
          .read_only = read_only,
          .busy_timeout = options_.busy_timeout,
          .full_sync = options_.full_sync,
          .statements_max = options_.statements_max,
          .value_bytes_max = options_.value_bytes_max,
          .rows_bytes_max = options_.rows_bytes_max};
}

absl::StatusOr<Database::Reader> Database::OpenSession(OffloadPool& threads, bool read_only) {
  absl::StatusOr<Reader> session = absl::UnknownError("not opened");
  const absl::Status ran = OnThread(
      threads, nullptr, false, [&] { session = Session::Open(OptionsOf(read_only), counts_); });
  if (!ran.ok()) return ran;
  return session;
}

void Database::Close() {
  if (writer_ == nullptr) return;
  readers_.Clear();
  std::unique_ptr<Session> writer = std::move(writer_);
  // If the thread can't be had, it is closed here.
  (void)OnThread(writer_thread_, nullptr, false, [&] { writer.reset(); });
}

absl::Status Database::OnThread(OffloadPool& threads, Session* session, bool stops,
                                absl::FunctionRef<void()> call) {
  if (session != nullptr) session->ClearStop();
  absl::Status ran = absl::CancelledError("sqlite: not begun");
  // A fiber of its own waits for the thread, so that this one can hear that it is to end.
  absl::StatusOr<FiberHandle> caller = Spawn("sqlite-call", [&] { ran = threads.Run(call); });
  if (!caller.ok()) return caller.status();
  caller->Join().IgnoreError();
  if (!caller->ended()) {
    if (session != nullptr && stops) session->Stop();
    caller->Cancel();  // a call that no thread has taken never runs
    caller->AwaitEnd();
  }
  if (absl::Status thrown = caller->JoinOrThrow(); !thrown.ok() && ran.ok()) return thrown;
  return AsFiberHearsIt(ran);
}

// --- Reading

absl::StatusOr<Rows> Database::Query(std::string_view sql, const Row& parameters) {
  if (writer_ == nullptr) return ClosedDatabase();
  ++stats_.reads;
  auto reader = readers_.Take();
  if (!reader.ok()) return reader.status();
  absl::StatusOr<Rows> rows = absl::UnknownError("not asked");
  Session& session = ***reader;
  const absl::Status ran =
      OnThread(reader_threads_, &session, true, [&] { rows = session.Query(sql, parameters); });
  if (!ran.ok()) return ran;
  if (!rows.ok()) return AsFiberHearsIt(rows.status());
  return rows;
}

absl::Status Database::Read(absl::FunctionRef<absl::Status(Session& session)> body) {
  if (writer_ == nullptr) return ClosedDatabase();
  ++stats_.reads;
  auto reader = readers_.Take();
  if (!reader.ok()) return reader.status();
  absl::Status result;
  Session& session = ***reader;
  const absl::Status ran = OnThread(reader_threads_, &session, true,
                                    [&] { result = InTransaction(session, "BEGIN", body); });
  return ran.ok() ? AsFiberHearsIt(result) : ran;
}

absl::StatusOr<Database::Stream> Database::Select(std::string_view sql, const Row& parameters) {
  if (writer_ == nullptr) return ClosedDatabase();
  ++stats_.reads;
  auto reader = readers_.Take();
  if (!reader.ok()) return reader.status();
  Session& session = ***reader;
  Stream stream(*this, *std::move(reader));
  absl::Status begun;
  const absl::Status ran = OnThread(reader_threads_, &session, true, [&] {
    absl::StatusOr<Session::Run> run = session.Begin(sql, parameters);
    begun = run.status();
    if (!run.ok()) return;
    stream.columns_ = run->Columns();
    stream.run_.emplace(*std::move(run));
  });
  if (!ran.ok()) return ran;
  if (!begun.ok()) return AsFiberHearsIt(begun);
  return stream;
}

Database::Stream::~Stream() {
  run_.reset();  // before the reader that it runs on
}

absl::StatusOr<std::vector<Row>> Database::Stream::Next(size_t rows_max) {
  std::vector<Row> rows;
  if (!reader_.has_value()) return rows;
  Session& session = ***reader_;
  absl::Status stepped;
  bool ended = false;
  const absl::Status ran = database_->OnThread(database_->reader_threads_, &session, true, [&] {
    size_t bytes = 0;
    while (rows.size() < rows_max && bytes < database_->options_.rows_bytes_max) {
      Row row;
      absl::StatusOr<bool> more = run_->Step(row);
      stepped = more.status();
      ended = !more.ok() || !*more;
      if (ended) return;
      for (const Cell& cell : row) bytes += cell.bytes();
      rows.push_back(std::move(row));
    }
  });
  if (ended || !ran.ok()) {
    run_.reset();
    reader_.reset();
  }
  if (!ran.ok()) return ran;
  if (!stepped.ok()) return AsFiberHearsIt(stepped);
  return rows;
}

// --- Writing

absl::StatusOr<Changes> Database::Execute(std::string_view sql, Row parameters) {
  Changes changes;
  const auto body = [&](Session& session) {
    absl::StatusOr<Changes> done = session.Execute(sql, parameters);
    if (done.ok()) changes = *done;
    return done.status();
  };
  Job job{.body = body, .may_share = true, .fiber = Hub::Current()->running()};
  if (absl::Status written = Queue(job); !written.ok()) return written;
  return changes;
}

absl::Status Database::Write(absl::FunctionRef<absl::Status(Session& session)> body) {
  Job job{.body = body, .may_share = false, .fiber = Hub::Current()->running()};
  return Queue(job);
}

absl::Status Database::Queue(Job& job) {
  if (writer_ == nullptr) return ClosedDatabase();
  if (jobs_.size() >= options_.writers_waiting_max) {
    return absl::ResourceExhaustedError(
        StrCat("sqlite: ", jobs_.size(), " fibers wait to write already"));
  }
  ++stats_.writes;
  jobs_.push_back(&job);
  if (led_) {
    if (absl::Status turn = AwaitTurn(job); !turn.ok()) return turn;
  }
  if (job.state != Job::State::kDone) {
    led_ = true;
    Lead();
  }
  return AsFiberHearsIt(job.result);
}

absl::Status Database::AwaitTurn(Job& job) {
  Hub& hub = *Hub::Current();
  const WaitFor wait = {.kind = WaitFor::Kind::kOffload, .object = this};
  while (job.state != Job::State::kDone && !job.leads) {
    if (job.state == Job::State::kTaken) {
      hub.ParkShielded(wait);  // the thread may use this stack
      continue;
    }
    const Wake wake = hub.Park(wait);
    if (wake == Wake::kReady || job.state != Job::State::kWaiting || job.leads) continue;
    jobs_.erase(std::find(jobs_.begin(), jobs_.end(), &job));
    return WakeStatus(wake, "waiting to write to SQLite");
  }
  return absl::OkStatus();
}

void Database::Finish(Job& job) {
  job.state = Job::State::kDone;
  Hub::Current()->Unpark(*job.fiber);
}

void Database::PassOn() {
  led_ = !jobs_.empty();
  if (!led_) return;
  jobs_.front()->leads = true;
  Hub::Current()->Unpark(*jobs_.front()->fiber);
}

// Runs the first jobs, of which the first is this fiber's own.
void Database::Lead() {
  std::vector<Job*> group;
  do {
    group.push_back(jobs_.front());
    group.back()->state = Job::State::kTaken;
    jobs_.pop_front();
  } while (group.front()->may_share && group.size() < options_.group_max && !jobs_.empty() &&
           jobs_.front()->may_share);
  Job& own = *group.front();
  const bool shared = group.size() > 1;
  // What its own body throws passes here, too.
  struct PassOnAtEnd {
    Database& database;
    ~PassOnAtEnd() { database.PassOn(); }
  } pass_on{*this};
  bool together = true;
  // Who leads a group may be cancelled: the others' writes go on.
  const absl::Status ran = OnThread(writer_thread_, writer_.get(), !shared, [&] {
    together = shared && RunGroup(*writer_, group);
    if (together) return;
    for (Job* job : group) job->result = InTransaction(*writer_, "BEGIN IMMEDIATE", job->body);
  });
  own.state = Job::State::kDone;
  if (!ran.ok()) {
    own.result = ran;
    for (auto job = group.rbegin(); *job != &own; ++job) {
      (*job)->state = Job::State::kWaiting;
      jobs_.push_front(*job);
    }
    return;
  }
  stats_.transactions += together ? 1 : group.size();
  if (shared) (together ? stats_.grouped : stats_.regrouped) += group.size();
  for (Job* job : group) {
    if (job != &own) Finish(*job);
  }
}

absl::Status Database::InTransaction(Session& session, std::string_view begin,
                                     absl::FunctionRef<absl::Status(Session&)> body) {
  if (absl::StatusOr<Changes> begun = session.Execute(begin); !begun.ok()) return begun.status();
  const OpenTransaction transaction(session);
  if (absl::Status done = body(session); !done.ok()) return done;
  if (!session.InTransaction()) {
    return absl::FailedPreconditionError("sqlite: the body has ended its transaction itself");
  }
  session.ClearStop();  // all is done but for the commit
  session.AllowCommits();
  return session.Execute("COMMIT").status();
}

// Each in a savepoint, so that one that fails leaves the others be. False: the transaction as a
// whole has failed, and nothing of it was done.
bool Database::RunGroup(Session& session, const std::vector<Job*>& group) {
  if (absl::StatusOr<Changes> begun = session.Execute("BEGIN IMMEDIATE"); !begun.ok()) {
    for (Job* job : group) job->result = begun.status();
    return true;
  }
  const OpenTransaction transaction(session);
  for (Job* job : group) {
    if (!session.Execute("SAVEPOINT one").ok()) return false;
    job->result = job->body(session);
    // Either fails if SQLite has rolled all of it back, as for a full disk.
    if (!job->result.ok() && !session.Execute("ROLLBACK TO one").ok()) return false;
    if (!session.Execute("RELEASE one").ok()) return false;
  }
  session.AllowCommits();
  return session.Execute("COMMIT").ok();
}

DatabaseStats Database::stats() const {
  DatabaseStats stats = stats_;
  stats.rows = counts_->rows;
  stats.interrupted = counts_->interrupted;
  stats.busy_waits = counts_->busy_waits;
  stats.statements_prepared = counts_->prepared;
  stats.statements_reused = counts_->reused;
  stats.writers_waiting = jobs_.size();
  stats.readers_waiting = readers_.waiting();
  stats.readers_lent = readers_.lent();
  stats.writer_thread = writer_thread_.stats();
  stats.reader_threads = reader_threads_.stats();
  return stats;
}

}  // namespace grove::sqlite
