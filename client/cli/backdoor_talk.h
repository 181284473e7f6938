// BackdoorTalk: lines to a worker's Lua prompt, and its answer to each.
//
// Takes the prompts out of what the worker prints: an answer ends where one stands ("> ", or ">> "
// for a statement that goes on) and nothing follows. Answers that nobody waits for any more are
// dropped. One thread but for what it runs itself.

#ifndef GROVE_CLIENT_CLI_BACKDOOR_TALK_H_
#define GROVE_CLIENT_CLI_BACKDOOR_TALK_H_

#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "client/backdoor_session.h"

namespace grove::client::cli {

struct BackdoorAnswer {
  std::string text;
  // The worker waits for the rest of the statement.
  bool incomplete = false;
  // The session is over; `text` is all that came.
  bool ended = false;
};

// What was printed before the line failed, and why it did; empty if it did not.
struct BackdoorResult {
  std::string text;
  std::string error;
};
BackdoorResult SplitError(std::string_view answer);

// A line that ends an unfinished statement with a syntax error, long strings and comments included.
std::string AbandonLine(std::string_view statement);

class BackdoorTalk {
 public:
  explicit BackdoorTalk(BackdoorSession& session);
  // Ends the session.
  ~BackdoorTalk();
  BackdoorTalk(const BackdoorTalk&) = delete;
  BackdoorTalk& operator=(const BackdoorTalk&) = delete;

  // The banner first, then the answer to each line. CANCELLED: `interrupt_fd` (may be -1) became
  // readable; DEADLINE_EXCEEDED; or why the session broke. Blocks.
  absl::StatusOr<BackdoorAnswer> Next(absl::Duration timeout, int interrupt_fd);

  void Send(const std::string& line);

  // Nobody waits for the answer to what was sent last, nor is the statement to go on.
  void Abandon();

  // Readable when Poll has something to do.
  int fd() const { return news_fd_; }
  // Takes what came without waiting. True: the session is over, and Next says why.
  bool Poll();

  // Lets the worker end the session.
  void Close(absl::Duration timeout);

 private:
  void Receive();
  // Moves what was received into `text_`.
  void Collect();
  bool TakeAnswer(BackdoorAnswer& answer);
  void Skip(const BackdoorAnswer& answer);
  void SendNow(const std::string& line);

  BackdoorSession& session_;
  const int news_fd_;
  absl::Mutex mutex_;
  std::string received_ ABSL_GUARDED_BY(mutex_);
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status why_ ABSL_GUARDED_BY(mutex_);
  // Of the caller's thread.
  std::string text_;
  bool ended_ = false;
  absl::Status end_status_;
  std::string statement_;
  bool incomplete_ = false;
  // Whether the next answer is to be dropped, and what is sent after it: answers to two lines could
  // not be told apart.
  bool skips_ = false;
  std::optional<std::string> pending_;
  std::thread thread_;
};

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_BACKDOOR_TALK_H_
