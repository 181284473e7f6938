// ValidateConfig: what spans fields, or lies outside the schema's types.
//
// Addresses and who may reach them, names and references, TLS and token files, routes, ranges.
// Warns of what is legal and hardly meant.

#ifndef GROVE_SERVER_CONFIG_VALIDATE_H_
#define GROVE_SERVER_CONFIG_VALIDATE_H_

#include <map>
#include <string>

#include "grove/config/v1/config.pb.h"
#include "server/config/problems.h"

namespace grove::config {

// Key -> flag, for the keys whose value came from the command line.
using FlagOfKey = std::map<std::string, std::string>;

// Requires defaults to be filled in, addresses excepted: those are brought to canonical form here.
void ValidateConfig(const FlagOfKey& flag_of_key, config::v1::Config* config, Problems* problems);

}  // namespace grove::config

#endif  // GROVE_SERVER_CONFIG_VALIDATE_H_
