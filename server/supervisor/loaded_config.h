// LoadedConfig: what a config file says, with flags over it.
#ifndef GROVE_SERVER_SUPERVISOR_LOADED_CONFIG_H_
#define GROVE_SERVER_SUPERVISOR_LOADED_CONFIG_H_

#include <string>
#include <vector>

#include "grove/config/v1/config.pb.h"
#include "server/config/format.h"

namespace grove::supervisor {

struct LoadedConfig {
  config::v1::Config config;            // resolved
  config::References references = {};   // of the values that stand elsewhere: secrets
  std::vector<std::string> files = {};  // the main one first
};

}  // namespace grove::supervisor

#endif  // GROVE_SERVER_SUPERVISOR_LOADED_CONFIG_H_
