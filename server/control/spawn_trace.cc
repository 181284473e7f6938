#include "server/control/spawn_trace.h"

#include <string>
#include <string_view>

#include "runtime/trace/trace_context.h"

namespace grove::control {
namespace {

// Keys are in lower case, whatever the client wrote. Empty: not there, or there twice.
std::string ValueOf(const CallMetadata& metadata, std::string_view key) {
  const grpc::string_ref name(key.data(), key.size());
  if (metadata.count(name) != 1) return "";
  const grpc::string_ref value = metadata.find(name)->second;
  return std::string(value.data(), value.size());
}

struct NamedTrace {
  explicit NamedTrace(const CallMetadata& metadata) : parent(ValueOf(metadata, kTraceparent)) {
    if (!ParseTraceparent(parent)) parent.clear();
    if (!parent.empty()) state = NormaliseTracestate(ValueOf(metadata, kTracestate));
  }
  void Fill(v1::TaskSpec& spec) const {
    if (parent.empty() || !spec.traceparent().empty()) return;
    spec.set_traceparent(parent);
    spec.set_tracestate(state);
  }

  std::string parent;
  std::string state;
};

}  // namespace

void TakeTrace(const CallMetadata& metadata, v1::SpawnTaskRequest& request) {
  if (request.has_spec()) NamedTrace(metadata).Fill(*request.mutable_spec());
}

void TakeTrace(const CallMetadata& metadata, v1::BatchSpawnTasksRequest& request) {
  const NamedTrace trace(metadata);
  for (v1::TaskSpec& spec : *request.mutable_specs()) trace.Fill(spec);
  if (request.has_completion()) trace.Fill(*request.mutable_completion());
}

}  // namespace grove::control
