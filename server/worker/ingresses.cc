#include "server/worker/ingresses.h"

#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/time/clock.h"
#include "runtime/switch/abseil_text.h"
#include "server/config/http_listeners.h"
#include "server/log.h"

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
  options.version_min = tls.version_min() == "1.3" ? TlsVersion::k13 : TlsVersion::k12;
  options.ticket_keys = ticket_keys;
  return options;
}

absl::Status At(std::string_view key, const absl::Status& status) {
  return absl::Status(status.code(), StrCat(key, ": ", status.message()));
}

}  // namespace

absl::StatusOr<Ingresses> Ingresses::Build(const config::v1::Http& http,
                                           const std::string& ticket_keys) {
  Ingresses all;
  const auto gate = std::make_shared<TlsHandshakeGate>();
  for (int index = 0; index < http.listeners_size(); ++index) {
    const config::v1::HttpListener& config = http.listeners(index);
    auto listener = std::make_unique<Listener>();
    listener->key = config::HttpListenerKey(http, index);
    if (config.has_tls()) {
      listener->options = OptionsOf(config.tls(), ticket_keys);
      listener->options.gate = gate;
      listener->marks = MarksOf(listener->options);
      absl::StatusOr<TlsServerContext> context = TlsServerContext::Create(listener->options);
      if (!context.ok()) return At(listener->key + ".tls", context.status());
      listener->ingress.tls = *std::move(context);
    }
    if (config.has_proxy_protocol()) {
      const std::vector<std::string> ranges(config.proxy_protocol().trusted().begin(),
                                            config.proxy_protocol().trusted().end());
      absl::StatusOr<http::TrustedAddresses> proxies = http::TrustedAddresses::Parse(ranges);
      if (!proxies.ok()) return At(listener->key + ".proxy_protocol.trusted", proxies.status());
      listener->ingress.proxies = *std::move(proxies);
    }
    listener->plain = !config.has_tls() && !config.has_proxy_protocol();
    all.listeners_.push_back(std::move(listener));
  }
  return all;
}

const http::Ingress* Ingresses::at(int listener) const {
  return listeners_[listener]->plain ? nullptr : &listeners_[listener]->ingress;
}

bool Ingresses::any_tls() const {
  return std::any_of(listeners_.begin(), listeners_.end(),
                     [](const auto& listener) { return listener->ingress.tls.has_value(); });
}

std::vector<Ingresses::FileMark> Ingresses::MarksOf(const TlsServerOptions& options) {
  std::vector<FileMark> marks;
  const auto add = [&](const std::string& path) {
    struct stat file;
    FileMark& mark = marks.emplace_back();
    if (path.empty() || stat(path.c_str(), &file) != 0) return;
    mark = {.device = file.st_dev,
            .inode = file.st_ino,
            .bytes = file.st_size,
            .changed_ns = file.st_ctim.tv_sec * 1'000'000'000 + file.st_ctim.tv_nsec};
  };
  for (const TlsCertificateFiles& files : options.certificates) {
    add(files.chain);
    add(files.key);
  }
  add(options.client_ca_file);
  return marks;
}

absl::Status Ingresses::Renew(OffloadPool& offload) {
  for (const auto& listener : listeners_) {
    if (!listener->ingress.tls.has_value()) continue;
    std::vector<FileMark> marks;
    std::optional<absl::StatusOr<TlsServerContext>> context;
    // A context of its own, since the present one is in use on this thread meanwhile.
    absl::Status ran = offload.Run([&] {
      marks = MarksOf(listener->options);
      if (marks != listener->marks) context = TlsServerContext::Create(listener->options);
    });
    if (!ran.ok()) return ran;
    if (!context.has_value()) continue;
    // Also of files that are wrong: once in the log is enough, until they change again.
    listener->marks = std::move(marks);
    if (!context->ok()) {
      Log(LogLevel::kError, "new certificates cannot be used: the old ones stay",
          {{"listener", listener->key}, {"error", context->status().message()}});
      continue;
    }
    listener->ingress.tls = **std::move(context);
    Log(LogLevel::kInfo, "new certificates are in use", {{"listener", listener->key}});
    LogWarnings(*listener);
  }
  return absl::OkStatus();
}

void Ingresses::LogWarnings() const {
  for (const auto& listener : listeners_) LogWarnings(*listener);
}

void Ingresses::LogWarnings(const Listener& listener) {
  if (!listener.ingress.tls.has_value()) return;
  for (const std::string& warning : listener.ingress.tls->Warnings(absl::Now())) {
    Log(LogLevel::kWarning, "a certificate will hardly work",
        {{"listener", listener.key}, {"why", warning}});
  }
}

}  // namespace grove::worker
