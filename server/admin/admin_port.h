// AdminPort: the listener of the admin pages, with its TLS and its tokens.
//
// Its certificates follow their files (server/process/tls_files.h). Hub thread only.
#ifndef GROVE_SERVER_ADMIN_ADMIN_PORT_H_
#define GROVE_SERVER_ADMIN_ADMIN_PORT_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "grove/config/v1/config.pb.h"
#include "runtime/io/listener.h"
#include "runtime/offload/offload.h"
#include "server/admin/gate.h"
#include "server/admin/pages.h"
#include "server/http/serving/server.h"
#include "server/process/tls_files.h"

namespace grove::admin {

class AdminPort {
 public:
  // Binds, and reads tokens and certificates. UNAVAILABLE: the address cannot be bound;
  // INVALID_ARGUMENT: a file cannot be used.
  static absl::StatusOr<std::unique_ptr<AdminPort>> Open(const config::v1::Admin& config);
  // Requires: never started, or the hub has run to its end.
  ~AdminPort() = default;
  AdminPort(const AdminPort&) = delete;
  AdminPort& operator=(const AdminPort&) = delete;

  // Serves from now on, on fibers of the current hub. `offload` must outlive them.
  absl::Status Start(AdminSources sources, OffloadPool& offload);
  // Accepts no more; requests under way finish.
  void Drain() { server_->Drain(); }

  // With the port that the kernel chose.
  const std::string& address() const { return address_; }
  uint64_t refused_tokens() const { return gate_->refused(); }

 private:
  AdminPort(Listener listener, std::string address)
      : listener_(std::move(listener)), address_(std::move(address)) {}
  absl::Status ReadTls(const config::v1::Tls& tls);
  absl::Status RenewCertificates(OffloadPool& offload);

  Listener listener_;  // until it serves
  const std::string address_;
  http::ServerOptions options_;
  std::unique_ptr<AdminGate> gate_;
  std::optional<process::TlsFiles> tls_files_;  // none: plain HTTP
  http::Ingress ingress_;
  http::ServerStats stats_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace grove::admin

#endif  // GROVE_SERVER_ADMIN_ADMIN_PORT_H_
