#include "server/admin/admin_port.h"

#include <utility>

#include "runtime/hub/fiber.h"
#include "runtime/hub/hub.h"
#include "runtime/switch/abseil_text.h"

namespace grove::admin {
namespace {

absl::StatusOr<int> Bind(const std::string& listen) {
  absl::StatusOr<SocketAddress> address = SocketAddress::Parse(listen);
  if (!address.ok()) return address.status();
  absl::StatusOr<int> fd = BindListener(*address);
  if (fd.ok()) return fd;
  return absl::UnavailableError(
      StrCat("admin.listen: cannot bind ", listen, ": ", fd.status().message()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<AdminPort>> AdminPort::Open(const config::v1::Admin& config) {
  absl::StatusOr<int> fd = Bind(config.listen());
  if (!fd.ok()) return fd.status();
  std::string address = SocketAddress::OfLocal(*fd).ToString();
  absl::StatusOr<Listener> listener = Listener::Adopt(*fd);
  if (!listener.ok()) return listener.status();
  std::unique_ptr<AdminPort> port(new AdminPort(*std::move(listener), std::move(address)));
  port->options_.connections_max = config.connections_max();
  absl::StatusOr<std::unique_ptr<AdminGate>> gate = AdminGate::Create(config);
  if (!gate.ok()) return gate.status();
  port->gate_ = *std::move(gate);
  if (config.has_tls()) {
    if (absl::Status read = port->ReadTls(config.tls()); !read.ok()) return read;
  }
  return port;
}

absl::Status AdminPort::ReadTls(const config::v1::Tls& tls) {
  TlsServerOptions options;
  options.certificates.push_back({.chain = tls.certificate_file(), .key = tls.key_file()});
  options.alpn = {"http/1.1", "http/1.0"};
  tls_files_.emplace("admin", std::move(options));
  absl::StatusOr<TlsServerContext> context = tls_files_->Read();
  if (!context.ok()) return absl::InvalidArgumentError(context.status().message());
  ingress_.tls = *std::move(context);
  tls_files_->LogWarnings(*ingress_.tls);
  return absl::OkStatus();
}

absl::Status AdminPort::Start(AdminSources sources, OffloadPool& offload) {
  server_ = std::make_unique<http::Server>(
      options_, AdminRouter(std::move(sources), gate_->middleware()), stats_);
  absl::Status serving =
      Spawn("admin", [this] {
        return server_->Serve(std::move(listener_), tls_files_.has_value() ? &ingress_ : nullptr);
      }).status();
  if (!serving.ok() || !tls_files_.has_value()) return serving;
  return Spawn("admin.certificates", [this, &offload] { return RenewCertificates(offload); })
      .status();
}

absl::Status AdminPort::RenewCertificates(OffloadPool& offload) {
  for (;;) {
    absl::Status status = Sleep(process::kCertificateCheckPeriod);
    if (status.ok()) status = tls_files_->Renew(offload, ingress_.tls);
    if (!status.ok()) return status;
  }
}

}  // namespace grove::admin
