// AccessLogFile: the http::AccessLog that writes lines to a file.
//
// Hub thread only, but for its writer.
#ifndef GROVE_SERVER_ACCESS_LOG_ACCESS_LOG_FILE_H_
#define GROVE_SERVER_ACCESS_LOG_ACCESS_LOG_FILE_H_

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "server/access_log/access_format.h"
#include "server/access_log/line_writer.h"
#include "server/http/handler/access_log.h"

namespace grove::access_log {

struct AccessLogOptions {
  // Made with mode 0640 if missing; "-": the standard output; empty: nothing is written.
  std::string file;
  // As of AccessFormat::Parse(); empty: kDefaultAccessFormat.
  std::string format;
  // An object a line, instead of a format.
  bool json = false;
  // Of lines that wait for a slow disk or reader; those beyond are dropped and counted.
  size_t queue_bytes_max = 1 << 20;
};

// The form that the options ask for. kInvalidArgument, "format: …".
absl::StatusOr<AccessFormat> AccessFormatOf(const AccessLogOptions& options);

class AccessLogFile final : public http::AccessLog {
 public:
  // Opens the file and starts its thread; null if the options name none. kInvalidArgument, and what
  // open(2) says: "format: …", "file: …".
  static absl::StatusOr<std::unique_ptr<AccessLogFile>> Open(const AccessLogOptions& options);

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
