// FakeWorker: a worker slot's end of the link, for tests.
//
// Listens on the slot's socket on a hub of its own thread, says Hello, and answers attempts as a
// function of that name would: "echo" succeeds with its input, "fail" fails, "hang" runs until it
// is cancelled. Methods may be called from the test's thread.
#ifndef GROVE_SERVER_CONTROL_FAKE_WORKER_H_
#define GROVE_SERVER_CONTROL_FAKE_WORKER_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/container/flat_hash_set.h"
#include "grove/internal/v1/link.pb.h"
#include "runtime/hub/hub.h"
#include "runtime/io/listener.h"
#include "runtime/io/socket.h"

namespace grove::control {

class FakeWorker {
 public:
  FakeWorker(int worker, const std::string& path);
  // Dies: the link ends.
  ~FakeWorker();

  // ListFibers requests are not answered from now on.
  void StopAnswering() { silent_ = true; }
  int64_t attempts_started() const { return started_; }
  int64_t attempts_cancelled() const { return cancelled_; }
  // The limit of the last ListFibers request.
  int32_t fibers_asked_for() const { return fibers_asked_for_; }

 private:
  void Serve();
  void Answer(Socket& socket);
  void Start(const internal::v1::StartAttempt& start, internal::v1::WorkerFrame& frame);
  void Cancel(uint64_t attempt, internal::v1::WorkerFrame& frame);
  void ListFibers(const internal::v1::ListFibers& request, internal::v1::WorkerFrame& frame);

  const int worker_;
  const int listen_fd_;
  std::atomic<bool> silent_{false};
  std::atomic<int64_t> started_{0};
  std::atomic<int64_t> cancelled_{0};
  std::atomic<int32_t> fibers_asked_for_{0};
  absl::flat_hash_set<uint64_t> hanging_;
  FiberHandle serving_;
  std::unique_ptr<Hub> hub_;
  std::thread thread_;
};

}  // namespace grove::control

#endif  // GROVE_SERVER_CONTROL_FAKE_WORKER_H_
