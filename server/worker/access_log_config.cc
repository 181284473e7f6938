#include "server/worker/access_log_config.h"

#include "absl/strings/str_cat.h"

namespace grove::worker {
namespace {

access_log::AccessLogOptions OptionsOf(const config::v1::AccessLog& config) {
  return {.file = config.file(),
          .format = config.format(),
          .json = config.json(),
          .queue_bytes_max = static_cast<size_t>(config.queue_max_bytes())};
}

// "format: …" of the library is a key below ours.
absl::Status WithKey(const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat("http.access_log.", status.message()));
}

}  // namespace

absl::Status CheckAccessFormat(const config::v1::AccessLog& config) {
  return WithKey(access_log::AccessFormatOf(OptionsOf(config)).status());
}

absl::StatusOr<std::unique_ptr<access_log::AccessLogFile>> OpenAccessLog(
    const config::v1::AccessLog& config) {
  auto opened = access_log::AccessLogFile::Open(OptionsOf(config));
  if (!opened.ok()) return WithKey(opened.status());
  return opened;
}

}  // namespace grove::worker
