#include "http/client/dialer.h"

#include <array>
#include <utility>

#include "absl/strings/str_format.h"
#include "http/client/request_head.h"
#include "http/client/response_parser.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/dial.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/tls/stream.h"

namespace grove::http {
namespace {

constexpr std::string_view kHttp2Alpn = "h2";

bool IsOrIsBelow(std::string_view host, std::string_view domain) {
  if (domain.starts_with('.')) domain.remove_prefix(1);
  if (domain == "*" || host == domain) return true;
  return host.size() > domain.size() && host.ends_with(domain) &&
         host[host.size() - domain.size() - 1] == '.';
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpDialer>> HttpDialer::Create(DialerOptions options) {
  std::unique_ptr<HttpDialer> dialer(new HttpDialer(std::move(options)));
  if (!dialer->options_.proxy.empty()) {
    absl::StatusOr<Url> proxy = Url::Parse(dialer->options_.proxy);
    if (!proxy.ok() || proxy->https) {
      return absl::InvalidArgumentError(
          StrCat("proxy: want http://host:port",
                 proxy.ok() ? "" : StrCat("; ", proxy.status().message())));
    }
    dialer->proxy_credentials_ = BasicCredentials(proxy->userinfo);
    dialer->proxy_ = *std::move(proxy);
  }
  absl::StatusOr<std::unique_ptr<Resolver>> resolver = Resolver::Create(dialer->options_.resolver);
  if (!resolver.ok()) return resolver.status();
  dialer->resolver_ = *std::move(resolver);
  return dialer;
}

bool HttpDialer::UsesProxy(const Url& url) const {
  if (!proxy_.has_value() || options_.connect != nullptr) return false;
  for (const std::string& domain : options_.no_proxy) {
    if (IsOrIsBelow(url.host, domain)) return false;
  }
  return true;
}

std::string HttpDialer::KeyOf(const Url& url, const std::string& unix_socket, Way way) const {
  if (!unix_socket.empty()) return StrCat(url.https ? "s " : "p ", unix_socket, " ", url.host);
  if (AsksProxy(url, way)) return "proxy";
  return StrCat(url.https ? "s " : "p ", url.Authority());
}

absl::StatusOr<DialedStream> HttpDialer::Dial(const Url& url, const std::string& unix_socket,
                                              Way way, Http2Offer offer) {
  Timeout timeout(options_.connect_timeout);
  absl::StatusOr<DialedStream> stream = DialNow(url, unix_socket, way, offer);
  if (stream.ok() || !timeout.Caused(stream.status())) return stream;
  // Another try may find it in time, as after a connection that was refused.
  return absl::UnavailableError(absl::StrFormat("connect %s: not done after %s", url.Authority(),
                                                absl::FormatDuration(options_.connect_timeout)));
}

absl::StatusOr<DialedStream> HttpDialer::DialNow(const Url& url, const std::string& unix_socket,
                                                 Way way, Http2Offer offer) {
  if (options_.connect != nullptr) {
    absl::StatusOr<std::unique_ptr<Stream>> stream = options_.connect(url);
    if (!stream.ok()) return stream.status();
    return DialedStream{.stream = *std::move(stream)};
  }
  const bool by_proxy = unix_socket.empty() && UsesProxy(url);
  absl::StatusOr<Socket> socket = !unix_socket.empty() ? Socket::ConnectUnix(unix_socket)
                                  : by_proxy           ? DialHost(proxy_->host, proxy_->port)
                                                       : DialHost(url.host, url.port);
  if (!socket.ok()) return socket.status();
  if (by_proxy && !AsksProxy(url, way)) {
    if (absl::Status tunnel = Tunnel(*socket, url); !tunnel.ok()) return tunnel;
  }
  if (url.https) return Secure(*std::move(socket), url, offer);
  return DialedStream{.stream = std::make_unique<Socket>(*std::move(socket)),
                      .http2 = offer == Http2Offer::kPriorKnowledge};
}

absl::StatusOr<std::vector<SocketAddress>> HttpDialer::Resolve(const std::string& host,
                                                               uint16_t port) {
  const MonotonicNanos began = Hub::Current()->ReadClock();
  const uint64_t asked = resolver_->Stats().queries;
  absl::StatusOr<std::vector<SocketAddress>> found = resolver_->Resolve(host, port);
  ++stats_.lookups;
  stats_.lookup_nanos += static_cast<uint64_t>(Hub::Current()->ReadClock() - began);
  if (resolver_->Stats().queries != asked) ++stats_.asked;
  if (found.ok()) return found;
  ++stats_.lookup_failures;
  // Of a server that does not answer for it now, whatever the reason.
  if (absl::IsNotFound(found.status())) return absl::UnavailableError(found.status().message());
  return found;
}

absl::StatusOr<Socket> HttpDialer::DialHost(const std::string& host, uint16_t port) {
  absl::StatusOr<std::vector<SocketAddress>> addresses = Resolve(host, port);
  if (!addresses.ok()) return addresses.status();
  absl::Status refused;
  if (options_.allow != nullptr) {
    std::erase_if(*addresses, [&](const SocketAddress& address) {
      absl::Status allowed = options_.allow(address);
      if (!allowed.ok()) refused = allowed;
      return !allowed.ok();
    });
  }
  if (addresses->empty()) return refused;
  if (addresses->size() > kDialAddressesMax) addresses->resize(kDialAddressesMax);
  absl::StatusOr<Socket> socket = DialAny(*addresses);
  if (socket.ok() || absl::IsDeadlineExceeded(socket.status()) ||
      absl::IsCancelled(socket.status())) {
    return socket;
  }
  return absl::UnavailableError(socket.status().message());
}

absl::Status HttpDialer::Tunnel(Socket& socket, const Url& url) const {
  std::string head =
      StrCat("CONNECT ", url.Authority(), " HTTP/1.1\r\nHost: ", url.Authority(), "\r\n");
  if (!proxy_credentials_.empty()) {
    StrAppend(&head, "Proxy-Authorization: ", proxy_credentials_, "\r\n");
  }
  if (absl::Status sent = socket.Write(head + "\r\n"); !sent.ok()) return sent;
  ResponseParser parser;
  std::string answer;
  for (;;) {
    std::array<char, 1024> piece;
    absl::StatusOr<size_t> got = socket.Read(piece);
    if (!got.ok()) return got.status();
    if (*got == 0) return absl::UnavailableError("the proxy closed the connection");
    answer.append(piece.data(), *got);
    const ResponseParser::Result result = parser.Parse(answer);
    if (result == ResponseParser::Result::kBad) return parser.error();
    if (result == ResponseParser::Result::kDone) break;
  }
  const int status = parser.head().status;
  if (status < 200 || status > 299) {
    return absl::UnavailableError(StrCat("the proxy refuses a tunnel to ", url.Authority(), ": ",
                                         status, " ", parser.head().reason));
  }
  // Before the client has spoken, a TLS server says nothing.
  if (parser.head_bytes() != answer.size()) {
    return absl::UnavailableError("the proxy speaks where the server should");
  }
  return absl::OkStatus();
}

absl::StatusOr<DialedStream> HttpDialer::Secure(Socket socket, const Url& url, Http2Offer offer) {
  const bool with_http2 = offer != Http2Offer::kNone;
  std::optional<TlsClientContext>& tls = with_http2 ? tls_http2_ : tls_;
  if (!tls.has_value()) {
    TlsClientOptions options = options_.tls;
    if (with_http2) options.alpn.insert(options.alpn.begin(), std::string(kHttp2Alpn));
    absl::StatusOr<TlsClientContext> made = TlsClientContext::Create(options);
    if (!made.ok()) return absl::FailedPreconditionError(made.status().message());
    tls.emplace(*std::move(made));
  }
  absl::StatusOr<TlsStream> stream = TlsStream::Connect(std::move(socket), *tls, url.host);
  if (!stream.ok()) {
    if (!absl::IsUnauthenticated(stream.status())) return stream.status();
    return absl::FailedPreconditionError(stream.status().message());
  }
  ++stats_.handshakes;
  if (stream->resumed()) ++stats_.resumed;
  const bool http2 = with_http2 && stream->alpn() == kHttp2Alpn;
  return DialedStream{.stream = std::make_unique<TlsStream>(*std::move(stream)), .http2 = http2};
}

}  // namespace grove::http
