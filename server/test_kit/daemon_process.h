// DaemonProcess: a program in a session of its own, with its log in a file, for a test.
//
// It ends with whoever started it: the kernel kills it (PR_SET_PDEATHSIG) when the thread that
// started it ends, however that ends, and what the destructor finds left of its session goes too.
// All calls block their thread, and wait for events, not for time. Not on a fiber.
#ifndef GROVE_SERVER_TEST_KIT_DAEMON_PROCESS_H_
#define GROVE_SERVER_TEST_KIT_DAEMON_PROCESS_H_

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace grove::test_kit {

class DaemonProcess {
 public:
  DaemonProcess() = default;
  ~DaemonProcess() { Kill(); }
  DaemonProcess(const DaemonProcess&) = delete;
  DaemonProcess& operator=(const DaemonProcess&) = delete;

  // Runs `command`, whose first word is a path, with `environment` ("NAME=value") beside this
  // process's. Standard output and error are added to the file `log_path`. Of exec(2): kNotFound,
  // kPermissionDenied, … Requires: it does not run.
  absl::Status Start(const std::vector<std::string>& command,
                     const std::vector<std::string>& environment, const std::string& log_path);
  // Until `seen` is true of what it has logged since it was started. kFailedPrecondition: it has
  // ended; kDeadlineExceeded.
  absl::Status AwaitLog(const std::function<bool(std::string_view log)>& seen,
                        absl::Duration at_most);
  // Its exit code, or 128 and the signal that ended it. kDeadlineExceeded: it still runs.
  absl::StatusOr<int> AwaitEnd(absl::Duration at_most);
  void Signal(int number);
  // SIGKILL to its whole session; nothing is left of it afterwards.
  void Kill();

  bool running() const { return pidfd_ >= 0; }
  // Of the last start.
  pid_t pid() const { return pid_; }
  // The live processes of its session.
  std::vector<pid_t> Session() const;
  std::string Log() const;

 private:
  void Reap();

  pid_t pid_ = -1;
  // As long as processes may be left of it: later the number may be another's.
  pid_t session_ = -1;
  int pidfd_ = -1;
  int exit_code_ = 0;
  std::string log_path_;
  size_t log_start_ = 0;
};

}  // namespace grove::test_kit

#endif  // GROVE_SERVER_TEST_KIT_DAEMON_PROCESS_H_
