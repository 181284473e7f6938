// EffectOf: what it takes for a changed key of the config to hold.
//
// The schema's column of effects: one for each key, by the longest of a few prefixes, since the
// keys of a section as a rule go together. Reload replaces what this says and nothing else.

#ifndef GROVE_SERVER_CONFIG_EFFECT_H_
#define GROVE_SERVER_CONFIG_EFFECT_H_

#include <string_view>

#include "absl/types/span.h"

namespace grove::config {

// The mildest first; of several changes the severest decides.
enum class Effect {
  kInPlace,          // While everything runs.
  kReplacesWorkers,  // One after the other; what runs on them ends there.
  kReplacesControl,  // Running attempts go on.
  kNeedsRestart,     // A reload with it is refused.
};

struct EffectRow {
  // A key, or with a "." at its end a section: "tasks.", "http.routes[]."
  std::string_view prefix;
  Effect effect;
};

absl::Span<const EffectRow> DescribeEffects();

// Of a key or a section, as config files spell it or with indices or names within its brackets:
// "tenants[acme].pools[0].size". kNeedsRestart for what is no key.
Effect EffectOf(std::string_view key);

// "in place", "replaces workers", "replaces control", "needs a restart".
std::string_view EffectName(Effect effect);

}  // namespace grove::config

#endif  // GROVE_SERVER_CONFIG_EFFECT_H_
