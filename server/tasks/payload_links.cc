#include "server/tasks/payload_links.h"

#include <memory>
#include <string>
#include <utility>

#include "runtime/switch/abseil_text.h"
#include "server/tasks/input_payload.h"
#include "server/tasks/refusal.h"
#include "server/tenancy/resource_name.h"

namespace grove::tasks {
namespace {

constexpr std::string_view kAnyBytes = "application/octet-stream";

const PayloadRecord* Find(const EngineState& state, std::string_view name) {
  return state.payloads == nullptr || name.empty() ? nullptr : state.payloads->Find(name);
}

}  // namespace

void FillContentType(const EngineState& state, v1::TaskSpec& spec) {
  if (spec.input_payload().empty() || !spec.content_type().empty()) return;
  const PayloadRecord* record = Find(state, spec.input_payload());
  const bool has_type = record != nullptr && !record->content_type.empty();
  spec.set_content_type(has_type ? record->content_type : std::string(kAnyBytes));
}

absl::Status CheckInputPayload(const EngineState& state, std::string_view tenant,
                               const v1::TaskSpec& spec) {
  if (spec.input_payload().empty()) return absl::OkStatus();
  const FunctionState& function = state.functions[state.function_index.at(spec.function())];
  return CheckInputPayload(
      state.payloads, tenant, spec,
      function.description.streams_input() ? INT64_MAX : state.limits.input_max_bytes());
}

void HoldPayloads(EngineState& state, const Task& task) {
  if (state.payloads == nullptr) return;
  for (const std::string_view name : {InputPayloadOf(task), OutputPayloadOf(task)}) {
    if (!name.empty()) state.payloads->Hold(name, task.id);
  }
}

void HoldPayloadsOf(EngineState& state, const StoredTask& stored) {
  v1::TaskSpec spec;
  v1::Task progress;
  if (state.payloads == nullptr || !spec.ParseFromString(stored.spec) ||
      !progress.ParseFromString(stored.progress.task)) {
    return;
  }
  for (const std::string& name : {spec.input_payload(), progress.output_payload()}) {
    if (!name.empty()) state.payloads->Hold(name, stored.id);
  }
}

void SetOutputPayload(EngineState& state, Task& task, std::string_view id) {
  const size_t tenant = state.directory->queues()[task.queue].tenant;
  task.Past().output_payload = std::make_unique<const std::string>(
      tenancy::FormatPayloadName(state.directory->tenants()[tenant].name, id));
  HoldPayloads(state, task);
}

void DropOutputPayload(EngineState& state, Task& task) {
  const std::unique_ptr<const std::string> name = std::move(task.Past().output_payload);
  if (name == nullptr || state.payloads == nullptr) return;
  // What says so is written next.
  state.payloads->Release(*name, task.id, task.spec.durable ? state.last_ticket + 1 : 0);
}

void ReleasePayloads(EngineState& state, const Task& task) {
  if (state.payloads == nullptr) return;
  state.payloads->ReleaseAll(task.id, task.spec.durable ? state.last_ticket : 0);
}

void ReleasePayloadsOf(EngineState& state, TaskId id) {
  if (state.payloads != nullptr) state.payloads->ReleaseAll(id, state.last_ticket);
}

std::string_view InputPayloadOf(const Task& task) {
  const auto& name = task.spec.extras().input_payload;
  return name == nullptr ? std::string_view() : *name;
}

std::string_view OutputPayloadOf(const Task& task) {
  const auto& name = task.past().output_payload;
  return name == nullptr ? std::string_view() : *name;
}

int64_t PayloadBytes(const EngineState& state, std::string_view name) {
  const PayloadRecord* record = Find(state, name);
  return record == nullptr ? 0 : record->size_bytes;
}

void FillInputPayload(const EngineState& state, const Task& task,
                      internal::v1::StartAttempt* start) {
  const std::string_view name = InputPayloadOf(task);
  if (name.empty()) return;
  internal::v1::PayloadFile& file = *start->mutable_input_payload();
  // One that is lost is told by the worker that does not find it.
  const auto parsed = tenancy::ParsePayloadName(name);
  if (parsed.ok()) file.set_file(std::string(parsed->payload));
  file.set_size_bytes(PayloadBytes(state, name));
}

}  // namespace grove::tasks
