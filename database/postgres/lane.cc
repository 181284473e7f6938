#include "database/postgres/lane.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "database/postgres/sender.h"
#include "runtime/hub/hub.h"

namespace grove::postgres {

Lane::Lane(std::shared_ptr<PipelineShared> shared)
    : shared_(std::move(shared)), statements_(shared_->options.connection.statements_max) {}

absl::Status Lane::EnsureConnected() {
  // What has come while nothing was under way can only be a notice, or the end.
  if (wire_ != nullptr && under_way() == 0 && wire_->MayHaveInput() && !wire_->Consume().ok()) {
    Break(absl::UnavailableError("the connection ended"));
  }
  if (wire_ != nullptr) return absl::OkStatus();
  MutexLock lock(connecting_);
  if (!lock.ok()) return lock.status();
  if (wire_ != nullptr) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<Wire>> wire =
      shared_->connector->Open(shared_->options.connection);
  if (!wire.ok()) return wire.status();
  if (PQenterPipelineMode((*wire)->conn()) == 0) return (*wire)->Error();
  statements_.Clear();
  wire_ = *std::move(wire);
  ++shared_->connector->services().stats.connections;
  return absl::OkStatus();
}

bool Lane::Send(const Call& call) {
  PGconn* const conn = wire_->conn();
  const ParamArrays& arrays = call.arrays;
  const int format = call.options.binary ? 1 : 0;
  if (!call.options.prepare || !statements_.enabled()) {
    return PQsendQueryParams(conn, call.sql.c_str(), arrays.size(), arrays.types(), arrays.values(),
                             arrays.lengths(), arrays.formats(), format) != 0;
  }
  if (const std::string* name = statements_.Find(call.sql, call.params)) {
    return PQsendQueryPrepared(conn, name->c_str(), arrays.size(), arrays.values(),
                               arrays.lengths(), arrays.formats(), format) != 0;
  }
  const std::string name = statements_.NewName();
  if (!SendPrepareAndRun(conn, statements_, name, call.sql, arrays, call.options.binary)) {
    return false;
  }
  // Who asks for the same next finds it prepared: the server takes one after the other. If that
  // fails, theirs are stale.
  statements_.Add(call.sql, call.params, name);
  ++shared_->connector->services().stats.prepared;
  return true;
}

absl::StatusOr<Result> Lane::Query(const std::string& sql, Params params,
                                   const QueryOptions& options) {
  const ParamArrays arrays(params);
  absl::Status ready = arrays.Validate();
  if (ready.ok()) ready = EnsureConnected();
  if (!ready.ok()) {
    shared_->room.Release();
    return ready;
  }
  Call call{sql, params, arrays, options, *Hub::Current()->running()};
  waiting_.push_back(&call);
  ++shared_->stats.statements;
  if (absl::Status started = StartSending(); !started.ok()) Break(started);
  if (absl::Status waited = AwaitAnswer(call); !waited.ok()) {
    Leave(call);
    return waited;
  }
  if (!call.failed.ok()) return call.failed;
  const size_t bytes_max = shared_->options.connection.result_bytes_max;
  if (PQresultMemorySize(call.result.get()) > bytes_max) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("the result is larger than %d bytes", bytes_max));
  }
  return Result(call.result.release());
}

// As an Event would, but for that whoever is woken among a thousand finds its stack in the caches.
absl::Status Lane::AwaitAnswer(const Call& call) {
  while (!call.answered) {
    const Wake wake = Hub::Current()->Park({.kind = WaitFor::Kind::kEvent});
    if (wake != Wake::kReady && !call.answered) return WakeStatus(wake, "an answer of PostgreSQL");
  }
  return absl::OkStatus();
}

void Lane::Answer(Call& call) {
  call.answered = true;
  Hub::Current()->UnparkCold(call.fiber);
}

absl::Status Lane::StartSending() {
  if (std::exchange(sending_, true)) return absl::OkStatus();
  return Spawn("postgres send",
               [self = shared_from_this(), wire = wire_] { self->SendWaiting(wire); })
      .status();
}

// It runs when all that are runnable now have asked.
void Lane::SendWaiting(const std::shared_ptr<Wire>& wire) {
  if (wire_ != wire) return;
  sending_ = false;
  while (!waiting_.empty()) {
    const Call& call = *waiting_.front();
    // Each lies on another stack.
    if (waiting_.size() > 1) __builtin_prefetch(waiting_[1]);
    calls_.push_back(waiting_.front());
    waiting_.pop_front();
    if (!Send(call) || PQpipelineSync(wire->conn()) == 0) return Break(wire->Error());
  }
  if (absl::Status started = StartOthers(); !started.ok()) Break(started);
}

absl::Status Lane::StartOthers() {
  if (calls_.empty()) return absl::OkStatus();
  const int left = PQflush(wire_->conn());
  if (left < 0) return wire_->Error();
  if (left > 0 && !std::exchange(flushing_, true)) {
    absl::Status started = Spawn("postgres flush", [self = shared_from_this(), wire = wire_] {
                             self->FlushRest(wire);
                           }).status();
    if (!started.ok()) return started;
  }
  if (std::exchange(reading_, true)) return absl::OkStatus();
  return Spawn("postgres read", [self = shared_from_this(), wire = wire_] { self->Read(wire); })
      .status();
}

void Lane::Leave(const Call& call) {
  ++shared_->stats.left;
  Call* const left = const_cast<Call*>(&call);
  if (std::erase(waiting_, left) > 0) {
    shared_->room.Release();
  } else {
    std::replace(calls_.begin(), calls_.end(), left, static_cast<Call*>(nullptr));
  }
}

void Lane::Read(const std::shared_ptr<Wire>& wire) {
  while (wire_ == wire && !calls_.empty()) {
    absl::Status input = wire->AwaitInput();
    if (wire_ != wire) return;
    if (!input.ok()) return Break(input);
    ++shared_->stats.reads;
    TakeAnswers();
  }
  if (wire_ == wire) reading_ = false;
}

// The other fiber reads meanwhile, so that the server can go on.
void Lane::FlushRest(const std::shared_ptr<Wire>& wire) {
  for (;;) {
    absl::Status ready = wire->AwaitReady(/*for_read=*/false);
    if (wire_ != wire) return;
    if (!ready.ok()) return Break(ready);
    const int left = PQflush(wire->conn());
    if (left < 0) return Break(wire->Error());
    if (left == 0) break;
  }
  flushing_ = false;
}

void Lane::TakeAnswers() {
  PGconn* const conn = wire_->conn();
  while (!calls_.empty() && PQisBusy(conn) == 0) {
    ResultPtr result(PQgetResult(conn));
    // Null stands between the answers of two statements.
    if (result != nullptr) TakeAnswer(std::move(result));
    if (PQstatus(conn) == CONNECTION_BAD) return Break(wire_->Error());
  }
}

void Lane::TakeAnswer(ResultPtr result) {
  Call* const call = calls_.front();
  if (calls_.size() > 1) __builtin_prefetch(calls_[1]);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status == PGRES_PIPELINE_SYNC) {
    calls_.pop_front();
    shared_->room.Release();
    if (call != nullptr) Answer(*call);
    return;
  }
  if (call == nullptr) return;
  if (call->failed.ok()) call->failed = ResultStatus(result.get());
  call->result = std::move(result);
}

void Lane::Break(const absl::Status& status) {
  const std::shared_ptr<Wire> wire = std::exchange(wire_, nullptr);
  if (wire == nullptr) return;
  --shared_->connector->services().stats.connections;
  ++shared_->stats.broken;
  sending_ = reading_ = flushing_ = false;
  // Whoever interrupted the lane's fiber has not interrupted those that wait.
  const bool interrupted = absl::IsCancelled(status) || absl::IsDeadlineExceeded(status);
  calls_.insert(calls_.end(), waiting_.begin(), waiting_.end());
  waiting_.clear();
  for (Call* const call : std::exchange(calls_, {})) {
    shared_->room.Release();
    if (call == nullptr) continue;
    if (call->failed.ok()) {
      call->failed = interrupted ? absl::AbortedError("the pipeline was stopped") : status;
    }
    Answer(*call);
  }
  wire->Close();
}

void Lane::Close() {
  if (wire_ != nullptr) Break(absl::AbortedError("the pipeline is closed"));
}

}  // namespace grove::postgres
