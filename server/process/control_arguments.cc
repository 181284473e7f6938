#include "server/process/control_arguments.h"

#include "absl/strings/str_cat.h"

namespace grove::process {

std::vector<std::string> ControlArguments(const ControlDescriptors& descriptors) {
  return {absl::StrCat("--config_fd=", descriptors.config_fd),
          absl::StrCat("--scoreboard_fd=", descriptors.scoreboard_fd),
          absl::StrCat("--lifeline_fd=", descriptors.lifeline_fd),
          absl::StrCat("--ready_fd=", descriptors.ready_fd)};
}

}  // namespace grove::process
