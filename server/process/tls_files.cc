#include "server/process/tls_files.h"

#include <sys/stat.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/log.h"

namespace grove::process {

FileMark MarkOf(const std::string& path) {
  struct stat file;
  if (path.empty() || stat(path.c_str(), &file) != 0) return {};
  return {.device = file.st_dev,
          .inode = file.st_ino,
          .bytes = file.st_size,
          .changed_ns = file.st_ctim.tv_sec * 1'000'000'000 + file.st_ctim.tv_nsec};
}

absl::StatusOr<TlsServerContext> TlsFiles::Read() {
  marks_ = MarksNow();
  absl::StatusOr<TlsServerContext> context = TlsServerContext::Create(options_);
  if (context.ok()) return context;
  return absl::Status(context.status().code(),
                      absl::StrCat(listener_, ".tls: ", context.status().message()));
}

std::vector<FileMark> TlsFiles::MarksNow() const {
  std::vector<FileMark> marks;
  for (const TlsCertificateFiles& files : options_.certificates) {
    marks.push_back(MarkOf(files.chain));
    marks.push_back(MarkOf(files.key));
  }
  marks.push_back(MarkOf(options_.client_ca_file));
  marks.push_back(MarkOf(options_.client_crl_file));
  return marks;
}

absl::Status TlsFiles::Renew(OffloadPool& offload, std::optional<TlsServerContext>& context) {
  std::vector<FileMark> marks;
  std::optional<absl::StatusOr<TlsServerContext>> renewed;
  // A context of its own, since the present one is in use on this thread meanwhile.
  absl::Status ran = offload.Run([&] {
    marks = MarksNow();
    if (marks != marks_) renewed = TlsServerContext::Create(options_);
  });
  if (!ran.ok()) return ran;
  if (!renewed.has_value()) return absl::OkStatus();
  // Also of files that are wrong: once in the log is enough, until they change again.
  marks_ = std::move(marks);
  if (!renewed->ok()) {
    Log(LogLevel::kError, "new certificates cannot be used: the old ones stay",
        {{"listener", listener_}, {"error", renewed->status().message()}});
    return absl::OkStatus();
  }
  context = **std::move(renewed);
  Log(LogLevel::kInfo, "new certificates are in use", {{"listener", listener_}});
  LogWarnings(*context);
  return absl::OkStatus();
}

void TlsFiles::LogWarnings(const TlsServerContext& context) const {
  for (const std::string& warning : context.Warnings(absl::Now())) {
    Log(LogLevel::kWarning, "a certificate will hardly work",
        {{"listener", listener_}, {"why", warning}});
  }
}

}  // namespace grove::process
