// AccessLogFile: the http::AccessLog that writes lines to a file.
#ifndef GROVE_SERVER_ACCESS_LOG_ACCESS_LOG_FILE_H_
#define GROVE_SERVER_ACCESS_LOG_ACCESS_LOG_FILE_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "grove/config/v1/config.pb.h"
#include "server/access_log/access_format.h"
#include "server/access_log/line_writer.h"
#include "server/http/handler/access_log.h"

namespace grove::access_log {

// The form that the config asks for. kInvalidArgument, "http.access_log.format: …".
absl::StatusOr<AccessFormat> AccessFormatOf(const config::v1::AccessLog& config);

class AccessLogFile final : public http::AccessLog {
 public:
  // Opens the file and starts its thread; null if the config names none.
  static absl::StatusOr<std::unique_ptr<AccessLogFile>> Open(const config::v1::AccessLog& config);

  AccessLogFile(AccessFormat format, std::unique_ptr<LineWriter> writer)
      : format_(std::move(format)), writer_(std::move(writer)) {}

  void Note(const http::AccessEntry& entry) override;
  LineWriter& writer() { return *writer_; }

 private:
  const AccessFormat format_;
  const std::unique_ptr<LineWriter> writer_;
  std::string line_;  // keeps its memory from one to the next
};

}  // namespace grove::access_log

#endif  // GROVE_SERVER_ACCESS_LOG_ACCESS_LOG_FILE_H_
