// Waiting: what a person sees, and can do, while grovectl waits for tasks.
//
// The state of the tasks on a terminal, an outage of the daemon on every standard error, and on
// Ctrl-C how to go on: the tasks do without grovectl.

#ifndef GROVE_CLIENT_CLI_WAITING_H_
#define GROVE_CLIENT_CLI_WAITING_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/command.h"
#include "client/cli/interrupt.h"
#include "client/cli/progress.h"

namespace grove::client::cli {

class Waiting {
 public:
  explicit Waiting(Command& command);

  // For one wait, which must end before this does.
  WaitOptions Options(v1::TaskView view);

  // `status`, unless Ctrl-C is its reason: then an InterruptedError for the tasks of `names`.
  absl::Status Explain(const absl::Status& status, const std::vector<std::string>& names);
  absl::Status Interrupted(size_t tasks) const;

  Progress& progress() { return progress_; }
  StopOnInterrupt& interrupt() { return interrupt_; }

 private:
  void OnLook(const v1::Task& task);
  void OnOutage();

  Command& command_;
  Progress progress_;
  StopOnInterrupt interrupt_;
};

}  // namespace grove::client::cli

#endif  // GROVE_CLIENT_CLI_WAITING_H_
