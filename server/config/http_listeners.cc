#include "server/config/http_listeners.h"

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "runtime/io/address_range.h"
#include "runtime/switch/abseil_text.h"
#include "server/config/secret.h"

namespace grove::config {
namespace {

using config::v1::Http;
using config::v1::HttpListener;
using config::v1::HttpTls;

// systemd's own bound on a descriptor's name (sd_listen_fds(3)).
constexpr size_t kNameBytesMax = 255;

// As LISTEN_FDNAMES can carry it, whose separator is the colon.
void CheckName(const std::string& where, const std::string& name,
               std::map<std::string, std::string>* taken, Problems& problems) {
  if (name.empty()) return;
  bool good = name.size() <= kNameBytesMax;
  for (const char c : name) good = good && absl::ascii_isgraph(c) && c != ':';
  if (!good) {
    return problems.Add(where, "want up to 255 printable characters without space and colon");
  }
  if (name == kHttpListenName || name == "control" || name == "admin") {
    return problems.Add(where,
                        StrCat("'", name, "' is the name of another socket of the daemon's"));
  }
  const auto [first, is_new] = taken->emplace(name, where);
  if (is_new) return;
  problems.Add(where,
               StrCat("'", name, "' stands twice, first in ", problems.Where(first->second)));
}

// Says of a file's key what is wrong with the file.
void CheckFile(const std::string& where, const absl::Status& status, Problems& problems) {
  if (!status.ok()) problems.Add(where, Std(status.message()));
}

void CheckCertificates(const std::string& where, const HttpTls& tls, Problems& problems) {
  if (tls.certificates().empty()) problems.Add(where + ".certificates", "want at least one");
  for (int i = 0; i < tls.certificates_size(); ++i) {
    const config::v1::HttpCertificate& certificate = tls.certificates(i);
    const std::string at = StrCat(where, ".certificates[", i, "]");
    if (certificate.certificate_file().empty() || certificate.key_file().empty()) {
      problems.Add(at, "needs both certificate_file and key_file");
      continue;
    }
    CheckFile(at + ".certificate_file", CheckReadableFile(certificate.certificate_file()),
              problems);
    CheckFile(at + ".key_file", CheckPrivateFile(certificate.key_file()), problems);
  }
}

absl::Status NoAuthorities() {
  return absl::InvalidArgumentError(
      "want client_ca_file, too: these are lists of what its authorities have revoked");
}

void CheckTls(const std::string& where, const HttpTls& tls, Problems& problems) {
  CheckCertificates(where, tls, problems);
  const bool asks = tls.client_certificate() == HttpTls::DEMAND_OPTIONAL ||
                    tls.client_certificate() == HttpTls::DEMAND_REQUIRED;
  if (asks && tls.client_ca_file().empty()) {
    problems.Add(where + ".client_ca_file", "want the authorities of clients' certificates");
  } else if (!asks && !tls.client_ca_file().empty()) {
    problems.Add(where + ".client_certificate",
                 "want optional or required, since there is a client_ca_file");
  } else if (asks) {
    CheckFile(where + ".client_ca_file", CheckReadableFile(tls.client_ca_file()), problems);
  }
  if (!tls.client_crl_file().empty()) {
    CheckFile(where + ".client_crl_file",
              asks ? CheckReadableFile(tls.client_crl_file()) : NoAuthorities(), problems);
  }
  const std::string& version = tls.version_min();
  if (version.empty() || version == "1.2" || version == "1.3") return;
  problems.Add(where + ".version_min", StrCat("'", version, "': want 1.2 or 1.3"));
}

void CheckProxies(const std::string& where, const config::v1::ProxyProtocol& proxies,
                  Problems& problems) {
  if (proxies.trusted().empty()) {
    problems.Add(where + ".trusted", "want CIDR ranges, or unix:, of the balancers in front");
  }
  for (int i = 0; i < proxies.trusted_size(); ++i) {
    if (proxies.trusted(i) == "unix:") continue;
    CheckFile(StrCat(where, ".trusted[", i, "]"), AddressRange::Parse(proxies.trusted(i)).status(),
              problems);
  }
}

void CheckListener(const Http& http, const std::string& where, const HttpListener& listener,
                   const SocketAddress& address, Problems& problems) {
  if (!listener.unix_mode().empty()) {
    if (address.family() != AF_UNIX) {
      problems.Add(where + ".unix_mode", "is for unix: addresses");
    } else if (!ParseUnixMode(listener.unix_mode()).has_value()) {
      problems.Add(where + ".unix_mode",
                   StrCat("'", listener.unix_mode(), "': want octal permission bits, as 0660"));
    }
  }
  if (listener.reuse_port() && address.family() == AF_UNIX) {
    problems.Add(where + ".reuse_port", "is for TCP: a unix: path is one socket's");
  }
  if (listener.accept_silent() && address.family() == AF_UNIX) {
    problems.Add(where + ".accept_silent", "is for TCP: a unix: path always does");
  }
  if (listener.has_tls()) CheckTls(where + ".tls", listener.tls(), problems);
  if (listener.has_proxy_protocol()) {
    CheckProxies(where + ".proxy_protocol", listener.proxy_protocol(), problems);
  }
  if (MayServeAt(http, listener, address)) return;
  problems.Add(where + ".address",
               StrCat(address.ToString(), " is reachable beyond this machine without ", where,
                      ".tls; set it, listen on 127.0.0.1, ::1 or unix:, or accept it with ", where,
                      ".insecure: true or --insecure"));
}

}  // namespace

void CheckHttpListeners(const Http& http, Problems* problems) {
  std::map<std::string, std::string> names;
  for (int i = 0; i < http.listeners_size(); ++i) {
    const HttpListener& listener = http.listeners(i);
    const std::string where = StrCat("http.listeners[", i, "]");
    CheckName(where + ".name", listener.name(), &names, *problems);
    const absl::StatusOr<SocketAddress> address =
        SocketAddress::Parse(listener.address(), "listen address");
    if (address.ok()) CheckListener(http, where, listener, *address, *problems);
  }
  const int listeners = http.listeners_size() + (http.listen().empty() ? 0 : 1);
  // Each listener keeps a place for the connection that it waits for.
  if (http.connections_max() >= listeners) return;
  problems->Add(
      "http.connections_max",
      StrCat(http.connections_max(), " is less than the listeners, which are ", listeners));
}

void GatherHttpListeners(Http* http) {
  if (http->listen().empty()) return;
  HttpListener* listener = http->add_listeners();
  listener->set_name(kHttpListenName);
  listener->set_address(http->listen());
  listener->set_insecure(http->insecure());
  for (int i = http->listeners_size() - 1; i > 0; --i) {
    http->mutable_listeners()->SwapElements(i, i - 1);
  }
}

void UngatherHttpListeners(Http* http) {
  if (http->listeners().empty() || http->listeners(0).name() != kHttpListenName) return;
  if (http->listeners(0).address() == http->listen())
    http->mutable_listeners()->DeleteSubrange(0, 1);
}

std::string HttpListenerKey(const Http& http, int index) {
  const bool short_form = http.listeners(0).name() == kHttpListenName;
  if (short_form && index == 0) return "http.listen";
  return StrCat("http.listeners[", short_form ? index - 1 : index, "]");
}

bool MayServeAt(const Http& http, const HttpListener& listener, const SocketAddress& address) {
  return http.insecure() || listener.insecure() || listener.has_tls() ||
         address.IsOfThisMachineAlone();
}

std::optional<unsigned> ParseUnixMode(std::string_view text) {
  ConsumePrefix(&text, "0o");
  unsigned mode = 0;
  for (const char c : text) {
    if (c < '0' || c > '7') return std::nullopt;
    mode = mode * 8 + static_cast<unsigned>(c - '0');
    if (mode > 0777) return std::nullopt;
  }
  if (text.empty()) return std::nullopt;
  return mode;
}

}  // namespace grove::config
