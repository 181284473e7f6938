#include "server/access_log/access_log_file.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace grove::access_log {

absl::StatusOr<AccessFormat> AccessFormatOf(const AccessLogOptions& options) {
  if (options.json) {
    if (options.format.empty()) return AccessFormat::Json();
    return absl::InvalidArgumentError("format: stands beside json: true; want one of them");
  }
  absl::StatusOr<AccessFormat> format = AccessFormat::Parse(
      options.format.empty() ? kDefaultAccessFormat : std::string_view(options.format));
  if (format.ok()) return format;
  return absl::InvalidArgumentError(absl::StrCat("format: ", format.status().message()));
}

absl::StatusOr<std::unique_ptr<AccessLogFile>> AccessLogFile::Open(
    const AccessLogOptions& options) {
  if (options.file.empty()) return nullptr;
  absl::StatusOr<AccessFormat> format = AccessFormatOf(options);
  if (!format.ok()) return format.status();
  absl::StatusOr<std::unique_ptr<LineWriter>> writer =
      LineWriter::Open(options.file, options.queue_bytes_max);
  if (!writer.ok()) {
    return absl::Status(writer.status().code(), absl::StrCat("file: ", writer.status().message()));
  }
  (*writer)->Start();
  return std::make_unique<AccessLogFile>(*std::move(format), *std::move(writer));
}

void AccessLogFile::Note(const http::AccessEntry& entry) {
  line_.clear();
  format_.Append(entry, absl::Now(), line_);
  writer_->Append(line_);
}

}  // namespace grove::access_log
