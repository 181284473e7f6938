// Connection: a connection of Redis for one fiber at a time.
//
// For commands that block (BLPOP, XREAD BLOCK) and for WATCH. A fiber that is cancelled or timed
// out while it waits for a reply leaves the connection broken: it is closed, which also ends what
// blocks on the server. Client::Take() lends them. Hub thread only.
#ifndef GROVE_DATABASE_REDIS_CONNECTION_H_
#define GROVE_DATABASE_REDIS_CONNECTION_H_

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "database/redis/command.h"
#include "database/redis/dialer.h"
#include "database/redis/value.h"

namespace grove::redis {

// MULTI, `commands`, EXEC.
std::vector<Command> InTransaction(std::span<const Command> commands);
// The replies of `commands` out of those of InTransaction(). kAborted: a watched key has changed,
// and nothing was done. An error reply to one command, while queued or done: that of EXEC, or among
// the values.
absl::StatusOr<std::vector<Value>> TransactionReplies(std::span<Value> replies);

class Connection {
 public:
  explicit Connection(std::unique_ptr<Wire> wire) : wire_(std::move(wire)) {}

  // An error reply is a failed status (error_reply.h). kInvalidArgument: a command of its own is
  // for that. kUnavailable: the connection broke, and it may have been done;
  // kDeadlineExceeded, kCancelled: so, too. **Parks.**
  absl::StatusOr<Value> Run(const Command& command);
  // In one write; error replies are among the values. **Parks.**
  absl::StatusOr<std::vector<Value>> RunAll(std::span<const Command> commands);

  // From here on the next Transact() does nothing if one of `keys` changes. **Parks.**
  absl::Status Watch(std::span<const std::string> keys);
  absl::Status Unwatch();
  // All of `commands` or none, with nothing of others in between. kAborted: a watched key has
  // changed. **Parks.**
  absl::StatusOr<std::vector<Value>> Transact(std::span<const Command> commands);

  // Whether it answers, and nothing is watched. **Parks.**
  bool Check();
  bool broken() const { return wire_ == nullptr; }

 private:
  absl::StatusOr<std::vector<Value>> Exchange(std::span<const Command> commands);

  std::unique_ptr<Wire> wire_;  // null once it is broken
  bool watching_ = false;
};

}  // namespace grove::redis

#endif  // GROVE_DATABASE_REDIS_CONNECTION_H_
