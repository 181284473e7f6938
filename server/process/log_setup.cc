#include "server/process/log_setup.h"

#include <string_view>
#include <utility>

namespace grove::process {

LogLevel LogLevelOf(std::string_view name) {
  if (name == "debug") return LogLevel::kDebug;
  if (name == "warning") return LogLevel::kWarning;
  if (name == "error") return LogLevel::kError;
  return LogLevel::kInfo;
}

void SetUpLogAs(std::string process, const config::v1::Log& config) {
  const bool json = config.format() == config::v1::Log::FORMAT_JSON;
  SetUpLog(std::move(process), json ? LogFormat::kJson : LogFormat::kText,
           LogLevelOf(config.level()));
}

}  // namespace grove::process
