// Ingresses: from the config to how the connections of each HTTP listener begin; also for --check.
//
// TLS contexts are read from their files, and anew when those change: connections to come get the
// new certificates, those under way keep theirs. Files that are wrong are logged, and what was read
// before stays. Hub thread only.
#ifndef GROVE_SERVER_WORKER_INGRESSES_H_
#define GROVE_SERVER_WORKER_INGRESSES_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grove/config/v1/config.pb.h"
#include "runtime/offload/offload.h"
#include "runtime/tls/server_context.h"
#include "server/http/serving/ingress.h"

namespace grove::worker {

// Between two looks at the files: soon enough for a certificate, and a few stat(2) each.
inline constexpr absl::Duration kCertificateCheckPeriod = absl::Seconds(10);

class Ingresses {
 public:
  // Of gathered listeners (server/config/http_listeners.h). `ticket_keys` as in TlsServerOptions.
  // kInvalidArgument names the key and the file. Reads files on this thread; needs no hub.
  static absl::StatusOr<Ingresses> Build(const config::v1::Http& http,
                                         const std::string& ticket_keys);
  Ingresses(Ingresses&&) noexcept = default;
  Ingresses& operator=(Ingresses&&) noexcept = default;

  // Null: plain HTTP from the first byte on. Lives as long as this.
  const http::Ingress* at(int listener) const;
  bool any_tls() const;
  // Looks at the files once and takes those that have changed, on a thread of `offload`. Says so in
  // the log. **Parks.**
  absl::Status Renew(OffloadPool& offload);
  // Says in the log what is legal but will hardly work, as an expired certificate.
  void LogWarnings() const;

 private:
  Ingresses() = default;
  // Which file it is and which version; zero if there is none.
  struct FileMark {
    uint64_t device = 0;
    uint64_t inode = 0;
    int64_t bytes = 0;
    int64_t changed_ns = 0;  // st_ctim: also a file that was put back by rename(2) has a new one
    bool operator==(const FileMark&) const = default;
  };
  struct Listener {
    std::string key;
    TlsServerOptions options;
    std::vector<FileMark> marks;  // of the files, before they were read
    http::Ingress ingress;
    bool plain = true;
  };
  static std::vector<FileMark> MarksOf(const TlsServerOptions& options);
  static void LogWarnings(const Listener& listener);

  // Each at a place of its own: connections hold pointers.
  std::vector<std::unique_ptr<Listener>> listeners_;
};

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_INGRESSES_H_
