// NearMatch: the name that somebody who mistyped one probably meant.

#ifndef GROVE_SERVER_CONFIG_NEAR_MATCH_H_
#define GROVE_SERVER_CONFIG_NEAR_MATCH_H_

#include <string>
#include <string_view>
#include <vector>

namespace grove::config {

// The nearest of `names` within a third of its length in edits; empty where none is that near.
// Case, '_' and '-' do not count: "drainTimeoutMs" is "drain_timeout_ms".
std::string NearMatch(std::string_view typed, const std::vector<std::string>& names);

}  // namespace grove::config

#endif  // GROVE_SERVER_CONFIG_NEAR_MATCH_H_
