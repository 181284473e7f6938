#include "server/config/effect.h"

#include <string>

#include "runtime/switch/abseil_text.h"
#include "server/config/schema.h"

namespace grove::config {
namespace {

constexpr EffectRow kRows[] = {
    {"http.", Effect::kReplacesWorkers},
    {"control.", Effect::kReplacesControl},
    {"admin.", Effect::kReplacesControl},
    {"workers", Effect::kInPlace},
    {"state_dir", Effect::kNeedsRestart},
    {"run_dir", Effect::kNeedsRestart},
    {"drain_timeout_ms", Effect::kInPlace},
    {"log.", Effect::kInPlace},
    {"fetch.", Effect::kReplacesWorkers},
    {"tasks.", Effect::kReplacesControl},
    {"tenants[].", Effect::kReplacesControl},
    {"backdoor.", Effect::kReplacesWorkers},
    {"runtime.", Effect::kReplacesWorkers},
    // The supervisor's own.
    {"runtime.stuck_ms", Effect::kInPlace},
    {"runtime.stuck_kill_ms", Effect::kInPlace},
    {"runtime.boot_timeout_ms", Effect::kInPlace},
    {"recycle.", Effect::kInPlace},
    // What the files say has effects, not which they are.
    {"include[]", Effect::kInPlace},
    {"metrics.", Effect::kReplacesControl},
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
