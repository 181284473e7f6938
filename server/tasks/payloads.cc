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

bool TakeStoredInput(const StoredTask& stored, std::string& input) {
  if (stored.input_bytes >= 0) {
    input = stored.input;
    return true;
  }
  v1::TaskSpec spec;
  if (!spec.ParseFromString(stored.spec)) return false;
  input = std::move(*spec.mutable_input());
  return true;
}

bool FillPayload(const StoredTask& stored, v1::TaskView view, v1::Task& task) {
  std::string input;
  v1::Task progress;
  if (!TakeStoredInput(stored, input) || !progress.ParseFromString(stored.progress.task)) {
    return false;
  }
  if (ShowsInput(view)) task.mutable_spec()->set_input(std::move(input));
  if (ShowsOutput(view)) task.set_output(std::move(*progress.mutable_output()));
  return true;
}

}  // namespace grove::tasks
