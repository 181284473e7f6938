// periodic_daemon: HTTP, and work that comes back every so often, in one process each.
//
// eventlet's (33 lines): an HTTP server on 8080 beside a task that runs every 10 s, and a main loop
// that says every 5 s that it runs. Here nobody has to write the loop: whatever is registered runs
// on fibers of the same worker.
//
//   periodic_daemon --http=127.0.0.1:8080 &
//   curl http://127.0.0.1:8080/
#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "server/log.h"
#include "server/main.h"

ABSL_FLAG(absl::Duration, task_interval, absl::Seconds(10), "how often the task runs");
ABSL_FLAG(absl::Duration, say_interval, absl::Seconds(5), "how often it says that it runs");

int runs = 0;  // of the task, in this worker

absl::Status RunTask(grove::WorkerServices&) {
  grove::Log(grove::LogLevel::kInfo, "the task runs", {{"time", ++runs}});
  return absl::OkStatus();
}

absl::Status SayRunning(grove::WorkerServices&) {
  grove::Log(grove::LogLevel::kInfo, "running", {});
  return absl::OkStatus();
}

absl::Status Answer(grove::http::Request&, grove::http::Response& response) {
  return response.Send(200, "text/plain", absl::StrCat("the task has run ", runs, " times\n"));
}

int main(int argc, char** argv) {
  using Scope = grove::Application::PeriodicScope;
  grove::Application daemon("periodic_daemon");
  daemon.Handle("GET", "/", Answer);
  daemon.AddPeriodic(
      "task", [] { return absl::GetFlag(FLAGS_task_interval); }, RunTask, Scope::kEachWorker);
  daemon.AddPeriodic(
      "say", [] { return absl::GetFlag(FLAGS_say_interval); }, SayRunning, Scope::kEachWorker);
  return grove::Main(argc, argv, daemon);
}
