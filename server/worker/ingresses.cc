#include "server/worker/ingresses.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "runtime/switch/abseil_text.h"
#include "server/config/http_listeners.h"

namespace grove::worker {
namespace {

TlsClientCertificate DemandOf(config::v1::HttpTls::Demand demand) {
  switch (demand) {
    case config::v1::HttpTls::DEMAND_OPTIONAL:
      return TlsClientCertificate::kOptional;
    case config::v1::HttpTls::DEMAND_REQUIRED:
      return TlsClientCertificate::kRequired;
    default:
      return TlsClientCertificate::kNone;
  }
}

TlsServerOptions OptionsOf(const config::v1::HttpTls& tls, const std::string& ticket_keys) {
  TlsServerOptions options;
  options.groups.assign(tls.groups().begin(), tls.groups().end());
  for (const config::v1::HttpCertificate& certificate : tls.certificates()) {
    options.certificates.push_back(
        {.chain = certificate.certificate_file(),
         .key = certificate.key_file(),
         .names = {certificate.names().begin(), certificate.names().end()}});
  }
  // What the server speaks; a client that only offers others is told so (RFC 7301 3.2).
  options.alpn = {"http/1.1", "http/1.0"};
  options.client_certificate = DemandOf(tls.client_certificate());
  options.client_ca_file = tls.client_ca_file();
  options.client_crl_file = tls.client_crl_file();
  options.version_min = tls.version_min() == "1.3" ? TlsVersion::k13 : TlsVersion::k12;
  options.ticket_keys = ticket_keys;
  return options;
}

absl::Status At(std::string_view key, const absl::Status& status) {
  return absl::Status(status.code(), StrCat(key, ": ", status.message()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Ingresses::Listener>> Ingresses::BuildOne(
    const config::v1::Http& http, int index, const std::string& ticket_keys,
    const std::shared_ptr<TlsHandshakeGate>& gate) {
  const config::v1::HttpListener& config = http.listeners(index);
  auto listener = std::make_unique<Listener>();
  const std::string key = config::HttpListenerKey(http, index);
  if (config.has_tls()) {
    TlsServerOptions options = OptionsOf(config.tls(), ticket_keys);
    options.gate = gate;
    listener->files.emplace(key, std::move(options));
    absl::StatusOr<TlsServerContext> context = listener->files->Read();
    if (!context.ok()) return context.status();
    listener->ingress.tls = *std::move(context);
  }
  if (config.has_proxy_protocol()) {
    const std::vector<std::string> ranges(config.proxy_protocol().trusted().begin(),
                                          config.proxy_protocol().trusted().end());
    absl::StatusOr<http::TrustedAddresses> proxies = http::TrustedAddresses::Parse(ranges);
    if (!proxies.ok()) return At(key + ".proxy_protocol.trusted", proxies.status());
    listener->ingress.proxies = *std::move(proxies);
  }
  listener->plain = !config.has_tls() && !config.has_proxy_protocol();
  return listener;
}

absl::StatusOr<Ingresses> Ingresses::Build(const config::v1::Http& http,
                                           const std::string& ticket_keys) {
  Ingresses all;
  const auto gate = std::make_shared<TlsHandshakeGate>();
  for (int index = 0; index < http.listeners_size(); ++index) {
    auto listener = BuildOne(http, index, ticket_keys, gate);
    if (!listener.ok()) return listener.status();
    all.listeners_.push_back(*std::move(listener));
  }
  return all;
}

void Ingresses::Check(const config::v1::Http& http,
                      const std::function<void(const absl::Status&)>& report) {
  const auto gate = std::make_shared<TlsHandshakeGate>();
  for (int index = 0; index < http.listeners_size(); ++index) {
    const absl::Status status = BuildOne(http, index, /*ticket_keys=*/"", gate).status();
    if (!status.ok()) report(status);
  }
}

const http::Ingress* Ingresses::at(int listener) const {
  return listeners_[listener]->plain ? nullptr : &listeners_[listener]->ingress;
}

bool Ingresses::any_tls() const {
  return std::any_of(listeners_.begin(), listeners_.end(),
                     [](const auto& listener) { return listener->ingress.tls.has_value(); });
}

absl::Status Ingresses::Renew(OffloadPool& offload) {
  for (const auto& listener : listeners_) {
    if (!listener->files.has_value()) continue;
    absl::Status renewed = listener->files->Renew(offload, listener->ingress.tls);
    if (!renewed.ok()) return renewed;
  }
  return absl::OkStatus();
}

void Ingresses::LogWarnings() const {
  for (const auto& listener : listeners_) {
    if (listener->files.has_value()) listener->files->LogWarnings(*listener->ingress.tls);
  }
}

}  // namespace grove::worker
