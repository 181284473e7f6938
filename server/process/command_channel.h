// CommandChannel: the supervisor's end of the socket pair over which it and a child talk.
//
// Frames of server/link/frame.h with ChildMessage one way and SupervisorMessage the other
// (proto/grove/internal/v1/supervision.proto). For a loop around poll(2): nothing blocks, and
// what a child does not read waits up to a bound. A child that goes beyond it, or sends what is no
// message, loses the channel with a line in the log, and goes on without it. Knows nothing of what
// messages ask for. The child's end: child_channel.h.
#ifndef GROVE_SERVER_PROCESS_COMMAND_CHANNEL_H_
#define GROVE_SERVER_PROCESS_COMMAND_CHANNEL_H_

#include <poll.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "grove/internal/v1/supervision.pb.h"

namespace grove::process {

// Of one message of a child's, requests and acknowledgements: a child gone wrong must not fill the
// supervisor's memory.
inline constexpr size_t kChildMessageBytesMax = size_t{1} << 20;
// So much may wait for a child to read it, beside a first message of any size (a config).
inline constexpr size_t kCommandBacklogBytesMax = size_t{4} << 20;
// That one Read() takes: a child that always has more to say must not keep the supervisor from the
// others.
inline constexpr size_t kCommandReadBytesMax = size_t{256} << 10;

class CommandChannel {
 public:
  // To no child.
  CommandChannel() = default;
  // A new pair, both ends close-on-exec: this one, and the child's, which is the caller's to hand
  // over and to close. `child` is its name in the log.
  static absl::StatusOr<std::pair<CommandChannel, int>> Open(std::string child);
  // Takes over `fd`, an end of such a pair, behind what another program of this process had of it.
  static absl::StatusOr<CommandChannel> Adopt(int fd, std::string child, std::string unread = "",
                                              std::string unsent = "");
  CommandChannel(CommandChannel&& other) noexcept { *this = std::move(other); }
  CommandChannel& operator=(CommandChannel&& other) noexcept;
  ~CommandChannel() { Close(); }

  // What has come, in its order. Where the child has closed its end, has died or sends nonsense,
  // the channel is closed after it. None where it is closed already.
  std::vector<internal::v1::ChildMessage> Read();
  // Sends it, now or when the child reads. False: the channel is closed, as it was or because too
  // much waits.
  bool Send(const internal::v1::SupervisorMessage& message);
  // When poll(2) found it writable.
  void Flush();
  // In a forked process: that process's copy alone.
  void Close();

  bool open() const { return fd_ >= 0; }
  // To be polled, for events(). -1 once it is closed, which poll(2) passes over.
  int fd() const { return fd_; }
  short events() const {
    return static_cast<short>(waiting_bytes() > 0 ? POLLIN | POLLOUT : POLLIN);
  }
  // What came, and what is to be sent, that is no whole message yet.
  const std::string& unread() const { return incoming_; }
  std::string unsent() const { return outgoing_.substr(sent_); }
  size_t waiting_bytes() const { return outgoing_.size() - sent_; }

 private:
  CommandChannel(int fd, std::string child) : fd_(fd), child_(std::move(child)) {}
  // Moves whole messages out of incoming_.
  void TakeMessages(std::vector<internal::v1::ChildMessage>& messages);
  void GiveUp(std::string_view why);

  int fd_ = -1;
  std::string child_;
  std::string incoming_;  // the beginning of a frame
  std::string outgoing_;  // frames; the first sent_ bytes are with the kernel
  size_t sent_ = 0;
};

}  // namespace grove::process

#endif  // GROVE_SERVER_PROCESS_COMMAND_CHANNEL_H_
