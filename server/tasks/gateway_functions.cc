#include "server/tasks/gateway_functions.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "runtime/switch/abseil_text.h"
#include "server/tasks/places.h"

namespace grove::tasks {
namespace {

constexpr std::string_view kFunctionPrefix = "functions/";

struct Room {
  bool is_known = false;
  bool has_room = false;
};

Room RoomOf(const EngineState& state, size_t function) {
  Room room;
  for (const int32_t i : state.heard_of) {
    const WorkerView& worker = state.workers[i];
    if (!state.IsDispatchable(worker) || !worker.knows(function)) continue;
    room.is_known = true;
    if (worker.room() > 0) room.has_room = true;
  }
  return room;
}

void MarkOfGateway(EngineState& state, size_t function) {
  if (!std::exchange(state.functions[function].of_gateway, true)) {
    state.gateway_functions.push_back(function);
  }
}

// Beside what was said of the tenant's queues, under a name that no queue has.
void WriteFunction(EngineState& state, const std::string& name, std::string settings,
                   Effects& effects) {
  StoreWrite& write = effects.writes.emplace_back();
  write.kind = StoreWrite::Kind::kQueue;
  write.ticket = ++state.last_ticket;
  write.task.tenant = name.substr(0, name.find('/'));
  write.task.queue = StrCat(kFunctionPrefix, ShortFunctionName(name));
  write.task.progress.task = std::move(settings);
  state.unconfirmed.push_back({.ticket = write.ticket});
}

}  // namespace

std::string GatewayFunctionName(std::string_view tenant, std::string_view function) {
  return StrCat(tenant, "/", function);
}

std::string_view ShortFunctionName(std::string_view name) {
  const size_t slash = name.find('/');
  return slash == std::string_view::npos ? name : name.substr(slash + 1);
}

bool MayUseFunction(std::string_view name, std::string_view tenant) {
  const size_t slash = name.find('/');
  return slash == std::string_view::npos || name.substr(0, slash) == tenant;
}

void KeepFunction(EngineState& state, size_t function,
                  const internal::v1::FunctionDescription& description, Effects& effects) {
  MarkOfGateway(state, function);
  std::string settings = description.SerializeAsString();
  const FunctionState& before = state.functions[function];
  if (before.known && before.description.SerializeAsString() == settings) return;
  WriteFunction(state, description.name(), std::move(settings), effects);
}

bool RecoverFunction(EngineState& state, const StoredQueue& stored) {
  if (!std::string_view(stored.queue).starts_with(kFunctionPrefix)) return false;
  internal::v1::FunctionDescription description;
  const bool is_one =
      description.ParseFromString(stored.settings) &&
      description.name() ==
          GatewayFunctionName(stored.tenant, stored.queue.substr(kFunctionPrefix.size()));
  if (!is_one || !state.directory->FindTenant(stored.tenant)) return true;
  const size_t function = state.InternFunction(description.name());
  MarkOfGateway(state, function);
  state.functions[function].known = true;
  state.functions[function].description = std::move(description);
  return true;
}

void DropFunctionsOf(EngineState& state, std::string_view tenant, Effects& effects) {
  for (const size_t function : state.gateway_functions) {
    FunctionState& dropped = state.functions[function];
    const std::string& name = dropped.description.name();
    if (!dropped.known || !name.starts_with(GatewayFunctionName(tenant, ""))) continue;
    dropped.known = false;
    WriteFunction(state, name, "", effects);
  }
}

void ResolveFunction(const EngineState& state, std::string_view tenant, v1::TaskSpec& spec) {
  if (state.gateway_functions.empty()) return;
  std::string own = GatewayFunctionName(tenant, spec.function());
  const auto found = state.function_index.find(own);
  if (found == state.function_index.end() || !state.functions[found->second].known) return;
  spec.set_function(std::move(own));
}

bool IsFullAtGateway(const EngineState& state, size_t function) {
  if (!state.functions[function].of_gateway) return false;
  const Room room = RoomOf(state, function);
  return room.is_known && !room.has_room;
}

bool MayStart(const EngineState& state, size_t function) {
  const FunctionState& known = state.functions[function];
  return !known.is_full() && (!known.of_gateway || RoomOf(state, function).has_room);
}

// They share their workers: whose task has waited longest is called last, and so stands first.
void WakeGatewayFunctions(EngineState& state) {
  std::vector<std::pair<TaskId, size_t>> waiting;
  for (const size_t function : state.gateway_functions) {
    std::optional<TaskId> first;
    for (const auto& [queue, aside] : state.functions[function].aside.queues) {
      if (!aside.empty() && (!first || aside.Front()->id < *first)) first = aside.Front()->id;
    }
    if (first) waiting.emplace_back(*first, function);
  }
  std::sort(waiting.rbegin(), waiting.rend());
  for (const auto& [first, function] : waiting) WakeFunction(state, function);
}

}  // namespace grove::tasks
