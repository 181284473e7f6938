// Dialer: makes connections to one Redis server, ready for commands.
//
// By name, address or UNIX socket, in the clear or over TLS, with HELLO 3, AUTH, SETNAME and
// SELECT. A Wire is such a connection: bytes out, Values in. Hub thread only.
#ifndef GROVE_DATABASE_REDIS_DIALER_H_
#define GROVE_DATABASE_REDIS_DIALER_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "database/redis/reply_parser.h"
#include "database/redis/value.h"
#include "runtime/dns/resolver.h"
#include "runtime/io/stream.h"
#include "runtime/tls/client_context.h"

namespace grove::redis {

struct ServerOptions {
  // A name or an address; of the server's certificate, too.
  std::string host = "127.0.0.1";
  uint16_t port = 6379;
  // The path of a UNIX socket, in place of both; empty: none.
  std::string unix_socket;
  // Empty: Redis's "default".
  std::string user;
  // Empty: no AUTH.
  std::string password;
  int database = 0;
  // As CLIENT LIST shows it; no blanks.
  std::string client_name = "grove";
  std::optional<TlsClientOptions> tls;
  // Names, connection, TLS and greeting together.
  absl::Duration connect_timeout = absl::Seconds(5);
  ReplyLimits reply;
  ResolverOptions resolver;
};

struct WireStats {
  uint64_t connects = 0;  // that came to a greeted connection
  uint64_t connect_failures = 0;
  uint64_t bytes_sent = 0;
  uint64_t bytes_received = 0;
};

class Wire {
 public:
  Wire(std::unique_ptr<Stream> stream, const ReplyLimits& limits, std::shared_ptr<WireStats> stats)
      : stream_(std::move(stream)), parser_(limits), stats_(std::move(stats)) {}

  // kUnavailable, kAborted as of Stream. **Parks.**
  absl::Status Write(std::string_view bytes);
  // The next reply or push. One fiber reads while another writes. kUnavailable: the connection
  // ended, or the server's bytes are no RESP; kResourceExhausted: a reply over a limit; kAborted,
  // kDeadlineExceeded, kCancelled. **Parks.**
  absl::StatusOr<Value> Next();
  // Whether Next() would not park: a reply, or an error, is there.
  absl::StatusOr<std::optional<Value>> Buffered() { return parser_.Next(); }
  // Wakes who reads or writes. Never parks.
  void Abort() { stream_->Abort(); }

 private:
  const std::unique_ptr<Stream> stream_;
  ReplyParser parser_;
  const std::shared_ptr<WireStats> stats_;
  std::array<char, size_t{16} << 10> piece_;
};

class Dialer {
 public:
  // kInvalidArgument: what is wrong with the options.
  static absl::StatusOr<std::shared_ptr<Dialer>> Create(ServerOptions options);

  // kUnavailable: nothing answers, or not in time; kUnauthenticated: name, password or certificate;
  // kFailedPrecondition: the server is older than Redis 6, or no authority can be read; what else
  // the server says of the greeting (error_reply.h). **Parks.**
  absl::StatusOr<std::unique_ptr<Wire>> Dial();

  // "redis.example.org:6379", "unix:/run/redis.sock".
  const std::string& place() const { return place_; }
  const ServerOptions& options() const { return options_; }
  const WireStats& stats() const { return *stats_; }

 private:
  explicit Dialer(ServerOptions options);
  absl::StatusOr<std::unique_ptr<Wire>> DialNow();
  absl::StatusOr<std::unique_ptr<Stream>> Open();
  absl::Status Greet(Wire& wire) const;

  const ServerOptions options_;
  std::string place_;
  std::unique_ptr<Resolver> resolver_;
  // Made when it is first needed: reading the system's authorities takes some ms.
  std::optional<TlsClientContext> tls_;
  // Wires outlive their dialer.
  const std::shared_ptr<WireStats> stats_ = std::make_shared<WireStats>();
};

}  // namespace grove::redis

#endif  // GROVE_DATABASE_REDIS_DIALER_H_
