#include "database/redis/connection.h"

#include <utility>

#include "runtime/switch/abseil_text.h"

namespace grove::redis {

std::vector<Command> InTransaction(std::span<const Command> commands) {
  std::vector<Command> all;
  all.reserve(commands.size() + 2);
  all.push_back(Command({"MULTI"}));
  all.insert(all.end(), commands.begin(), commands.end());
  all.push_back(Command({"EXEC"}));
  return all;
}

absl::StatusOr<std::vector<Value>> TransactionReplies(std::span<Value> replies) {
  for (const Value& queued : replies.first(replies.size() - 1)) {
    if (queued.error()) return queued.status();  // why EXEC has done nothing
  }
  Value& done = replies.back();
  if (done.error()) return done.status();
  if (done.null()) {
    return absl::AbortedError("redis: a watched key has changed; the transaction did nothing");
  }
  return std::move(done).TakeElements();
}

absl::StatusOr<std::vector<Value>> Connection::Exchange(std::span<const Command> commands) {
  if (broken()) return absl::UnavailableError("redis: the connection is closed");
  // Until all is read nobody knows whose the next reply is.
  std::unique_ptr<Wire> wire = std::move(wire_);
  std::string bytes;
  for (const Command& command : commands) command.AppendTo(bytes);
  if (absl::Status sent = wire->Write(bytes); !sent.ok()) return sent;
  std::vector<Value> replies;
  replies.reserve(commands.size());
  while (replies.size() < commands.size()) {
    absl::StatusOr<Value> reply = wire->Next();
    if (!reply.ok()) return reply.status();
    if (reply->kind() != Value::Kind::kPush) replies.push_back(*std::move(reply));
  }
  wire_ = std::move(wire);
  return replies;
}

absl::StatusOr<std::vector<Value>> Connection::RunAll(std::span<const Command> commands) {
  for (const Command& command : commands) {
    if (absl::Status may = command.MayBeSent(); !may.ok()) return may;
  }
  return Exchange(commands);
}

absl::StatusOr<Value> Connection::Run(const Command& command) {
  absl::StatusOr<std::vector<Value>> replies = RunAll({&command, 1});
  if (!replies.ok()) return replies.status();
  if (replies->front().error()) return replies->front().status();
  return std::move(replies->front());
}

absl::Status Connection::Watch(std::span<const std::string> keys) {
  const Command watch = Command({"WATCH"}).AddAll(keys);
  absl::StatusOr<std::vector<Value>> replies = Exchange({&watch, 1});
  if (!replies.ok()) return replies.status();
  watching_ = true;
  return replies->front().status();
}

absl::Status Connection::Unwatch() {
  const Command unwatch({"UNWATCH"});
  absl::StatusOr<std::vector<Value>> replies = Exchange({&unwatch, 1});
  if (!replies.ok()) return replies.status();
  watching_ = false;
  return replies->front().status();
}

absl::StatusOr<std::vector<Value>> Connection::Transact(std::span<const Command> commands) {
  for (const Command& command : commands) {
    if (absl::Status may = command.MayBeSent(); !may.ok()) return may;
  }
  absl::StatusOr<std::vector<Value>> replies = Exchange(InTransaction(commands));
  if (!replies.ok()) return replies.status();
  watching_ = false;  // EXEC forgets them, whatever it says
  return TransactionReplies(*replies);
}

bool Connection::Check() {
  if (watching_ && !Unwatch().ok()) return false;
  return Run(Command({"PING"})).ok();
}

}  // namespace grove::redis
