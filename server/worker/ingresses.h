// Ingresses: from the config to how the connections of each HTTP listener begin; also for --check.
//
// TLS contexts follow their files (server/process/tls_files.h). Hub thread only.
#ifndef GROVE_SERVER_WORKER_INGRESSES_H_
#define GROVE_SERVER_WORKER_INGRESSES_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grove/config/v1/config.pb.h"
#include "runtime/offload/offload.h"
#include "server/http/serving/ingress.h"
#include "server/process/tls_files.h"

namespace grove::worker {

class Ingresses {
 public:
  // Of gathered listeners (server/config/http_listeners.h). `ticket_keys` as in TlsServerOptions.
  // kInvalidArgument names the key and the file. Reads files on this thread; needs no hub.
  static absl::StatusOr<Ingresses> Build(const config::v1::Http& http,
                                         const std::string& ticket_keys);
  // Tells `report` what is wrong, of every listener.
  static void Check(const config::v1::Http& http,
                    const std::function<void(const absl::Status&)>& report);
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
  struct Listener {
    std::optional<process::TlsFiles> files;  // none: it has no TLS
    http::Ingress ingress;
    bool plain = true;
  };

  static absl::StatusOr<std::unique_ptr<Listener>> BuildOne(
      const config::v1::Http& http, int index, const std::string& ticket_keys,
      const std::shared_ptr<TlsHandshakeGate>& gate);

  // Each at a place of its own: connections hold pointers.
  std::vector<std::unique_ptr<Listener>> listeners_;
};

}  // namespace grove::worker

#endif  // GROVE_SERVER_WORKER_INGRESSES_H_
