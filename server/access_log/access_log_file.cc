#include "server/access_log/access_log_file.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace grove::access_log {

absl::StatusOr<AccessFormat> AccessFormatOf(const config::v1::AccessLog& config) {
  if (config.json()) {
    if (config.format().empty()) return AccessFormat::Json();
    return absl::InvalidArgumentError(
        "http.access_log.format: stands beside json: true; want one of them");
  }
  absl::StatusOr<AccessFormat> format = AccessFormat::Parse(
      config.format().empty() ? kDefaultAccessFormat : std::string_view(config.format()));
  if (format.ok()) return format;
  return absl::InvalidArgumentError(
      absl::StrCat("http.access_log.format: ", format.status().message()));
}

absl::StatusOr<std::unique_ptr<AccessLogFile>> AccessLogFile::Open(
    const config::v1::AccessLog& config) {
  if (config.file().empty()) return nullptr;
  absl::StatusOr<AccessFormat> format = AccessFormatOf(config);
  if (!format.ok()) return format.status();
  absl::StatusOr<std::unique_ptr<LineWriter>> writer =
      LineWriter::Open(config.file(), static_cast<size_t>(config.queue_max_bytes()));
  if (!writer.ok()) {
    return absl::Status(writer.status().code(),
                        absl::StrCat("http.access_log.file: ", writer.status().message()));
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
