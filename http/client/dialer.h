// HttpDialer: makes a connection to where a URL leads: by name, through a proxy, over TLS.
//
// Each address is asked about when it is about to be connected to, so that neither DNS nor a
// redirect leads around `allow`. Hub thread only.
#ifndef GROVE_HTTP_CLIENT_DIALER_H_
#define GROVE_HTTP_CLIENT_DIALER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "http/client/url.h"
#include "runtime/dns/resolver.h"
#include "runtime/io/stream.h"
#include "runtime/tls/client_context.h"

namespace grove::http {

// Makes a connection to where a URL leads.
using HttpConnect = std::function<absl::StatusOr<std::unique_ptr<Stream>>(const Url& url)>;

struct DialerOptions {
  // Of each address, before it is connected to; null: any. Its status is the caller's.
  std::function<absl::Status(const SocketAddress&)> allow;
  // With DNS, TLS and a proxy's answer.
  absl::Duration connect_timeout = absl::Seconds(30);
  TlsClientOptions tls = {.alpn = {"http/1.1"}};
  ResolverOptions resolver;
  // "http://user:password@proxy:3128": for all but `no_proxy`; empty: none. The environment is not
  // asked.
  std::string proxy;
  // Host names, with their subdomains, and addresses.
  std::vector<std::string> no_proxy;
  // In the place of the network: every connection is made by it, whatever the URL's scheme, without
  // DNS, `allow`, a proxy or TLS. For tests. Null: the network.
  HttpConnect connect = nullptr;
};

// What is offered to a server besides HTTP/1.1.
enum class Http2Offer : uint8_t {
  kNone,
  kByAlpn,  // over TLS
  // And over plain http, where both sides know.
  kPriorKnowledge,
};

struct DialedStream {
  std::unique_ptr<Stream> stream;
  bool http2 = false;
};

struct DialerStats {
  uint64_t lookups = 0;
  uint64_t lookup_failures = 0;
  // Of the lookups, those that asked a server.
  uint64_t asked = 0;
  uint64_t lookup_nanos = 0;
  uint64_t handshakes = 0;
  uint64_t resumed = 0;
};

class HttpDialer {
 public:
  // kInvalidArgument: the proxy, or the resolver's options.
  static absl::StatusOr<std::unique_ptr<HttpDialer>> Create(DialerOptions options);

  // How plain requests go through a proxy; https always goes through a tunnel.
  enum class Way : uint8_t { kAsIs, kTunnel };

  // Whether requests for `url` go to the proxy as they are, in absolute form.
  bool AsksProxy(const Url& url, Way way) const {
    return !url.https && way == Way::kAsIs && UsesProxy(url);
  }
  // Value of Proxy-Authorization; empty: none.
  const std::string& proxy_credentials() const { return proxy_credentials_; }
  // What connections to `url` have in common.
  std::string KeyOf(const Url& url, const std::string& unix_socket, Way way) const;

  // kPermissionDenied: no address is allowed. kFailedPrecondition: a certificate that is not
  // trusted, or the system's authorities cannot be read. kUnavailable, kDeadlineExceeded,
  // kCancelled. **Parks.**
  absl::StatusOr<DialedStream> Dial(const Url& url, const std::string& unix_socket,
                                    Way way = Way::kAsIs, Http2Offer offer = Http2Offer::kNone);
  const DialerStats& stats() const { return stats_; }

 private:
  explicit HttpDialer(DialerOptions options) : options_(std::move(options)) {}
  bool UsesProxy(const Url& url) const;
  absl::StatusOr<DialedStream> DialNow(const Url& url, const std::string& unix_socket, Way way,
                                       Http2Offer offer);
  absl::StatusOr<Socket> DialHost(const std::string& host, uint16_t port);
  absl::StatusOr<std::vector<SocketAddress>> Resolve(const std::string& host, uint16_t port);
  absl::Status Tunnel(Socket& socket, const Url& url) const;
  absl::StatusOr<DialedStream> Secure(Socket socket, const Url& url, Http2Offer offer);

  const DialerOptions options_;
  std::unique_ptr<Resolver> resolver_;
  std::optional<Url> proxy_;
  std::string proxy_credentials_;
  // Made when it is first needed: reading the system's authorities takes some ms.
  std::optional<TlsClientContext> tls_;
  std::optional<TlsClientContext> tls_http2_;  // offers both
  DialerStats stats_;
};

}  // namespace grove::http

#endif  // GROVE_HTTP_CLIENT_DIALER_H_
