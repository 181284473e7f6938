// Trial: whether another program could go on as this daemon, found out by a process of its own.
//
// The program is run with the daemon's arguments, --check and the handover that it would get: it
// reads the config, looks for its grove-control and asks it for its version, and changes nothing.
// For a loop around poll(2): nothing blocks. What the program says on its standard error goes to
// the log, and the last of it into the verdict. Whoever reaps children tells its end.
#ifndef GROVE_SERVER_SUPERVISOR_TRIAL_H_
#define GROVE_SERVER_SUPERVISOR_TRIAL_H_

#include <signal.h>
#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/hub/clock.h"

namespace grove::supervisor {

class Trial {
 public:
  // Of what it says, the last so many bytes are kept for the verdict.
  static constexpr size_t kWordsMax = 1024;
  // So many lines go to the log: a program gone wrong must not fill it.
  static constexpr int kLinesMax = 100;

  // `arguments` as the daemon was started, its name first. `handover_fd` stays the caller's; `mask`
  // is the program's signal mask. NOT_FOUND, PERMISSION_DENIED: there is no such program.
  static absl::StatusOr<Trial> Start(const std::string& program,
                                     const std::vector<std::string>& arguments, int handover_fd,
                                     const sigset_t& mask, MonotonicNanos deadline);
  Trial(Trial&& other) noexcept;
  Trial& operator=(Trial&& other) noexcept;
  // Kills it, if it still runs.
  ~Trial();

  // Both to be polled; -1 at their end.
  int words_fd() const { return words_fd_; }
  int answer_fd() const { return answer_fd_; }
  void Read();
  // At `deadline`: kills it and what it started. Its end is still to be told.
  void Kill();

  pid_t pid() const { return pid_; }
  MonotonicNanos deadline() const { return deadline_; }
  // Once it was reaped, with this wait status: OK, or why it cannot take over.
  absl::Status Judge(int wait_status);

 private:
  Trial(std::string program, pid_t pid, int words_fd, int answer_fd, MonotonicNanos deadline);
  void LogLines();

  std::string program_;
  pid_t pid_ = 0;  // 0: reaped, or moved away
  int words_fd_ = -1;
  int answer_fd_ = -1;
  MonotonicNanos deadline_ = 0;
  bool overdue_ = false;
  int lines_ = 0;
  std::string line_;   // of its words, unfinished
  std::string words_;  // the last of them
  std::string answer_;
};

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_TRIAL_H_
