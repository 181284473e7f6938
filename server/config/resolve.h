// Resolve: the config that the daemon runs with.
//
// Puts flags over the file, fills in every default and checks everything, so that nobody after it
// handles an empty address, a limit of zero or a queue without its pool. Reads the environment and
// the files that the config names; creates nothing.

#ifndef GROVE_SERVER_CONFIG_RESOLVE_H_
#define GROVE_SERVER_CONFIG_RESOLVE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/descriptor.h"
#include "grove/config/v1/config.pb.h"
#include "server/config/flags.h"
#include "server/config/problems.h"

namespace grove::config {

// What defaults depend on.
struct Environment {
  std::string home;               // $HOME
  std::string state_home;         // $XDG_STATE_HOME
  std::string runtime_dir;        // $XDG_RUNTIME_DIR
  std::string working_directory;  // Relative directories start here.
  int cpus = 1;                   // CpuAllowance.
  int64_t memory_bytes = 0;       // MemoryAllowance.

  static Environment OfThisProcess();
};

// After it: http.listeners holds all of HTTP's listeners, http.listen's first (http_listeners.h),
// while http.listen may be empty; all other addresses are set, and all parse; state_dir and run_dir
// are absolute; every number is within its range (runtime.stack_bytes alone may be 0: each kind of
// fiber has its own default); log.level, log.format and every queue's order and pool are set; the
// tenant `default` stands, with a queue and a pool `default`; control.tls is present only where TLS
// is on. Problems name the key, or the flag where the value came from one; with any, the result is
// for finding more of them alone.
config::v1::Config Resolve(const DaemonFlags& flags, const config::v1::Config& file,
                           const Environment& environment, Problems* problems);
absl::StatusOr<config::v1::Config> Resolve(const DaemonFlags& flags,
                                           const config::v1::Config& file);
absl::StatusOr<config::v1::Config> Resolve(const DaemonFlags& flags, const config::v1::Config& file,
                                           const Environment& environment);

// The keys whose values come from flags, whatever the file says.
std::vector<std::string> KeysOfFlags(const DaemonFlags& flags);

// Whether a section of this type says something by standing there at all, as `tls` does, which
// Resolve() therefore never adds.
bool IsSwitch(const google::protobuf::Descriptor& type);

}  // namespace grove::config

#endif  // GROVE_SERVER_CONFIG_RESOLVE_H_
