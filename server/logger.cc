#include "server/logger.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "runtime/hub/hub.h"
#include "runtime/trace/span.h"
#include "server/http/handler/request_id_scope.h"

namespace grove {
namespace {

void Add(std::string_view key, std::string_view value, std::vector<LogField>& fields) {
  const bool is_given = std::any_of(fields.begin(), fields.end(),
                                    [key](const LogField& field) { return field.key == key; });
  if (!value.empty() && !is_given) fields.emplace_back(key, value);
}

}  // namespace

void Logger::Write(LogLevel level, LogText message, Fields fields) const {
  if (!IsLogged(level)) return;
  std::vector<LogField> all(fields);
  const Hub* const hub = Hub::Current();
  if (hub != nullptr && hub->running() != nullptr) {
    Add("request_id", http::RequestIdScope::Current(), all);
    const FiberLabel* const label = hub->running()->label();
    if (label != nullptr) Add("task", label->task, all);
    if (const CurrentTrace* const trace = CurrentTrace::Find()) {
      Add("trace_id", FormatTraceId(trace->context.trace), all);
    }
  }
  LogWith(level, message, all);
}

}  // namespace grove
