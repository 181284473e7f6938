// TlsFiles: the certificates of a listener on disk, and the TLS context made of them.
//
// The context is made anew when the files change: connections to come get the new certificates,
// those under way keep theirs. Files that are wrong are logged, and what was read before stays.
// Hub thread only, but for Read().
#ifndef GROVE_SERVER_PROCESS_TLS_FILES_H_
#define GROVE_SERVER_PROCESS_TLS_FILES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/offload/offload.h"
#include "runtime/tls/server_context.h"

namespace grove::process {

// Between two looks at the files: soon enough for a certificate, and a few stat(2) each.
inline constexpr absl::Duration kCertificateCheckPeriod = absl::Seconds(10);

// Which file it is and which version; zero if there is none.
struct FileMark {
  uint64_t device = 0;
  uint64_t inode = 0;
  int64_t bytes = 0;
  int64_t changed_ns = 0;  // st_ctim: also a file that was put back by rename(2) has a new one
  bool operator==(const FileMark&) const = default;
};
FileMark MarkOf(const std::string& path);

class TlsFiles {
 public:
  // `listener`: the key of the config's that the log names, "http.listeners[0]".
  TlsFiles(std::string listener, TlsServerOptions options)
      : listener_(std::move(listener)), options_(std::move(options)) {}

  // kInvalidArgument names the key and the file. Reads files on this thread; needs no hub.
  absl::StatusOr<TlsServerContext> Read();
  // Looks at the files once, on a thread of `offload`, and puts another context in the place of
  // `context` if they have changed. Says so in the log. **Parks.**
  absl::Status Renew(OffloadPool& offload, std::optional<TlsServerContext>& context);
  // Says in the log what is legal but will hardly work, as an expired certificate.
  void LogWarnings(const TlsServerContext& context) const;

 private:
  std::vector<FileMark> MarksNow() const;

  std::string listener_;
  TlsServerOptions options_;
  std::vector<FileMark> marks_;  // of the files, before they were read
};

}  // namespace grove::process

#endif  // GROVE_SERVER_PROCESS_TLS_FILES_H_
