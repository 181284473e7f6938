// CallScope: one call or stream, from its turn on the channel to its status.
//
// What Client and the streams are made of. Hub thread only.
#ifndef GROVE_CLIENT_RPC_CALL_H_
#define GROVE_CLIENT_RPC_CALL_H_

#include <grpcpp/grpcpp.h>

#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/rpc/channel.h"
#include "client/rpc/completions.h"
#include "runtime/hub/clock.h"

namespace grove::client::rpc {

struct CallOptions {
  // Beside the channel's.
  Metadata metadata = {};
  // Of all of it, told to the server. The fiber's Timeouts bound a call as well, and are told too;
  // a stream's single steps only.
  absl::Duration timeout = absl::InfiniteDuration();
  // Waits for a connection as long as there is time, in place of failing while there is none.
  bool wait_for_ready = false;
};

// Code, message and google.rpc details (as payloads: client/status_details.h) of `status`.
absl::Status ToAbslStatus(const grpc::Status& status);

class CallScope {
 public:
  // Nothing is asked yet; `what` is for errors: "call", "stream".
  CallScope(Channel& channel, std::string_view what) : channel_(channel), what_(what) {}
  // Gives its place back. Requires: nothing of it is pending, or it was cancelled.
  ~CallScope();
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

  // A place on the channel, deadline and metadata. kResourceExhausted: too many wait;
  // kInvalidArgument: bad metadata; kDeadlineExceeded, kCancelled: of the fiber. **Parks** while
  // the channel is full.
  absl::Status Enter(const CallOptions& options, bool until_fibers_deadline);
  // Until `operation` is complete. An interrupted fiber: its own kDeadlineExceeded or kCancelled,
  // and the operation goes on. **Parks.**
  absl::Status Await(Operation& operation);
  // Until `operation` has filled `status`. An interrupted fiber cancels the call first. What it was
  // answered by then counts. **Parks.**
  absl::Status Finish(Operation& operation, const grpc::Status& status);
  // The status that ended it: counted, and its place is free.
  absl::Status End(const grpc::Status& status);
  // It is nobody's any more.
  void Abandon();

  Channel& channel() const { return channel_; }
  grpc::ClientContext& context() { return context_; }

 private:
  void Leave();
  // gRPC's clock may be ahead of the hub's: the fiber's own Timeout, which is due, ends the call.
  absl::Status AwaitOwnTimeout(absl::Status status);

  Channel& channel_;
  const std::string_view what_;
  grpc::ClientContext context_;
  MonotonicNanos deadline_ = kNever;  // the fiber's, if it was told
  bool entered_ = false;
};

}  // namespace grove::client::rpc

#endif  // GROVE_CLIENT_RPC_CALL_H_
