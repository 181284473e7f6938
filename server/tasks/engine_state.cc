#include "server/tasks/engine_state.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace grove::tasks {
namespace {

// Starts of control in the high bits, attempts of one start in the low ones: 16 million starts,
// 10^12 attempts each.
constexpr int kStartNumberShift = 40;

// The defaults that config.proto states.
config::v1::Tasks WithDefaults(config::v1::Tasks tasks) {
  if (tasks.input_max_bytes() == 0) tasks.set_input_max_bytes(1048576);
  if (tasks.retention_ms() == 0) tasks.set_retention_ms(3600000);
  if (tasks.retained_max() == 0) tasks.set_retained_max(100000);
  if (tasks.default_timeout_ms() == 0) tasks.set_default_timeout_ms(300000);
  if (tasks.interruptions_max() == 0) tasks.set_interruptions_max(5);
  return tasks;
}

}  // namespace

EngineState::EngineState(const tenancy::Directory* directory, const EngineOptions& options)
    : directory(directory),
      limits(WithDefaults(options.tasks)),
      ids(options.seed),
      next_attempt((options.start_number << kStartNumberShift) + 1),
      tenants(directory->tenants().size()),
      pools(directory->pools().size()) {
  for (const tenancy::Directory::Queue& queue : directory->queues())
    queues.emplace_back(queue.order);
  for (size_t i = 0; i < pools.size(); ++i) pools[i].size = directory->pools()[i].size;
}

void EngineState::Advance(int64_t to_us) {
  now_us = std::max(now_us, to_us);
}

Task* EngineState::FindTask(TaskId id) const {
  auto it = tasks.find(id);
  return it == tasks.end() ? nullptr : it->second.get();
}

size_t EngineState::InternFunction(const std::string& name) {
  auto [it, is_new] = function_index.try_emplace(name, functions.size());
  if (is_new) {
    functions.emplace_back();
    functions.back().description.set_name(name);
    functions.back().counters.name = name;
  }
  return it->second;
}

std::string EngineState::NameOf(const Task& task) const {
  return absl::StrCat(directory->queues()[task.queue].resource_name, "/tasks/", task.id.ToString());
}

}  // namespace grove::tasks
