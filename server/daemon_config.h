// LoadDaemonConfig: the config that the daemon is to run with, and everything that is wrong with
// it.
//
// Reads the file and what it includes, puts flags over it, resolves it, and holds it against the
// application: what every process would make of it at its start (routes, certificates, tenants) is
// made once and dropped. The same at the start, for --check and at each reload. Creates nothing and
// starts no thread.
#ifndef GROVE_SERVER_DAEMON_CONFIG_H_
#define GROVE_SERVER_DAEMON_CONFIG_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grove/config/v1/config.pb.h"
#include "server/application.h"
#include "server/config/flags.h"
#include "server/config/format.h"

namespace grove {

struct DaemonConfig {
  config::v1::Config config;  // resolved
  // Of the values that still come from the files.
  config::References references;
  // The main one first; none without --config.
  std::vector<std::string> files;
  // One line each: what is legal and hardly meant.
  std::vector<std::string> warnings;
};

// An error has a line for each thing that is wrong (server/config/problems.h).
absl::StatusOr<DaemonConfig> LoadDaemonConfig(const config::DaemonFlags& flags,
                                              const Application& application);

}  // namespace grove

#endif  // GROVE_SERVER_DAEMON_CONFIG_H_
