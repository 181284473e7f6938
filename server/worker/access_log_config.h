// What the config says of the access log, as that takes it.
#ifndef GROVE_SERVER_WORKER_ACCESS_LOG_CONFIG_H_
#define GROVE_SERVER_WORKER_ACCESS_LOG_CONFIG_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grove/config/v1/config.pb.h"
#include "server/access_log/access_log_file.h"

namespace grove::worker {

// Of a resolved config, both. Errors name the key: "http.access_log.format: …".
absl::Status CheckAccessFormat(const config::v1::AccessLog& config);
// As AccessLogFile::Open().
absl::StatusOr<std::unique_ptr<access_log::AccessLogFile>> OpenAccessLog(
    const config::v1::AccessLog& config);

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_ACCESS_LOG_CONFIG_H_
