// ChildChannel: a child's end of the socket pair over which it and the supervisor talk.
//
// One fiber takes what the supervisor says and hands it to the handlers, one after the other; what
// the child says is written beside it. SetLogLevel it carries out itself. The end of the channel is
// no fault: the child goes on, and only what needs the supervisor cannot be done any more.
// Hub thread only. The supervisor's end: command_channel.h.
#ifndef GROVE_SERVER_PROCESS_CHILD_CHANNEL_H_
#define GROVE_SERVER_PROCESS_CHILD_CHANNEL_H_

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grove/internal/v1/supervision.pb.h"
#include "runtime/sync/event.h"

namespace grove::process {

// That may wait for the supervisor to read it; it reads whatever comes, so this is never reached by
// one that lives.
inline constexpr size_t kChildBacklogBytesMax = size_t{4} << 20;

class ChildChannel {
 public:
  // Run on the channel's fiber, and may park: what comes next waits meanwhile. What has none is
  // passed over.
  struct Handlers {
    absl::AnyInvocable<void(internal::v1::OperationReply reply)> reply;
    absl::AnyInvocable<void(internal::v1::OperationsChanged changed)> operations;
    absl::AnyInvocable<void(internal::v1::ApplyConfig apply)> apply_config;
    // No more comes.
    absl::AnyInvocable<void()> ended;
  };

  explicit ChildChannel(Handlers handlers) : handlers_(std::move(handlers)) {}
  ChildChannel(const ChildChannel&) = delete;
  ChildChannel& operator=(const ChildChannel&) = delete;

  // The body of its fiber: takes over `fd`, and returns when the supervisor has closed its end, or
  // with kCancelled. Once. **Parks.**
  absl::Status Run(int fd);

  // Never parks. kUnavailable: there is no supervisor at the other end; kInvalidArgument: above
  // kChildMessageBytesMax; kResourceExhausted: the supervisor does not read.
  absl::Status Send(const internal::v1::ChildMessage& message);
  bool open() const { return open_; }

 private:
  absl::Status Take(std::string_view bytes);
  void SetLevel(const internal::v1::SetLogLevel& wanted);
  absl::StatusOr<std::string> Next();

  Handlers handlers_;
  bool open_ = false;
  std::deque<std::string> to_send_;
  size_t bytes_to_send_ = 0;
  Event filled_;
};

}  // namespace grove::process

#endif  // GROVE_SERVER_PROCESS_CHILD_CHANNEL_H_
