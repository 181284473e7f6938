// TestApplication: an application in a test, without processes, on invented time.
//
//   TestApplication test(application, "application: {fanout: 8}");
//   const absl::Status status = test.Run([&] {
//     const TestAnswer answer = test.Request("POST", "/orders", "{}");
//     EXPECT_EQ(answer.status, 201);
//     EXPECT_EQ(test.spawned().tasks().size(), 1);
//   });
//
// What a worker has is real: start and stop hooks, factories, routes, middleware, the HTTP server
// (over a socket pair), attempts with their time-outs, periodic work, settings, services.fetch.
// Control is not there: tasks that are spawned are kept (SpawnedTasks), no attempt is repeated, and
// schedules are those that the test adds. Nor is a network: what is fetched is asked of peer(). A
// wait takes no time, and does not wait for offloaded work either: with a Timeout around that it
// may fire.
#ifndef GROVE_SERVER_TEST_KIT_TEST_APPLICATION_H_
#define GROVE_SERVER_TEST_KIT_TEST_APPLICATION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grove/v1/schedule_service.pb.h"
#include "server/application.h"
#include "server/test_kit/fake_http_peer.h"
#include "server/test_kit/spawned_tasks.h"
#include "server/test_kit/test_answer.h"

namespace grove::test_kit {

// What the clock on the wall says when a test begins, unless it wants another time: the 1st of
// January 2026, a Thursday, 00:00 UTC.
inline constexpr absl::Time kTestBegins = absl::FromUnixSeconds(1767225600);

enum class TestOutcome { kSucceeded, kFailed, kCancelled, kTimedOut, kInterrupted, kSuspended };

// How an attempt ended.
struct TestAttempt {
  TestOutcome outcome = TestOutcome::kInterrupted;
  absl::Status status;
  std::string output;
  std::string content_type;
  std::optional<absl::Duration> retry_after;
  bool never_again = false;
  std::string checkpoint;
  // The last that was told before the end.
  double progress = 0;
  std::string progress_message;
};

struct TestCall {
  std::string content_type = "application/json";
  int number = 1;
  absl::Duration timeout = absl::ZeroDuration();  // zero: the function's own
  std::string checkpoint = "";
};

class TestApplication {
 public:
  // `config` is the text of a config file. `application` must outlive it.
  explicit TestApplication(const Application& application, std::string config = "");
  ~TestApplication();
  TestApplication(const TestApplication&) = delete;
  TestApplication& operator=(const TestApplication&) = delete;

  // Before Run(): what the wall's clock says then. Schedules see it.
  void set_begin(absl::Time begin) { begin_ = begin; }
  // What answers the application's fetches. Before Run() and in the body.
  FakeHttpPeer& peer() { return peer_; }

  // Starts the application, runs `body` on a fiber beside it and ends it. Once. An error: the
  // config or the application is wrong, or a start hook or a factory has failed; then `body` has
  // not run. Or the peer was asked what it has no script for.
  absl::Status Run(std::function<void()> body);

  // --- In the body. All of them **park**.

  // On a connection of its own.
  TestAnswer Request(std::string_view method, std::string_view target, std::string_view body = "",
                     const TestFields& fields = {});
  TestAttempt Call(std::string function, std::string input, TestCall call = {});
  // Call() in pieces: what runs meanwhile can be cancelled.
  uint64_t Begin(std::string function, std::string input, TestCall call = {});
  void Cancel(uint64_t attempt, std::string reason = "");
  // Requires: a result of Begin(), each once.
  TestAttempt Await(uint64_t attempt);
  // Lets time pass: what is due meanwhile, or just then, runs.
  void Advance(absl::Duration duration);

  // A schedule of the tenant "default", as of CreateSchedule, from now on: its tasks are spawned
  // when they are due, and run, as are those of the schedules that the application declares.
  // kAlreadyExists, kInvalidArgument.
  absl::Status AddSchedule(std::string_view id, v1::Schedule schedule);
  // As of GetSchedule: its next times, and what became of the last ones. kNotFound.
  absl::StatusOr<v1::Schedule> GetSchedule(std::string_view id) const;

  // What the wall's clock says.
  absl::Time now() const;
  WorkerServices& services();
  SpawnedTasks& spawned();

 private:
  class Parts;

  const Application& application_;
  const std::string config_;
  absl::Time begin_ = kTestBegins;
  FakeHttpPeer peer_;
  bool has_run_ = false;
  std::unique_ptr<Parts> parts_;  // while it runs
};

}  // namespace grove::test_kit

#endif  // GROVE_SERVER_TEST_KIT_TEST_APPLICATION_H_
