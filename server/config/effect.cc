#include "server/config/effect.h"

#include <string>

#include "runtime/switch/abseil_text.h"
#include "server/config/schema.h"

namespace grove::config {
namespace {

constexpr EffectRow kRows[] = {
    {"http.", Effect::kInPlace},
    {"http.listen", Effect::kReplacesWorkers},
    {"http.listeners[].", Effect::kReplacesWorkers},
    {"http.connections_max", Effect::kReplacesWorkers},
    {"http.websocket_memory_max_bytes", Effect::kReplacesWorkers},
    // A connection has it from its beginning.
    {"http.raw_utf8_targets", Effect::kReplacesWorkers},
    {"http.access_log.", Effect::kReplacesWorkers},
    {"control.", Effect::kReplacesControl},
    {"admin.", Effect::kReplacesControl},
    // Control and workers write it.
    {"audit.", Effect::kNeedsRestart},
    {"workers", Effect::kInPlace},
    {"state_dir", Effect::kNeedsRestart},
    {"run_dir", Effect::kNeedsRestart},
    {"drain_timeout_ms", Effect::kInPlace},
    {"log.level", Effect::kInPlace},
    // Each process sets its log up before its threads start.
    {"log.format", Effect::kNeedsRestart},
    {"fetch.", Effect::kReplacesWorkers},
    {"tasks.", Effect::kReplacesControl},
    {"tasks.running_max_per_worker", Effect::kReplacesWorkers},
    {"tasks.output_max_bytes", Effect::kInPlace},
    {"tasks.webhook_secret_file", Effect::kReplacesWorkers},
    {"tenants[].", Effect::kReplacesControl},
    {"backdoor.", Effect::kReplacesWorkers},
    {"runtime.", Effect::kReplacesWorkers},
    // Every process beats in time with it, and the scoreboard has it from its start.
    {"runtime.stuck_ms", Effect::kNeedsRestart},
    // The supervisor's own.
    {"runtime.stuck_kill_ms", Effect::kInPlace},
    {"runtime.boot_timeout_ms", Effect::kInPlace},
    {"recycle.", Effect::kInPlace},
    // Its memory is made at the start, and holds what workers have put there since.
    {"shared_table.", Effect::kNeedsRestart},
    // What the files say has effects, not which they are.
    {"include[]", Effect::kInPlace},
    // What was shown or added up stays so: a new bound would hold for some names alone.
    {"metrics.", Effect::kNeedsRestart},
    {"tracing.", Effect::kReplacesWorkers},
    // Its code may refuse it (Application::OnReload()).
    {"application.", Effect::kInPlace},
};

}  // namespace

absl::Span<const EffectRow> DescribeEffects() {
  return kRows;
}

Effect EffectOf(std::string_view key) {
  // So that "tenants" and "tenants[acme]" are within "tenants[].".
  const std::string whole = StrCat(WithoutIndices(key), ".");
  const std::string list = StrCat(WithoutIndices(key), "[].");
  const EffectRow* longest = nullptr;
  for (const EffectRow& row : kRows) {
    const bool is_within =
        row.prefix.ends_with('.')
            ? whole.starts_with(row.prefix) || list.starts_with(row.prefix)
            : whole == StrCat(row.prefix, ".") || list == StrCat(row.prefix, ".");
    if (is_within && (longest == nullptr || row.prefix.size() > longest->prefix.size())) {
      longest = &row;
    }
  }
  return longest == nullptr ? Effect::kNeedsRestart : longest->effect;
}

std::string_view EffectName(Effect effect) {
  switch (effect) {
    case Effect::kInPlace:
      return "in place";
    case Effect::kReplacesWorkers:
      return "replaces workers";
    case Effect::kReplacesControl:
      return "replaces control";
    case Effect::kNeedsRestart:
      break;
  }
  return "needs a restart";
}

}  // namespace grove::config
