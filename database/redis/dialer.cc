#include "database/redis/dialer.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "database/redis/command.h"
#include "database/redis/error_reply.h"
#include "runtime/dns/dial_host.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/socket.h"
#include "runtime/switch/abseil_text.h"
#include "runtime/tls/stream.h"

namespace grove::redis {
namespace {

// Redis 7 has 16 databases unless told otherwise, and no use for more than it has ids.
constexpr int kDatabaseMax = 1 << 20;

absl::Status Check(const ServerOptions& options) {
  if (options.unix_socket.empty() && options.host.empty()) {
    return absl::InvalidArgumentError("redis: no host and no unix_socket");
  }
  if (!options.user.empty() && options.password.empty()) {
    return absl::InvalidArgumentError("redis: a user without a password");
  }
  if (options.database < 0 || options.database > kDatabaseMax) {
    return absl::InvalidArgumentError(StrCat("redis: no database ", options.database));
  }
  if (options.client_name.find_first_of(" \r\n") != std::string::npos) {
    return absl::InvalidArgumentError("redis: client_name: Redis takes none with blanks");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Wire::Write(std::string_view bytes) {
  stats_->bytes_sent += bytes.size();
  return stream_->Write(bytes);
}

absl::StatusOr<Value> Wire::Next() {
  for (;;) {
    absl::StatusOr<std::optional<Value>> value = parser_.Next();
    if (!value.ok()) return value.status();
    if (value->has_value()) return **std::move(value);
    absl::StatusOr<size_t> got = stream_->Read(piece_);
    if (!got.ok()) return got.status();
    if (*got == 0) return absl::UnavailableError("redis: the server closed the connection");
    stats_->bytes_received += *got;
    parser_.Feed({piece_.data(), *got});
  }
}

absl::StatusOr<std::shared_ptr<Dialer>> Dialer::Create(ServerOptions options) {
  if (absl::Status checked = Check(options); !checked.ok()) return checked;
  std::shared_ptr<Dialer> dialer(new Dialer(std::move(options)));
  absl::StatusOr<std::unique_ptr<Resolver>> resolver = Resolver::Create(dialer->options_.resolver);
  if (!resolver.ok()) return resolver.status();
  dialer->resolver_ = *std::move(resolver);
  return dialer;
}

Dialer::Dialer(ServerOptions options)
    : options_(std::move(options)),
      place_(options_.unix_socket.empty() ? StrCat(options_.host, ":", options_.port)
                                          : StrCat("unix:", options_.unix_socket)) {}

absl::StatusOr<std::unique_ptr<Wire>> Dialer::Dial() {
  Timeout timeout(options_.connect_timeout);
  absl::StatusOr<std::unique_ptr<Wire>> wire = DialNow();
  ++(wire.ok() ? stats_->connects : stats_->connect_failures);
  if (wire.ok()) return wire;
  // Another try may find it in time, as after a connection that was refused.
  if (timeout.Caused(wire.status())) {
    return absl::UnavailableError(absl::StrFormat("redis: connect %s: not done after %s", place_,
                                                  absl::FormatDuration(options_.connect_timeout)));
  }
  absl::Status status(wire.status().code(),
                      absl::StrFormat("redis: connect %s: %s", place_, wire.status().message()));
  wire.status().ForEachPayload(
      [&](auto url, const absl::Cord& payload) { status.SetPayload(url, payload); });
  return status;
}

absl::StatusOr<std::unique_ptr<Wire>> Dialer::DialNow() {
  absl::StatusOr<std::unique_ptr<Stream>> stream = Open();
  if (!stream.ok()) return stream.status();
  auto wire = std::make_unique<Wire>(*std::move(stream), options_.reply, stats_);
  if (absl::Status greeted = Greet(*wire); !greeted.ok()) return greeted;
  return wire;
}

absl::StatusOr<std::unique_ptr<Stream>> Dialer::Open() {
  absl::StatusOr<Socket> socket = options_.unix_socket.empty()
                                      ? DialHost(*resolver_, options_.host, options_.port)
                                      : Socket::ConnectUnix(options_.unix_socket);
  // A socket's file that is not there yet is a server that is not up.
  if (absl::IsNotFound(socket.status())) {
    return absl::UnavailableError(socket.status().message());
  }
  if (!socket.ok()) return socket.status();
  if (!options_.tls.has_value()) return std::make_unique<Socket>(*std::move(socket));
  if (!tls_.has_value()) {
    absl::StatusOr<TlsClientContext> made = TlsClientContext::Create(*options_.tls);
    if (!made.ok()) return absl::FailedPreconditionError(made.status().message());
    tls_.emplace(*std::move(made));
  }
  absl::StatusOr<TlsStream> stream = TlsStream::Connect(*std::move(socket), *tls_, options_.host);
  if (!stream.ok()) return stream.status();
  return std::make_unique<TlsStream>(*std::move(stream));
}

absl::Status Dialer::Greet(Wire& wire) const {
  Command hello({"HELLO", 3});
  if (!options_.password.empty()) {
    hello.Add("AUTH").Add(options_.user.empty() ? "default" : options_.user).Add(options_.password);
  }
  if (!options_.client_name.empty()) hello.Add("SETNAME").Add(options_.client_name);
  std::string bytes;
  hello.AppendTo(bytes);
  if (options_.database != 0) Command({"SELECT", options_.database}).AppendTo(bytes);
  if (absl::Status sent = wire.Write(bytes); !sent.ok()) return sent;
  for (int replies = options_.database != 0 ? 2 : 1; replies > 0; --replies) {
    absl::StatusOr<Value> reply = wire.Next();
    if (!reply.ok()) return reply.status();
    if (!reply->error()) continue;
    if (reply->text().find("unknown command") != std::string_view::npos ||
        reply->text().starts_with("NOPROTO")) {
      return absl::FailedPreconditionError(
          StrCat("the server knows no HELLO 3; Redis 6 or later is wanted: ", reply->text()));
    }
    return reply->status();
  }
  return absl::OkStatus();
}

}  // namespace grove::redis
