// Session: one conversation over a link, until either side ends it.
//
// Frames are read on the fiber that runs it and written on one of its own, so that a peer that does
// not read keeps nobody from hearing it. Both ends of the link use it; what frames say, and how
// much may wait to be written, is theirs. However it ends, no fiber of it is left.
// Hub thread only.
#ifndef GROVE_SERVER_LINK_SESSION_H_
#define GROVE_SERVER_LINK_SESSION_H_

#include <string>
#include <string_view>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/io/socket.h"
#include "server/link/frame.h"

namespace grove::link {

class Session {
 public:
  // Gets what a frame holds. An error ends the session. May park.
  using Take = absl::FunctionRef<absl::Status(std::string_view bytes)>;
  // What the next frame is to hold; parks until there is something. Called again once that is
  // written. An error ends the session.
  using Next = absl::FunctionRef<absl::StatusOr<std::string>()>;

  explicit Session(Socket socket) : socket_(std::move(socket)) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // The greeting, before Run(); as ReadFrame and WriteFrame. **Parks.**
  absl::StatusOr<std::string> Read() { return ReadFrame(socket_); }
  absl::Status Write(std::string_view bytes) { return WriteFrame(socket_, bytes); }

  // Reads and writes until one of them fails: why it ended, as ReadFrame says it (kOutOfRange: the
  // peer closed its end), or the error of `take` or `next`, or what End() was given. kCancelled:
  // the caller was. The stream is closed then. **Parks.**
  absl::Status Run(Take take, Next next);
  // From another fiber, or from within `take` or `next`: no frame is taken any more and Run()
  // returns `why`. The first one counts.
  void End(absl::Status why);
  // Whether bytes have come that nobody has read.
  bool HasUnread() const;
  // OK while this side has not ended it.
  const absl::Status& ended() const { return ended_; }

 private:
  absl::Status ReadFrames(Take take);
  absl::Status WriteFrames(Next next);

  Socket socket_;
  absl::Status ended_;
};

}  // namespace grove::link

#endif  // GROVE_SERVER_LINK_SESSION_H_
