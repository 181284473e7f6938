#include "server/tasks/engine_state.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/switch/abseil_text.h"
#include "server/tasks/list_token.h"

namespace grove::tasks {
namespace {

// Starts of control in the high bits, attempts of one start in the low ones: 16 million starts,
// 10^12 attempts each.
constexpr int kStartNumberShift = 40;

// By an eighth more than is needed, not twice as much: idle tenants are to be cheap, and seldom
// made.
template <typename Entries>
void MakeRoom(size_t size, Entries& entries) {
  if (size > entries.capacity()) entries.reserve(size + size / 8);
}

// Not the seed itself, from which task ids could be told before they are drawn.
// Of the budget, for ends that are kept for a moment.
constexpr int64_t kRecentEndsShare = 8;

uint64_t EpochOf(const EngineOptions& options) {
  const std::string start = absl::StrCat(options.start_number, ".", options.seed);
  return ListChecksum("epoch", start) >> 32;
}

}  // namespace

EngineState::EngineState(const tenancy::Directory* directory, const EngineOptions& options)
    : directory(directory),
      limits(options.tasks),
      daemon_number(options.daemon_number),
      self_check(options.self_check),
      payloads(options.payloads),
      recent_ends_bytes(
          std::min(options.recent_ends_bytes, limits.memory_max_bytes() / kRecentEndsShare)),
      ids(options.seed),
      next_attempt((options.start_number << kStartNumberShift) + 1),
      workers_awaited(options.workers),
      epoch(EpochOf(options)) {
  Grow();
}

void EngineState::Grow() {
  MakeRoom(directory->tenants().size(), tenants);
  MakeRoom(directory->queues().size(), queues);
  MakeRoom(directory->pools().size(), pools);
  for (size_t i = tenants.size(); i < directory->tenants().size(); ++i) Reweigh(i);
  tenants.resize(directory->tenants().size());
  while (queues.size() < directory->queues().size()) {
    const tenancy::Directory::Queue& settings = directory->queues()[queues.size()];
    queues.emplace_back(settings.order, limits.ageing_ms() * kUsPerMs).paused = settings.paused;
  }
  while (pools.size() < directory->pools().size()) {
    const int64_t size = directory->pools()[pools.size()].size;
    pools.emplace_back().size = size;
  }
}

void EngineState::Reweigh(size_t tenant) {
  slots.SetWeight(tenant, tenancy::WeightPercent(directory->tenants()[tenant].weight), now_us);
}

void EngineState::Advance(EngineMicros to_us) {
  now_us = std::max(now_us, to_us);
}

Task* EngineState::FindTask(TaskId id) const {
  return tasks.Find(id);
}

WorkerView* EngineState::FindWorker(int32_t number) {
  return number >= 0 && number < kWorkerNumbersMax ? &workers[number] : nullptr;
}

const WorkerView* EngineState::FindWorker(int32_t number) const {
  return const_cast<EngineState*>(this)->FindWorker(number);
}

WorkerView& EngineState::HearOf(int32_t number) {
  const auto place = std::lower_bound(heard_of.begin(), heard_of.end(), number);
  if (place == heard_of.end() || *place != number) heard_of.insert(place, number);
  return workers[number];
}

size_t EngineState::InternFunction(const std::string& name) {
  auto [it, is_new] = function_index.try_emplace(name, functions.size());
  if (is_new) {
    functions.emplace_back();
    functions.back().description.set_name(name);
  }
  return it->second;
}

TaskCounts& EngineState::CountsOf(const Task& task) {
  return counts[{task.queue, task.function}];
}

void EngineState::NoteChange(const Task& task) {
  changes.Note(directory->queues()[task.queue].tenant, task.id, task.queue);
}

std::string EngineState::NameOf(size_t queue, TaskId id) const {
  const tenancy::Directory::Queue& of = directory->queues()[queue];
  const std::array<char, TaskId::kTextSize> text = id.ToText();
  // In one piece: every spawn, start and answer has a name.
  return absl::StrCat("tenants/", *of.tenant_name, "/queues/", of.name, "/tasks/",
                      Abseil({text.data(), text.size()}));
}

}  // namespace grove::tasks
