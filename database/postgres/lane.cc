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
  if (wire_ != nullptr && calls_.empty() && wire_->MayHaveInput() && !wire_->Consume().ok()) {
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

bool Lane::Send(const std::string& sql, Params params, const ParamArrays& arrays, bool binary,
                bool prepare) {
  PGconn* const conn = wire_->conn();
  if (!prepare || !statements_.enabled()) {
    return PQsendQueryParams(conn, sql.c_str(), arrays.size(), arrays.types(), arrays.values(),
                             arrays.lengths(), arrays.formats(), binary ? 1 : 0) != 0;
  }
  if (const std::string* name = statements_.Find(sql, params)) {
    return PQsendQueryPrepared(conn, name->c_str(), arrays.size(), arrays.values(),
                               arrays.lengths(), arrays.formats(), binary ? 1 : 0) != 0;
  }
  const std::string name = statements_.NewName();
  if (!SendPrepareAndRun(conn, statements_, name, sql, arrays, binary)) return false;
  // Who asks for the same next finds it prepared: the server takes one after the other. If that
  // fails, theirs are stale.
  statements_.Add(sql, params, name);
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
  Call call;
  calls_.push_back(&call);
  ++shared_->stats.statements;
  if (!Send(sql, params, arrays, options.binary, options.prepare) ||
      PQpipelineSync(wire_->conn()) == 0) {
    Break(wire_->Error());
  } else if (absl::Status started = StartFibers(); !started.ok()) {
    Break(started);
  }
  if (absl::Status waited = call.answered.Wait(); !waited.ok()) {
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

absl::Status Lane::StartFibers() {
  const int left = PQflush(wire_->conn());
  if (left < 0) return wire_->Error();
  if (left > 0 && !flushing_) {
    flushing_ = true;
    absl::StatusOr<FiberHandle> fiber = Spawn(
        "postgres flush", [self = shared_from_this(), wire = wire_] { self->FlushRest(wire); });
    if (!fiber.ok()) return fiber.status();
  }
  if (reading_) return absl::OkStatus();
  reading_ = true;
  return Spawn("postgres read", [self = shared_from_this(), wire = wire_] { self->Read(wire); })
      .status();
}

void Lane::Leave(const Call& call) {
  ++shared_->stats.left;
  std::replace(calls_.begin(), calls_.end(), const_cast<Call*>(&call), static_cast<Call*>(nullptr));
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
  const ExecStatusType status = PQresultStatus(result.get());
  if (status == PGRES_PIPELINE_SYNC) {
    calls_.pop_front();
    shared_->room.Release();
    if (call != nullptr) call->answered.Set();
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
  reading_ = flushing_ = false;
  // Whoever interrupted the lane's fiber has not interrupted those that wait.
  const bool interrupted = absl::IsCancelled(status) || absl::IsDeadlineExceeded(status);
  for (Call* const call : std::exchange(calls_, {})) {
    shared_->room.Release();
    if (call == nullptr) continue;
    if (call->failed.ok()) {
      call->failed = interrupted ? absl::AbortedError("the pipeline was stopped") : status;
    }
    call->answered.Set();
  }
  wire->Close();
}

void Lane::Close() {
  if (wire_ != nullptr) Break(absl::AbortedError("the pipeline is closed"));
}

}  // namespace grove::postgres
