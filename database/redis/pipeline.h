// Pipeline: one connection that all fibers of a hub share.
//
// Each request takes its place in one line: what was asked during a turn leaves in one write, and
// what one read brings wakes all whom it answers. A fiber that is cancelled or timed out leaves at
// once; what it asked is not sent if it has not been, else its reply is read and dropped, so that
// the others get their own. It connects when something is asked; after a failure it says so, to all
// who ask, until the next try is due. What was sent when the connection breaks is lost
// (kUnavailable), unless it may be repeated; what was not sent yet goes over the next one.
// Two fibers while it is connected, none else. Hub thread only.
#ifndef GROVE_DATABASE_REDIS_PIPELINE_H_
#define GROVE_DATABASE_REDIS_PIPELINE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "database/redis/command.h"
#include "database/redis/dialer.h"
#include "database/redis/value.h"
#include "runtime/hub/fiber.h"
#include "runtime/hub/scheduled_call.h"
#include "runtime/repeat/backoff.h"
#include "runtime/sync/event.h"
#include "runtime/sync/semaphore.h"

namespace grove::redis {

struct PipelineOptions {
  // Requests (a command, or several sent together) without a reply; further fibers wait.
  int64_t depth_max = 10'000;
  // Of one request.
  size_t request_bytes_max = size_t{64} << 20;
  // So long without a reply, while one is owed, and the connection is given up.
  absl::Duration reply_timeout = absl::Seconds(60);
  // Between two tries to connect that fail. Whoever asks meanwhile is told of the failure.
  BackoffOptions reconnect = {
      .first = absl::Milliseconds(100), .growth = 2, .max = absl::Seconds(10)};
};

struct PipelineStats {
  uint64_t commands = 0;
  uint64_t replies = 0;
  uint64_t error_replies = 0;
  uint64_t dropped = 0;  // replies nobody waited for any more
  uint64_t unsent = 0;   // requests given up before they were sent
  uint64_t writes = 0;
  uint64_t lost = 0;      // requests that were sent when the connection broke
  uint64_t repeated = 0;  // of these, sent again
  uint64_t breaks = 0;    // of connections
  size_t queued = 0;      // requests, now
  size_t in_flight = 0;   // requests, now
  size_t waiting = 0;     // fibers, for room
};

class Pipeline : public std::enable_shared_from_this<Pipeline> {
 public:
  using Replies = absl::InlinedVector<Value, 1>;

  Pipeline(const PipelineOptions& options, std::shared_ptr<Dialer> dialer);

  // Sends them together, nothing in between, and gives their replies, error replies among them.
  // kInvalidArgument: too large. kUnavailable: not connected, or the connection broke and they may
  // have been done; kAborted: closed; kDeadlineExceeded, kCancelled: they may have been done.
  // **Parks.**
  absl::StatusOr<Replies> Run(std::span<const Command> commands);
  // Who waits gets kAborted; so does who comes later. Never parks: the fibers end by themselves.
  void Close();
  // Until they have. Requires: Close(). **Parks.**
  void AwaitEnd();
  PipelineStats stats() const;

 private:
  // On the stack of the fiber that asks.
  struct Request {
    Request(std::span<const Command> its_commands, Fiber* its_fiber)
        : commands(its_commands), fiber(its_fiber) {}
    const std::span<const Command> commands;
    Fiber* const fiber;
    uint64_t number = 0;
    bool done = false;
    bool repeated = false;
    absl::Status failure;
    Replies replies;
  };
  // A request's place in the line. Null: its fiber has left.
  struct Slot {
    Request* request;
    size_t replies_wanted;
  };

  absl::Status Enqueue(Request& request);
  absl::Status StartDriver();
  void Leave(const Request& request);
  void Drive();
  void WriteUntilBroken();
  void ReadUntilBroken();
  absl::Status Take(Value value);
  void Finish(Request& request);
  void PopAnswered();
  // What shall be sent next, and counts as sent.
  std::string Batch();
  void WatchReplies(absl::Duration after);
  // After the end of a connection; what is left may go over the next.
  void SettleSent(const absl::Status& why);
  void FailAll(const absl::Status& why);

  const PipelineOptions options_;
  const std::shared_ptr<Dialer> dialer_;
  Semaphore places_;
  std::deque<Slot> line_;      // the first sent_ of them are sent
  uint64_t first_number_ = 0;  // of line_.front()
  size_t sent_ = 0;
  std::unique_ptr<Wire> wire_;  // while it is connected
  FiberHandle driver_;          // while it runs
  Event work_;
  absl::Status broken_;  // why wire_ is of no use any more
  bool closed_ = false;
  Backoff backoff_;
  const Random random_;
  absl::Status refusal_;  // of the last try to connect
  MonotonicNanos next_try_ = 0;
  MonotonicNanos progress_at_ = 0;
  ScheduledCall watch_;
  PipelineStats stats_;
};

}  // namespace grove::redis

#endif  // GROVE_DATABASE_REDIS_PIPELINE_H_
