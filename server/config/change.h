// Compare: what differs between two configs, key by key, and what it takes for each to hold.
//
// Entries of lists are told apart by their names where they have some, so that one that is added in
// front of others is one change. Their order alone is none, but for middleware and certificates,
// where it says something.

#ifndef GROVE_SERVER_CONFIG_CHANGE_H_
#define GROVE_SERVER_CONFIG_CHANGE_H_

#include <string>
#include <vector>

#include "grove/config/v1/config.pb.h"
#include "server/config/effect.h"
#include "server/config/format.h"

namespace grove::config {

struct Change {
  std::string key;  // "tenants[acme].pools[mail].size", "http.routes[GET /hello]"
  // As config files spell them, in one line, references as such; empty where there is none.
  std::string old_value;
  std::string new_value;
  Effect effect;
};

// In the schema's order. Both configs are resolved; `old_references` and `new_references` are of
// what they were resolved from.
std::vector<Change> Compare(const config::v1::Config& old, const config::v1::Config& now,
                            const References& old_references = {},
                            const References& new_references = {});

// kInPlace for none.
Effect SeverestOf(const std::vector<Change>& changes);

}  // namespace grove::config

#endif  // GROVE_SERVER_CONFIG_CHANGE_H_
