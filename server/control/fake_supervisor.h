// FakeSupervisor: the supervisor's end of control's command channel, for tests.
//
// Answers requests on a thread of its own as the test says; without an answer it stays silent.
#ifndef GROVE_SERVER_CONTROL_FAKE_SUPERVISOR_H_
#define GROVE_SERVER_CONTROL_FAKE_SUPERVISOR_H_

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grove/internal/v1/supervision.pb.h"
#include "server/process/command_channel.h"

namespace grove::control {

class FakeSupervisor {
 public:
  // Fills the reply, whose id is right already; false: says nothing.
  using Answer = std::function<bool(const internal::v1::OperationRequest& request,
                                    internal::v1::OperationReply& reply)>;

  explicit FakeSupervisor(Answer answer);
  // Closes its end.
  ~FakeSupervisor();

  // Control's end, which is its own to close.
  int child_fd() const { return child_fd_; }
  void Say(const std::vector<v1::Operation>& operations);
  std::vector<internal::v1::OperationRequest> requests() const;

 private:
  void Serve();

  const Answer answer_;
  int child_fd_ = -1;
  int stop_[2] = {-1, -1};  // a pipe
  mutable absl::Mutex mutex_;
  process::CommandChannel channel_ ABSL_GUARDED_BY(mutex_);
  std::vector<internal::v1::OperationRequest> requests_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

// One that has been under way since it was asked for.
v1::Operation OperationOf(int number, v1::Operation::Kind kind, v1::Operation::State state,
                          const std::string& message);

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_FAKE_SUPERVISOR_H_
