// Client: commands of fibers to one Redis server.
//
//   auto client = Client::Create({.server = {.host = "redis.example.org"}});
//   absl::StatusOr<Value> hits = (*client)->Run({"INCR", "hits"});
//
// Calls look blocking and park only their fiber; Timeout scopes bound them, Cancel() ends them. One
// client serves all fibers of its hub: they share a connection, on which their commands are
// pipelined without their doing (pipeline.h). What blocks or watches gets a connection of a pool
// (connection.h), messages of channels come over one of their own (subscription.h).
// Hub thread only.
#ifndef GROVE_DATABASE_REDIS_CLIENT_H_
#define GROVE_DATABASE_REDIS_CLIENT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "database/redis/command.h"
#include "database/redis/connection.h"
#include "database/redis/dialer.h"
#include "database/redis/pipeline.h"
#include "database/redis/subscription.h"
#include "database/redis/value.h"
#include "runtime/group/resource_pool.h"

namespace grove::redis {

struct ClientOptions {
  ServerOptions server;
  PipelineOptions pipeline;
  // Of Take(): lent and idle together, and how long one is kept idle.
  int64_t connections_max = 16;
  absl::Duration idle_max = absl::Seconds(60);
};

struct ClientStats {
  PipelineStats pipeline;
  WireStats wire;  // of all connections
  int64_t connections_lent = 0;
  int64_t connections_idle = 0;
  size_t connections_waiting = 0;  // fibers
  uint64_t scripts_loaded = 0;
};

// A script of the server's, known by its SHA-1. A value.
class Script {
 public:
  explicit Script(std::string source);
  const std::string& source() const { return source_; }
  const std::string& sha1() const { return sha1_; }

 private:
  std::string source_;
  std::string sha1_;
};

class Client {
 public:
  using Lease = ResourcePool<Connection>::Lease;

  // Connects to nothing yet. kInvalidArgument: what is wrong with the options.
  static absl::StatusOr<std::unique_ptr<Client>> Create(ClientOptions options = {});
  // Requires: no fiber is in a call of it, nothing is lent; Close() was called, or its hub runs.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // An error reply is a failed status, by its word (error_reply.h). kInvalidArgument also: the
  // command can't be shared; kUnavailable: no connection, or it broke and the command may have been
  // done; kResourceExhausted: the reply is too large; kAborted: closed; kDeadlineExceeded,
  // kCancelled: it may have been done. **Parks.**
  absl::StatusOr<Value> Run(const Command& command);
  // In one write, with nothing of other fibers in between; error replies are among the values.
  // **Parks.**
  absl::StatusOr<std::vector<Value>> RunAll(std::span<const Command> commands);
  // MULTI, `commands`, EXEC: all or, if Redis refuses one as it comes, none. **Parks.**
  absl::StatusOr<std::vector<Value>> Transact(std::span<const Command> commands);
  // EVALSHA; should the server not know it, EVAL. **Parks.**
  absl::StatusOr<Value> Eval(const Script& script, std::span<const std::string> keys = {},
                             std::span<const std::string> arguments = {});

  // A connection of one's own, put back when the lease dies. Its errors are those of
  // Dialer::Dial(). **Parks** while connections_max are lent.
  absl::StatusOr<Lease> Take();
  // See Subscription::Open(). **Parks.**
  absl::StatusOr<std::unique_ptr<Subscription>> Subscribe(SubscribeOptions options);

  // Ends its connections but those that are lent, and the calls that wait with kAborted. It is of
  // no use afterwards. In the hub's Run(), before that ends. **Parks.**
  void Close();
  ClientStats stats() const;

 private:
  Client(const ClientOptions& options, std::shared_ptr<Dialer> dialer);

  const std::shared_ptr<Dialer> dialer_;
  const std::shared_ptr<Pipeline> pipeline_;
  ResourcePool<Connection> connections_;
  uint64_t scripts_loaded_ = 0;
};

}  // namespace grove::redis

#endif  // GROVE_DATABASE_REDIS_CLIENT_H_
