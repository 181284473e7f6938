#include "database/mariadb/wire.h"

#include <errmsg.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include <utility>

#include "absl/strings/str_format.h"
#include "database/mariadb/server_error.h"
#include "runtime/hub/check.h"
#include "runtime/hub/descriptor_table.h"
#include "runtime/hub/hub.h"
#include "runtime/hub/timeout.h"
#include "runtime/io/ip_address.h"
#include "runtime/switch/abseil_text.h"

namespace grove::mariadb {
namespace {

// Of the library's own coroutine: a TLS handshake takes some 20 KiB of it.
constexpr size_t kStackBytes = size_t{64} << 10;
// A call whose socket is shut down ends after a few steps.
constexpr int kAbandonStepsMax = 1000;
// For the connection that ends another one's query.
constexpr absl::Duration kKillTimeout = absl::Seconds(10);

bool IsLost(unsigned number) {
  return number == CR_SERVER_GONE_ERROR || number == CR_SERVER_LOST ||
         number == CR_SERVER_LOST_EXTENDED || number == CR_MALFORMED_PACKET ||
         number == CR_COMMANDS_OUT_OF_SYNC;
}

}  // namespace

// --- Wire

Wire::~Wire() {
  if (fd_ >= 0 && Hub::Current() != nullptr) Hub::Current()->descriptors().Unregister(fd_);
  mysql_close(mysql_);
}

absl::Status Wire::Adopt() {
  const int fd = mysql_get_socket(mysql_);
  // While it connects the library makes it blocking again.
  if (id_ == 0) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  if (fd == fd_) return absl::OkStatus();
  DescriptorTable& table = Hub::Current()->descriptors();
  if (fd_ >= 0) table.Unregister(fd_);
  fd_ = -1;
  if (absl::Status added = table.Register(fd, Poller::Mode::kEdge); !added.ok()) return added;
  fd_ = fd;
  return absl::OkStatus();
}

absl::Status Wire::Await(int wait) {
  if (absl::Status adopted = Adopt(); !adopted.ok()) return adopted;
  const Direction direction = (wait & MYSQL_WAIT_READ) != 0 ? Direction::kRead : Direction::kWrite;
  // It has just met EAGAIN there, or EINPROGRESS.
  DescriptorTable& table = Hub::Current()->descriptors();
  table.NotReady(fd_, direction);
  return table.Await(fd_, direction,
                     direction == Direction::kRead ? WaitFor::Kind::kRead : WaitFor::Kind::kWrite);
}

absl::Status Wire::Drive(absl::FunctionRef<int()> start, absl::FunctionRef<int(int)> cont) {
  if (broken_) return absl::UnavailableError("mariadb: the connection is broken");
  absl::Status waited;
  int steps = 0;
  // The library takes what anybody has left in this thread's queue of TLS errors for its own.
  ERR_clear_error();
  for (int wait = start(); wait != 0;) {
    if (waited.ok()) waited = Await(wait);
    ERR_clear_error();
    if (!waited.ok()) {
      GROVE_CHECK(++steps < kAbandonStepsMax, "a call of libmariadb does not end");
      Break();
      wait = cont(MYSQL_WAIT_TIMEOUT);
    } else {
      wait = cont(wait & (MYSQL_WAIT_READ | MYSQL_WAIT_WRITE));
    }
    ForgetClosed();
  }
  ForgetClosed();
  return waited;
}

// The library closes its socket by itself when the connection is lost; the number may be another's
// by the next time that fibers run.
void Wire::ForgetClosed() {
  if (fd_ < 0 || fcntl(fd_, F_GETFD) >= 0) return;
  Hub::Current()->descriptors().Unregister(fd_);
  fd_ = -1;
}

void Wire::Break() {
  if (std::exchange(broken_, true)) return;
  if (fd_ >= 0) shutdown(fd_, SHUT_RDWR);
}

absl::Status Wire::Error() {
  const unsigned number = mysql_errno(mysql_);
  if (IsLost(number)) Break();
  return ServerErrorStatus(number, mysql_sqlstate(mysql_), mysql_error(mysql_));
}

absl::Status Wire::Error(MYSQL_STMT* statement) {
  const unsigned number = mysql_stmt_errno(statement);
  if (IsLost(number)) Break();
  return ServerErrorStatus(number, mysql_stmt_sqlstate(statement), mysql_stmt_error(statement));
}

absl::Status Wire::Run(std::string_view sql) {
  int failed = 0;
  absl::Status driven =
      Drive([&] { return mysql_real_query_start(&failed, mysql_, sql.data(), sql.size()); },
            [&](int ready) { return mysql_real_query_cont(&failed, mysql_, ready); });
  if (!driven.ok()) return driven;
  return failed == 0 ? absl::OkStatus() : Error();
}

// --- Dialer

absl::StatusOr<std::shared_ptr<Dialer>> Dialer::Create(ServerOptions options) {
  if (options.unix_socket.empty() && options.host.empty()) {
    return absl::InvalidArgumentError("mariadb: no host and no unix_socket");
  }
  if (options.tls.has_value() &&
      options.tls->certificate_file.empty() != options.tls->key_file.empty()) {
    return absl::InvalidArgumentError("mariadb: a certificate and its key go together");
  }
  std::shared_ptr<Dialer> dialer(new Dialer(std::move(options)));
  absl::StatusOr<std::unique_ptr<Resolver>> resolver = Resolver::Create(dialer->options_.resolver);
  if (!resolver.ok()) return resolver.status();
  dialer->resolver_ = *std::move(resolver);
  return dialer;
}

absl::StatusOr<std::unique_ptr<Wire>> Dialer::Dial() {
  Timeout timeout(options_.connect_timeout);
  absl::StatusOr<std::unique_ptr<Wire>> wire = DialNow();
  ++(wire.ok() ? stats_.connects : stats_.connect_failures);
  if (!wire.ok() && timeout.Caused(wire.status())) {
    return absl::UnavailableError(StrCat("mariadb: connect: not done after ",
                                         absl::FormatDuration(options_.connect_timeout)));
  }
  return wire;
}

absl::Status Dialer::Prepare(MYSQL* mysql) const {
  const size_t packet = options_.packet_bytes_max;
  const my_bool off = 0;
  const unsigned no_files = 0;
  bool set = mysql_options(mysql, MYSQL_OPT_NONBLOCK, &kStackBytes) == 0;
  // "localhost" is a name like any other, and no hint at a UNIX socket.
  const unsigned protocol =
      options_.unix_socket.empty() ? MYSQL_PROTOCOL_TCP : MYSQL_PROTOCOL_SOCKET;
  set = mysql_options(mysql, MYSQL_OPT_PROTOCOL, &protocol) == 0 && set;
  set = mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4") == 0 && set;
  set = mysql_options(mysql, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet) == 0 && set;
  // A server must not read this machine's files.
  set = mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &no_files) == 0 && set;
  set = mysql_options(mysql, MYSQL_OPT_RECONNECT, &off) == 0 && set;
  if (options_.tls.has_value()) {
    const auto file = [](const std::string& name) { return name.empty() ? nullptr : name.c_str(); };
    const my_bool on = 1;
    const my_bool verify = options_.tls->dangerously_accept_any_server ? 0 : 1;
    set = mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &on) == 0 && set;
    mysql_ssl_set(mysql, file(options_.tls->key_file), file(options_.tls->certificate_file),
                  file(options_.tls->ca_file), nullptr, nullptr);
    set = mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify) == 0 && set;
  }
  return set ? absl::OkStatus() : absl::InternalError("mariadb: the library refuses an option");
}

absl::StatusOr<std::unique_ptr<Wire>> Dialer::DialNow() {
  const bool local = !options_.unix_socket.empty();
  if (!local && options_.tls.has_value()) return DialTo(options_.host, true);
  if (local || IpAddress::Parse(options_.host).has_value()) return DialTo(options_.host, false);
  absl::StatusOr<std::vector<SocketAddress>> addresses =
      resolver_->Resolve(options_.host, options_.port);
  if (absl::IsNotFound(addresses.status())) {
    return absl::UnavailableError(addresses.status().message());
  }
  if (!addresses.ok()) return addresses.status();
  absl::StatusOr<std::unique_ptr<Wire>> wire = absl::UnavailableError("mariadb: no address");
  for (const SocketAddress& address : *addresses) {
    wire = DialTo(address.host()->ToString(), false);
    if (!absl::IsUnavailable(wire.status())) break;
  }
  return wire;
}

absl::StatusOr<std::unique_ptr<Wire>> Dialer::DialTo(const std::string& host, bool on_thread) {
  MYSQL* const mysql = mysql_init(nullptr);
  if (mysql == nullptr) return absl::ResourceExhaustedError("mariadb: no memory");
  std::unique_ptr<Wire> wire(new Wire(mysql));
  if (absl::Status prepared = Prepare(mysql); !prepared.ok()) return prepared;
  const absl::Status connected = on_thread ? ConnectOnThread(*wire) : Connect(*wire, host);
  if (!connected.ok()) return connected;
  if (absl::Status adopted = wire->Adopt(); !adopted.ok()) return adopted;
  wire->id_ = mysql_thread_id(mysql);
  return wire;
}

absl::Status Dialer::Connect(Wire& wire, const std::string& host) {
  const bool local = !options_.unix_socket.empty();
  MYSQL* connected = nullptr;
  absl::Status driven = wire.Drive(
      [&] {
        return mysql_real_connect_start(
            &connected, wire.get(), local ? "localhost" : host.c_str(), options_.user.c_str(),
            options_.password.c_str(),
            options_.database.empty() ? nullptr : options_.database.c_str(),
            local ? 0 : options_.port, local ? options_.unix_socket.c_str() : nullptr, 0);
      },
      [&](int ready) { return mysql_real_connect_cont(&connected, wire.get(), ready); });
  if (!driven.ok()) return driven;
  return connected != nullptr ? absl::OkStatus() : wire.Error();
}

absl::Status Dialer::ConnectOnThread(Wire& wire) {
  // Its name is the certificate's, and the library makes the socket blocking for the handshake:
  // both would hold up the hub.
  const unsigned seconds = static_cast<unsigned>(
      absl::ToInt64Seconds(absl::Ceil(options_.connect_timeout, absl::Seconds(1))));
  for (const mysql_option option :
       {MYSQL_OPT_CONNECT_TIMEOUT, MYSQL_OPT_READ_TIMEOUT, MYSQL_OPT_WRITE_TIMEOUT}) {
    mysql_options(wire.get(), option, &seconds);
  }
  MYSQL* connected = nullptr;
  absl::Status ran = threads_.Run([&] {
    connected = mysql_real_connect(
        wire.get(), options_.host.c_str(), options_.user.c_str(), options_.password.c_str(),
        options_.database.empty() ? nullptr : options_.database.c_str(), options_.port, nullptr, 0);
    ERR_clear_error();
    mysql_thread_end();
  });
  if (!ran.ok()) return ran;
  return connected != nullptr ? absl::OkStatus() : wire.Error();
}

void Dialer::KillQuery(unsigned long id) {
  ++stats_.kills;
  const auto spawned = Spawn("mariadb-kill", [self = shared_from_this(), id] {
    Timeout timeout(kKillTimeout);
    absl::StatusOr<std::unique_ptr<Wire>> wire = self->Dial();
    const absl::Status killed =
        wire.ok() ? (*wire)->Run(absl::StrCat("KILL QUERY ", id)) : wire.status();
    if (!killed.ok()) ++self->stats_.kill_failures;
  });
  if (!spawned.ok()) ++stats_.kill_failures;
}

}  // namespace grove::mariadb
