// Wire: a connection of MariaDB's client library, driven by its non-blocking calls.
//
// The library runs each call on a stack of its own and comes back when it would wait; the fiber
// waits in its place. A call that has begun is always driven to its end, for the library knows no
// other: if the fiber is interrupted, the socket is shut down first, so that the end comes at once,
// and the wire is broken from then on. One fiber at a time. Hub thread only.
#ifndef GROVE_DATABASE_MARIADB_WIRE_H_
#define GROVE_DATABASE_MARIADB_WIRE_H_

#include <mysql.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "runtime/dns/resolver.h"
#include "runtime/offload/offload.h"

namespace grove::mariadb {

struct TlsOptions {
  // PEM file of the authorities to trust; empty: the system's.
  std::string ca_file;
  // Presented to the server; empty: none.
  std::string certificate_file;
  std::string key_file;
  // Anybody in between can read and change everything. For tests.
  bool dangerously_accept_any_server = false;
};

struct ServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 3306;
  // The path of a UNIX socket, in place of both; empty: none. Its certificate names "localhost".
  std::string unix_socket;
  std::string user;
  std::string password;
  std::string database;
  std::optional<TlsOptions> tls;
  // Names, connection, TLS and login together.
  absl::Duration connect_timeout = absl::Seconds(10);
  // Of one packet, and so of a row: what the library refuses to read beyond.
  size_t packet_bytes_max = size_t{64} << 20;
  ResolverOptions resolver;
};

class Wire {
 public:
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  // Drives a call of the library: `start` begins it, `cont` goes on; both give what it waits for, 0
  // at its end. OK: it has ended, as its own result says. kDeadlineExceeded, kCancelled: its end
  // was brought about, and the wire is broken. **Parks.**
  absl::Status Drive(absl::FunctionRef<int()> start, absl::FunctionRef<int(int ready)> cont);
  // The library's last error, of the connection or of a statement; a lost connection breaks it.
  absl::Status Error();
  absl::Status Error(MYSQL_STMT* statement);
  // A statement without rows, by the text protocol: BEGIN. **Parks.**
  absl::Status Run(std::string_view sql);

  void Break();
  bool broken() const { return broken_; }
  MYSQL* get() { return mysql_; }
  unsigned long id() const { return id_; }  // the server's, for KILL

 private:
  friend class Dialer;
  explicit Wire(MYSQL* mysql) : mysql_(mysql) {}
  absl::Status Await(int wait);
  // Registers the library's socket with the hub.
  absl::Status Adopt();
  void ForgetClosed();

  MYSQL* const mysql_;
  int fd_ = -1;  // that is registered
  unsigned long id_ = 0;
  bool broken_ = false;
};

// Makes connections to one server.
class Dialer : public std::enable_shared_from_this<Dialer> {
 public:
  // kInvalidArgument: what is wrong with the options.
  static absl::StatusOr<std::shared_ptr<Dialer>> Create(ServerOptions options);

  // kUnavailable: nothing answers, or not in time; kUnauthenticated, kPermissionDenied, kNotFound:
  // user, rights, database; kFailedPrecondition: TLS; else server_error.h. With TLS over TCP it
  // happens on a thread, and is waited for also by a fiber that is cancelled. **Parks.**
  absl::StatusOr<std::unique_ptr<Wire>> Dial();
  // Ends what the server does for the connection `id`, from another one, by a fiber that nobody
  // waits for.
  void KillQuery(unsigned long id);

  struct Stats {
    uint64_t connects = 0;
    uint64_t connect_failures = 0;
    uint64_t kills = 0;
    uint64_t kill_failures = 0;
  };
  const Stats& stats() const { return stats_; }

 private:
  explicit Dialer(ServerOptions options) : options_(std::move(options)) {}
  absl::StatusOr<std::unique_ptr<Wire>> DialNow();
  absl::Status Prepare(MYSQL* mysql) const;
  absl::StatusOr<std::unique_ptr<Wire>> DialTo(const std::string& host, bool on_thread);
  absl::Status Connect(Wire& wire, const std::string& host);
  absl::Status ConnectOnThread(Wire& wire);

  const ServerOptions options_;
  std::unique_ptr<Resolver> resolver_;
  // For TLS over TCP: the library shakes hands on a socket that it has made blocking, and checks
  // the certificate against what it connects to, so that it must resolve the name itself.
  OffloadPool threads_{{.threads = 2}};
  Stats stats_;
};

}  // namespace grove::mariadb

#endif  // GROVE_DATABASE_MARIADB_WIRE_H_
