#include "database/postgres/listener.h"

#include <libpq-fe.h>

#include <utility>

#include "database/postgres/wire.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"

namespace grove::postgres {
namespace {

bool IsForGood(const absl::Status& status) {
  return absl::IsUnauthenticated(status) || absl::IsInvalidArgument(status) ||
         absl::IsNotFound(status) || absl::IsPermissionDenied(status);
}

// Of the fiber that waits: nothing is wrong with the connection.
bool IsOwn(const absl::Status& status) {
  return Hub::Current()->interruption() != Wake::kReady &&
         (absl::IsCancelled(status) || absl::IsDeadlineExceeded(status));
}

}  // namespace

Listener::Listener(Connector& connector, ConnectionOptions options,
                   std::vector<std::string> channels, ListenerOptions listener_options)
    : connector_(connector),
      options_(std::move(options)),
      channels_(std::move(channels)),
      listener_options_(listener_options),
      pauses_(listener_options.pause) {}

absl::Status Listener::Connect() {
  absl::StatusOr<std::unique_ptr<Connection>> made = connector_.Connect(options_);
  if (!made.ok()) return made.status();
  for (const std::string& channel : channels_) {
    const std::string listen = "LISTEN " + Connection::QuoteIdentifier(channel);
    if (absl::Status heard = (*made)->ExecuteScript(listen); !heard.ok()) return heard;
  }
  connection_ = *std::move(made);
  ++connects_;
  pauses_.Reset();
  return absl::OkStatus();
}

bool Listener::TakeNotification(Listened& next) {
  const std::unique_ptr<PGnotify, decltype(&PQfreemem)> notification(
      PQnotifies(connection_->wire_->conn()), PQfreemem);
  if (notification == nullptr) return false;
  next = {.kind = Listened::Kind::kNotification,
          .channel = notification->relname,
          .payload = notification->extra,
          .backend_pid = notification->be_pid};
  return true;
}

// Until something may have come, or the server has said that it is there.
absl::Status Listener::AwaitMore() {
  {
    Timeout quiet(listener_options_.ping_after);
    absl::Status input = connection_->wire_->AwaitInput();
    if (input.ok()) return input;
    if (!quiet.Caused(input)) return input;
  }
  Timeout answer(listener_options_.ping_timeout);
  absl::Status alive = connection_->Ping();
  if (answer.Caused(alive)) return absl::UnavailableError("the server does not answer");
  return alive;
}

absl::StatusOr<Listened> Listener::Next() {
  for (;;) {
    if (connection_ == nullptr) {
      last_failure_ = Connect();
      if (last_failure_.ok()) return Listened{};
      if (IsForGood(last_failure_) || IsOwn(last_failure_)) return last_failure_;
      if (absl::Status slept = Sleep(pauses_.Next()); !slept.ok()) return slept;
      continue;
    }
    Listened next;
    // In the order of their coming; libpq finds them in what it has read.
    if (PQisBusy(connection_->wire_->conn()) == 0 && TakeNotification(next)) return next;
    absl::Status more = AwaitMore();
    if (more.ok()) continue;
    // A ping that was interrupted has closed the connection.
    if (!IsOwn(more) || !connection_->open()) connection_.reset();
    if (IsOwn(more)) return more;
  }
}

}  // namespace grove::postgres
