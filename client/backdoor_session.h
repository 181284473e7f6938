// BackdoorSession: a terminal into a live worker.
//
// Text goes in and comes out of a Lua prompt until either side ends the session.
// One thread may send while another receives.

#ifndef GROVE_CLIENT_BACKDOOR_SESSION_H_
#define GROVE_CLIENT_BACKDOOR_SESSION_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace grove::client {

class BackdoorSession {
 public:
  // Ends the session if it still stands.
  ~BackdoorSession();
  BackdoorSession(const BackdoorSession&) = delete;
  BackdoorSession& operator=(const BackdoorSession&) = delete;

  // One thread: text typed, with its line ends. False: the session is over; Receive says why.
  bool Send(std::string_view text);
  // No more text will be sent. The worker finishes what it got, then ends the session.
  void CloseInput();

  // One thread: waits for text printed, prompts included. nullopt: the session ended well.
  // After nullopt or an error it must not be called again.
  absl::StatusOr<std::optional<std::string>> Receive();

  // Any thread: ends the session at once; Receive returns CANCELLED.
  void Cancel();

 private:
  friend class Client;
  struct Stream;
  explicit BackdoorSession(std::unique_ptr<Stream> stream);

  const std::unique_ptr<Stream> stream_;
};

}  // namespace grove::client

#endif  // GROVE_CLIENT_BACKDOOR_SESSION_H_
