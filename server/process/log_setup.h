// SetUpLogAs: the log of a process of the daemon, as the config has it.
#ifndef GROVE_SERVER_PROCESS_LOG_SETUP_H_
#define GROVE_SERVER_PROCESS_LOG_SETUP_H_

#include <string>
#include <string_view>

#include "grove/config/v1/config.pb.h"
#include "server/log.h"

namespace grove::process {

// What log.level names; an unknown name, which the resolved config never has, means kInfo.
LogLevel LogLevelOf(std::string_view name);

// Under the name `process`; before threads start. A forked worker has its supervisor's
// (RenameLog).
void SetUpLogAs(std::string process, const config::v1::Log& config);

}  // namespace grove::process

#endif  // GROVE_SERVER_PROCESS_LOG_SETUP_H_
