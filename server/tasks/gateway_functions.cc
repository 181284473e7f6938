#include "server/tasks/gateway_functions.h"

#include <utility>

#include "runtime/switch/abseil_text.h"
#include "server/tasks/places.h"

namespace grove::tasks {
namespace {

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

void MarkOfGateway(EngineState& state, size_t function) {
  if (!std::exchange(state.functions[function].of_gateway, true)) {
    state.gateway_functions.push_back(function);
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

void WakeGatewayFunctions(EngineState& state) {
  for (const size_t function : state.gateway_functions) {
    if (!state.functions[function].aside.queues.empty()) WakeFunction(state, function);
  }
}

}  // namespace grove::tasks
