// FakeTaskContext: what a function sees of the task that it runs, without a worker.
#ifndef GROVE_SERVER_TASK_CONTEXT_FIXTURE_H_
#define GROVE_SERVER_TASK_CONTEXT_FIXTURE_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/function.h"

namespace grove {

class FakeTaskContext final : public TaskContext {
 public:
  struct Names {
    std::string task = "tenants/default/queues/default/tasks/1";
    std::string tenant = "default";
    std::string function = "f";
    std::string content_type = "application/json";
  };

  FakeTaskContext(WorkerServices& services, std::string input, Names names)
      : services_(services), input_(std::move(input)), names_(std::move(names)) {}

  std::string_view task() const override { return names_.task; }
  std::string_view tenant() const override { return names_.tenant; }
  std::string_view function() const override { return names_.function; }
  int attempt() const override { return 1; }
  std::string_view input() const override { return input_; }
  std::string_view content_type() const override { return names_.content_type; }
  absl::Time deadline() const override { return absl::InfiniteFuture(); }
  bool cancelled() const override { return false; }
  std::string_view checkpoint() const override { return ""; }
  void Heartbeat() override {}
  absl::Status Checkpoint(std::string) override { return absl::OkStatus(); }
  void ReportProgress(double fraction, std::string_view) override { progress.push_back(fraction); }
  void Log(std::string_view) override {}
  WorkerServices& services() override { return services_; }

  std::vector<double> progress;

 private:
  WorkerServices& services_;
  const std::string input_;
  const Names names_;
};

}  // namespace grove

#endif  // GROVE_SERVER_TASK_CONTEXT_FIXTURE_H_
