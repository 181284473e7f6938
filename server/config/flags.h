// ParseFlags: the command line of the daemon.
//
// The daemon's flags and whatever ABSL_FLAGs the application defines beside them. Bad flags come
// back as a status (exit code 2); it never exits the process, as absl::ParseCommandLine would
// with 1. Call once, from main, before any thread starts.

#ifndef GROVE_SERVER_CONFIG_FLAGS_H_
#define GROVE_SERVER_CONFIG_FLAGS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace grove::config {

// What was given on the command line; nullopt where the config file or the default decides.
struct DaemonFlags {
  std::optional<std::string> http;
  std::optional<std::string> control;
  std::optional<std::string> admin;
  std::optional<int64_t> workers;
  std::optional<std::string> state_dir;
  std::optional<std::string> run_dir;
  std::optional<std::string> log_format;  // "text" or "json".
  std::optional<std::string> log_level;
  std::optional<int64_t> drain_timeout_ms;
  bool insecure = false;
  std::string config;          // Empty: no config file.
  std::string control_binary;  // Empty: grove-control beside the daemon.

  // What to do instead of serving; main prints and exits with 0 (check: with 0 or 2).
  bool check = false;
  bool help = false;         // Print FlagsUsage().
  bool help_config = false;  // Print FormatSchema().
  bool version = false;
};

// kInvalidArgument, in one line that names the argument, for an unknown flag, a stray argument, or
// a value that does not parse. --help and --version win over other errors only where they stand
// first.
absl::StatusOr<DaemonFlags> ParseFlags(int argc, char** argv);

// What --help prints: each flag with its default, then the flags that the application defined.
std::string FlagsUsage(std::string_view program);

}  // namespace grove::config

#endif  // GROVE_SERVER_CONFIG_FLAGS_H_
