#include "server/tasks/payloads.h"

#include <string>
#include <utility>

namespace grove::tasks {

v1::TaskView OrDefault(v1::TaskView view, v1::TaskView otherwise) {
  return view == v1::TASK_VIEW_UNSPECIFIED ? otherwise : view;
}

bool ShowsInput(v1::TaskView view) {
  return view == v1::TASK_VIEW_FULL;
}

bool ShowsOutput(v1::TaskView view) {
  return view == v1::TASK_VIEW_FULL || view == v1::TASK_VIEW_OUTPUT;
}

int64_t AnswerBytes(const v1::Task& task, v1::TaskView view) {
  const auto missing = [](int64_t size, const std::string& payload) {
    return payload.empty() ? size : 0;
  };
  int64_t bytes = static_cast<int64_t>(task.ByteSizeLong());
  if (ShowsInput(view)) bytes += missing(task.input_size_bytes(), task.spec().input());
  if (ShowsOutput(view)) bytes += missing(task.output_size_bytes(), task.output());
  return bytes;
}

bool FillPayload(const StoredTask& stored, v1::TaskView view, v1::Task& task) {
  v1::TaskSpec spec;
  v1::Task progress;
  if (!spec.ParseFromString(stored.spec) || !progress.ParseFromString(stored.progress.task)) {
    return false;
  }
  if (ShowsInput(view)) task.mutable_spec()->set_input(std::move(*spec.mutable_input()));
  if (ShowsOutput(view)) task.set_output(std::move(*progress.mutable_output()));
  return true;
}

}  // namespace grove::tasks
