// TestDaemon: a daemon in a test, as its users have it: processes, ports, a task store.
//
//   TestDaemon daemon("build/shop", {.config = "application: {currency: CHF}"});
//   ASSERT_TRUE(daemon.status().ok()) << daemon.status();
//   EXPECT_EQ(daemon.Request("GET", "/journal").status, 200);
//   EXPECT_EQ(daemon.RunTask("shop.pay", "12")->output(), "…");
//   EXPECT_TRUE(daemon.Stop().ok());
//
// It has a folder of its own for its state, its run files and its log, and ports that the kernel
// chooses, on loopback. All its processes end with it, also where the test crashes or is killed:
// the kernel sees to it, and to that end the thread that starts the daemon must live as long as it
// does. Its log goes to standard error when it fails, and wherever `failed` says that the test has.
// Calls block their thread and take the time they take. One thread, and not on a fiber.
#ifndef GROVE_SERVER_TEST_KIT_TEST_DAEMON_H_
#define GROVE_SERVER_TEST_KIT_TEST_DAEMON_H_

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/client.h"
#include "grove/v1/task_service.pb.h"
#include "server/test_kit/test_answer.h"

namespace grove::test_kit {

class DaemonProcess;

struct TestDaemonOptions {
  // The text of a config file; empty: none.
  std::string config = "";
  // "--name=value", in the place of those that it has of itself: --http, --control, --admin,
  // --workers=1, --log_format=text and --log_level=info. Not of --state_dir, --run_dir, --config.
  std::vector<std::string> flags = {};
  // "NAME=value", beside the test's own.
  std::vector<std::string> environment = {};
  // Of client(); empty: none.
  std::string token = "";
  // Asked at the end: true sends the log to standard error. With GoogleTest:
  // testing::Test::HasFailure.
  std::function<bool()> failed = nullptr;
  // Of each start, stop, request and task: a deadline that only something broken reaches.
  absl::Duration at_most = absl::Seconds(60);
};

class TestDaemon {
 public:
  // Start() of `program`, a path, or a name in PATH. grove-control is found as that program finds
  // it: beside itself, a folder above, or in PATH.
  explicit TestDaemon(const std::string& program, TestDaemonOptions options = {});
  // Stops it if it runs, and removes its folder.
  ~TestDaemon();
  TestDaemon(const TestDaemon&) = delete;
  TestDaemon& operator=(const TestDaemon&) = delete;

  // Of the last start: OK while it has served; else what went wrong, with the end of the log.
  const absl::Status& status() const { return status_; }

  // --- Its life. Ports are others after each start; state and run files stay.

  // Until it serves. kFailedPrecondition: it runs.
  absl::Status Start();
  // As an operator does (SIGTERM). OK: it has ended with exit code 0, and left no process behind.
  // kFailedPrecondition: it does not run.
  absl::Status Stop();
  // Stop() and Start().
  absl::Status Restart();
  // SIGKILL to all its processes at once, as a power cut does.
  void Kill();

  // --- What it is asked

  // On a connection of its own; redirects are not followed. Without a whole answer the status is 0,
  // and the body says why.
  TestAnswer Request(std::string_view method, std::string_view target, std::string_view body = "",
                     const TestFields& fields = {});
  // Spawns a task of the tenant "default" and waits for its end: its state, output and error.
  // kUnavailable: it does not run.
  absl::StatusOr<v1::Task> RunTask(std::string_view function, std::string_view input,
                                   std::string_view content_type = "application/json");
  // For all else. Another one after each start: keep no reference. Requires: it runs.
  client::Client& client();

  // --- Where it is

  // "127.0.0.1:40123", or "unix:…" if a flag says so; the first of several.
  const std::string& http_address() const { return http_address_; }
  // "http://127.0.0.1:40123/path".
  std::string Url(std::string_view path) const;
  std::string control_address() const { return Address("grpc"); }
  std::string admin_address() const { return Address("admin"); }
  const std::string& folder() const { return folder_; }
  pid_t pid() const;
  // What it has logged since it was started last.
  std::string Log() const;

 private:
  std::vector<std::string> Command() const;
  absl::Status Launch();
  // As control writes it, who may have been started anew.
  std::string Address(std::string_view name) const;
  // `status` with the end of the log.
  absl::Status WithLog(const absl::Status& status) const;

  const std::string program_;
  const TestDaemonOptions options_;
  std::string folder_;
  std::unique_ptr<DaemonProcess> process_;
  std::string http_address_;
  std::unique_ptr<client::Client> client_;
  absl::Status status_;
  bool has_failed_ = false;  // Stop() has
};

}  // namespace grove::test_kit

#endif  // GROVE_SERVER_TEST_KIT_TEST_DAEMON_H_
